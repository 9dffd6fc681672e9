"""The exchange of files: requests of ours, requests of others, and pushes, as rows of the ledger."""

from typing import ClassVar

from kachery_tui.errors import UsageError
from kachery_tui.node.exchange import Exchange, must_be_active, must_have_ended
from kachery_tui.node.files.asking import Asker
from kachery_tui.node.files.fetching import Fetch
from kachery_tui.node.files.providing import Provider
from kachery_tui.node.files.pushing import push
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.files.uploading import Uploader
from kachery_tui.node.ledger import Request
from kachery_tui.node.membership import Membership, joined
from kachery_tui.node.parts import Parts
from kachery_tui.node.row_work import RowWork
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.envelope import Envelope
from kachery_tui.protocol.messages import (
    RequestFile,
    UploadFileFailed,
    UploadFileProgress,
    UploadFileStatus,
)
from kachery_tui.protocol.roles import Kind, Role
from kachery_tui.protocol.uris import FileUri


class FileExchange(Exchange):
    """What the node does with files, and the commands that a person has for it."""

    kind: ClassVar[Kind] = Kind.FILES

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._asker = Asker(parts.ledger, parts.people)
        self._uploader = Uploader(parts.ledger, parts.uploaded)
        self._provider = Provider(parts, self._uploader)
        self._work = RowWork(parts.ledger, parts.supervisor)

    def request(
        self, uri: FileUri | str, channel: str | None = None, *, caller: str = "", is_absent: bool = False
    ) -> Request:
        """Get a file: from own storage, a bucket, or another node.

        `channel` names the one to use; without it every channel is looked at. A request for the same file that is
        under way already is returned instead of a second one. `caller` is for whom, where that is no person here;
        `is_absent` saves the look into own storage, for those who have just done that.
        Raises `ProtocolError` for what is no file URI, `UsageError` for an unknown channel.
        """
        wanted = FileUri.parse(uri) if isinstance(uri, str) else uri
        if channel is not None:
            joined(self._parts.memberships, channel)
        file = FileSubject(wanted)
        same = self._ledger.find_active(Side.MINE, file)
        if same is not None:
            self._ledger.called(same, caller)
            return same
        row = self._ledger.open(Side.MINE, channel or "", file, Step.STORAGE)
        row.only_channel = channel
        self._ledger.called(row, caller)
        self._work.run(row, lambda: self._fetch(row, file, is_absent=is_absent))
        return row

    def push(self, uri: FileUri | str, channel: str) -> Request:
        """Put a file of this node's storage into a channel's bucket and announce it, unasked."""
        wanted = FileUri.parse(uri) if isinstance(uri, str) else uri
        membership = joined(self._parts.memberships, channel)
        membership.require(Role.PROVIDE_FILES)
        file = FileSubject(wanted)
        same = self._ledger.find(
            lambda row: (
                row.side is Side.PUSH
                and row.is_active
                and row.channel == channel
                and row.subject.hash == file.hash
            )
        )
        if same is not None:
            return same
        row = self._ledger.open(Side.PUSH, channel, file, Step.CHECKING)
        row.only_channel = channel
        self._work.run(row, lambda: self._push(row, file))
        return row

    def answer(self, row: Request, *, yes: bool) -> None:
        """Answer a request of others that waits for a person. Raises `UsageError` where none waits."""
        self._provider.answer(row, yes=yes)

    def cancel(self, row: Request) -> None:
        """Break a request off. Raises `UsageError` when it has ended already."""
        must_be_active(row)
        if row.side is Side.THEIRS:
            self._provider.cancel(row)
        else:
            self._work.cancel(row)

    def retry(self, row: Request) -> Request:
        """Try an ended request again, in the same row; verified chunks are kept. Raises `UsageError` while it runs."""
        must_have_ended(row)
        file = FileSubject.of(row)
        if row.side is Side.THEIRS:
            if row.earlier:
                raise UsageError(
                    f"request {row.number} of others cannot be tried again",
                    "it is of an earlier run of the program, and who asked then does not wait any more",
                    "Push the file instead",
                )
            self._provider.retry(row)
            return row
        # By a person: whoever called for it has heard how it ended.
        row.is_kept_on = True
        if row.only_channel is not None:
            joined(self._parts.memberships, row.only_channel)
        mine = row.side is Side.MINE
        self._ledger.reopen(row, Step.STORAGE if mine else Step.CHECKING)
        self._work.run(row, lambda: self._fetch(row, file) if mine else self._push(row, file))
        return row

    def hear(self, membership: Membership, envelope: Envelope, message: int) -> None:
        """Take a verified message about files."""
        match envelope.body:
            case RequestFile(key):
                if envelope.from_node_id != self._parts.people.node_id:
                    self._provider.hear_request(membership, key, envelope.from_node_id, message)
            case UploadFileStatus() | UploadFileProgress() | UploadFileFailed() as announcement:
                number = self._asker.hear_announcement(membership, envelope, announcement)
                if number is not None:
                    membership.activity[announcement.STREAM].belongs_to(message, number)

    def start(self) -> None:
        """Nothing of files goes on by itself."""

    def joined(self, membership: Membership) -> None:
        """A request under way goes on over the channels that it began with."""

    def leave(self, membership: Membership) -> None:
        """Stop what goes on over a channel that is being left."""
        self._provider.leave(membership)
        for row in self._work:
            if row.is_active and row.only_channel == membership.name:
                self._work.cancel(row)

    def end(self) -> None:
        """Say that the program ends: what is cancelled from now on was not cancelled by a person."""
        self._work.is_ending = True

    async def _fetch(self, row: Request, file: FileSubject, *, is_absent: bool = False) -> None:
        parts = self._parts
        names = [row.only_channel] if row.only_channel is not None else list(parts.memberships)
        candidates = [parts.memberships[name] for name in names]
        fetch = Fetch(row, file, candidates, parts, self._asker, is_absent=is_absent)
        found = await fetch.fetch()
        row.size = found.size
        self._ledger.end(row, Step.DONE, path=found.path)
        parts.evictor.evict_soon()

    async def _push(self, row: Request, file: FileSubject) -> None:
        parts = self._parts
        await push(row, file, parts.memberships[row.channel], parts.storage, parts.ledger, self._uploader)
        self._ledger.end(row, Step.DONE)

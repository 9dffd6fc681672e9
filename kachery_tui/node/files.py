"""The exchange of files: requests of ours, requests of others, and pushes, as rows of the ledger."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.node.asking import Asker
from kachery_tui.node.fetching import Fetch
from kachery_tui.node.history_rows import broken_off
from kachery_tui.node.ledger import Cancelled, Ledger, Request, Side, Step
from kachery_tui.node.membership import Membership, joined
from kachery_tui.node.providing import Provider
from kachery_tui.node.pushing import push
from kachery_tui.node.supervisor import Supervisor
from kachery_tui.node.threads import in_thread
from kachery_tui.node.uploading import Uploader
from kachery_tui.protocol.envelope import Envelope
from kachery_tui.protocol.messages import (
    RequestFile,
    UploadFileFailed,
    UploadFileProgress,
    UploadFileStatus,
)
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.storage import Storage

_log = logging.getLogger(__name__)


class Files:
    """What the node does with files, and the commands that a person has for it.

    Commands return or raise at once; what comes of them stands in the ledger.
    """

    def __init__(
        self,
        storage: Storage,
        ledger: Ledger,
        supervisor: Supervisor,
        memberships: Mapping[str, Membership],
        *,
        node_id: str,
        label_of: Callable[[str], str],
        on_stored: Callable[[], None],
        count_uploaded: Callable[[int], None],
        count_downloaded: Callable[[int], None],
    ) -> None:
        self._storage = storage
        self._ledger = ledger
        self._supervisor = supervisor
        self._memberships = memberships
        self._node_id = node_id
        self._on_stored = on_stored
        self._count_downloaded = count_downloaded
        self._asker = Asker(ledger, label_of, node_id)
        self._uploader = Uploader(ledger, count_uploaded)
        self._provider = Provider(storage, ledger, supervisor, self._uploader)
        self._running: dict[int, asyncio.Task[None]] = {}
        self._is_ending = False

    @property
    def waiting(self) -> int:
        """How many requests of others wait for a person's answer."""
        return self._provider.waiting

    def request(self, uri: FileUri | str, channel: str | None = None) -> Request:
        """Get a file: from own storage, a bucket, or another node.

        `channel` names the one to use; without it every channel is looked at. A request for the same file that is
        under way already is returned instead of a second one. Raises `ProtocolError` for what is no file URI,
        `UsageError` for an unknown channel.
        """
        wanted = FileUri.parse(uri) if isinstance(uri, str) else uri
        if channel is not None:
            joined(self._memberships, channel)
        same = self._ledger.find(
            lambda row: row.side is Side.MINE and row.is_active and row.key == wanted.file_key
        )
        if same is not None:
            return same
        row = self._ledger.open(Side.MINE, channel or "", wanted.file_key, wanted, Step.STORAGE)
        row.only_channel = channel
        self._run(row, self._fetch)
        return row

    def push(self, uri: FileUri | str, channel: str) -> Request:
        """Put a file of this node's storage into a channel's bucket and announce it, unasked."""
        wanted = FileUri.parse(uri) if isinstance(uri, str) else uri
        membership = joined(self._memberships, channel)
        membership.require(Role.PROVIDE_FILES)
        same = self._ledger.find(
            lambda row: (
                row.side is Side.PUSH and row.is_active and row.channel == channel and row.hash == wanted.sha1
            )
        )
        if same is not None:
            return same
        row = self._ledger.open(Side.PUSH, channel, wanted.file_key, wanted, Step.CHECKING)
        row.only_channel = channel
        self._run(row, self._push)
        return row

    def answer(self, number: int, *, yes: bool) -> None:
        """Answer a request of others that waits for a person. Raises `UsageError` where none waits."""
        self._provider.answer(self._row(number), yes=yes)

    def cancel(self, number: int) -> None:
        """Break a request off. Raises `UsageError` when it has ended already."""
        row = self._row(number)
        if not row.is_active:
            raise UsageError(f"request {number} has ended already", f"it is {row.step}")
        if row.side is Side.THEIRS:
            self._provider.cancel(row)
        elif number in self._running:
            self._running[number].cancel()

    def retry(self, number: int) -> Request:
        """Try an ended request again, in the same row; verified chunks are kept. Raises `UsageError` while it runs."""
        row = self._row(number)
        if row.is_active:
            raise UsageError(f"request {number} is still under way", f"it is {row.step}")
        if row.side is Side.THEIRS:
            if row.earlier:
                raise UsageError(
                    f"request {number} of others cannot be tried again",
                    "it is of an earlier run of the program, and who asked then does not wait any more",
                    "Push the file instead",
                )
            self._provider.retry(row)
            return row
        if row.only_channel is not None:
            joined(self._memberships, row.only_channel)
        mine = row.side is Side.MINE
        self._ledger.reopen(row, Step.STORAGE if mine else Step.CHECKING)
        self._run(row, self._fetch if mine else self._push)
        return row

    def hear(self, membership: Membership, envelope: Envelope, message: int) -> None:
        """Take a verified message about files."""
        match envelope.body:
            case RequestFile(key):
                if envelope.from_node_id != self._node_id:
                    self._provider.hear(membership, key, envelope.from_node_id, message)
            case UploadFileStatus() | UploadFileProgress() | UploadFileFailed() as announcement:
                number = self._asker.hear(membership, envelope, announcement)
                if number is not None:
                    membership.activity[announcement.STREAM].belongs_to(message, number)

    def leave(self, membership: Membership) -> None:
        """Stop what goes on over a channel that is being left."""
        self._provider.leave(membership)
        for row in self._ledger:
            if row.is_active and row.only_channel == membership.name and row.number in self._running:
                self._running[row.number].cancel()

    def end(self) -> None:
        """Say that the program ends: what is cancelled from now on was not cancelled by a person."""
        self._is_ending = True

    async def _fetch(self, row: Request) -> None:
        names = [row.only_channel] if row.only_channel is not None else list(self._memberships)
        candidates = [self._memberships[name] for name in names]
        found = await Fetch(
            row, candidates, self._storage, self._ledger, self._asker, self._count_downloaded
        ).run()
        await in_thread(lambda: self._storage.touch(found.sha1))
        self._ledger.end(row, Step.DONE, path=found.path)
        self._on_stored()

    async def _push(self, row: Request) -> None:
        await push(row, self._memberships[row.channel], self._storage, self._ledger, self._uploader)
        self._ledger.end(row, Step.DONE)

    def _run(self, row: Request, work: Callable[[Request], Awaitable[None]]) -> None:
        task = self._supervisor.spawn(self._settle(row, work), f"request {row.number}: {row.name}")
        self._running[row.number] = task
        task.add_done_callback(lambda done: self._has_ended(row, done))

    def _has_ended(self, row: Request, task: asyncio.Task[None]) -> None:
        if self._running.get(row.number) is not task:
            # Whoever waited for the end has tried it again already.
            return
        del self._running[row.number]
        # A task that is cancelled before its first step does not so much as begin to settle its row.
        if row.is_active:
            self._end_cancelled(row)

    def _end_cancelled(self, row: Request) -> None:
        why = broken_off(row.side) if self._is_ending else Cancelled(f"{row.name} was cancelled")
        self._ledger.end(row, Step.CANCELLED, failure=why)

    async def _settle(self, row: Request, work: Callable[[Request], Awaitable[None]]) -> None:
        """Run a row's work to whatever end, and write that end into the row."""
        try:
            await work(row)
        except asyncio.CancelledError:
            self._end_cancelled(row)
            raise
        except KacheryError as error:
            _log.warning("request %d (%s): %s", row.number, row.name, error)
            self._ledger.end(row, Step.FAILED, failure=error)
        except Exception as error:
            defect = KacheryError(
                f"{row.name} failed unexpectedly", repr(error), "See the log, and report it"
            )
            self._ledger.end(row, Step.FAILED, failure=defect)
            raise

    def _row(self, number: int) -> Request:
        row = self._ledger.get(number)
        if row is None:
            raise UsageError(f"no request {number}", "", "See the list of requests")
        return row

"""Asking the nodes of a channel for one object, and hearing what they answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from kachery_tui.errors import KacheryError, NobodyHasIt, TryAgain
from kachery_tui.node.ledger import Ask, Ledger, Request, Step
from kachery_tui.node.membership import Membership
from kachery_tui.node.values import Member
from kachery_tui.protocol.envelope import Envelope
from kachery_tui.protocol.manifest import CHUNK_SIZE
from kachery_tui.protocol.messages import (
    FileKey,
    RequestFile,
    UploadFileFailed,
    UploadFileProgress,
    UploadFileStatus,
    UploadStatus,
)
from kachery_tui.protocol.roles import Role, Stream

LONGEST_QUEUE: Final = 256
"""Announcements of one object that may wait to be looked at; later ones replace nothing and are dropped, since only
`finished` matters in the end, and the bucket is looked at once more before a request fails."""

ROLE_PATIENCE: Final = 10.0
"""Seconds from being connected until the streams are attached, at the most."""

Announcement = UploadFileStatus | UploadFileProgress | UploadFileFailed


@dataclass(frozen=True, slots=True)
class _Heard:
    announcement: Announcement
    node_id: str


@dataclass(slots=True, eq=False)
class _Waiter:
    request: int
    queue: asyncio.Queue[_Heard] = field(default_factory=lambda: asyncio.Queue(LONGEST_QUEUE))


@dataclass(slots=True)
class _Talk:
    """What has been heard of one object since it was asked for."""

    uploading: str = ""
    """Node id of the one that said `started`."""
    held: str = ""
    """Node id of one that has it and asks a person."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reasons by node id."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A question that is out, and the row that it is for."""

    row: Request
    ask: Ask


class Asker:
    """Publishes requests for objects and hands what is announced to those who wait for it."""

    def __init__(self, ledger: Ledger, label_of: Callable[[str], str], node_id: str) -> None:
        self.label_of = label_of
        self._ledger = ledger
        self._node_id = node_id
        self._waiters: dict[tuple[str, str], set[_Waiter]] = {}

    def hear(self, membership: Membership, envelope: Envelope, announcement: Announcement) -> int | None:
        """Take an announcement; the ledger number of a row that waits for it, if there is one."""
        waiters = self._waiters.get((membership.name, announcement.file_key.sha1), set())
        number = None
        for waiter in waiters:
            number = waiter.request
            if not waiter.queue.full():
                waiter.queue.put_nowait(_Heard(announcement, envelope.from_node_id))
        return number

    async def ask(
        self,
        membership: Membership,
        key: FileKey,
        row: Request,
        on_step: Callable[[Step, str], None],
    ) -> str | None:
        """Publish a request for `key`, which `row` needs, and wait until a node says that it is in the bucket.

        The node id of the one who said so; None when the connection was lost and made again in the meantime, so that
        the bucket is worth a look and the question worth repeating. `on_step(step, node id)` follows what is heard.
        The question and what comes of it are kept on the row.
        Raises `NobodyHasIt`, `NotAllowed`, or `TryAgain`, each saying who was listening and which wait ended.
        """
        membership.require(Role.REQUEST_FILES)
        waiter = _Waiter(row.number)
        place = (membership.name, key.sha1)
        ask: Ask | None = None
        self._waiters.setdefault(place, set()).add(waiter)
        try:
            if not membership.is_connected:
                on_step(Step.RECONNECTING, "")
                await membership.wait_connected()
            if not await membership.wait_role(Role.REQUEST_FILES, ROLE_PATIENCE):
                raise self._not_in_force(membership)
            connection = membership.reconnects
            on_step(Step.ASKING, "")
            await membership.publish_patiently(RequestFile(key), request=row.number)
            listening = [self.label_of(member.node_id) for member in self._others(membership)]
            ask = self._ledger.asked(
                row, membership.name, Stream.REQUEST_FILES, _about(row.file, key), listening
            )
            return await self._listen(membership, connection, waiter, _Question(row, ask), on_step)
        finally:
            self._ledger.peer_sent(row, key.sha1, None)
            if ask is not None:
                left = "the channel was left" if membership.has_left else ""
                self._ledger.answered(row, ask, left or "the answer is not waited for any more")
            self._waiters[place].discard(waiter)
            if not self._waiters[place]:
                del self._waiters[place]

    async def _listen(
        self,
        membership: Membership,
        connection: int,
        waiter: _Waiter,
        question: _Question,
        on_step: Callable[[Step, str], None],
    ) -> str | None:
        limits, loop, talk = membership.config.limits, asyncio.get_running_loop(), _Talk()
        deadline = loop.time() + limits.answer_timeout
        while True:
            heard = await self._next(membership, connection, waiter, deadline)
            if heard is None and membership.reconnects != connection:
                self._ended(question, "connection lost")
                return None
            if heard is None:
                raise self._unanswered(membership, talk, question)
            if isinstance(heard.announcement, UploadFileProgress):
                self._progress(membership, question.row, heard.announcement)
            match heard.announcement:
                case UploadFileStatus(status=UploadStatus.FINISHED):
                    self._ended(question, f"answered by {self.label_of(heard.node_id)}")
                    return heard.node_id
                case UploadFileFailed(reason=reason):
                    talk.failed[heard.node_id] = reason
                    self._heard(question, heard.node_id, f"could not send it: {reason}")
                    if heard.node_id in (talk.uploading, talk.held):
                        talk.uploading = talk.held = ""
                        on_step(Step.ASKING, "")
                    if all(member.node_id in talk.failed for member in self._others(membership)):
                        raise self._unanswered(membership, talk, question)
                case UploadFileProgress(bytes_uploaded=0) if not talk.uploading:
                    talk.held = heard.node_id
                    self._heard(question, heard.node_id, "has it and asks a person")
                    on_step(Step.HELD, heard.node_id)
                    deadline = loop.time() + limits.progress_timeout
                case UploadFileStatus() | UploadFileProgress():
                    if isinstance(heard.announcement, UploadFileStatus) or not talk.uploading:
                        talk.uploading = heard.node_id
                        self._heard(question, heard.node_id, "uploads it")
                        on_step(Step.PEER_UPLOADS, heard.node_id)
                    deadline = loop.time() + limits.progress_timeout

    def _progress(self, membership: Membership, row: Request, progress: UploadFileProgress) -> None:
        """Keep how far a peer's upload is, and how large the file is where nothing else has told it yet."""
        key = progress.file_key
        if key.sha1 != row.file.sha1 and key.chunk_of is None:
            return
        if key.sha1 == row.file.sha1 and row.size is None:
            if progress.size > membership.config.limits.max_file_size:
                return
            row.size = progress.size
        self._ledger.peer_sent(row, key.sha1, min(progress.bytes_uploaded, row.size or 0))

    def _heard(self, question: _Question, node_id: str, what: str) -> None:
        self._ledger.heard(question.row, question.ask, f"{self.label_of(node_id)} {what}")

    def _ended(self, question: _Question, how: str) -> None:
        self._ledger.answered(question.row, question.ask, how)

    async def _next(
        self, membership: Membership, connection: int, waiter: _Waiter, deadline: float
    ) -> _Heard | None:
        """What is heard next; None at the deadline, and when the connection was made anew."""
        hearing = asyncio.ensure_future(waiter.queue.get())
        reconnecting = asyncio.ensure_future(membership.wait_reconnected(connection))
        try:
            left = deadline - asyncio.get_running_loop().time()
            await asyncio.wait([hearing, reconnecting], timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if membership.has_left:
                raise membership.left()
            return hearing.result() if hearing.done() else None
        finally:
            hearing.cancel()
            reconnecting.cancel()

    def _others(self, membership: Membership) -> tuple[Member, ...]:
        """Who may answer: the nodes present as providers, this one left out."""
        present = membership.members(Stream.PROVIDE_FILES)
        return tuple(member for member in present if member.node_id != self._node_id)

    def _not_in_force(self, membership: Membership) -> KacheryError:
        problem = (
            membership.activity[Stream.REQUEST_FILES].problem
            or membership.activity[Stream.PROVIDE_FILES].problem
            or f"the service did not confirm it within {ROLE_PATIENCE:.0f} s"
        )
        return TryAgain(
            f"the role {Role.REQUEST_FILES} is not in force on {membership.name}",
            problem,
            "Look at the channel's roles",
        )

    def _unanswered(self, membership: Membership, talk: _Talk, question: _Question) -> KacheryError:
        limits, name = membership.config.limits, membership.name
        if talk.failed and not talk.uploading:
            self._ended(question, "nobody could send it")
            reasons = "; ".join(f"{self.label_of(node)}: {reason}" for node, reason in talk.failed.items())
            return TryAgain(f"nobody on {name} could send it", reasons, "Try again, or ask the people there")
        if talk.uploading or talk.held:
            self._ended(question, f"progress_timeout {limits.progress_timeout:g} s")
            doing = "uploads it" if talk.uploading else "has it and asks a person"
            return TryAgain(
                f"{self.label_of(talk.uploading or talk.held)} on {name} said that it {doing}, then nothing more",
                f"no sign of life for {limits.progress_timeout:g} s (progress_timeout)",
                "Try again: what was verified is kept",
            )
        self._ended(question, f"answer_timeout {limits.answer_timeout:g} s")
        present = self._others(membership)
        listening = (
            ", ".join(self.label_of(member.node_id) for member in present[:8]) or "nobody that shows itself"
        )
        if len(present) > 8:
            listening += f" and {len(present) - 8} more"
        return NobodyHasIt(
            f"nobody on {name} said that it has the file",
            f"no answer within {limits.answer_timeout:g} s (answer_timeout); listening: {listening}",
            "Ask the owner of the file to run a node, or try again when more nodes are present",
        )


def _about(file: FileKey, wanted: FileKey) -> str:
    """What `wanted` is of the file, in words."""
    if wanted.sha1 == file.sha1:
        return "the file"
    if wanted.chunk_of is None:
        return "its manifest"
    return f"chunk {wanted.chunk_of.start_byte // CHUNK_SIZE + 1}"

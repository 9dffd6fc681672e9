"""One question for one object to the nodes of a channel: published, answered, published again.

Theory of operation. Whoever has a question calls `answer` for the next node that says to have put the object into the
bucket, looks there, and if it is not so calls `was_untrue` and goes on.
What is heard goes through `Talk`, which knows whom to wait for. The question is published again when a node comes that
has not heard it, when a node has said what was not true, and when the connection was made anew.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from kachery_tui.errors import KacheryError, NobodyHasIt, TryAgain
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.files.talk import Talk
from kachery_tui.node.files.waiter import Heard, Waiter
from kachery_tui.node.ledger import Ask, Ledger, Request
from kachery_tui.node.membership import Membership
from kachery_tui.node.people import People
from kachery_tui.node.steps import Step
from kachery_tui.node.values import Member
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

MOST_QUESTIONS: Final = 20
"""How often one question is published over one connection, and over how many connections, at the most."""

ASK_AGAIN_PAUSE: Final = 0.5
"""Seconds at least between two times that a question is published."""

FIRST_LOOK: Final = 5.0
"""Seconds without an answer after which the bucket is worth a look all the same, and then after twice as many each time:
what was said may have got lost, since every node takes no more than so many messages of another."""

SETTLING: Final = 1.0
"""Seconds after which a node that has come is asked once more: it may show itself before it listens."""

OnStep = Callable[[Step, str], None]


class Question:
    """One question that is out, or about to be. See `Asker.ask`."""

    def __init__(
        self,
        membership: Membership,
        key: FileKey,
        row: Request,
        file: FileSubject,
        waiter: Waiter,
        ledger: Ledger,
        people: People,
        on_step: OnStep,
    ) -> None:
        self._membership = membership
        self._key = key
        self._row = row
        self._file = file
        self._waiter = waiter
        self._ledger = ledger
        self._on_step = on_step
        self._people = people
        self._ask: Ask | None = None
        self._talk: Talk | None = None
        self._asked: dict[str, str] = {}
        """Who has heard it, as far as nodes show themselves: labels by node id."""
        self._connection = 0
        self._begun = 0
        """How often it was begun: anew with each connection."""
        self._published = 0
        self._published_at = 0.0
        self._again_at: float | None = None
        """When it is to be published again."""
        self._look_pause = FIRST_LOOK
        self._look_at = 0.0
        self._shown: tuple[str, bool] | None = None

    async def answer(self) -> str | None:
        """Wait until a node says that the object is in the bucket; its id.

        None when the bucket is worth a look although nobody says so: the connection was lost and made again, or it has
        been silent for a while. The next call goes on, or asks anew. Raises `NobodyHasIt` or `TryAgain` when no answer
        can be hoped for any more, each saying who was listening and which wait ended.
        """
        talk = self._talk or await self._begin()
        while True:
            heard = self._waiter.next_announcement()
            if heard is not None:
                if self._hear(talk, heard, self._now):
                    self._peer_has_sent(self._key.sha1, None)
                    return heard.node_id
                self._show(talk)
                continue
            if self._membership.has_left:
                raise self._membership.left()
            if self._membership.reconnects != self._connection:
                self._ended("connection lost")
                self._ledger.note(self._row, "the connection was lost in the meantime: asked again")
                self._talk = None
                return None
            talk.drop_silent(self._now)
            self._show(talk)
            if talk.is_over(self._now, [member.node_id for member in self._others()]):
                raise self._unanswered(talk)
            if self._now >= self._look_at:
                self._look_pause *= 2
                self._look_at = self._now + self._look_pause
                if talk.leader is None:
                    await self._publish_again(talk, "asked again: no answer yet")
                return None
            if self._is_time_to_ask_again(talk):
                await self._publish_again(talk, "asked again: a node has come")
            else:
                await self._something_happens(talk)

    async def was_untrue(self, node_id: str, failure: KacheryError) -> None:
        """A node has said that the object is in the bucket, and looking there has failed: go on without its word.

        All are asked once more: the object may have been replaced, or be on its way still.
        """
        talk = self._talk
        if talk is not None:
            talk.was_untrue(node_id, failure.line)
            self._hears(node_id, f"said that it is in the bucket: {failure.line}")
            if talk.is_believed(node_id):
                await self._publish_again(talk, "asked again: it was not in the bucket")

    def close(self) -> None:
        """Whoever asked wants no answer any more."""
        self._peer_has_sent(self._key.sha1, None)
        left = "the channel was left" if self._membership.has_left else ""
        self._ended(left or "the answer is not waited for any more")

    def answered_by(self, node_id: str) -> None:
        """Keep on the row who has answered as it should be."""
        self._ended(f"answered by {self._people.label_of(node_id)}")

    # -- asking ---------------------------------------------------------------------------------------------

    async def _begin(self) -> Talk:
        membership = self._membership
        await membership.ready_for(Role.REQUEST_FILES, lambda: self._on_step(Step.RECONNECTING, ""))
        self._begun += 1
        self._published = 0
        if self._begun > MOST_QUESTIONS:
            raise TryAgain(
                f"{self._row.name} was asked for {MOST_QUESTIONS} times without result", "", "Try again later"
            )
        self._shown = None
        self._on_step(Step.ASKING, "")
        await self._publish()
        self._look_pause, self._look_at = FIRST_LOOK, self._now + FIRST_LOOK
        limits = membership.config.limits
        self._talk = Talk(self._published_at, limits.answer_timeout, limits.progress_timeout)
        return self._talk

    async def _publish(self) -> None:
        membership = self._membership
        self._connection = membership.reconnects
        self._published += 1
        await membership.publish_patiently(RequestFile(self._key), request=self._row.number)
        self._published_at = self._now
        self._asked |= {member.node_id: self._people.label_of(member.node_id) for member in self._others()}
        self._ask = self._ledger.asked(
            self._row,
            membership.name,
            Stream.REQUEST_FILES,
            _about(self._file.key, self._key),
            list(self._asked.values()),
        )

    async def _publish_again(self, talk: Talk, why: str) -> None:
        known = len(self._asked)
        self._again_at = None
        if self._published < MOST_QUESTIONS:
            self._ended(why)
            await self._publish()
            talk.asked_again(self._published_at)
            if len(self._asked) > known:
                # And once more after that, since a node may show itself before it listens.
                self._again_at = self._published_at + SETTLING

    def _is_time_to_ask_again(self, talk: Talk) -> bool:
        """Whether a node has come that may have the object, and has not heard of it; sees to when to ask it."""
        if self._published >= MOST_QUESTIONS or (talk.leader is not None and not talk.leader[1]):
            # It was asked often enough, or somebody is sending it.
            self._again_at = None
            return False
        now = self._now
        if any(member.node_id not in self._asked for member in self._others()):
            if now < self._published_at + ASK_AGAIN_PAUSE:
                self._again_at = self._published_at + ASK_AGAIN_PAUSE
                return False
            return True
        return self._again_at is not None and now >= self._again_at

    # -- hearing --------------------------------------------------------------------------------------------

    async def _something_happens(self, talk: Talk) -> None:
        """Wait until something is heard, somebody comes or goes, the connection changes, or a wait is over."""
        until = min(talk.deadline, self._look_at, self._again_at or self._look_at)
        membership = self._membership
        waits = [
            asyncio.ensure_future(self._waiter.filled.wait()),
            asyncio.ensure_future(membership.wait_changed(membership.version)),
        ]
        try:
            await asyncio.wait(waits, timeout=max(until - self._now, 0), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def _hear(self, talk: Talk, heard: Heard, now: float) -> bool:
        """Take an announcement into account; whether a node says that the object is in the bucket."""
        node_id = heard.node_id
        if not talk.is_believed(node_id):
            return False
        match heard.announcement:
            case UploadFileStatus(status=UploadStatus.FINISHED):
                return True
            case UploadFileFailed(reason=reason):
                if talk.has_failed(node_id, reason):
                    self._hears(node_id, f"could not send it: {reason}")
            case UploadFileProgress(bytes_uploaded=sent) as progress:
                is_news = talk.progressed(node_id, sent, now)
                if talk.leader is not None and talk.leader[0] == node_id:
                    self._progress(progress)
                if is_news:
                    self._hears(node_id, "uploads it" if sent else "has it and asks a person")
            case UploadFileStatus():
                if talk.started(node_id, now):
                    self._hears(node_id, "uploads it")
        return False

    def _show(self, talk: Talk) -> None:
        """Have the row follow the node that is furthest."""
        if talk.leader != self._shown:
            self._shown = talk.leader
            if talk.leader is None:
                self._on_step(Step.ASKING, "")
            else:
                node_id, is_held = talk.leader
                self._on_step(Step.HELD if is_held else Step.PEER_UPLOADS, node_id)

    def _progress(self, progress: UploadFileProgress) -> None:
        """Keep how far a peer's upload is, and how large the file is where nothing else has told it yet."""
        row, key = self._row, progress.file_key
        if key.sha1 != self._file.hash and key.chunk_of is None:
            return
        if key.sha1 == self._file.hash and row.size is None:
            if progress.size > self._membership.config.limits.max_file_size:
                return
            row.size = progress.size
        self._peer_has_sent(key.sha1, min(progress.bytes_uploaded, row.size or 0))

    def _peer_has_sent(self, sha1: str, amount: int | None) -> None:
        if self._file.peer_has_sent(sha1, amount):
            self._ledger.touch(self._row)

    def _hears(self, node_id: str, what: str) -> None:
        if self._ask is not None:
            self._ledger.heard(self._row, self._ask, f"{self._people.label_of(node_id)} {what}")

    def _ended(self, how: str) -> None:
        if self._ask is not None:
            self._ledger.answered(self._row, self._ask, how)
            self._ask = None

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _others(self) -> tuple[Member, ...]:
        """Who may answer: the nodes present as providers, this one left out."""
        present = self._membership.members(Stream.PROVIDE_FILES)
        return tuple(member for member in present if member.node_id != self._people.node_id)

    # -- in vain --------------------------------------------------------------------------------------------

    def _unanswered(self, talk: Talk) -> KacheryError:
        limits, name, label_of = self._membership.config.limits, self._membership.name, self._people.label_of
        if talk.untrue:
            self._ended("what was said to be in the bucket is not there as it should be")
            node_id, what = next(iter(talk.untrue.items()))
            return TryAgain(
                f"{label_of(node_id)} said that it is in the bucket, and it is not as it should be",
                what,
                "Try again, or ask the owner of that node to look into its log",
            )
        if talk.silent is not None:
            self._ended(f"progress_timeout {limits.progress_timeout:g} s")
            node_id, is_held = talk.silent
            doing = "has it and asks a person" if is_held else "uploads it"
            return TryAgain(
                f"{label_of(node_id)} on {name} said that it {doing}, then nothing more",
                f"no sign of life for {limits.progress_timeout:g} s (progress_timeout)",
                "Try again: what was verified is kept",
            )
        if talk.failed:
            self._ended("nobody could send it")
            reasons = "; ".join(f"{label_of(node)}: {reason}" for node, reason in talk.failed.items())
            return TryAgain(f"nobody on {name} could send it", reasons, "Try again, or ask the people there")
        self._ended(f"answer_timeout {limits.answer_timeout:g} s")
        asked = list(self._asked.values())
        listening = ", ".join(asked[:8]) or "nobody that shows itself"
        if len(asked) > 8:
            listening += f" and {len(asked) - 8} more"
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

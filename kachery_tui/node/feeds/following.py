"""Following a subfeed: what is in the bucket first, then what its owner's node tells, until a person has enough."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from kachery_tui.errors import KacheryError, NotAllowed, TryAgain
from kachery_tui.node.feeds.bucket import SubfeedObjects
from kachery_tui.node.feeds.disk import FeedDisk
from kachery_tui.node.feeds.states import SubfeedState, SubfeedStates
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.ledger import Ask, Origin, Request
from kachery_tui.node.membership import ChannelLeft, Membership
from kachery_tui.node.parts import Parts
from kachery_tui.node.steps import Step
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.feeds import BadMessage, Fault, SignedMessage
from kachery_tui.protocol.messages import (
    NewSubfeedMessages,
    NumSubfeedMessagesUploaded,
    SubscribeToSubfeed,
)
from kachery_tui.protocol.roles import Role, Stream

_log = logging.getLogger(__name__)

RENEWAL: Final = 30.0
"""Seconds after which a subscription is renewed; the owner's node forgets it after 60."""

ALONE_PATIENCE: Final = 2.0
"""Seconds to wait for an answer where nobody shows himself who could give one; old nodes may not show themselves."""

SILENT_AFTER: Final = 2 * RENEWAL + 15.0
"""Seconds without a word of the owner's node after which it counts as silent, once it has answered."""

LONGEST_QUEUE: Final = 1_000
"""Announcements that may wait to be looked at. What is dropped comes from the bucket, or with the next renewal."""

LOOK_PAUSE: Final = 0.5
"""Seconds between two looks into the bucket that brought nothing: anybody may announce what is not there."""

TROUBLE_PAUSE: Final = 5.0
"""Seconds until a service that failed is tried again."""

Announcement = NewSubfeedMessages | NumSubfeedMessagesUploaded


class FollowOnChannel:
    """One subfeed, followed over one channel. `follow_channel` ends by being cancelled, or by `BadMessage`."""

    def __init__(
        self,
        membership: Membership,
        row: Request,
        subject: SubfeedSubject,
        parts: Parts,
        disk: FeedDisk,
        states: SubfeedStates,
    ) -> None:
        ledger, key = parts.ledger, subject.key
        self.membership = membership
        self._key = key
        self._row = row
        self._subject = subject
        self._disk = disk
        self._states = states
        self._ledger = ledger
        self._label_of = parts.people.label_of
        self._state: SubfeedState = states.state(key)
        self._objects = SubfeedObjects(membership, key, lambda text: ledger.note(row, text))
        self._heard: asyncio.Queue[tuple[Announcement, str]] = asyncio.Queue(LONGEST_QUEUE)
        self._subscribed_at = 0.0
        self._looked_at = -LOOK_PAUSE
        self._ask: Ask | None = None
        self._asked: set[str] = set()
        """Node ids of those who were present when it was asked last."""
        self.caught_up = asyncio.Event()
        """Set once the bucket was read and the owner's node has spoken, or cannot be asked."""

    def hear_announcement(self, announcement: Announcement, node_id: str) -> None:
        """Take what was said of the subfeed on this channel."""
        if not self._heard.full():
            self._heard.put_nowait((announcement, node_id))

    async def follow_channel(self) -> None:
        """Follow until cancelled or the channel is left. Raises `BadMessage` for what the owner must mend."""
        while True:
            try:
                await self._read_bucket()
                await self._subscribe()
                await self._listen()
            except ChannelLeft:
                self.caught_up.set()
                return
            except NotAllowed as error:
                # The bucket may still be read: what others put there comes, only later.
                self._ledger.note(self._row, error.line)
                self.caught_up.set()
                await asyncio.sleep(RENEWAL)
            except BadMessage:
                raise
            except KacheryError as error:
                _log.info("%s on %s: %s", self._row.name, self.membership.name, error)
                self._ledger.note(self._row, error.line)
                if self._state.trouble is not None:
                    # What could be got was, and cannot be kept: who waits for it need wait no longer.
                    self.caught_up.set()
                await self._pause()

    async def _pause(self) -> None:
        made = self.membership.reconnects
        if not self.membership.is_connected:
            self._ledger.enter(self._row, Step.RECONNECTING)
        with suppress(TimeoutError):
            async with asyncio.timeout(TROUBLE_PAUSE):
                await self.membership.wait_reconnected(made)

    async def _read_bucket(self) -> None:
        """Read what the bucket has beyond what is here. What it promises and lacks may come yet, from the owner."""
        try:
            await self._read_all_of_bucket()
        except BadMessage as bad:
            if bad.fault is not Fault.MISSING:
                raise
            self._state.fault = bad
            self._ledger.note(self._row, bad.line)
            self._states.touch(self._state)

    async def _read_all_of_bucket(self) -> None:
        self._looked_at = asyncio.get_running_loop().time()
        here = await self._disk.count(self._key)
        if self._row.step is not Step.LIVE:
            self._ledger.enter(self._row, Step.BUCKET)
        count = await self._objects.count()
        if self._state.in_bucket.get(self.membership.name) != count:
            self._state.in_bucket[self.membership.name] = count
            self._states.touch(self._state)
        if count > here:
            await self._objects.read(here, count, self._take)
        self._well()

    async def _take(self, start: int, texts: Sequence[bytes]) -> None:
        if not texts:
            return
        if self._row.step is not Step.LIVE:
            self._ledger.enter(self._row, Step.DOWNLOADING)
        new = await self._disk.keep_texts(self._key, start, texts)
        self._came(new, sum(map(len, texts)), Origin.BUCKET)

    async def _subscribe(self) -> None:
        """Ask the owner's node to tell what is new. Raises `NotAllowed` without the role."""
        await self.membership.ready_for(
            Role.REQUEST_FEEDS, lambda: self._ledger.enter(self._row, Step.RECONNECTING)
        )
        await self._ask_anew(first=True)

    async def _ask_anew(self, *, first: bool) -> None:
        self._subscribed_at = asyncio.get_running_loop().time()
        self._asked = self._present()
        body = SubscribeToSubfeed(self._key.feed_id, self._key.subfeed_hash, self._state.here)
        await self.membership.publish(body, request=self._row.number)
        if first:
            self._ledger.enter(self._row, Step.ASKING)
            present = self.membership.members(Stream.PROVIDE_FEEDS)
            labels = [self._label_of(member.node_id) for member in present]
            about = f"messages from {self._state.here:,} on"
            self._ask = self._ledger.asked(
                self._row, self.membership.name, Stream.REQUEST_FEEDS, about, labels
            )

    async def _listen(self) -> None:
        """Take in what is said, and renew in time; returns when the connection was lost and made again."""
        membership, loop = self.membership, asyncio.get_running_loop()
        made = membership.reconnects
        while membership.reconnects == made:
            if membership.has_left:
                raise membership.left()
            heard = await self._next(self._next_look())
            if heard:
                await self._take_in(heard)
            self._look_for_silence()
            if not membership.is_connected:
                self._ledger.enter(self._row, Step.RECONNECTING)
                await membership.wait_connected()
            elif loop.time() >= self._subscribed_at + RENEWAL or self._somebody_came():
                membership.require(Role.REQUEST_FEEDS)
                await self._ask_anew(first=False)

    def _next_look(self) -> float:
        """When something is to be done even if nothing is heard, by the loop's clock."""
        until = self._subscribed_at + RENEWAL
        if self._row.step is not Step.LIVE and self._state.silent_since is None:
            until = min(until, self._subscribed_at + self.membership.config.limits.answer_timeout)
            alone = self._subscribed_at + ALONE_PATIENCE
            if not self.caught_up.is_set() and alone > asyncio.get_running_loop().time():
                until = min(until, alone)
        return until

    def _somebody_came(self) -> bool:
        """Whether a node is present that may be the owner's, and has not heard the question."""
        present = self._present()
        came = present - self._asked
        self._asked &= present
        return bool(came)

    def _present(self) -> set[str]:
        return {member.node_id for member in self.membership.members(Stream.PROVIDE_FEEDS)}

    async def _next(self, until: float) -> list[tuple[Announcement, str]]:
        """All that waits to be taken in; nothing at `until`, and when connection or presence change."""
        hearing = asyncio.ensure_future(self._heard.get())
        changing = asyncio.ensure_future(self.membership.wait_changed(self.membership.version))
        try:
            left = max(until - asyncio.get_running_loop().time(), 0.0)
            await asyncio.wait([hearing, changing], timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done():
                return []
            heard = [hearing.result()]
            while not self._heard.empty():
                heard.append(self._heard.get_nowait())
            return heard
        finally:
            hearing.cancel()
            changing.cancel()

    async def _take_in(self, heard: list[tuple[Announcement, str]]) -> None:
        told = 0
        for announcement, node_id in heard:
            if isinstance(announcement, NumSubfeedMessagesUploaded):
                told = max(told, announcement.num_messages)
                self._answered(node_id)
            else:
                told = max(told, await self._take_messages(announcement, node_id))
        if told > self._state.announced:
            self._state.announced = told
            self._states.touch(self._state)
        if told > self._state.here:
            await self._catch_up()
        self.caught_up.set()

    async def _take_messages(self, announcement: NewSubfeedMessages, node_id: str) -> int:
        """Keep messages that came by themselves; how many there must be by them."""
        messages: list[SignedMessage] = []
        try:
            messages.extend(
                SignedMessage.read(raw, self._state.here + place)
                for place, raw in enumerate(announcement.messages)
            )
            if messages and messages[0].number > self._state.here:
                # Those in between come from the bucket, where all of them go.
                return messages[-1].number + 1 if messages[0].is_signed_by(self._key.feed_id) else 0
            new = await self._disk.keep(self._key, messages)
        except BadMessage as bad:
            if bad.fault in (Fault.FORK, Fault.CHAIN) and _is_signed(messages, bad.number, self._key.feed_id):
                raise
            # Anybody may say anything here: what the owner has not signed says nothing of the feed.
            self.membership.activity[Stream.PROVIDE_FEEDS].count_refused(
                f"a message that is not kept: {bad.fault}"
            )
            self._ledger.note(self._row, f"{self._label_of(node_id)} sent what is not kept: {bad.line}")
            return 0
        if new:
            self._came(new, sum(len(message.text) for message in messages), Origin.PEER)
        self._answered(node_id)
        self._well()
        return self._state.here

    async def _catch_up(self) -> None:
        """Get from the bucket what was announced and has not come."""
        wait = self._looked_at + LOOK_PAUSE - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)
        try:
            await self._read_bucket()
        except TryAgain as error:
            self._ledger.note(self._row, error.line)
        else:
            there = max(self._state.here, *self._state.in_bucket.values())
            if self._state.announced > there:
                # What nobody can get does not make this node behind, and is said all the same.
                self._state.promised, self._state.announced = self._state.announced, there
                self._states.touch(self._state)

    def _answered(self, node_id: str) -> None:
        state = self._state
        state.heard_at = time.time()
        if state.silent_since is not None:
            state.silent_since = None
            self._states.touch(state)
        if self._row.answered_by != node_id:
            self._row.answered_by = node_id
            self._ledger.touch(self._row)
        if self._ask is not None:
            self._ledger.heard(self._row, self._ask, f"{self._label_of(node_id)} tells what is new")
        self._ledger.enter(self._row, Step.LIVE)

    def _look_for_silence(self) -> None:
        """Say so when the owner's node does not answer, or does not any more."""
        state, membership = self._state, self.membership
        now = time.time()
        if state.silent_since is not None or not membership.is_connected:
            return
        asked_for = asyncio.get_running_loop().time() - self._subscribed_at
        if asked_for >= ALONE_PATIENCE and not self._present():
            self.caught_up.set()
        if self._row.step is not Step.LIVE:
            is_silent = asked_for >= membership.config.limits.answer_timeout
        else:
            is_silent = state.heard_at is None or now - state.heard_at > SILENT_AFTER
        if is_silent:
            state.silent_since = state.heard_at or now
            self._states.touch(state)
            self._ledger.enter(self._row, Step.ASKING)
            self.caught_up.set()

    def _came(self, new: int, size: int, origin: Origin) -> None:
        if new:
            self._state.promised = 0
            self._subject.messages += new
            self._ledger.count(self._row, size, origin)

    def _well(self) -> None:
        if self._state.fault is not None:
            self._state.fault = None
            self._states.touch(self._state)


def _is_signed(messages: Sequence[SignedMessage], number: int, feed_id: str) -> bool:
    """Whether the owner has signed the message of that number."""
    try:
        return any(message.number == number and message.is_signed_by(feed_id) for message in messages)
    except ProtocolError:
        return False

"""The exchange of feeds: own ones, those that are followed, and what others want of them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import ClassVar, Final

from kachery_tui.errors import KacheryError, NobodyHasIt, UsageError
from kachery_tui.node.exchange import Exchange, must_be_active, must_have_ended
from kachery_tui.node.feeds.bucket import SubfeedObjects
from kachery_tui.node.feeds.disk import FeedDisk
from kachery_tui.node.feeds.follow import Follow
from kachery_tui.node.feeds.providing import FeedProvider
from kachery_tui.node.feeds.states import SubfeedStates
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.ledger import Cancelled, Request, broken_off
from kachery_tui.node.membership import Membership, joined
from kachery_tui.node.parts import Parts
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.canonical import JsonObject
from kachery_tui.protocol.envelope import Envelope
from kachery_tui.protocol.feeds import DEFAULT_SUBFEED, BadMessage, SignedMessage
from kachery_tui.protocol.messages import (
    NewSubfeedMessages,
    NumSubfeedMessagesUploaded,
    SubscribeToSubfeed,
)
from kachery_tui.protocol.roles import Kind
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri, is_hash_name

_log = logging.getLogger(__name__)

WATCH_INTERVAL: Final = 0.1
"""Seconds between two looks at whether another program has appended, while somebody listens."""

LOOK_INTERVAL: Final = 2.0
"""Seconds between two such looks while nobody does."""

MOST_FOLLOWS: Final = 200
"""Subfeeds that may be followed at a time."""


class FeedExchange(Exchange):
    """What the node does with feeds, and the commands that a person has for it.

    `states` is what is known of each subfeed. `create`, `append` and `follow` may be called before any channel is joined.
    """

    kind: ClassVar[Kind] = Kind.FEEDS

    def __init__(self, parts: Parts) -> None:
        self.states = SubfeedStates()
        self._parts = parts
        self._ledger = parts.ledger
        self._supervisor = parts.supervisor
        self._memberships = parts.memberships
        self._disk = FeedDisk(parts.storage.feeds, parts.storage.feed_notes, self.states)
        self._provider = FeedProvider(self._disk, self.states, parts, self._uri_of)
        self._follows: dict[SubfeedKey, Follow] = {}
        self._is_ending = False
        self._is_watching = False

    # -- own feeds --------------------------------------------------------------------------------------------

    async def create(self, name: str = "") -> SubfeedUri:
        """Make a feed of this node's own. `UsageError` for a name that is taken or cannot be one."""
        return SubfeedUri(await self._disk.create(name))

    async def append(self, uri: SubfeedUri | str, messages: Sequence[JsonObject]) -> list[SignedMessage]:
        """Sign messages and add them to a subfeed of an own feed; on disk once this returns, then told to who listens.

        Raises `NotAllowed` if the feed is another's, `ProtocolError` for a message that cannot be one.
        """
        key = await self.key(uri)
        added = await self._disk.append(key, messages)
        self._provider.appended(key)
        return added

    async def delete(self, uri: SubfeedUri | str) -> None:
        """Remove a feed from this node for good: messages, name, private key; it is followed no more."""
        wanted = await self.parse(uri)
        for key in [key for key in self._follows if key.feed_id == wanted.feed_id]:
            await self.unfollow(key)
        await self._disk.delete(wanted.feed_id)

    # -- reading ----------------------------------------------------------------------------------------------

    async def parse(self, uri: SubfeedUri | str) -> SubfeedUri:
        """What a person named: a URI, or the name of a feed that is here (`name`, `name/subfeed`).

        Raises `UsageError`.
        """
        return uri if isinstance(uri, SubfeedUri) else await self._disk.resolve(uri)

    async def key(self, uri: SubfeedUri | str) -> SubfeedKey:
        """The subfeed that a person named; `messages` where only a feed was. Its name is remembered."""
        wanted = await self.parse(uri)
        name = wanted.subfeed_name or DEFAULT_SUBFEED
        key = wanted.key(DEFAULT_SUBFEED)
        state = self.states.state(key)
        if not state.name and not is_hash_name(name):
            state.name = name
            with suppress(KacheryError):
                await self._disk.learn(name)
        return key

    async def messages(self, key: SubfeedKey, start: int, limit: int) -> list[SignedMessage]:
        """Up to `limit` messages that are here, from number `start` on; verified when they came."""
        return await self._disk.read(key, start, limit)

    async def count(self, key: SubfeedKey) -> int:
        """How many messages are here."""
        return await self._disk.count(key)

    async def check(self, key: SubfeedKey) -> BadMessage | None:
        """Verify every message that is here; what is wrong with the first bad one, None if all hold."""
        return await self._disk.check(key)

    async def is_own(self, key: SubfeedKey) -> bool:
        """Whether the feed's private key is here, so that this node can append."""
        return await self._disk.is_own(key.feed_id)

    async def bucket_counts(self, key: SubfeedKey, channel: str | None = None) -> dict[str, int]:
        """By channel, how many messages its bucket says to have."""
        names = [channel] if channel is not None else list(self._memberships)
        counts = {}
        for name in names:
            counts[name] = await SubfeedObjects(joined(self._memberships, name), key, _log.info).count()
        return counts

    async def reload(self) -> None:
        """Bring the states in step with the disk."""
        await self._disk.reload()

    # -- following --------------------------------------------------------------------------------------------

    async def follow(
        self, uri: SubfeedUri | str, channel: str | None = None, *, remember: bool = True
    ) -> Request:
        """Get what there is of a subfeed, and what comes; the row of the ledger that shows how it goes.

        `channel` names the one to use; without it all are. `remember` makes it go on when the program is started again.
        Raises `UsageError` for an unknown channel, for one's own feed, and for too many.
        """
        if channel is not None:
            joined(self._memberships, channel)
        key = await self.key(uri)
        if await self._disk.is_own(key.feed_id):
            raise UsageError(
                "this feed is this node's own",
                "its private key is here, so nobody else can know more of it",
                "Append to it; others follow it",
            )
        there = self._follows.get(key)
        if there is not None:
            state = self.states.state(key)
            if remember and not state.follows:
                await self._disk.follow(key, channel)
                state.follows = True
                self.states.touch(state)
            return there.row
        if len(self._follows) >= MOST_FOLLOWS:
            raise UsageError("too many feeds are followed", f"{MOST_FOLLOWS} may be", "Stop following some")
        if remember:
            await self._disk.follow(key, channel)
        return self._begin(key, channel, remember=remember)

    @asynccontextmanager
    async def following(self, uri: SubfeedUri | str, channel: str | None = None) -> AsyncIterator[Request]:
        """Follow a subfeed for as long as the block runs, or longer where somebody else wants it. Raises as `follow`."""
        row = await self.follow(uri, channel, remember=False)
        key = SubfeedSubject.of(row).key
        follow = self._follows[key]
        follow.holders += 1
        try:
            yield row
        finally:
            follow.holders -= 1
            if not follow.holders and not self.states.state(key).follows and self._follows.get(key) is follow:
                await follow.stop()

    def _begin(self, key: SubfeedKey, channel: str | None, *, remember: bool) -> Request:
        state = self.states.state(key)
        row = state.row
        if row is not None and self._ledger.get(row.number) is row and not row.is_active:
            self._ledger.reopen(row, Step.STORAGE)
        else:
            subject = SubfeedSubject(key, self._uri_of(key))
            row = self._ledger.open(Side.MINE, channel or "", subject, Step.STORAGE)
        row.only_channel = channel
        state.row, state.follows, state.fault, state.silent_since = row, remember, None, None
        self.states.touch(state)
        follow = Follow(row, SubfeedSubject.of(row), channel, self._parts, self._disk, self.states)
        self._follows[key] = follow
        task = self._supervisor.spawn(follow.follow_channels(), f"follow {row.name}", service=True)
        task.add_done_callback(lambda _: self._has_ended(key, follow))
        follow.task = task
        return row

    async def unfollow(self, key: SubfeedKey) -> None:
        """Follow a subfeed no more; what came of it stays."""
        follow = self._follows.get(key)
        state = self.states.state(key)
        state.follows = False
        self.states.touch(state)
        await self._disk.unfollow(key)
        if follow is not None:
            await follow.stop()

    async def sync(self, uri: SubfeedUri | str, channel: str | None = None) -> SubfeedKey:
        """Get all there is of a subfeed at this moment: from the buckets, and from its owner's node if that is present.

        Raises `NobodyHasIt` where nothing is found anywhere, or what was wrong with what is there.
        """
        key = await self.key(uri)
        if await self._disk.is_own(key.feed_id):
            await self._disk.count(key)
            return key
        async with self.following(uri, channel) as row:
            await self._follows[key].wait_caught_up()
        if isinstance(row.failure, BadMessage):
            raise row.failure
        trouble = self.states.state(key).trouble
        if trouble is not None:
            raise trouble
        if not self.states.state(key).here:
            raise self._nothing(key, row)
        return key

    def _nothing(self, key: SubfeedKey, row: Request) -> KacheryError:
        fault = self.states.state(key).fault
        if fault is not None:
            return fault
        where = f"on {row.only_channel}" if row.only_channel else "on any channel"
        why = (
            "; ".join(row.notes)
            or f"no bucket {where} has a message of it, and no node that was present told of any"
        )
        return NobodyHasIt(
            f"nothing of {row.name} was found",
            why,
            "Ask the feed's owner to run a node, and check the subfeed's name",
        )

    def _has_ended(self, key: SubfeedKey, follow: Follow) -> None:
        if self._follows.get(key) is not follow:
            # It was followed again in the same row before this one had let go of everything.
            return
        del self._follows[key]
        if follow.row.is_active:
            ended = Cancelled(f"{follow.row.name} is no longer followed")
            why = broken_off(Side.MINE) if self._is_ending else ended
            self._ledger.end(follow.row, Step.CANCELLED, failure=why)
        state = self.states.find(key)
        if state is not None:
            self.states.touch(state)

    # -- rows of the ledger -----------------------------------------------------------------------------------

    def answer(self, row: Request, *, yes: bool) -> None:
        """Answer who wants to listen to an own feed. Raises `UsageError` where nobody waits."""
        self._provider.answer(row, yes=yes)

    def cancel(self, row: Request) -> None:
        """Stop following. Raises `UsageError` for what others listen to, and for what has ended."""
        must_be_active(row)
        if row.side is Side.THEIRS:
            self._provider.cancel(row)
        else:
            self._supervisor.spawn(self.unfollow(SubfeedSubject.of(row).key), f"stop following {row.name}")

    def retry(self, row: Request) -> Request:
        """Follow again what has stopped. Raises `UsageError` where it has not, and for others' rows."""
        must_have_ended(row)
        if row.side is Side.THEIRS:
            raise UsageError(
                f"request {row.number} of others cannot be tried again",
                "",
                "Who listens asks again by itself",
            )
        key, channel = SubfeedSubject.of(row).key, row.only_channel
        self._supervisor.spawn(self._disk.follow(key, channel), f"remember to follow {row.name}")
        return self._begin(key, channel, remember=True)

    # -- the node's side --------------------------------------------------------------------------------------

    def hear(self, membership: Membership, envelope: Envelope, message: int) -> None:
        """Take a verified message about feeds."""
        if envelope.from_node_id == self._parts.people.node_id:
            return
        match envelope.body:
            case SubscribeToSubfeed() as body:
                self._provider.hear_subscription(membership, body, envelope.from_node_id, message)
            case NewSubfeedMessages() | NumSubfeedMessagesUploaded() as body:
                follow = self._follows.get(SubfeedKey(body.feed_id, body.subfeed_hash))
                if follow is not None and follow.hear_announcement(membership, body, envelope.from_node_id):
                    membership.activity[body.STREAM].belongs_to(message, follow.row.number)

    def start(self) -> None:
        """Take up what was followed when the program ended, and see what other programs append to this folder."""
        self._supervisor.spawn(self._take_up(), "followed feeds")
        self.watch_folder()

    def watch_folder(self) -> None:
        """See what other programs append to this folder, as long as the node runs."""
        if self._is_watching:
            return
        self._is_watching = True
        self._supervisor.serve(self._watch, "feeds of other programs")

    async def _take_up(self) -> None:
        """Follow again what was followed. What cannot be read is logged."""
        try:
            await self._disk.reload()
            follows = await self._disk.follows()
        except KacheryError as error:
            _log.warning("%s", error)
            return
        for followed in follows[:MOST_FOLLOWS]:
            key = SubfeedKey(followed.feed_id, followed.subfeed_hash)
            if key not in self._follows:
                self._begin(key, followed.channel, remember=True)

    async def _watch(self) -> None:
        """See what other programs append to this folder, for ever."""
        seen, looked, trouble = (0, 0), 0.0, ""
        loop = asyncio.get_running_loop()
        while True:
            try:
                stamp = await self._disk.stamp()
                if stamp != seen:
                    seen = stamp
                    self._provider.appended()
                    if loop.time() - looked >= LOOK_INTERVAL:
                        looked = loop.time()
                        await self._disk.reload()
                trouble = ""
            except KacheryError as error:
                if str(error) != trouble:
                    _log.warning("%s", error)
                trouble = str(error)
            await asyncio.sleep(WATCH_INTERVAL if self._provider.is_listened_to else LOOK_INTERVAL)

    def joined(self, membership: Membership) -> None:
        """Follow on a channel that was joined, too."""
        self._look_at_channels()

    def _look_at_channels(self) -> None:
        for follow in self._follows.values():
            follow.channels_changed.set()

    def leave(self, membership: Membership) -> None:
        """Stop what goes on over a channel that is being left."""
        self._provider.leave(membership)
        self._look_at_channels()

    def end(self) -> None:
        """Say that the program ends: what is cancelled from now on was not cancelled by a person."""
        self._is_ending = True
        self._provider.end()

    def _uri_of(self, key: SubfeedKey) -> SubfeedUri:
        return self.states.state(key).uri

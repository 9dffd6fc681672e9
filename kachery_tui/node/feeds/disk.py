"""Subfeeds on this node's disk, for coroutines: each write goes into the states of what is known, too."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from kachery_tui.errors import KacheryError
from kachery_tui.node.feeds.states import SubfeedState, SubfeedStates
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.canonical import JsonObject
from kachery_tui.protocol.feeds import BadMessage, Fault, SignedMessage
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri
from kachery_tui.storage.chain_check import check_subfeed
from kachery_tui.storage.feed_notes import FeedNotes
from kachery_tui.storage.feeds import FeedStore
from kachery_tui.storage.values import FeedInfo, Followed, SubfeedInfo


class FeedDisk:
    """Reads and writes of subfeeds. Methods raise what `FeedStore` raises."""

    def __init__(self, store: FeedStore, notes: FeedNotes, states: SubfeedStates) -> None:
        self._store = store
        self._notes = notes
        self._states = states
        self._keeping: dict[SubfeedKey, asyncio.Lock] = {}

    async def count(self, key: SubfeedKey) -> int:
        """How many messages are here; `SubfeedStates` says so from then on."""
        head = await in_thread(lambda: self._store.head(key.feed_id, key.subfeed_hash))
        self._states.has(self._states.state(key), head.count)
        return head.count

    async def read(self, key: SubfeedKey, start: int, limit: int) -> list[SignedMessage]:
        """Up to `limit` messages from number `start` on."""
        return await in_thread(lambda: self._store.read(key.feed_id, key.subfeed_hash, start, limit))

    async def own_key(self, feed_id: str) -> PrivateKey | None:
        """The private key of a feed, if it is one of this folder's own."""
        return await in_thread(lambda: self._store.own_key(feed_id))

    async def check(self, key: SubfeedKey) -> BadMessage | None:
        """Verify all messages that are here; what is wrong with the first bad one, None if all hold."""
        return await in_thread(lambda: check_subfeed(self._store, self._notes, key.feed_id, key.subfeed_hash))

    async def append(self, key: SubfeedKey, messages: Sequence[JsonObject]) -> list[SignedMessage]:
        """Sign messages and add them; on disk once this returns."""
        added = await in_thread(lambda: self._store.append(key.feed_id, key.subfeed_hash, messages))
        if added:
            self._states.has(self._own(key), added[-1].number + 1, len(added))
        return added

    async def keep(self, key: SubfeedKey, messages: Sequence[SignedMessage]) -> int:
        """Verify messages and add them; how many were new. Raises `BadMessage` once those before it are kept."""
        return await self._keep(key, lambda: messages)

    async def keep_texts(self, key: SubfeedKey, start: int, texts: Sequence[bytes]) -> int:
        """As `keep`, for what a bucket has: the text of message `start`, and those of the next ones."""
        return await self._keep(key, lambda: _parsed(start, texts))

    async def _keep(self, key: SubfeedKey, read: Callable[[], Sequence[SignedMessage]]) -> int:
        def work() -> tuple[list[SignedMessage], BadMessage | None, int]:
            broken: BadMessage | None = None
            try:
                messages = read()
            except _Broken as error:
                messages, broken = error.good, error.bad
            good, bad = self._store.keep(key.feed_id, key.subfeed_hash, messages)
            return good, bad or broken, self._store.head(key.feed_id, key.subfeed_hash).count

        # One at a time, so that the numbers in the states only grow.
        state = self._states.state(key)
        async with self._keeping.setdefault(key, asyncio.Lock()):
            try:
                good, bad, count = await in_thread(work)
            except KacheryError as error:
                state.trouble = error
                self._states.touch(state)
                raise
            self._states.has(state, count, len(good))
        if bad is not None:
            raise bad
        return len(good)

    async def create(self, name: str) -> str:
        """Make an own feed; its id."""
        feed_id = await in_thread(lambda: self._store.create(name))
        state = self._states.state(SubfeedKey(feed_id, ""))
        state.own, state.feed_name = True, name
        self._states.touch(state)
        return feed_id

    async def delete(self, feed_id: str) -> None:
        """Remove a feed for good."""
        await in_thread(lambda: self._store.delete(feed_id))
        for state in self._states:
            if state.key.feed_id == feed_id:
                self._states.drop(state.key)

    async def is_own(self, feed_id: str) -> bool:
        """Whether this node can write to it."""
        return await in_thread(lambda: self._store.is_own(feed_id))

    async def resolve(self, text: str) -> SubfeedUri:
        """The feed, or subfeed, that a person named by URI or by the name of a feed here."""
        return await in_thread(lambda: self._store.resolve(text))

    async def learn(self, name: str) -> None:
        """Remember a subfeed's name."""
        await in_thread(lambda: self._notes.learn(name))

    async def follows(self) -> list[Followed]:
        """What is followed."""
        return await in_thread(self._notes.follows)

    async def follow(self, key: SubfeedKey, channel: str | None) -> None:
        """Remember that it is followed."""
        await in_thread(lambda: self._notes.follow(key.feed_id, key.subfeed_hash, channel))

    async def unfollow(self, key: SubfeedKey) -> None:
        """Remember that it is not."""
        await in_thread(lambda: self._notes.unfollow(key.feed_id, key.subfeed_hash))

    async def stamp(self) -> tuple[int, int]:
        """What differs once another program has written."""
        return await in_thread(self._store.stamp)

    async def reload(self) -> None:
        """Bring the states in step with the disk, into which other programs write at any time."""

        def work() -> tuple[list[FeedInfo], list[SubfeedInfo], Mapping[str, str]]:
            return self._store.feeds(), self._store.subfeeds(), self._notes.names()

        feeds, subfeeds, names = await in_thread(work)
        infos = {feed.feed_id: feed for feed in feeds}
        for subfeed in subfeeds:
            key = SubfeedKey(subfeed.feed_id, subfeed.subfeed_hash)
            state = self._states.state(key)
            self._name(state, infos.get(key.feed_id), names)
            # What was appended since this was read must not be taken back.
            if subfeed.messages > state.here:
                self._states.has(state, subfeed.messages)
        have_subfeeds = {state.key.feed_id for state in self._states if state.key.subfeed_hash}
        for feed in feeds:
            if feed.feed_id not in have_subfeeds:
                self._name(self._states.state(SubfeedKey(feed.feed_id, "")), feed, names)
        gone = [state for state in self._states if not state.key.subfeed_hash]
        for state in gone:
            if state.key.feed_id in have_subfeeds or state.key.feed_id not in infos:
                self._states.drop(state.key)
        for state in self._states:
            self._name(state, infos.get(state.key.feed_id), names)

    def _own(self, key: SubfeedKey) -> SubfeedState:
        state = self._states.state(key)
        state.own = True
        return state

    def _name(self, state: SubfeedState, feed: FeedInfo | None, names: Mapping[str, str]) -> None:
        name = names.get(state.key.subfeed_hash) or state.name
        found = (name, feed.name if feed else state.feed_name, feed.own if feed else state.own)
        if found != (state.name, state.feed_name, state.own):
            state.name, state.feed_name, state.own = found
            self._states.touch(state)


class _Broken(Exception):
    def __init__(self, good: list[SignedMessage], bad: BadMessage) -> None:
        super().__init__(str(bad))
        self.good, self.bad = good, bad


def _parsed(start: int, texts: Sequence[bytes]) -> list[SignedMessage]:
    good: list[SignedMessage] = []
    for number, text in enumerate(texts, start):
        try:
            message = SignedMessage.parse(text, number)
            if message.number != number:
                raise BadMessage(Fault.FORM, number, f"it calls itself message {message.number}")
            good.append(message)
        except BadMessage as bad:
            raise _Broken(good, bad) from None
    return good

"""Own subfeeds for others: put into the bucket what it lacks, and tell those who listen what is new."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from kachery_tui.config import Provide
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.node.feeds.book import MOST_LISTENERS, FeedBook, Listener
from kachery_tui.node.feeds.filling import Filling
from kachery_tui.node.feeds.shelf import Shelf
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.ledger import Request, broken_off
from kachery_tui.node.membership import Membership
from kachery_tui.node.parts import Parts
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.canonical import byte_length
from kachery_tui.protocol.feeds import BadMessage, SignedMessage
from kachery_tui.protocol.messages import (
    NewSubfeedMessages,
    NumSubfeedMessagesUploaded,
    SubscribeToSubfeed,
)
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri

_log = logging.getLogger(__name__)

LISTENS: Final = 60.0
"""Seconds after which a listener that has not renewed its subscription is forgotten."""

MOST_OUTLETS: Final = 1_000
"""Subfeeds, by channel, that others may listen to at a time."""

MOST_OF_ONE: Final = 200
"""Of those, subfeeds that one node was the first to listen to: it must not take up the place of others."""

MOST_EMPTY: Final = 20
"""Of those, subfeeds that have no message: anybody may ask for such."""

REFUSES: Final = 600.0
"""Seconds for which a subfeed that must not be provided, or that a person declined, is not looked at again."""

PUSH_BYTES: Final = 40_000
"""Bytes of messages in one pub-sub message, which may be of 64 KiB with all that is around them."""

GATHER: Final = 1.0
"""Seconds between two uploads of what was told already: the bucket is for those who come later."""

AT_A_GO: Final = 500
"""Messages that are read from disk and put into the bucket together."""

TROUBLE_PAUSE: Final = 5.0
"""Seconds until a service that failed is tried again."""

MOST_ASKERS: Final = 50
"""Node ids kept on one row."""


@dataclass(slots=True, eq=False)
class _Outlet:
    """An own subfeed on one channel, as long as somebody listens to it there."""

    membership: Membership
    subject: SubfeedSubject
    row: Request
    filling: Filling
    until: dict[str, float] = field(default_factory=dict)
    """By node id of a listener, until when it is waited for, by the loop's clock."""
    is_open: bool = True
    """Whether it may be told: not while a person is asked."""
    is_ready: bool = False
    """Whether the bucket has had all that was here when somebody began to listen."""
    told: int = -1
    """How many messages the listeners know to exist."""
    says_count: bool = True
    """Whether somebody waits to hear how many there are."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is something to tell."""
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there may be something to put into the bucket."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class FeedProvider:
    """Serves subscriptions to own subfeeds, one row of the ledger a subfeed and channel."""

    def __init__(
        self,
        shelf: Shelf,
        book: FeedBook,
        parts: Parts,
        uri_of: Callable[[SubfeedKey], SubfeedUri],
    ) -> None:
        self._shelf = shelf
        self._book = book
        self._ledger = parts.ledger
        self._supervisor = parts.supervisor
        self._uri_of = uri_of
        self._outlets: dict[tuple[str, SubfeedKey], _Outlet] = {}
        self._opening: dict[tuple[str, SubfeedKey], list[str]] = {}
        """Who asked for a subfeed of which it is being found out whether it is an own one."""
        self._refused: dict[tuple[str, SubfeedKey], float] = {}
        """Until when, in Unix time, nobody is told of a subfeed: a person declined, or it must not be provided."""

    @property
    def is_listened_to(self) -> bool:
        """Whether anybody listens to anything here."""
        return bool(self._outlets)

    def hear(self, membership: Membership, body: SubscribeToSubfeed, asker: str, message: int) -> None:
        """Take a subscription. To those of feeds that are another's, nothing is said."""
        if Role.PROVIDE_FEEDS not in membership.roles:
            return
        key = SubfeedKey(body.feed_id, body.subfeed_hash)
        place = (membership.name, key)
        if self._refused.get(place, 0.0) > time.time():
            return
        outlet = self._outlets.get(place)
        if outlet is not None:
            membership.activity[Stream.REQUEST_FEEDS].belongs_to(message, outlet.row.number)
            if outlet.is_ready and outlet.filling.uploaded <= body.position < outlet.told:
                # Told before this one listened, and not in the bucket yet.
                outlet.told = body.position
            self._welcome(outlet, asker)
            return
        if place in self._opening:
            if len(self._opening[place]) < MOST_LISTENERS:
                self._opening[place].append(asker)
            return
        if why_not := self._why_not_open(asker):
            membership.activity[Stream.REQUEST_FEEDS].count_refused(why_not)
            return
        self._opening[place] = [asker]
        self._supervisor.spawn(
            self._open(membership, key, message), f"{membership.name}: look up {key.feed_id[:12]}"
        )

    def _why_not_open(self, asker: str) -> str:
        """Why one more subfeed is not told of, at the wish of `asker`; empty if it is."""
        if len(self._outlets) + len(self._opening) >= MOST_OUTLETS:
            return f"{MOST_OUTLETS:,} subfeeds are listened to, and that is all that this node tells of"
        first = [outlet.row.asked_by[0] for outlet in self._outlets.values() if outlet.row.asked_by]
        first += [askers[0] for askers in self._opening.values()]
        if first.count(asker) >= MOST_OF_ONE:
            return f"{MOST_OF_ONE:,} subfeeds are listened to by one node, and it gets no more"
        return ""

    async def _open(self, membership: Membership, key: SubfeedKey, message: int) -> None:
        place = (membership.name, key)
        try:
            # A subfeed that has no message yet, or not even a row, is one of an own feed all the same.
            if not await self._shelf.is_own(key.feed_id):
                return
            count = await self._shelf.count(key)
        except KacheryError as error:
            _log.warning("%s: %s", membership.name, error)
            return
        finally:
            askers = self._opening.pop(place)
        if membership.has_left:
            return
        if not count and self._empty >= MOST_EMPTY:
            membership.activity[Stream.REQUEST_FEEDS].count_refused("subfeeds that have no message yet")
            return
        subject = SubfeedSubject(key, self._uri_of(key))
        row = self._ledger.open(Side.THEIRS, membership.name, subject, Step.CHECKING)
        filling = Filling(membership, key, row, self._shelf, self._book, self._ledger)
        outlet = _Outlet(membership, subject, row, filling, told=count)
        self._outlets[place] = outlet
        membership.activity[Stream.REQUEST_FEEDS].belongs_to(message, row.number)
        if membership.config.provide is Provide.ASK:
            outlet.is_open = False
            self._ledger.enter(row, Step.WAITING)
        for asker in askers:
            self._welcome(outlet, asker)
        outlet.tasks = [
            self._supervisor.spawn(self._tell(outlet), f"{row.name}: tell", service=True),
            self._supervisor.spawn(self._upload(outlet), f"{row.name}: upload", service=True),
        ]

    def _welcome(self, outlet: _Outlet, asker: str) -> None:
        """Count a listener in, for the first time or again."""
        if asker not in outlet.until and len(outlet.until) >= MOST_LISTENERS:
            outlet.membership.activity[Stream.REQUEST_FEEDS].count_refused("more listeners than are told")
            return
        outlet.until[asker] = asyncio.get_running_loop().time() + LISTENS
        if asker not in outlet.row.asked_by and len(outlet.row.asked_by) < MOST_ASKERS:
            outlet.row.asked_by.append(asker)
            self._ledger.touch(outlet.row)
        state = self._book.state(outlet.subject.key)
        state.listeners[Listener(outlet.membership.name, asker)] = time.time() + LISTENS
        self._book.touch(state)
        outlet.says_count = True
        outlet.news.set()

    def appended(self, key: SubfeedKey | None = None) -> None:
        """Look for news of a subfeed, or of all of them."""
        for outlet in self._outlets.values():
            if key is None or outlet.subject.key == key:
                outlet.news.set()
                outlet.grown.set()

    def answer(self, row: Request, *, yes: bool) -> None:
        """Give a person's answer to a row that waits for it. Raises `UsageError` where none waits."""
        outlet = self._outlet_of(row)
        if outlet is None or outlet.is_open:
            raise UsageError(f"request {row.number} does not wait for an answer", f"it is {row.step}")
        if yes:
            outlet.is_open = True
            self._ledger.enter(row, Step.CHECKING)
            outlet.news.set()
            outlet.grown.set()
        else:
            self._refuse(outlet)
            self._close(outlet, Step.DECLINED)

    def cancel(self, row: Request) -> None:
        """Refuse: who listens would only ask again."""
        raise UsageError(
            f"{row.name} goes on as long as somebody listens",
            "who follows it asks again every half minute",
            f"Give up the role {Role.PROVIDE_FEEDS} on {row.channel}, and nobody is told any more",
        )

    def leave(self, membership: Membership) -> None:
        """Stop what goes on over a channel that is being left."""
        for outlet in list(self._outlets.values()):
            if outlet.membership is membership:
                self._close(outlet, Step.CANCELLED, KacheryError(f"{membership.name} was left"))

    def end(self) -> None:
        """Close the rows at the end of the program."""
        for outlet in list(self._outlets.values()):
            self._close(outlet, Step.CANCELLED, broken_off(Side.THEIRS))

    @property
    def _empty(self) -> int:
        """To how many subfeeds somebody listens that have no message, and may never have one."""
        return sum(1 for outlet in self._outlets.values() if not self._book.state(outlet.subject.key).here)

    def _refuse(self, outlet: _Outlet) -> None:
        """Tell nobody of it for a while: who listens asks again every half minute, and a no must last longer."""
        now = time.time()
        self._refused = {place: until for place, until in self._refused.items() if until > now}
        self._refused[outlet.membership.name, outlet.subject.key] = now + REFUSES

    def _outlet_of(self, row: Request) -> _Outlet | None:
        return next((outlet for outlet in self._outlets.values() if outlet.row is row), None)

    def _close(self, outlet: _Outlet, step: Step, failure: KacheryError | None = None) -> None:
        self._outlets.pop((outlet.membership.name, outlet.subject.key), None)
        self._forget(outlet, list(outlet.until))
        if outlet.row.is_active:
            self._ledger.end(outlet.row, step, failure=failure)
        for task in outlet.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        state = self._book.state(outlet.subject.key)
        if not state.here and not state.listeners:
            # Anybody may ask for any subfeed of an own feed: those that do not exist leave nothing behind.
            self._book.drop(outlet.subject.key)

    def _forget(self, outlet: _Outlet, node_ids: Sequence[str]) -> None:
        state = self._book.state(outlet.subject.key)
        for node_id in node_ids:
            outlet.until.pop(node_id, None)
            state.listeners.pop(Listener(outlet.membership.name, node_id), None)
        if node_ids:
            self._book.touch(state)

    # -- telling ----------------------------------------------------------------------------------------------

    async def _tell(self, outlet: _Outlet) -> None:
        """Publish what is new, until nobody listens any more."""
        loop = asyncio.get_running_loop()
        while outlet.until:
            outlet.news.clear()
            if outlet.is_open:
                try:
                    await self._tell_news(outlet)
                except KacheryError as error:
                    self._ledger.note(outlet.row, error.line)
                    await asyncio.sleep(TROUBLE_PAUSE)
                    outlet.news.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(min(outlet.until.values()) - loop.time(), 0.0)):
                    await outlet.news.wait()
            gone = [node_id for node_id, until in outlet.until.items() if until <= loop.time()]
            self._forget(outlet, gone)
        self._close(outlet, Step.DONE)

    async def _tell_news(self, outlet: _Outlet) -> None:
        membership, key = outlet.membership, outlet.subject.key
        count = await self._shelf.count(key)
        while outlet.told < count:
            messages = await self._shelf.read(key, outlet.told, AT_A_GO)
            if not messages:
                break
            for some in _portions(messages):
                if isinstance(some, SignedMessage):
                    # Too large for pub-sub: it comes by way of the bucket.
                    outlet.told = some.number + 1
                    continue
                body = NewSubfeedMessages(key.feed_id, key.subfeed_hash, tuple(one.raw for one in some))
                await membership.publish(body, request=outlet.row.number)
                outlet.told = some[-1].number + 1
                outlet.subject.messages += len(some)
                self._ledger.touch(outlet.row)
        if outlet.says_count and outlet.is_ready:
            await self._say_count(outlet)

    async def _say_count(self, outlet: _Outlet) -> None:
        outlet.says_count = False
        key = outlet.subject.key
        body = NumSubfeedMessagesUploaded(key.feed_id, key.subfeed_hash, outlet.filling.uploaded)
        await outlet.membership.publish_patiently(body, request=outlet.row.number)
        self._ledger.enter(outlet.row, Step.LIVE)

    # -- uploading --------------------------------------------------------------------------------------------

    async def _upload(self, outlet: _Outlet) -> None:
        """Keep the bucket in step with the disk, as long as somebody listens."""
        row, state = outlet.row, self._book.state(outlet.subject.key)
        while True:
            try:
                if outlet.is_open:
                    async with outlet.membership.upload_slots:
                        sent = await outlet.filling.fill()
                    # What came back from the bucket is no news to those who read there.
                    outlet.told = max(outlet.told, outlet.filling.taken_back)
                    if sent or not outlet.is_ready:
                        outlet.is_ready = outlet.says_count = True
                        outlet.news.set()
            except BadMessage as bad:
                state.fault = bad
                self._book.touch(state)
                self._refuse(outlet)
                self._close(outlet, Step.FAILED, bad)
                return
            except KacheryError as error:
                _log.warning("%s: %s", row.name, error)
                self._ledger.note(row, error.line)
                await asyncio.sleep(TROUBLE_PAUSE)
                continue
            await asyncio.sleep(GATHER)
            await outlet.grown.wait()
            outlet.grown.clear()


def _portions(messages: Sequence[SignedMessage]) -> list[list[SignedMessage] | SignedMessage]:
    """Runs of messages that go into one pub-sub message each, in order; one that is too large stands alone, bare."""
    portions: list[list[SignedMessage] | SignedMessage] = []
    run: list[SignedMessage] = []
    size = 0
    for message in messages:
        length = byte_length(message.text)
        if run and (length > PUSH_BYTES or size + length > PUSH_BYTES):
            portions.append(run)
            run, size = [], 0
        if length > PUSH_BYTES:
            portions.append(message)
        else:
            run.append(message)
            size += length
    if run:
        portions.append(run)
    return portions

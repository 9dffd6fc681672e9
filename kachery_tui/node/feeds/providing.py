"""Own subfeeds for others: put into the bucket what it lacks, and tell those who listen what is new."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from kachery_tui.config import Provide
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.node.feeds.disk import FeedDisk
from kachery_tui.node.feeds.outlet import Outlet
from kachery_tui.node.feeds.states import MOST_LISTENERS, Listener, SubfeedStates
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.ledger import Request, broken_off
from kachery_tui.node.membership import Membership
from kachery_tui.node.parts import Parts
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.feeds import BadMessage
from kachery_tui.protocol.messages import (
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

MOST_ASKERS: Final = 50
"""Node ids kept on one row."""


class FeedProvider:
    """Serves subscriptions to own subfeeds, one row of the ledger a subfeed and channel."""

    def __init__(
        self,
        disk: FeedDisk,
        states: SubfeedStates,
        parts: Parts,
        uri_of: Callable[[SubfeedKey], SubfeedUri],
    ) -> None:
        self._disk = disk
        self._states = states
        self._ledger = parts.ledger
        self._supervisor = parts.supervisor
        self._uri_of = uri_of
        self._outlets: dict[tuple[str, SubfeedKey], Outlet] = {}
        self._opening: dict[tuple[str, SubfeedKey], list[str]] = {}
        """Who asked for a subfeed of which it is being found out whether it is an own one."""
        self._refused: dict[tuple[str, SubfeedKey], float] = {}
        """Until when, in Unix time, nobody is told of a subfeed: a person declined, or it must not be provided."""

    @property
    def is_listened_to(self) -> bool:
        """Whether anybody listens to anything here."""
        return bool(self._outlets)

    def hear_subscription(
        self, membership: Membership, body: SubscribeToSubfeed, asker: str, message: int
    ) -> None:
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
            if outlet.is_ready and outlet.uploaded <= body.position < outlet.announced:
                # Told before this one listened, and not in the bucket yet.
                outlet.announced = body.position
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

    async def _announce(self, outlet: Outlet) -> None:
        """Tell who listens what is new, until nobody does any more."""
        await outlet.announce_news(lambda gone: self._forget(outlet, gone))
        self._close(outlet, Step.DONE)

    async def _upload(self, outlet: Outlet) -> None:
        """Keep the bucket in step with the disk, until cancelled or there is something that the owner has to mend."""
        try:
            await outlet.upload_news()
        except BadMessage as bad:
            state = self._states.state(outlet.subject.key)
            state.fault = bad
            self._states.touch(state)
            self._refuse(outlet)
            self._close(outlet, Step.FAILED, bad)

    async def _open(self, membership: Membership, key: SubfeedKey, message: int) -> None:
        place = (membership.name, key)
        try:
            # A subfeed that has no message yet, or not even a row, is one of an own feed all the same.
            if not await self._disk.is_own(key.feed_id):
                return
            count = await self._disk.count(key)
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
        outlet = Outlet(membership, subject, row, self._disk, self._states, self._ledger, announced=count)
        self._outlets[place] = outlet
        membership.activity[Stream.REQUEST_FEEDS].belongs_to(message, row.number)
        if membership.config.provide is Provide.ASK:
            outlet.is_open = False
            self._ledger.enter(row, Step.WAITING)
        for asker in askers:
            self._welcome(outlet, asker)
        outlet.tasks = [
            self._supervisor.spawn(self._announce(outlet), f"{row.name}: announce", service=True),
            self._supervisor.spawn(self._upload(outlet), f"{row.name}: upload", service=True),
        ]

    def _welcome(self, outlet: Outlet, asker: str) -> None:
        """Count a listener in, for the first time or again."""
        if asker not in outlet.until and len(outlet.until) >= MOST_LISTENERS:
            outlet.membership.activity[Stream.REQUEST_FEEDS].count_refused("more listeners than are told")
            return
        outlet.until[asker] = asyncio.get_running_loop().time() + LISTENS
        if asker not in outlet.row.asked_by and len(outlet.row.asked_by) < MOST_ASKERS:
            outlet.row.asked_by.append(asker)
            self._ledger.touch(outlet.row)
        state = self._states.state(outlet.subject.key)
        state.listeners[Listener(outlet.membership.name, asker)] = time.time() + LISTENS
        self._states.touch(state)
        outlet.ask_for_count()

    def appended(self, key: SubfeedKey | None = None) -> None:
        """Look for news of a subfeed, or of all of them."""
        for outlet in self._outlets.values():
            if key is None or outlet.subject.key == key:
                outlet.wake()

    def answer(self, row: Request, *, yes: bool) -> None:
        """Give a person's answer to a row that waits for it. Raises `UsageError` where none waits."""
        outlet = self._outlet_of(row)
        if outlet is None or outlet.is_open:
            raise UsageError(f"request {row.number} does not wait for an answer", f"it is {row.step}")
        if yes:
            outlet.is_open = True
            self._ledger.enter(row, Step.CHECKING)
            outlet.wake()
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
        return sum(1 for outlet in self._outlets.values() if not self._states.state(outlet.subject.key).here)

    def _refuse(self, outlet: Outlet) -> None:
        """Tell nobody of it for a while: who listens asks again every half minute, and a no must last longer."""
        now = time.time()
        self._refused = {place: until for place, until in self._refused.items() if until > now}
        self._refused[outlet.membership.name, outlet.subject.key] = now + REFUSES

    def _outlet_of(self, row: Request) -> Outlet | None:
        return next((outlet for outlet in self._outlets.values() if outlet.row is row), None)

    def _close(self, outlet: Outlet, step: Step, failure: KacheryError | None = None) -> None:
        self._outlets.pop((outlet.membership.name, outlet.subject.key), None)
        self._forget(outlet, list(outlet.until))
        if outlet.row.is_active:
            self._ledger.end(outlet.row, step, failure=failure)
        for task in outlet.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        state = self._states.state(outlet.subject.key)
        if not state.here and not state.listeners:
            # Anybody may ask for any subfeed of an own feed: those that do not exist leave nothing behind.
            self._states.drop(outlet.subject.key)

    def _forget(self, outlet: Outlet, node_ids: Sequence[str]) -> None:
        state = self._states.state(outlet.subject.key)
        for node_id in node_ids:
            outlet.until.pop(node_id, None)
            state.listeners.pop(Listener(outlet.membership.name, node_id), None)
        if node_ids:
            self._states.touch(state)

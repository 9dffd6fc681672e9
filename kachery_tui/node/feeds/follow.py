"""One subfeed that is followed, over every channel that will do, those included that are joined later."""

import asyncio
import logging
from contextlib import suppress

from kachery_tui.node.feeds.disk import FeedDisk
from kachery_tui.node.feeds.following import Announcement, FollowOnChannel
from kachery_tui.node.feeds.states import SubfeedStates
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.ledger import Request
from kachery_tui.node.membership import Membership
from kachery_tui.node.parts import Parts
from kachery_tui.node.steps import Step
from kachery_tui.protocol.feeds import BadMessage

_log = logging.getLogger(__name__)


class Follow:
    """A subfeed that is being followed: over `channel`, or where that is None over all that are joined."""

    def __init__(
        self,
        row: Request,
        subject: SubfeedSubject,
        channel: str | None,
        parts: Parts,
        disk: FeedDisk,
        states: SubfeedStates,
    ) -> None:
        self.row = row
        self.holders = 0
        """How many want it for a while; it goes on as long as there are any, or where it is remembered."""
        self._subject = subject
        self._parts = parts
        self.task: asyncio.Task[None] | None = None
        self.channels_changed = asyncio.Event()
        self._key = subject.key
        self._channel = channel
        self._memberships = parts.memberships
        self._disk = disk
        self._states = states
        self._ledger = parts.ledger
        self._on: dict[str, tuple[FollowOnChannel, asyncio.Task[None]]] = {}
        self._is_spread = asyncio.Event()

    def hear_announcement(self, membership: Membership, announcement: Announcement, node_id: str) -> bool:
        """Take what was said of the subfeed on a channel; False where it is not followed there."""
        if membership.name not in self._on:
            return False
        self._on[membership.name][0].hear_announcement(announcement, node_id)
        return True

    async def stop(self) -> None:
        """Follow no more, and wait until that is so."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])

    async def wait_caught_up(self) -> None:
        """Wait until each bucket was read and the owner's node has spoken, or cannot; or until following has ended."""

        async def all_of_them() -> None:
            await self._is_spread.wait()
            await asyncio.gather(*(one.caught_up.wait() for one, _ in list(self._on.values())))

        waits = [asyncio.ensure_future(all_of_them()), asyncio.ensure_future(self.row.finished.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def follow_channels(self) -> None:
        """Follow until cancelled, or until the owner has to mend something: then the row says what."""
        try:
            while True:
                self.channels_changed.clear()
                self._spread()
                await self._wait_for_change()
        except BadMessage as bad:
            state = self._states.state(self._key)
            state.fault = bad
            self._states.touch(state)
            _log.warning("%s: %s", self.row.name, bad)
            self._ledger.end(self.row, Step.FAILED, failure=bad)
        finally:
            tasks = [task for _, task in self._on.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _spread(self) -> None:
        """Follow on channels that are new."""
        names = [self._channel] if self._channel is not None else list(self._memberships)
        for name in names:
            membership = self._memberships.get(name)
            if membership is None or (name in self._on and self._on[name][0].membership is membership):
                continue
            one = FollowOnChannel(membership, self.row, self._subject, self._parts, self._disk, self._states)
            self._on[name] = (one, asyncio.create_task(one.follow_channel(), name=f"{self.row.name}: {name}"))
        if not self._on:
            self._ledger.note(self.row, "no channel is joined that it could come over")
        self._is_spread.set()

    async def _wait_for_change(self) -> None:
        """Wait until a channel is joined or left, or following over one has ended. Raises what ended it."""
        changing = asyncio.ensure_future(self.channels_changed.wait())
        try:
            tasks = [task for _, task in self._on.values()]
            await asyncio.wait([*tasks, changing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            changing.cancel()
        for name, (_, task) in list(self._on.items()):
            if task.done():
                del self._on[name]
                with suppress(asyncio.CancelledError):
                    task.result()

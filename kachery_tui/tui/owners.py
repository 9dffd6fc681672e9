"""Channels that this node's owner owns: their registers as read last, and what is done there."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, TypeVar

from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.node.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kachery_tui.authority.owner import Owner, RegisterView
    from kachery_tui.config import OwnerConfig
    from kachery_tui.node.node import Node

T = TypeVar("T")

LOOK_SECONDS: Final = 1.0
"""Between two looks at whether a register has changed."""

LOOK_SHARE: Final = 10
"""A look that takes long is followed by a pause of so many times as long."""


class Owners:
    """Keeps `views` true: the register of each channel whose file names one that is on this machine."""

    def __init__(self, node: Node) -> None:
        self.views: dict[str, RegisterView] = {}
        self.problems: dict[str, str] = {}
        """Why the register of a channel could not be read."""
        self.version = 0
        """Grows with every change of either."""
        self._node = node
        self._open: dict[str, tuple[OwnerConfig, Owner]] = {}
        self._versions: dict[str, int] = {}
        self._one_at_a_time = asyncio.Lock()

    @property
    def wanted(self) -> Mapping[str, OwnerConfig]:
        """The channels whose files name a register."""
        memberships = self._node.memberships.items()
        return {name: one.config.owner for name, one in memberships if one.config.owner is not None}

    async def follow(self) -> None:
        """Read the registers as they change, until cancelled."""
        try:
            while True:
                began = time.monotonic()
                await self._look()
                await asyncio.sleep(max(LOOK_SECONDS, LOOK_SHARE * (time.monotonic() - began)))
        finally:
            for name in list(self._open):
                self._close(name)

    async def act(self, channel: str, work: Callable[[Owner], T]) -> T:
        """Do something at the register of a channel, in a thread. Raises `KacheryError`."""
        async with self._one_at_a_time:
            owner = await self._owner(channel)
            try:
                return await in_thread(lambda: work(owner))
            finally:
                await self._read(channel, owner)

    async def _look(self) -> None:
        for name in {*self._open, *self.problems} - set(self.wanted):
            self._close(name)
            self._forget(name)
        for name in self.wanted:
            async with self._one_at_a_time:
                try:
                    owner = await self._owner(name)
                    version = await in_thread(lambda owner=owner: owner.version)  # type: ignore[misc]
                    if self._versions.get(name) != version:
                        await self._read(name, owner)
                        self._versions[name] = version
                except KacheryError as error:
                    self._close(name)
                    if self.problems.get(name) != (problem := error.why or error.what):
                        self._forget(name)
                        self.problems[name] = problem

    async def _owner(self, channel: str) -> Owner:
        config = self.wanted.get(channel)
        if config is None:
            raise UsageError(f"the members of {channel} are not managed here", "its file names no register")
        found = self._open.get(channel)
        if found is not None and found[0] == config:
            return found[1]
        self._close(channel)
        # Most nodes own no channel, and load nothing of this.
        from kachery_tui.authority.owner import Owner

        owner = await in_thread(lambda: Owner.at(config.register, channel))
        self._open[channel] = config, owner
        return owner

    async def _read(self, channel: str, owner: Owner) -> None:
        view = await in_thread(owner.read)
        self.problems.pop(channel, None)
        if self.views.get(channel) != view:
            self.views[channel] = view
            self.version += 1

    def _forget(self, channel: str) -> None:
        self.views.pop(channel, None)
        self.problems.pop(channel, None)
        self.version += 1

    def _close(self, channel: str) -> None:
        self._versions.pop(channel, None)
        found = self._open.pop(channel, None)
        if found is not None:
            found[1].close()

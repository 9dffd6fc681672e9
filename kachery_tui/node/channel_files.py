"""Following the channel files: dropping one into the settings folder joins, changing it changes, removing it leaves."""

import asyncio
import logging
import stat
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from kachery_tui.config import ChannelConfig, LoadedChannels, channels_folder, load_channels
from kachery_tui.errors import KacheryError
from kachery_tui.node.membership import Membership
from kachery_tui.node.threads import in_thread

_log = logging.getLogger(__name__)

LOOK_INTERVAL: Final = 2.0
"""Seconds between two looks at the folder: one listing of a handful of files."""

_Stamp = tuple[tuple[str, int, int, int], ...]


class ChannelFiles:
    """Keeps the joined channels as the files in a settings folder say.

    Channels that were joined from elsewhere are left alone, and so are those whose file cannot be read as it is: what is
    wrong with it is logged, and what was in force stays.
    """

    def __init__(
        self,
        folder: Path,
        memberships: Mapping[str, Membership],
        join: Callable[[ChannelConfig], Awaitable[None]],
        leave: Callable[[str], Awaitable[None]],
    ) -> None:
        self._folder = folder
        self._memberships = memberships
        self._join = join
        self._leave = leave
        # The first look counts as a change: a file may have come since the node was given its channels.
        self._seen: _Stamp | None = None
        self.one_at_a_time = asyncio.Lock()
        """Held while files are read and followed; whoever changes one, and what is in force with it, takes it, too."""

    async def follow_files(self) -> None:
        """Look again and again, for ever."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            await self.look()

    async def look(self) -> None:
        """Look now: what the files say is in force once this returns."""
        async with self.one_at_a_time:
            found = await in_thread(self._stamp)
            if found != self._seen:
                await self._follow(await in_thread(lambda: load_channels(self._folder)))
                self._seen = found

    async def _follow(self, loaded: LoadedChannels) -> None:
        for error in loaded.errors:
            _log.warning("%s", error)
        wrong = {error.file for error in loaded.errors}
        files = {channel.name: channel for channel in loaded.channels}
        for name, membership in list(self._memberships.items()):
            file = membership.config.file
            if file.parent == channels_folder(self._folder) and file not in wrong and name not in files:
                _log.info("channel %s: its file is gone", name)
                await self._leave(name)
        for channel in loaded.channels:
            try:
                await self._take_over(channel)
            except KacheryError as error:
                _log.warning("channel %s: %s", channel.name, error)

    async def _take_over(self, channel: ChannelConfig) -> None:
        membership = self._memberships.get(channel.name)
        if membership is None:
            _log.info("channel %s: joining by %s", channel.name, channel.file)
            await self._join(channel)
        elif membership.config.file != channel.file:
            _log.warning("channel %s is joined by %s already", channel.name, membership.config.file)
        elif replace(membership.config, roles=channel.roles, provide=channel.provide) != channel:
            _log.info("channel %s: its file has changed, joining anew", channel.name)
            await self._leave(channel.name)
            await self._join(channel)
        else:
            if membership.config.provide is not channel.provide:
                _log.info("channel %s: its file says provide = %s", channel.name, channel.provide.value)
                membership.set_provide(channel.provide)
            if membership.config.roles != channel.roles:
                _log.info("channel %s: its file asks for other roles", channel.name)
                await membership.set_roles(channel.roles)

    def _stamp(self) -> _Stamp:
        """What tells that something has changed; runs in a thread."""
        stamps = []
        for file in sorted(channels_folder(self._folder).glob("*.toml")):
            try:
                found = file.stat()
            except OSError:
                continue
            stamps.append((file.name, found.st_mtime_ns, found.st_size, stat.S_IMODE(found.st_mode)))
        return tuple(stamps)

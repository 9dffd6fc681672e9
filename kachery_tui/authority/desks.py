"""The channels of an authority as it has them in memory, in step with the register that others may change, too."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from kachery_tui.authority.refusals import Refused
from kachery_tui.authority.register import Register
from kachery_tui.authority.values import ChannelRules, LedgerLine, Member, What
from kachery_tui.config import ChannelConfig
from kachery_tui.errors import KacheryError
from kachery_tui.protocol.authority import RefusalCode

_log = logging.getLogger(__name__)

LOOK_INTERVAL: Final = 0.3
"""Seconds between two looks at whether the owner changed something by another process."""
WRITE_INTERVAL: Final = 0.2
"""Seconds that lines of the ledger wait for others to be written with."""
MOST_UNWRITTEN: Final = 50_000
"""Lines that may wait; more requests are sent away."""

OnMember = Callable[[str, Member], None]
"""Gets a channel's name and a member whose rights have changed, or were found at the start."""


@dataclass(slots=True)
class Desk:
    """One channel: its keys, its rules, who is or was a member, and lines of the ledger that wait to be written."""

    config: ChannelConfig
    rules: ChannelRules = field(default_factory=ChannelRules)
    members: dict[str, Member] = field(default_factory=dict)
    unwritten: list[LedgerLine] = field(default_factory=list)

    def member(self, node_id: str) -> Member | None:
        """A node that is a member."""
        found = self.members.get(node_id)
        return found if found is not None and found.removed is None else None

    def need_member(self, node_id: str) -> Member:
        """The same. Raises `Refused` where it is none."""
        found = self.members.get(node_id)
        if found is not None and found.is_banned:
            raise Refused(RefusalCode.NO_MEMBER, "the owner has taken this node from the channel")
        if found is None or found.removed is not None:
            raise Refused(RefusalCode.NO_MEMBER, "this node is no member of the channel")
        return found

    def quota_of(self, member: Member) -> int | None:
        """Bytes that a member may upload in a day; None for no limit."""
        return member.quota if member.quota is not None else self.rules.quota

    def note(self, node_id: str, what: What, name: str = "", size: int = 0) -> None:
        """Have a line written to the ledger."""
        self.unwritten.append(LedgerLine(0, time.time(), node_id, what, name, size))


class Desks:
    """All of them. Used by one event loop; the register is read and written in threads."""

    def __init__(self, register: Register, channels: Iterable[ChannelConfig], on_member: OnMember) -> None:
        self._register = register
        self._on_member = on_member
        self._desks = {config.name: Desk(config) for config in channels}
        self._tasks: list[asyncio.Task[None]] = []

    def __iter__(self) -> Iterator[Desk]:
        return iter(self._desks.values())

    async def start(self) -> None:
        """Read the register, and follow it from now on. Raises `KacheryError`."""
        version = await asyncio.to_thread(lambda: self._register.version)
        for desk in self:
            await self._read(desk)
        self._tasks = [
            asyncio.create_task(self._follow(version), name="register"),
            asyncio.create_task(self._write(), name="ledger"),
        ]

    async def close(self) -> None:
        """Write what is left to be written."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(KacheryError):
            await self._write_lines()

    def find(self, channel: str) -> Desk | None:
        """The desk of a channel."""
        return self._desks.get(channel)

    def need(self, channel: str) -> Desk:
        """The same. Raises `Refused` where there is none."""
        desk = self._desks.get(channel)
        if desk is None:
            raise Refused(RefusalCode.NO_CHANNEL, "there is no such channel here")
        return desk

    def take(self, desk: Desk, member: Member) -> None:
        """Take over how a member stands in the register."""
        before = desk.members.get(member.node_id)
        if before is not None and before.generation > member.generation:
            # Read before what has been written since.
            return
        desk.members[member.node_id] = member
        if before is None or before.generation != member.generation:
            self._on_member(desk.config.name, member)

    async def _read(self, desk: Desk) -> None:
        name = desk.config.name
        desk.rules = await asyncio.to_thread(self._register.rules, name)
        members = await asyncio.to_thread(self._register.members, name)
        for member in members.values():
            self.take(desk, member)

    async def _follow(self, version: int) -> None:
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            try:
                found = await asyncio.to_thread(lambda: self._register.version)
                if found != version:
                    for desk in self:
                        await self._read(desk)
                    version = found
            except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and looked at again
                _log.warning("the register cannot be followed; tried again: %r", error)

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(WRITE_INTERVAL)
            try:
                await self._write_lines()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and the lines wait
                _log.warning("the ledger cannot be written; tried again: %r", error)

    async def _write_lines(self) -> None:
        for desk in self:
            if not desk.unwritten:
                continue
            name, lines, desk.unwritten = desk.config.name, desk.unwritten, []
            writing = asyncio.ensure_future(asyncio.to_thread(self._register.write_lines, name, lines))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await asyncio.wait([writing])
                raise
            except Exception:
                desk.unwritten = lines + desk.unwritten
                raise

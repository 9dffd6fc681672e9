"""Keeping `status.json` in step with the running node."""

import asyncio
import json
import logging
import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.status_file import (
    FILE_NAME,
    LONGEST_TEXT,
    MOST_CHANNELS,
    ChannelStatus,
    NodeStatus,
    birth_of,
)
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.threads import in_thread
from kachery_tui.printable import printable
from kachery_tui.storage.atomic import TempFile, write_all

if TYPE_CHECKING:
    from kachery_tui.node.membership import Membership
    from kachery_tui.node.parts import Parts
    from kachery_tui.node.values import Totals

_log = logging.getLogger(__name__)

LOOK_INTERVAL: Final = 2.0
"""Seconds between two looks; what has not changed since the last is not written."""

RATE_DIGITS: Final = 2
"""Digits of a rate that count: more change all the time, and tell nobody anything."""


class StatusWriter:
    """Writes how a node stands when it starts, whenever that has changed, and when it ends."""

    def __init__(self, parts: "Parts", folder: Path) -> None:
        """`folder` is where the file goes."""
        self._parts = parts
        self._file = folder / FILE_NAME
        self._started = time.time()
        self._born = birth_of(os.getpid())
        self._totals: Totals | None = None
        self._totals_version = -1
        self._written: NodeStatus | None = None
        self._is_trouble = False

    async def write_changes(self) -> None:
        """Look again and again, until cancelled."""
        try:
            while True:
                await self._look_at_storage()
                await self._write(self.status())
                await asyncio.sleep(LOOK_INTERVAL)
        except asyncio.CancelledError:
            await self._write(self.status(ended=time.time()))
            raise

    def status(self, *, ended: float | None = None) -> NodeStatus:
        """How the node stands now."""
        parts, now = self._parts, time.time()
        under_way = [row for row in parts.ledger if row.is_pending]
        waiting = sum(1 for row in under_way if row.step is Step.WAITING)
        mine = sum(1 for row in under_way if row.side is Side.MINE)
        is_over = ended is not None
        return NodeStatus(
            label=parts.people.label,
            node_id=parts.people.node_id,
            pid=os.getpid(),
            born=self._born,
            host=socket.gethostname(),
            started=self._started,
            written=now,
            ended=ended,
            storage=printable(str(parts.storage.folder)[:4096]),
            channels=tuple(_channel(each) for each in list(parts.memberships.values())[:MOST_CHANNELS]),
            down=0.0 if is_over else _rounded(parts.downloaded.rate(now)),
            up=0.0 if is_over else _rounded(parts.uploaded.rate(now)),
            mine=mine,
            theirs=len(under_way) - mine - waiting,
            waiting=waiting,
            files=self._totals.files if self._totals else 0,
            bytes=self._totals.bytes if self._totals else 0,
            limit=self._totals.limit if self._totals else None,
        )

    async def _look_at_storage(self) -> None:
        version = self._parts.storage.index.version
        if version == self._totals_version:
            return
        try:
            self._totals = await in_thread(self._parts.storage.totals)
        except KacheryError as error:
            _log.debug("no totals: %s", error)
        self._totals_version = version

    async def _write(self, status: NodeStatus) -> None:
        if self._written is not None and replace(status, written=self._written.written) == self._written:
            return
        self._written = status
        try:
            await in_thread(lambda: _write(self._file, status))
        except OSError as error:
            if not self._is_trouble:
                _log.warning("cannot write %s: %s", self._file, error.strerror or error)
            self._is_trouble = True
        else:
            self._is_trouble = False


def _write(file: Path, status: NodeStatus) -> None:
    """Whole or not at all, for the owner alone; what a crash of the machine takes need not come back."""
    with TempFile(file.parent) as temp:
        write_all(temp.fd, json.dumps(status.to_json()).encode(), 0)
        temp.rename(file)


def _channel(membership: "Membership") -> ChannelStatus:
    connection = membership.connection
    # The reason is a service's own words.
    secret = membership.config.pubsub.key.partition(":")[2]
    reason = connection.reason.replace(secret, "…") if secret else connection.reason
    return ChannelStatus(
        membership.name,
        str(connection.state),
        printable(reason[:LONGEST_TEXT]),
        connection.since,
        tuple(sorted(membership.asked)),
        tuple(sorted(membership.granted)),
        tuple(sorted(membership.in_force)),
    )


def _rounded(rate: float) -> float:
    return float(f"{rate:.{RATE_DIGITS}g}")

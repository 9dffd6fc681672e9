"""Keeping the storage below its limit, whenever something was added to it."""

import logging
from typing import TYPE_CHECKING

from kachery_tui.errors import KacheryError
from kachery_tui.node.supervisor import Supervisor
from kachery_tui.node.threads import in_thread
from kachery_tui.storage.storage import Storage

if TYPE_CHECKING:
    import asyncio

_log = logging.getLogger(__name__)


class Evictor:
    """Evicts in the background; what is asked for while it does is covered by that."""

    def __init__(self, storage: Storage, supervisor: Supervisor) -> None:
        self._storage = storage
        self._supervisor = supervisor
        self._evicting: asyncio.Task[None] | None = None

    def evict_soon(self) -> None:
        """Move the longest unused files to the trash if the storage is over its limit."""
        if self._evicting is None or self._evicting.done():
            self._evicting = self._supervisor.spawn(self._evict(), "eviction")

    async def _evict(self) -> None:
        try:
            evicted = await in_thread(self._storage.evict)
        except KacheryError as error:
            _log.warning("%s", error)
            return
        if evicted:
            size = sum(entry.size for entry in evicted)
            _log.info("over the size limit: %d files (%d bytes) moved to the trash", len(evicted), size)

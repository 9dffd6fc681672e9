"""The ledger's rows outlive the program: those of earlier runs come back, and what changes is written down."""

import asyncio
import logging
import time
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.history_rows import kept, revived
from kachery_tui.node.ledger import Ledger, Request
from kachery_tui.node.threads import in_thread
from kachery_tui.storage.history import History

_log = logging.getLogger(__name__)

SAVE_INTERVAL: Final = 1.0
"""Seconds between two writings, as long as something changes: so much of it a crash may take."""


class HistoryWriter:
    """Keeps a ledger in step with the file that remembers it. What the file cannot do is logged, and stops nothing."""

    def __init__(self, history: History, ledger: Ledger) -> None:
        self._history = history
        self._ledger = ledger
        self._saved: dict[int, int] = {}
        """The version of each row that is written down, by number."""
        self._seen = -1
        self._begun_anew = 0
        self._trouble = ""
        self._is_off = False

    async def begin(self) -> None:
        """Have new rows numbered on after those of earlier runs. Quick, and to be done before the first row opens."""
        try:
            highest = await in_thread(self._history.highest)
        except KacheryError as error:
            # Numbers that are taken would be given again, and what is kept under them be written over.
            self._is_off = True
            self._complain(error)
        else:
            self._ledger.count_on(highest)

    async def write_changes(self) -> None:
        """Bring the rows of earlier runs back, then write down what changes, until cancelled."""
        if not self._is_off:
            await self._load()
        self._ledger.is_whole.set()
        while not self._is_off:
            await asyncio.sleep(SAVE_INTERVAL)
            await self._save()

    async def close(self) -> None:
        """Write down the last changes, and let go of the file."""
        await self._save()
        await in_thread(self._history.close)

    async def _load(self) -> None:
        def load() -> list[tuple[Request, bool]]:
            rows, refused = [], 0
            for each in self._history.load():
                try:
                    rows.append((revived(each), each.ended is not None))
                except ValueError as error:
                    refused += 1
                    _log.debug("the history of requests: %s", error)
            if refused:
                _log.warning("%d rows of the history of requests make no sense and are left out", refused)
            return rows

        try:
            rows = await in_thread(load)
        except KacheryError as error:
            self._complain(error)
            return
        # Those that had not ended have by now, which is to be written down.
        self._saved.update((row.number, row.version) for row, had_ended in rows if had_ended)
        self._ledger.bring_back([row for row, _ in rows])

    async def _save(self) -> None:
        version = self._ledger.version
        if self._is_off or version == self._seen:
            return
        changed = [(row, row.version) for row in self._ledger if self._is_new(row)]

        def save() -> None:
            now = time.time()
            self._history.save([kept(row, now) for row, _ in changed])

        try:
            if changed:
                await in_thread(save)
        except KacheryError as error:
            self._complain(error)
            return
        self._trouble = ""
        if self._history.begun_anew != self._begun_anew:
            # A file of which nothing but these rows is left: the others are written the next time.
            self._begun_anew = self._history.begun_anew
            self._saved = {}
            version = -1
        self._saved.update((row.number, at) for row, at in changed)
        self._saved = {number: at for number, at in self._saved.items() if self._ledger.get(number)}
        self._seen = version

    def _is_new(self, row: Request) -> bool:
        return row.subject.is_kept and self._saved.get(row.number) != row.version

    def _complain(self, error: KacheryError) -> None:
        if str(error) != self._trouble:
            _log.warning("%s", error)
        self._trouble = str(error)

"""Cache: what this node's storage holds, a page at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final

from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.tui.describe.files import entry_cells
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.panes.pane import Pane
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.paged_rows import PAGE, PagedRows
from kachery_tui.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.app import ComposeResult

    from kachery_tui.node.node import Node
    from kachery_tui.node.values import Entry, Totals

COLUMNS = (
    Column("name", 18, share=1),
    Column("size", 7, right=True),
    Column("added", 10, right=True),
    Column("last used", 10, right=True, drop=2),
    Column("from", 14, drop=3),
    Column("state", 11, drop=1),
)

RELOAD_SECONDS: Final = 0.5
"""The least time between two looks into the index, however fast it changes."""


class CachePane(Pane):
    """The index of the storage folder, newest first. Only the pages in view are ever read."""

    NAME: ClassVar[PaneName] = PaneName.CACHE

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._totals: Totals | None = None
        self._loaded_version = -1
        self._loaded_at = 0.0
        self._loading = False
        self._wanted: set[tuple[int, int]] = set()
        self._revision = 0
        self._to_choose = ""

    def contents(self) -> ComposeResult:
        """The list."""
        yield RowList(
            COLUMNS,
            empty=("The storage folder holds no files yet.", "s stores one, r asks for one."),
            id="entries",
        )

    @property
    def focus_target(self) -> RowList:
        """The list."""
        return self.query_one("#entries", RowList)

    @property
    def selection(self) -> Entry | None:
        """The file under the cursor."""
        rows = self.focus_target.rows
        if not isinstance(rows, PagedRows):
            return None
        entry: Entry | None = rows.item(self.focus_target.cursor)
        return entry

    def choose_when_there(self, sha1: str) -> None:
        """Move the cursor to a file as soon as the list has it."""
        self._to_choose = sha1

    def stamp(self, now: float) -> Hashable:
        """The index's version; a change that came too soon after the last look is looked at later."""
        self._reload_if_due(now)
        return self._revision

    def status(self, now: float) -> Line:
        """How much the storage holds, against its limit."""
        if self._totals is None:
            return (Cell("reading the index…", Tone.MUTED),)
        totals = self._totals
        held = f"{present.count(totals.files, 'file')}, {present.size(totals.bytes)}"
        parts = [Cell(held)]
        if totals.limit:
            used = present.percent(totals.bytes, totals.limit)
            parts.append(Cell(f" of {present.size(totals.limit)} ({used})"))
        if totals.links:
            parts.append(Cell(f", {present.count(totals.links, 'link')}"))
        if totals.trash_bytes:
            parts.append(Cell(f", {present.size(totals.trash_bytes)} in trash", Tone.MUTED))
        return tuple(parts)

    def paint(self, now: float) -> None:
        """Show what was read."""
        self.focus_target.repaint()

    def _reload_if_due(self, now: float) -> None:
        due = self.node.storage_version != self._loaded_version and now - self._loaded_at >= RELOAD_SECONDS
        if due and not self._loading:
            self._loading = True
            self.node.supervisor.spawn(self._reload(self.node.storage_version), "screen: read the index")

    async def _reload(self, version: int) -> None:
        """Read anew what is in view, and only then let go of what is shown."""
        try:
            rows: PagedRows[Entry] = PagedRows(
                await self.node.count(), key=lambda entry: entry.sha1, cells=self._cells, want=self._fetch
            )
            view = self.focus_target.rows_in_view
            for page in range(view.start // PAGE, max(view.stop - 1, view.start) // PAGE + 1):
                rows.put(page, await self.node.entries(offset=page * PAGE, limit=PAGE))
            self._totals = await self.node.totals()
            self._loaded_version = version
            if self.is_attached:
                self.focus_target.show(rows)
                if self._to_choose and self.focus_target.choose(self._to_choose):
                    self._to_choose = ""
        finally:
            self._loaded_at, self._loading = time.time(), False
            self._revision += 1

    def _fetch(self, rows: PagedRows[Entry], page: int) -> None:
        wanted = (id(rows), page)
        if wanted in self._wanted:
            return
        self._wanted.add(wanted)
        self.node.supervisor.spawn(self._load_page(rows, page, wanted), "screen: read a page of the index")

    async def _load_page(self, rows: PagedRows[Entry], page: int, wanted: tuple[int, int]) -> None:
        try:
            rows.put(page, await self.node.entries(offset=page * PAGE, limit=PAGE))
            self._revision += 1
        finally:
            self._wanted.discard(wanted)

    def _cells(self, entry: Entry) -> Line:
        return entry_cells(entry, time.time())

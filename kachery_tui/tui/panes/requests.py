"""Requests: this node's and others', newest first, and everything about the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kachery_tui.node.ledger import Request, Side
from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.tui.describe.requests import request_cells, request_lines
from kachery_tui.tui.header import waiting, waits
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.panes.pane import Pane, tick
from kachery_tui.tui.widgets.cell_line import CellLines
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import ListedRows, RowList

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.app import ComposeResult

COLUMNS = (
    Column("#", 4, right=True, drop=6),
    Column("whose", 8),
    Column("file", 12, share=1),
    Column("step", 20),
    Column("progress", 10, drop=2),
    Column("", 5, right=True),
    Column("size", 7, right=True, drop=1),
    Column("rate", 9, right=True),
    Column("left", 10, right=True, drop=4),
    Column("channel", 10, drop=5),
    Column("peer", 18, drop=3),
)

ROOM_FOR_DETAIL = 16
"""Lines that the pane needs before the chosen request is told of under the list."""

HEADING_WORD = 6
"""Cells of the word that heads a line of the detail."""


class RequestsPane(Pane):
    """The ledger, with the chosen row told in full underneath where there is room."""

    NAME: ClassVar[PaneName] = PaneName.REQUESTS

    DEFAULT_CSS = """
    RequestsPane {
        & > #detail { height: 50%; max-height: 14; padding: 0 1; background: $boost; }
        &.-short > #detail { display: none; }
    }
    """

    def contents(self) -> ComposeResult:
        """The list and the detail."""
        yield RowList(COLUMNS, empty=("No requests yet.", "r asks for a file by its URI."), id="rows")
        yield CellLines(hanging=HEADING_WORD, id="detail")

    def on_resize(self) -> None:
        """Leave the detail out where there is no room for it."""
        super().on_resize()
        self.set_class(self.size.height < ROOM_FOR_DETAIL, "-short")

    @property
    def focus_target(self) -> RowList:
        """The list."""
        return self.query_one("#rows", RowList)

    @property
    def selection(self) -> Request | None:
        """The request under the cursor."""
        chosen: Request | None = self.focus_target.chosen
        return chosen

    def choose(self, number: int, now: float) -> None:
        """Move the cursor to the request of that number."""
        self.paint(now)
        self.focus_target.choose(number)
        self.look_again()

    def stamp(self, now: float) -> Hashable:
        """The ledger's version and the cursor; rates go on changing for a while after the last bytes."""
        last = max((row.meter.last_at or 0 for row in self.node.ledger if row.is_active), default=None)
        return self.node.ledger.version, self.focus_target.cursor_key, tick(last, now)

    def status(self, now: float) -> Line:
        """How many are under way, and how many wait."""
        active = [row for row in self.node.ledger if row.is_active]
        mine = sum(1 for row in active if row.side is Side.MINE)
        number = waiting(self.node)
        line = [Cell(f"under way: {mine} mine, {len(active) - mine} others'" if active else "none under way")]
        if number:
            line.append(Cell(f"  ! {waits(number)}: p provides, n declines", Tone.WARN))
        return tuple(line)

    def paint(self, now: float) -> None:
        """Show list and detail."""
        newest_first = list(reversed(list(self.node.ledger)))
        self.focus_target.show(
            ListedRows(
                newest_first,
                key=lambda row: row.number,
                cells=lambda row: request_cells(row, self.node.label_of),
            )
        )
        self._show_detail(now)

    def _show_detail(self, now: float) -> None:
        row = self.selection
        lines = tuple(request_lines(row, self.node.label_of, now)) if row else ()
        self.query_one("#detail", CellLines).show(lines)

    def on_row_list_moved(self, _event: RowList.Moved) -> None:
        """Another row has another detail."""
        self.look_again()

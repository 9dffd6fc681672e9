"""Requests: this node's and others', newest first, and what there is to say of the chosen one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final

from kachery_tui.filters import FieldKind, matches
from kachery_tui.node.ledger import Request
from kachery_tui.node.steps import Side, Step
from kachery_tui.tui import present
from kachery_tui.tui.cells import HEAD, Cell, Line, Tone, fit_line, joined
from kachery_tui.tui.describe.request_table import (
    FIELDS,
    MOVING_SORTS,
    SORTS,
    TITLES,
    in_order,
    request_facts,
    request_texts,
)
from kachery_tui.tui.describe.requests import (
    BAR_WIDTH,
    BRIEF_LINES,
    brief_lines,
    request_cells,
    request_lines,
)
from kachery_tui.tui.describe.traffic import LINES as TRAFFIC_LINES
from kachery_tui.tui.describe.traffic import traffic_lines, traffic_version
from kachery_tui.tui.header import waiting, waits
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.panes.pane import Pane, tick
from kachery_tui.tui.panes.still import StillOrder
from kachery_tui.tui.widgets.cell_line import CellLines
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import ListedRows, RowList

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from textual.app import ComposeResult

    from kachery_tui.node.node import Node

COLUMNS: Final = (
    Column("#", 5, right=True, drop=6),
    Column("whose", 8),
    Column("file", 12, share=1, spills=True),
    Column("progress", BAR_WIDTH, drop=3),
    Column("", 6, right=True),
    Column("step", 14, spills=True),
    Column("rate", 8, right=True, drop=4),
    Column("left", 7, right=True, drop=1),
    Column("size", 7, right=True, drop=2),
    Column("started", 10, right=True, drop=8),
    Column("channel", 10, drop=7),
    Column("peer", 14, drop=5),
)

EMPTY: Final = ("No requests yet.", "{request} requests a file by its URI.")
NOTHING_LEFT: Final = ("No request matches.", "Esc clears the filter.")

ROOMY_FROM: Final = 130
"""Cells from which on names have room beside bars, also of requests that have ended."""

LONG_STATUS_FROM: Final = 70
"""Cells of the pane from which on its title has room for whose requests are under way."""

DETAIL_FROM: Final = 16
"""Lines that the pane needs before it says anything of the chosen request under the list."""

TALL_FROM: Final = 28
"""Lines of the terminal from which on that is more than a brief word: below, details are a screen of their own."""

MOST_DETAIL: Final = 14

TRAFFIC_FROM: Final = 20
"""Lines that the pane needs before it draws what this node receives and sends."""

PADDING: Final = 1
"""Cells beside the words about the chosen request."""

_CHANGING: Final = frozenset({"", "peer", "started", "ended"})
"""Fields of terms that say another thing of an ended row as time goes by: of ages and of names that nodes have."""


def detail_height(pane: int, terminal: int) -> int:
    """Lines for the chosen request under the list, in a pane and a terminal of so many lines."""
    if pane < DETAIL_FROM:
        return 0
    if terminal < TALL_FROM:
        return BRIEF_LINES
    return min(pane // 2 if pane < TRAFFIC_FROM else 2 * pane // 5, MOST_DETAIL)


class RequestsPane(Pane):
    """The ledger, with words about the chosen row underneath where there is room."""

    NAME: ClassVar[PaneName] = PaneName.REQUESTS
    FIELDS: ClassVar[Mapping[str, FieldKind]] = FIELDS
    SORTS: ClassVar[tuple[str, ...]] = SORTS
    FAILURES: ClassVar[str] = "state:failed"
    ASCENDING: ClassVar[frozenset[str]] = frozenset({"whose", "file", "step", "channel", "peer"})
    MARKS: ClassVar[bool] = True

    DEFAULT_CSS = f"""
    RequestsPane #traffic {{ height: {TRAFFIC_LINES}; padding: 0 {PADDING}; display: none; }}
    RequestsPane #detail {{ height: 0; padding: 0 {PADDING}; background: $boost; }}
    """

    def __init__(self, node: Node, key_of: Callable[[str], str]) -> None:
        super().__init__(node, key_of)
        self._order = StillOrder[Request](lambda row: row.number)
        self._judged: dict[int, tuple[int, bool]] = {}
        """What the filter said of rows that have ended, by number, with the version that it was said of."""
        self._judged_by = self.filter
        self._hidden = 0

    def contents(self) -> ComposeResult:
        """The list, what flows, and the words about the chosen row."""
        yield RowList(COLUMNS, empty=self.with_keys(EMPTY), id="rows")
        yield CellLines(id="traffic")
        yield CellLines(hanging=HEAD, more=(Cell("… more in the details", Tone.MUTED),), id="detail")

    def on_resize(self) -> None:
        """Say as much of the chosen request as there is room for."""
        super().on_resize()
        self._detail.styles.height = self._detail_height
        self._traffic.display = self.inside.height >= TRAFFIC_FROM

    @property
    def focus_target(self) -> RowList:
        """The list."""
        return self.query_one("#rows", RowList)

    @property
    def _detail_height(self) -> int:
        return detail_height(self.inside.height, self.app.size.height)

    @property
    def _traffic(self) -> CellLines:
        return self.query_one("#traffic", CellLines)

    @property
    def _detail(self) -> CellLines:
        return self.query_one("#detail", CellLines)

    @property
    def selection(self) -> Request | None:
        """The request under the cursor."""
        chosen: Request | None = self.focus_target.chosen
        return chosen

    def choose(self, number: int, now: float) -> None:
        """Move the cursor to the request of that number; a filter that hides it is taken away."""
        self.paint(now)
        if not self.focus_target.choose(number) and self.filter:
            self.set_filter("")
            self.paint(now)
            self.focus_target.choose(number)
        self.look_again()

    def stamp(self, now: float) -> Hashable:
        """The ledger's version and the cursor; rates go on changing for a while after the last bytes, ages always."""
        last = max((row.meter.last_at or 0 for row in self.node.ledger if row.is_active), default=None)
        ages = any(term.kind is FieldKind.TIME for term in self.filter.terms)
        moves = int(now) if ages else tick(last, now)
        return (
            self.node.ledger.version,
            self.focus_target.cursor_key,
            moves,
            present.quarter(now),
            traffic_version(self.node.downloaded, self.node.uploaded, now) if self._traffic.display else None,
            self._order.is_due(self.node.ledger.version, now),
        )

    def status(self, now: float) -> Line:
        """What the marked rows are together, what waits, what is under way, and the order if no title tells it."""
        rows = list(self.node.ledger)
        number = waiting(self.node)
        size = sum(row.size or 0 for row in self.marked if isinstance(row, Request))
        shown = f"{len(rows) - self._hidden:,} of {present.count(len(rows), 'request')}"
        order = f"by {self.sort} {'▼' if self.descending else '▲'}"
        is_wide = self.inside.width >= LONG_STATUS_FROM and not self.marked
        is_told = self.sort in self.focus_target.shown_titles or self._is_newest_first
        return joined(
            (
                (Cell(f"({present.size(size)})", Tone.BUSY),) if self.marked else (),
                (Cell(f"! {waits(number) if is_wide else f'{number} waiting'}", Tone.WARN),)
                if number
                else (),
                (Cell(shown),) if self.filter else (),
                (Cell(self._under_way(rows, is_wide=is_wide)),),
                () if is_told else (Cell(order, Tone.MUTED),),
            )
        )

    def _under_way(self, rows: Sequence[Request], *, is_wide: bool) -> str:
        active = [row for row in rows if row.is_pending]
        number = sum(1 for row in rows if row.step is Step.LIVE)
        live = f", {number:,} live" if number else ""
        if not active:
            return "" if self.filter else f"{present.count(len(rows), 'request')}{live}" if rows else "none"
        if self.filter or not is_wide:
            return f"{len(active):,} under way{live}"
        mine = sum(1 for row in active if row.side is Side.MINE)
        return f"under way: {mine:,} mine, {len(active) - mine:,} others'{live}"

    @property
    def _is_newest_first(self) -> bool:
        return self.sort == SORTS[0] and self.descending

    def paint(self, now: float) -> None:
        """Show list and words."""
        label_of, roomy = self.node.label_of, self.inside.width >= ROOMY_FROM
        rows = list(self.node.ledger)
        shown = self._filtered(rows, now)
        self._hidden = len(rows) - len(shown)
        self.focus_target.empty = NOTHING_LEFT if self._hidden else self.with_keys(EMPTY)
        self.focus_target.show(
            ListedRows(
                self._in_order(shown, now),
                key=lambda row: row.number,
                cells=lambda row: request_cells(row, label_of, now, roomy=roomy),
            )
        )
        if self._traffic.display:
            width = self.inside.width - 2 * PADDING
            self._traffic.show(traffic_lines(self.node.downloaded, self.node.uploaded, now, width))
        self._show_detail(now)

    def _filtered(self, rows: list[Request], now: float) -> list[Request]:
        """The rows that the filter leaves. Those that have ended are judged once, unless by what goes on changing."""
        if not self.filter:
            return rows
        changes = any(term.field in _CHANGING for term in self.filter.terms)
        if changes or self.filter is not self._judged_by or len(self._judged) > 2 * len(rows):
            self._judged_by, self._judged = self.filter, {}
        known, left = self._judged, []
        for row in rows:
            version, passes = known.get(row.number, (-1, False))
            if version != row.version or row.is_active:
                passes = matches(self.filter, request_facts(row, self.node.label_of), now)
                known[row.number] = (row.version, passes)
            if passes:
                left.append(row)
        return left

    def _in_order(self, rows: list[Request], now: float) -> list[Request]:
        """The rows in the order chosen. One that changes by itself is kept for a while, so that rows can be hit."""

        def found() -> list[Request]:
            return in_order(rows, self.sort, self.node.label_of, descending=self.descending)

        if self.sort not in MOVING_SORTS:
            self._order.forget()
            return found()
        return self._order.sorted(rows, (self.sort, self.descending), self.node.ledger.version, now, found)

    def _show_detail(self, now: float) -> None:
        # Not by the widget's own size: that follows the pane's a little later.
        row, width, height = self.selection, self.inside.width - 2 * PADDING, self._detail_height
        lines: tuple[Line, ...] = ()
        if row is None or not height:
            pass
        elif height <= BRIEF_LINES:
            brief = brief_lines(row, self.node.label_of, now, width)
            lines = tuple(fit_line(line, width) for line in brief)
        else:
            lines = tuple(request_lines(row, self.node.label_of, now, width))
        self._detail.show(lines)

    def on_row_list_moved(self, _event: RowList.Moved) -> None:
        """Another row has other words; while the cursor moves, rows stand still."""
        self._order.hold(time.time())
        self.look_again()

    async def table(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """The requests that are shown, with exact sizes and times."""
        rows = self.focus_target.rows
        items = [rows.item(index) for index in range(len(rows))]
        return TITLES, [request_texts(row, self.node.label_of) for row in items if isinstance(row, Request)]

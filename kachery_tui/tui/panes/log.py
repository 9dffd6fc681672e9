"""Log: what the node and the libraries under it say, kept off the screen but for here."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.tui.describe.log import level_cell
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.panes.pane import Pane
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import ListedRows
from kachery_tui.tui.widgets.tail_list import TailList

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.app import ComposeResult

    from kachery_tui.node.log import LogLine

COLUMNS = (
    Column("time", 8),
    Column("level", 9),
    Column("source", 18, drop=1),
    Column("text", 20, share=1),
)

OWN_PREFIX = "kachery_tui."


class LogPane(Pane):
    """The newest lines of the log, the newest at the bottom."""

    NAME: ClassVar[PaneName] = PaneName.LOG

    def contents(self) -> ComposeResult:
        """The list."""
        yield TailList(COLUMNS, empty=("Nothing has been logged.",), id="lines")

    @property
    def focus_target(self) -> TailList:
        """The list."""
        return self.query_one("#lines", TailList)

    @property
    def selection(self) -> LogLine | None:
        """The line under the cursor."""
        chosen: LogLine | None = self.focus_target.chosen
        return chosen

    def stamp(self, now: float) -> Hashable:
        """How many lines there were, and whether they are followed."""
        return self.node.log.version, self.focus_target.following

    def status(self, now: float) -> Line:
        """What a held list has not shown yet."""
        unseen = self.focus_target.unseen
        return (Cell(f"+{unseen:,} new (End follows)", Tone.WARN),) if unseen else ()

    def paint(self, now: float) -> None:
        """Show the lines."""
        self.focus_target.feed(
            "log",
            newest=self.node.log.version,
            rows=lambda: ListedRows(
                list(self.node.log.lines),
                key=lambda line: line.number,
                cells=lambda line: log_cells(line, now),
            ),
        )


def log_cells(line: LogLine, now: float) -> Line:
    """A line of the log as a row: time, level, source, text."""
    return (
        Cell(present.clock(line.at, now), Tone.MUTED),
        level_cell(line.level),
        Cell(line.source.removeprefix(OWN_PREFIX), Tone.MUTED),
        Cell(line.text.partition("\n")[0]),
    )

"""Log: what the node and the libraries under it say, kept off the screen but for here."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from kachery_tui.filters import FieldKind, matches
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Row, Tone, joined
from kachery_tui.tui.describe.log import level_cell
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.panes.pane import Pane
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import ListedRows
from kachery_tui.tui.widgets.tail_list import TailList

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from textual.app import ComposeResult

    from kachery_tui.filters import Fact
    from kachery_tui.node.log import LogLine

COLUMNS: Final = (
    Column("time", 8),
    Column("level", 9),
    Column("source", 18, drop=1),
    Column("text", 20, share=1),
)

OWN_PREFIX: Final = "kachery_tui."

EMPTY: Final = ("Nothing has been logged.",)
NOTHING_LEFT: Final = ("No line matches.", "Esc clears the filter.")


class LogPane(Pane):
    """The newest lines of the log, the newest at the bottom."""

    NAME: ClassVar[PaneName] = PaneName.LOG
    FIELDS: ClassVar[Mapping[str, FieldKind]] = {
        "level": FieldKind.CHOICE,
        "source": FieldKind.TEXT,
        "text": FieldKind.TEXT,
        "time": FieldKind.TIME,
    }
    FAILURES: ClassVar[str] = "level:warning,error"

    def contents(self) -> ComposeResult:
        """The list."""
        yield TailList(COLUMNS, empty=EMPTY, id="lines")

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
        """How many lines there were, whether they are followed, and which of them are wanted."""
        return self.node.log.version, self.focus_target.following, self.filter.text

    def status(self, now: float) -> Line:
        """What a held list has not shown yet, and what went wrong."""
        unseen = self.focus_target.unseen
        levels = [level_word(line.level) for line in self.node.log.lines]
        errors, warnings = levels.count("error"), levels.count("warning")
        shown = len(self.focus_target.rows)
        lines = present.count(len(levels), "line")
        return joined(
            (
                (Cell(f"+{unseen:,} new (End follows)", Tone.WARN),) if unseen else (),
                (Cell(f"{shown:,} of {lines}" if self.filter else lines),),
                (Cell(f"✗ {present.count(errors, 'error')}", Tone.BAD),) if errors else (),
                (Cell(f"! {present.count(warnings, 'warning')}", Tone.WARN),) if warnings else (),
            )
        )

    def paint(self, now: float) -> None:
        """Show the lines."""
        self.focus_target.empty = NOTHING_LEFT if self.filter else EMPTY
        self.focus_target.feed(
            self.filter.text,
            newest=self.node.log.version,
            rows=lambda: ListedRows(
                self._lines(now), key=lambda line: line.number, cells=lambda line: log_cells(line, now)
            ),
            newer_than=lambda number: sum(1 for line in self._lines(now) if line.number > number),
        )

    def _lines(self, now: float) -> Sequence[LogLine]:
        """The lines that the filter leaves."""
        lines = list(self.node.log.lines)
        return (
            [line for line in lines if matches(self.filter, log_facts(line), now)] if self.filter else lines
        )


def log_cells(line: LogLine, now: float) -> Row:
    """A line of the log as a row: time, level, source, text."""
    first, *rest = line.text.split("\n")
    return (
        Cell(present.clock(line.at, now), Tone.MUTED),
        level_cell(line.level),
        Cell(line.source.removeprefix(OWN_PREFIX), Tone.MUTED),
        (
            *((Cell(f"×{line.times:,} ", Tone.BUSY),) if line.times > 1 else ()),
            Cell(f"{first} …" if rest else first),
        ),
    )


def level_word(level: int) -> str:
    """A level as one word, by which it can be asked for."""
    return level_cell(level).text.rpartition(" ")[2]


def log_facts(line: LogLine) -> Mapping[str, Fact]:
    """A line of the log for a filter."""
    return {"level": level_word(line.level), "source": line.source, "text": line.text, "time": line.at}

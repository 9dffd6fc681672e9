"""Tasks: the functions that nodes offer, and below them the tasks that were requested."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from kachery_tui.filters import FieldKind, matches
from kachery_tui.node.tasks.offers import Offer
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.roles import Role
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone, joined
from kachery_tui.tui.describe.request_table import request_facts
from kachery_tui.tui.describe.tasks import (
    about_function,
    function_cells,
    offers,
    task_cells,
    tasks_words,
)
from kachery_tui.tui.here import Abilities, PaneName
from kachery_tui.tui.panes.two_lists import TwoListPane
from kachery_tui.tui.widgets.cell_line import CellLine
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import ListedRows, RowList

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from textual.app import ComposeResult

    from kachery_tui.node.ledger import Request
    from kachery_tui.tui.here import Item

FUNCTION_COLUMNS: Final = (
    Column("function", 16, share=2),
    Column("type", 16, drop=2),
    Column("channel", 8, share=1, drop=1),
    Column("offered by", 14, share=2),
    Column("state", 14),
)

TASK_COLUMNS: Final = (
    Column("#", 5, right=True, drop=5),
    Column("whose", 8),
    Column("task", 24, share=3),
    Column("step", 16, spills=True),
    Column("", 8, drop=3),
    Column("result", 16, share=2, drop=1),
    Column("peer", 12, share=1, drop=4),
    Column("started", 10, right=True, drop=6),
)

NO_FUNCTIONS: Final = (
    "No function is offered.",
    'config.toml offers those of this node: [tasks."NAME"]; see the README.',
)
NO_TASKS: Final = ("No tasks yet.", "{request} requests the function selected above.")
NOTHING_LEFT: Final = ("No task matches.", "Esc clears the filter.")

FUNCTIONS_SHARE: Final = 0.4
"""Of the pane's height, for the functions above the tasks."""

LEAST_FUNCTIONS: Final = 5
"""Lines of that list at the least: its titles and some rows."""

FIELDS: Final[Mapping[str, FieldKind]] = {
    "state": FieldKind.CHOICE,
    "side": FieldKind.CHOICE,
    "file": FieldKind.TEXT,
    "peer": FieldKind.TEXT,
    "channel": FieldKind.TEXT,
    "started": FieldKind.TIME,
    "why": FieldKind.TEXT,
}


class TasksPane(TwoListPane):
    """Functions above, tasks below, newest first; where room is short, the tasks in the place of the functions."""

    NAME: ClassVar[PaneName] = PaneName.TASKS
    UPPER: ClassVar[str] = "functions"
    LOWER: ClassVar[str] = "tasks"
    FIELDS: ClassVar[Mapping[str, FieldKind]] = FIELDS
    FAILURES: ClassVar[str] = "state:failed"
    MARKS: ClassVar[bool] = True

    def contents(self) -> ComposeResult:
        """The functions, two lines about the chosen one, the tasks."""
        yield RowList(FUNCTION_COLUMNS, empty=NO_FUNCTIONS, id=self.UPPER)
        yield CellLine(id="function", classes="about")
        yield CellLine(id="limits", classes="about")
        yield RowList(TASK_COLUMNS, empty=self.with_keys(NO_TASKS), id=self.LOWER)

    def upper_height(self, height: int) -> int:
        """A share of the pane."""
        return max(int(height * FUNCTIONS_SHARE), LEAST_FUNCTIONS)

    @property
    def body(self) -> RowList:
        """The tasks: filter and marks are about them."""
        return self.lower

    @property
    def selection(self) -> Offer | Request | None:
        """The task under the cursor while the person is among the tasks, else the function."""
        chosen: Offer | Request | None = (self.lower if self._reading else self.upper).chosen
        return chosen

    @property
    def can(self) -> Abilities:
        """Functions are neither filtered nor marked."""
        return super().can if self._reading else Abilities(filter_text=self.filter.text)

    @property
    def marked(self) -> tuple[Item, ...]:
        """The marked tasks, while the person is among them."""
        return super().marked if self._reading else ()

    @property
    def position(self) -> str:
        """Where the cursor stands in the list that the person is in."""
        return self.focus_target.position

    def step_back(self) -> bool:
        """Let go of marks and filter, then go from the tasks to the functions."""
        if self._reading and (self.marked or self.filter):
            return False
        return super().step_back()

    def choose(self, number: int, now: float) -> None:
        """Go to the task of that number; a filter that hides it is taken away."""
        self.read(True)
        self.lower.focus()
        self.paint(now)
        if not self.lower.choose(number) and self.filter:
            self.set_filter("")
            self.paint(now)
            self.lower.choose(number)
        self.look_again()

    def stamp(self, now: float) -> Hashable:
        """Versions of what is offered, of rows and of memberships; ages while anything is under way."""
        tasks, memberships = self.node.tasks, self.node.memberships.values()
        ages = any(term.kind is FieldKind.TIME for term in self.filter.terms)
        return (
            self.node.ledger.version,
            tasks.offers.version,
            tasks.functions.version,
            self.node.version,
            tuple(membership.version for membership in memberships),
            self.upper.cursor_key,
            self.lower.cursor_key,
            int(now) if ages else present.quarter(now),
        )

    def status(self, now: float) -> Line:
        """How many there are, and how to get from one list to the other."""
        parts: list[Line] = [tasks_words(self._tasks(), len(offers(self.node)))]
        if not self.upper.display:
            parts.append((Cell("Esc: functions", Tone.MUTED),))
        elif self._is_current and not self.lower.display:
            parts.append((Cell(f"{self.key_of('open')}: tasks", Tone.MUTED),))
        return joined(parts)

    def paint(self, now: float) -> None:
        """Show functions and tasks."""
        if self.upper.display:
            found = offers(self.node)
            self.upper.empty = self._empty_words()
            self.upper.show(
                ListedRows(
                    found, key=lambda offer: offer, cells=lambda offer: function_cells(self.node, offer)
                )
            )
            self._show_about()
        if self.lower.display:
            rows = [row for row in reversed(self._tasks()) if self._is_wanted(row, now)]
            self.lower.empty = NOTHING_LEFT if self.filter else self.with_keys(NO_TASKS)
            self.lower.show(
                ListedRows(
                    rows,
                    key=lambda row: row.number,
                    cells=lambda row: task_cells(row, self.node.label_of, now),
                )
            )

    def _empty_words(self) -> tuple[str, ...]:
        """What stands where no function does."""
        memberships = self.node.memberships.values()
        if memberships and not any(Role.REQUEST_TASKS in one.roles for one in memberships):
            there = f"It needs the role {Role.REQUEST_TASKS}: {self.key_of('pane-channels')} goes to the channels."
            return "This node does not listen to what others offer.", there, NO_FUNCTIONS[1]
        return NO_FUNCTIONS

    def _show_about(self) -> None:
        offer = self.upper.chosen
        lines: tuple[Line, Line] = ((), ())
        if isinstance(offer, Offer):
            lines = about_function(self.node, offer, self.key_of("request"))
        for id_, line in zip(("function", "limits"), lines, strict=True):
            self.query_one(f"#{id_}", CellLine).show(line)

    def _tasks(self) -> list[Request]:
        return [row for row in self.node.ledger if isinstance(row.subject, TaskSubject)]

    def _is_wanted(self, row: Request, now: float) -> bool:
        return not self.filter or matches(self.filter, request_facts(row, self.node.label_of), now)

    def on_row_list_moved(self, _event: RowList.Moved) -> None:
        """Another function is told of otherwise."""
        self.look_again()

"""What every pane is: a title over its contents, in a frame where there is room for one, a look at the node's state, and
something that is chosen.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

from textual.containers import Vertical
from textual.geometry import Size

from kachery_tui.filters import NO_FILTER, Filter, FilterError, parse_filter
from kachery_tui.tui.cells import Cell, Line, Tone, fit_line, width_of
from kachery_tui.tui.here import Abilities, Item, PaneName, Selection
from kachery_tui.tui.on_display import display_of
from kachery_tui.tui.widgets.cell_line import CellLine

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from textual.app import ComposeResult

    from kachery_tui.filters import FieldKind
    from kachery_tui.node.node import Node
    from kachery_tui.tui.memory import PaneMemory
    from kachery_tui.tui.widgets.row_list import RowList

_IN_BRACES: Final = re.compile(r"\{([a-z-]+)\}")


class Pane(Vertical):
    """One part of the node's state on the screen.

    `look` is called some times a second while the pane can be seen. It compares `stamp` with that of its last look,
    and shows the state anew only where it changed.

    A pane whose list can be filtered names its `FIELDS`, one that can be sorted its `SORTS`: titles of columns, of
    which the first, descending, is the order that it begins with. Such a pane heeds `filter`, `sort`, `descending`.
    """

    NAME: ClassVar[PaneName]
    FIELDS: ClassVar[Mapping[str, FieldKind]] = {}
    SORTS: ClassVar[tuple[str, ...]] = ()
    ASCENDING: ClassVar[frozenset[str]] = frozenset()
    """Of the columns that it can be sorted by, those that are read from A to Z: others begin with the most."""
    FAILURES: ClassVar[str] = ""
    """The filter that leaves only what went wrong."""
    MARKS: ClassVar[bool] = False
    """Whether rows can be marked."""

    DEFAULT_CSS = """
    Pane {
        height: 1fr;
        & > .pane--body { height: 1fr; }
        &.-framed > .pane--body { border: round $foreground 30%; border-top: none; }
        &.-framed:ansi > .pane--body { border: round ansi_bright_black; border-top: none; }
        &.-framed.-current > .pane--body { border: round $border; border-top: none; }
        &.-framed.-ascii > .pane--body { border: ascii $foreground 30%; border-top: none; }
        &.-framed.-ascii.-current > .pane--body { border: ascii $border; border-top: none; }
    }
    """

    def __init__(self, node: Node, key_of: Callable[[str], str]) -> None:
        """`key_of` is how the key of an action is printed, by the action's id."""
        super().__init__(id=f"pane-{self.NAME}")
        self.node = node
        self.key_of = key_of
        self.channel = ""
        self.filter: Filter = NO_FILTER
        self.sort = self.SORTS[0] if self.SORTS else ""
        self.descending = True
        self._title = CellLine(classes="pane--title")
        self._seen: Hashable = None
        self._is_current = False

    def compose(self) -> ComposeResult:
        """The title, then what the pane is made of."""
        self.set_class(display_of(self).settings.ascii, "-ascii")
        yield self._title
        with Vertical(classes="pane--body"):
            yield from self.contents()

    @abstractmethod
    def contents(self) -> ComposeResult:
        """The widgets under the title."""

    @abstractmethod
    def stamp(self, now: float) -> Hashable:
        """A value that differs as soon as there is something new to show."""

    @abstractmethod
    def paint(self, now: float) -> None:
        """Show the state as it is."""

    @abstractmethod
    def status(self, now: float) -> Line:
        """What the title says beside the pane's name."""

    @property
    @abstractmethod
    def selection(self) -> Selection:
        """What stands under the cursor."""

    @property
    @abstractmethod
    def focus_target(self) -> RowList:
        """The list that gets the focus when the pane does."""

    @property
    def body(self) -> RowList:
        """The list that filter, order and marks are about."""
        return self.focus_target

    @property
    def position(self) -> str:
        """Where the cursor stands in a list that is longer than what can be seen of it."""
        return self.focus_target.position

    def with_keys(self, lines: Sequence[str]) -> tuple[str, ...]:
        """Lines in which an action's id in braces is replaced by its key."""
        return tuple(_IN_BRACES.sub(lambda found: self.key_of(found[1]), line) for line in lines)

    def enter_messages(self) -> None:
        """Go from the row under the cursor to its messages, where it has any."""

    def step_back(self) -> bool:
        """Go one step back within the pane; False where there is none."""
        return False

    # Filter, order, marks

    @property
    def fields(self) -> Mapping[str, FieldKind]:
        """What the list can be filtered by at this moment."""
        return self.FIELDS

    @property
    def can(self) -> Abilities:
        """What the list lets a person do with it."""
        return Abilities(
            bool(self.fields),
            bool(self.SORTS),
            self.MARKS,
            self.filter.text,
            self.FAILURES if self.fields else "",
        )

    def filter_problem(self, text: str) -> str:
        """What is wrong with a filter, as a sentence; empty if nothing is."""
        try:
            parse_filter(text, self.fields)
        except FilterError as error:
            return str(error)
        return ""

    def set_filter(self, text: str) -> None:
        """Show only the rows that a filter leaves. Raises `FilterError`."""
        self.filter = parse_filter(text, self.fields) if text else NO_FILTER
        self.look_again()

    def sort_by_next(self, by: int) -> None:
        """Sort by the column that is `by` columns further on, in the order in which that is read."""
        self._sort_by(self.SORTS[(self.SORTS.index(self.sort) + by) % len(self.SORTS)])

    def _sort_by(self, title: str) -> None:
        self.sort = title
        self.descending = title not in self.ASCENDING
        self.look_again()

    def on_row_list_head_clicked(self, event: RowList.HeadClicked) -> None:
        """Sort by the column whose title was clicked; the other way round where it is sorted by that."""
        if event.row_list.sorted_by is None or event.title not in self.SORTS:
            return
        if event.title == self.sort:
            self.invert_order()
        else:
            self._sort_by(event.title)

    def invert_order(self) -> None:
        """Turn the order round."""
        self.descending = not self.descending
        self.look_again()

    def mark(self) -> None:
        """Mark the row under the cursor, or unmark it, and go on to the next."""
        self.body.toggle_mark()
        self.look_again()

    def mark_range(self) -> None:
        """Mark the rows from the one marked last to the cursor."""
        self.body.mark_range()
        self.look_again()

    def mark_all(self) -> None:
        """Mark every row that is shown; if some are marked, unmark all."""
        self.body.mark_all()
        self.look_again()

    def invert_marks(self) -> None:
        """Mark every row that is shown and not marked, and unmark the others."""
        self.body.invert_marks()
        self.look_again()

    def clear_marks(self) -> None:
        """Unmark all rows."""
        self.body.clear_marks()
        self.look_again()

    @property
    def marked(self) -> tuple[Item, ...]:
        """What the marked rows stand for."""
        return tuple(self.body.marked.values())

    def take_up(self, left: PaneMemory) -> None:
        """Filter and order as they were left; what does not fit any more is passed over."""
        if left.filter and self.FIELDS and not self.filter_problem(left.filter):
            self.set_filter(left.filter)
        if left.sort in self.SORTS:
            self.sort, self.descending = left.sort, left.descending

    def hand_over(self, left: PaneMemory) -> None:
        """Write down filter and order."""
        left.filter, left.sort, left.descending = self.filter.text, self.sort, self.descending

    async def table(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """All rows that are shown, as titles and texts, for a file. The pane's own list; a paged one reads all pages."""
        return self.body.table()

    # Looking

    def look(self, now: float) -> None:
        """Show what changed since the last look."""
        stamp = self.stamp(now), self.position
        if stamp == self._seen:
            return
        self._seen = stamp
        if self.SORTS:
            self.body.sorted_by = (self.sort, self.descending)
        self.paint(now)
        if self._seen is not None:
            # Painting itself moves the position where rows have come: that is no reason to paint again.
            self._seen = stamp[0], self.position
        self._show_title(now)

    def look_again(self) -> None:
        """Show everything at the next look, changed or not."""
        self._seen = None

    def mark_current(self, is_current: bool, now: float) -> None:
        """Say whether this is the pane that keys go to."""
        self._is_current = is_current
        self.set_class(is_current, "-current")
        self._show_title(now)

    @property
    def inside(self) -> Size:
        """The room for what is under the title, and the title's line: the frame takes the rest."""
        edge = 1 if self.has_class("-framed") else 0
        return Size(self.size.width - 2 * edge, self.size.height - edge)

    def show_in_frame(self, framed: bool) -> None:
        """Stand in a frame, or, alone on the screen, only under a line."""
        self.set_class(framed, "-framed")

    def on_resize(self) -> None:
        """Another size may show more."""
        self.look_again()

    def _show_title(self, now: float) -> None:
        number = list(PaneName).index(self.NAME) + 1
        edge = Tone.LIT_EDGE if self._is_current else Tone.EDGE
        left, right = "╭╮" if self.has_class("-framed") else "──"
        mark = "▶" if self._is_current else " "
        name = Cell(f"{mark}{number} {self.NAME.capitalize()} ", edge if self._is_current else Tone.STRONG)
        filtered = (Cell(f" /{self.filter.text} ", Tone.WARN),) if self.filter else ()
        marked = (Cell(f" {len(self.body.marked):,} marked ", Tone.BUSY),) if self.body.marked else ()
        head = (Cell(f"{left}─", edge), name, *filtered, *marked)
        tail = (*((Cell(f" {self.position} "),) if self.position else ()), Cell(f"─{right}", edge))
        room = max(self.size.width - width_of(head) - width_of(tail), 0)
        status = self.status(now)
        said = (Cell(" "), *status, Cell(" ")) if status else ()
        if (left_over := room - width_of(said)) < 0:
            said, left_over = fit_line(said, room), 0
        self._title.show((*head, *said, Cell("─" * left_over, edge), *tail))


def tick(last_at: float | None, now: float, *, settles: float = 7.0) -> int:
    """A part of a stamp for rates: it moves on for some seconds after the last event, then stands still."""
    return int(now) if last_at is not None and now - last_at < settles else 0

"""What every pane is: a title bar over its contents, a look at the node's state, and something that is chosen."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical

from kachery_tui.tui.cells import Cell, Line, Tone, fit_line, width_of
from kachery_tui.tui.here import PaneName, Selection
from kachery_tui.tui.widgets.cell_line import CellLine

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.app import ComposeResult

    from kachery_tui.node.node import Node
    from kachery_tui.tui.widgets.row_list import RowList


class Pane(Vertical):
    """One part of the node's state on the screen.

    `look` is called some times a second while the pane can be seen. It compares `stamp` with that of its last look,
    and shows the state anew only where it changed.
    """

    NAME: ClassVar[PaneName]

    DEFAULT_CSS = """
    Pane {
        height: 1fr;
        & > .pane--title { background: $panel; }
        &.-current > .pane--title { background: $primary-muted; text-style: bold; }
    }
    """

    def __init__(self, node: Node) -> None:
        super().__init__(id=f"pane-{self.NAME}")
        self.node = node
        self.channel = ""
        self._title = CellLine(classes="pane--title")
        self._seen: Hashable = None
        self._is_current = False

    def compose(self) -> ComposeResult:
        """The title bar, then what the pane is made of."""
        yield self._title
        yield from self.contents()

    @abstractmethod
    def contents(self) -> ComposeResult:
        """The widgets under the title bar."""

    @abstractmethod
    def stamp(self, now: float) -> Hashable:
        """A value that differs as soon as there is something new to show."""

    @abstractmethod
    def paint(self, now: float) -> None:
        """Show the state as it is."""

    @abstractmethod
    def status(self, now: float) -> Line:
        """What the title bar says beside the pane's name."""

    @property
    @abstractmethod
    def selection(self) -> Selection:
        """What stands under the cursor."""

    @property
    @abstractmethod
    def focus_target(self) -> RowList:
        """The list that gets the focus when the pane does."""

    @property
    def position(self) -> str:
        """Where the cursor stands in a list that is longer than what can be seen of it."""
        return self.focus_target.position

    def look(self, now: float) -> None:
        """Show what changed since the last look."""
        stamp = self.stamp(now), self.position
        if stamp == self._seen:
            return
        self._seen = stamp
        self.paint(now)
        self._show_title(now)

    def look_again(self) -> None:
        """Show everything at the next look, changed or not."""
        self._seen = None

    def mark_current(self, is_current: bool, now: float) -> None:
        """Say whether this is the pane that keys go to."""
        self._is_current = is_current
        self.set_class(is_current, "-current")
        self._show_title(now)

    def on_resize(self) -> None:
        """Another size may show more."""
        self.look_again()

    def _show_title(self, now: float) -> None:
        number = list(PaneName).index(self.NAME) + 1
        mark = "▶" if self._is_current else " "
        name = Cell(f"{mark}{number} {self.NAME.capitalize()}  ", Tone.STRONG)
        position = f"  {self.position} " if self.position else ""
        status = fit_line(self.status(now), max(self.size.width - width_of((name,)) - len(position), 0))
        self._title.show((name, *status, Cell(position)))


def tick(last_at: float | None, now: float, *, settles: float = 7.0) -> int:
    """A part of a stamp for rates: it moves on for some seconds after the last event, then stands still."""
    return int(now) if last_at is not None and now - last_at < settles else 0

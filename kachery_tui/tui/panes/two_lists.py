"""A pane of two lists: one above, and what belongs to the row that is chosen there below it, or in its place."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

from kachery_tui.tui.panes.pane import Pane
from kachery_tui.tui.widgets.cell_line import CellLine
from kachery_tui.tui.widgets.row_list import RowList
from kachery_tui.tui.widgets.tail_list import TailList

if TYPE_CHECKING:
    from textual import events

ROOM_FOR_BOTH: Final = 16
"""Lines that the pane needs before the lower list shows under the upper; with fewer, Enter shows it in its place."""

ROOM_FOR_ABOUT: Final = 10
"""Lines that the pane needs before the chosen row is told of under the list."""

BUSY_RATE: Final = 8.0
"""Messages a second that nobody can read one by one any more."""


class TwoListPane(Pane):
    """The upper list, lines of the class `about` on its chosen row, and the lower list."""

    UPPER: ClassVar[str]
    """The id of the upper list."""
    LOWER: ClassVar[str]
    """The id of the lower list."""

    DEFAULT_CSS = """
    TwoListPane {
        & .about { background: $boost; }
    }
    """

    _reading = False
    """Whether the person is, or was last, in the lower list rather than in the upper."""

    @abstractmethod
    def upper_height(self, height: int) -> int:
        """Lines for the upper list in a pane of `height` lines that has room for both."""

    @property
    def upper(self) -> RowList:
        """The upper list."""
        return self.query_one(f"#{self.UPPER}", RowList)

    @property
    def lower(self) -> RowList:
        """The lower list."""
        return self.query_one(f"#{self.LOWER}", RowList)

    @property
    def is_short(self) -> bool:
        """Whether there is room for one of the lists, not both."""
        return self.inside.height < ROOM_FOR_BOTH

    @property
    def focus_target(self) -> RowList:
        """Where the person was last."""
        return self.lower if self._reading else self.upper

    def on_mount(self) -> None:
        """Begin with the upper list."""
        self._arrange()

    def on_resize(self) -> None:
        """Another size has room for more, or for less."""
        super().on_resize()
        self._arrange()

    def _arrange(self) -> None:
        """Decide what shows. Done directly, not by classes, so that focus can follow at once."""
        height, is_short = self.inside.height, self.is_short
        self.upper.display = not (is_short and self._reading)
        self.lower.display = self._reading or not is_short
        for about in self.query(".about").results(CellLine):
            about.display = height >= ROOM_FOR_ABOUT and self.upper.display
        self.upper.styles.height = "1fr" if is_short else self.upper_height(height)
        self.look_again()

    def enter_messages(self) -> None:
        """Go from the upper list to the lower one; there is always room for it."""
        self.read(True)
        self.lower.focus()

    def step_back(self) -> bool:
        """Go from the lower list to the upper one."""
        if not self.lower.has_focus:
            return False
        self.read(False)
        self.upper.focus()
        return True

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The person went to one of the lists, by key or by mouse."""
        if event.widget in (self.upper, self.lower):
            self.read(event.widget is self.lower)

    def read(self, reading: bool) -> None:
        """Show what goes with being in the lower list, or in the upper one."""
        if reading != self._reading:
            self._reading = reading
            self.turned()
            self._arrange()

    def turned(self) -> None:
        """The person went from one list to the other."""


class MessagesPane(TwoListPane):
    """One whose lower list has the messages of the row that is chosen above."""

    @property
    def messages(self) -> TailList:
        """The list of messages."""
        return self.query_one(f"#{self.LOWER}", TailList)

"""What every popup is: a framed box over the panes that ends in its own keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from textual.containers import Vertical
from textual.screen import ModalScreen

from kachery_tui.tui.cells import Cell, Line, joined
from kachery_tui.tui.on_display import display_of
from kachery_tui.tui.widgets.cell_line import CellLine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult
    from textual.widget import Widget

Result = TypeVar("Result")


class Popup(ModalScreen[Result], Generic[Result]):
    """A box over the panes. The keys that work are in its last line; those of the footer do nothing meanwhile, so the
    footer is covered."""

    DEFAULT_CSS = """
    Popup {
        align: center middle;
        & > .popup--box {
            width: 100;
            max-width: 96%;
            height: auto;
            padding: 0 1;
            background: $surface;
            border: round $primary;
        }
        &.-ascii > .popup--box { border: ascii $primary; }
        & > .popup--cover { dock: bottom; background: $panel; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.set_class(display_of(self).settings.ascii, "-ascii")
        self._keys = CellLine(classes="popup--keys")

    def compose(self) -> ComposeResult:
        """The box, and what covers the footer."""
        with Vertical(classes="popup--box"):
            yield from self.contents()
            yield self._keys
        yield CellLine(classes="popup--cover")

    def contents(self) -> Iterable[Widget]:
        """The widgets of the box above its keys."""
        raise NotImplementedError

    def offer(self, *hints: Line) -> None:
        """Say which keys do what."""
        self._keys.show(joined((hint for hint in hints if hint), "   "))

    def say(self, *line: Cell) -> None:
        """Show a line in the place of the keys."""
        self._keys.show(line)

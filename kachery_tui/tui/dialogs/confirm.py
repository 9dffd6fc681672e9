"""A question that is answered by y or n."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from kachery_tui.tui.cells import Cell, Tone, joined
from kachery_tui.tui.dialogs.text_view import CellText
from kachery_tui.tui.present import key_hint

if TYPE_CHECKING:
    from textual.app import ComposeResult


class Confirm(ModalScreen[bool]):
    """Asks; everything but y is no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,q,enter", "answer(False)", "No"),
    ]

    DEFAULT_CSS = """
    Confirm {
        align: center middle;
        & > Vertical {
            width: 60;
            max-width: 90%;
            height: auto;
            padding: 1 2;
            background: $surface;
            border-left: outer $warning;
        }
    }
    """

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """The question and its two keys."""
        with Vertical():
            yield CellText()

    def on_mount(self) -> None:
        """Show the question."""
        keys = joined((key_hint("y", "Yes"), key_hint("n", "No (also Enter, Esc)")), "   ")
        self.query_one(CellText).show(((Cell(self._question, Tone.STRONG),), (), keys))

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)

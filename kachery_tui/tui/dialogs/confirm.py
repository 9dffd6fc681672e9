"""A question that is answered by y or n."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from kachery_tui.tui.cells import Cell, Tone
from kachery_tui.tui.dialogs.popup import Popup
from kachery_tui.tui.dialogs.text_view import CellText
from kachery_tui.tui.present import key_hint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.widget import Widget


class Confirm(Popup[bool]):
    """Asks; everything but y is no. `about` says what follows from a yes, `grave` that there is no way back, `usual` that
    a yes does no harm, so that Enter is one, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,q", "answer(False)", "No"),
        Binding("enter", "usual_answer", "Yes or no", show=False),
    ]

    DEFAULT_CSS = """
    Confirm {
        & > .popup--box { width: 64; border: round $warning; padding: 0 2; }
        &.-grave > .popup--box { border: round $error; }
        &.-ascii > .popup--box { border: ascii $warning; }
        & CellText { margin: 1 0; }
    }
    """

    def __init__(self, question: str, *, about: str = "", grave: bool = False, usual: bool = False) -> None:
        super().__init__()
        self.set_class(grave, "-grave")
        self._question = question
        self._about = about
        self._grave = grave
        self._usual = usual

    def contents(self) -> Iterator[Widget]:
        """The question."""
        yield CellText()

    def on_mount(self) -> None:
        """Show the question and its two keys."""
        tone = Tone.BAD if self._grave else Tone.NORMAL
        about = ((), (Cell(self._about, tone),)) if self._about else ()
        self.query_one(CellText).show(((Cell(self._question, Tone.STRONG),), *about))
        yes, no = ("Yes (also Enter)", "No (also Esc)") if self._usual else ("Yes", "No (also Enter, Esc)")
        self.offer(key_hint("y", yes), key_hint("n", no))

    def action_usual_answer(self) -> None:
        """Close with the answer that Enter gives."""
        self.dismiss(self._usual)

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)

"""Dialogs with one line to fill in: the URI of a file to ask for, the path of one to store or link."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from kachery_tui.tui.cells import Cell, Line, Tone, joined
from kachery_tui.tui.dialogs.text_view import CellText
from kachery_tui.tui.present import key_hint

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.suggester import Suggester


class Ask(ModalScreen[str | None]):
    """One line to fill in. `check` says what is wrong with it (nothing: it will do); Enter takes what will do."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close"),
        Binding("tab", "complete", "Complete", show=False, priority=True),
    ]

    DEFAULT_CSS = """
    Ask {
        align: center middle;
        & > Vertical {
            width: 100;
            max-width: 96%;
            height: auto;
            padding: 1 2;
            background: $surface;
            border-left: outer $primary;
        }
        & Input { margin: 1 0; padding: 0 1; background: $boost; }
    }
    """

    def __init__(
        self,
        title: str,
        *,
        about: str = "",
        value: str = "",
        takes: str = "Go",
        check: Callable[[str], str] = lambda _: "",
        suggester: Suggester | None = None,
        select: bool = False,
    ) -> None:
        super().__init__()
        self._heading = title
        self._about = about
        self._value = value
        self._takes = takes
        self._check = check
        self._suggester = suggester
        self._select = select

    def compose(self) -> ComposeResult:
        """Title, line, what is wrong or what the keys do."""
        with Vertical():
            yield CellText(id="about")
            yield Input(self._value, compact=True, suggester=self._suggester, select_on_focus=self._select)
            yield CellText(id="verdict")

    def on_mount(self) -> None:
        """Show the words, and begin in the line."""
        line = self.query_one(Input)
        line.cursor_blink = False
        about = ((Cell(self._about, Tone.MUTED),),) if self._about else ()
        self.query_one("#about", CellText).show(((Cell(self._heading, Tone.STRONG),), *about))
        self._judge(self._value)
        line.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Judge what stands there now."""
        self._judge(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take it, unless something is wrong with it."""
        event.stop()
        value = event.value.strip()
        if value and not self._check(value):
            self.dismiss(value)

    def action_complete(self) -> None:
        """Take the completion that is shown in grey."""
        self.query_one(Input).action_cursor_right()

    def _judge(self, value: str) -> None:
        problem = self._check(value.strip()) if value.strip() else ""
        tab = key_hint("Tab", "Complete") if self._suggester else ()
        keys: Line = joined((key_hint("Enter", self._takes), tab, key_hint("Esc", "Close")), "   ")
        self.query_one("#verdict", CellText).show(((Cell(f"✗ {problem}", Tone.BAD),) if problem else keys,))

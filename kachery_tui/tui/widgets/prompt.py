"""A line to type into above the footer: a filter, or where to jump."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from kachery_tui.tui.cells import Cell, Tone
from kachery_tui.tui.widgets.cell_line import CellLine, CellLines
from kachery_tui.tui.widgets.typing_in_order import TypedInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult


class Prompt(Vertical):
    """One line with a word before it and, below it, what is wrong with what is typed.

    `open` shows it: `judge` is called with every change and says what is wrong, `done` with what was entered, or with
    None when the person went back.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Back", show=False, priority=True)]

    DEFAULT_CSS = """
    Prompt {
        height: 3;
        display: none;
        background: $boost;
        & Horizontal { height: 1; }
        & #prompt-word { width: auto; min-width: 9; max-width: 12; }
        & Input { width: 1fr; background: $boost; }
        & #prompt-verdict { height: 2; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="prompt")
        self._judge: Callable[[str], str] = lambda _: ""
        self._done: Callable[[str | None], None] = lambda _: None

    def compose(self) -> ComposeResult:
        """Word, line, verdict."""
        with Horizontal():
            yield CellLine(id="prompt-word")
            yield TypedInput(compact=True, id="prompt-line")
        yield CellLines(hanging=3, id="prompt-verdict")

    def on_mount(self) -> None:
        """A cursor that blinks would write to the terminal all the time."""
        self.query_one(Input).cursor_blink = False

    def open(
        self,
        word: str,
        value: str,
        *,
        about: str,
        judge: Callable[[str], str],
        done: Callable[[str | None], None],
    ) -> None:
        """Show the line with `value` in it."""
        self._judge, self._done = judge, done
        self._about = about
        self.display = True
        self.query_one("#prompt-word", CellLine).show((Cell(f" {word} ", Tone.STRONG),))
        line = self.query_one(Input)
        line.value = value
        line.cursor_position = len(value)
        self._say("")
        line.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Judge what stands there now."""
        event.stop()
        if self.display:
            self._say(self._judge(event.value.strip()))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take it, unless something is wrong with it."""
        event.stop()
        value = event.value.strip()
        if not self._judge(value):
            self._close(value)

    def action_give_up(self) -> None:
        """Go back to what was before."""
        self._close(None)

    def _close(self, value: str | None) -> None:
        self.display = False
        self._done(value)

    def _say(self, problem: str) -> None:
        cell = Cell(f" ✗ {problem}", Tone.BAD) if problem else Cell(f" {self._about}", Tone.MUTED)
        self.query_one("#prompt-verdict", CellLines).show(((cell,),))

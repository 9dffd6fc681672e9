"""Dialogs with one line to fill in: the URI of a file to ask for, the path of one to store or link."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.tui.dialogs.popup import Popup
from kachery_tui.tui.dialogs.text_view import CellText
from kachery_tui.tui.present import key_hint
from kachery_tui.tui.widgets.typing_in_order import TypedInput

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from textual.suggester import Suggester
    from textual.widget import Widget


class Ask(Popup[str | None]):
    """One line to fill in; Enter takes what will do.

    `check` says what is wrong with it as it is typed (nothing: it will do), `admit` does so once it is entered, and
    may take its time. While something is wrong the line stays open, with what was typed. An `optional` one may be empty.
    What is pasted goes to `pasted` first; if that takes it, the dialog closes.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close"),
        Binding("tab", "complete", "Complete", show=False, priority=True),
    ]

    DEFAULT_CSS = """
    Ask {
        & > .popup--box { padding: 0 2; }
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
        admit: Callable[[str], Awaitable[str]] | None = None,
        suggester: Suggester | None = None,
        select: bool = True,
        optional: bool = False,
        pasted: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__()
        self._heading = title
        self._about = about
        self._value = value
        self._takes = takes
        self._check = check
        self._admit = admit
        self._suggester = suggester
        self._select = select
        self._optional = optional
        self._pasted = pasted
        self._taking: str | None = None

    def contents(self) -> Iterator[Widget]:
        """Title and line."""
        yield CellText(id="about")
        # What stands there at first is a proposal: typing or pasting takes its place.
        line = TypedInput(self._value, compact=True, suggester=self._suggester, select_on_focus=self._select)
        line.pasted = self._take_pasted
        yield line
        yield CellText(id="verdict")

    def on_mount(self) -> None:
        """Show the words, and begin in the line."""
        line = self.query_one(Input)
        line.cursor_blink = False
        about = ((Cell(self._about, Tone.MUTED),),) if self._about else ()
        self.query_one("#about", CellText).show(((Cell(self._heading, Tone.STRONG),), *about))
        tab = key_hint("Tab", "Complete") if self._suggester else ()
        self.offer(key_hint("Enter", self._takes), tab, key_hint("Esc", "Close"))
        self._judge(self._value)
        line.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Judge what stands there now."""
        event.stop()
        self._judge(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take it, unless something is wrong with it."""
        event.stop()
        value = event.value.strip()
        if self._check(value) if value else not self._optional:
            return
        if self._admit is None:
            self.dismiss(value)
        elif value != self._taking:
            # The same once more would be done twice: what is asked for may be made by being admitted.
            self._taking = value
            self.run_worker(self._take(value, self._admit), exclusive=True)

    async def _take(self, value: str, admit: Callable[[str], Awaitable[str]]) -> None:
        try:
            problem = await admit(value)
        finally:
            if self._taking == value:
                self._taking = None
        if not problem:
            self.dismiss(value)
        elif self.query_one(Input).value.strip() == value:
            self._say(problem)

    def _take_pasted(self, text: str) -> bool:
        if self._pasted is None or not self._pasted(text):
            return False
        self.dismiss(None)
        return True

    def action_complete(self) -> None:
        """Take the completion that is shown in grey."""
        self.query_one(Input).action_cursor_right()

    def _judge(self, value: str) -> None:
        self._say(self._check(value.strip()) if value.strip() else "")

    def _say(self, problem: str) -> None:
        verdict: tuple[Line, ...] = ((Cell(f"✗ {problem}", Tone.BAD),),) if problem else ()
        shown = self.query_one("#verdict", CellText)
        shown.display = bool(problem)
        shown.show(verdict)

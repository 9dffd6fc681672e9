"""A text laid over the panes: an envelope, a request's details, a whole log line, a URI to select."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from kachery_tui.tui.cells import Cell, Line, Tone, joined, plain
from kachery_tui.tui.present import key_hint
from kachery_tui.tui.widgets.cell_line import CellLine
from kachery_tui.tui.widgets.toned import Toned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult


class CellText(Toned, Static):
    """Lines of cells, wrapped where they are too long."""

    DEFAULT_CSS = """
    CellText { height: auto; width: 1fr; }
    """

    def show(self, lines: Iterable[Line]) -> None:
        """Show `lines`."""
        text = Text(overflow="fold", no_wrap=False)
        for number, line in enumerate(lines):
            text.append("\n" if number else "")
            for cell in line:
                text.append(plain(cell.text), self.tone_style(cell.tone))
        self.update(text)


class TextView(ModalScreen[None]):
    """Lines under a title; closed by Esc, q or Enter. `lines` is asked anew some times a second while it is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close"),
        Binding("y", "copy", "Copy"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
    ]

    DEFAULT_CSS = """
    TextView {
        align: center middle;
        & > Vertical { width: 94%; max-width: 120; height: auto; max-height: 90%; background: $surface; }
        &.-bare > Vertical { width: 100%; max-width: 100%; }
        & .text-view--bar { background: $primary-muted; }
        & VerticalScroll { height: auto; max-height: 100%; padding: 0 1; scrollbar-size-vertical: 1; }
        &.-bare VerticalScroll { padding: 0; }
    }
    """

    REFRESH_SECONDS: ClassVar[float] = 0.25

    def __init__(
        self,
        title: str,
        lines: Callable[[], Iterable[Line]],
        *,
        copies: str = "",
        live: bool = False,
        bare: bool = False,
    ) -> None:
        super().__init__(classes="-bare" if bare else None)
        self._heading = title
        self._lines = lines
        self._copies = copies
        self._live = live
        self._shown: tuple[Line, ...] = ()

    def compose(self) -> ComposeResult:
        """Title bar, text."""
        with Vertical():
            yield CellLine(id="heading", classes="text-view--bar")
            with VerticalScroll():
                yield CellText(id="text")

    def on_mount(self) -> None:
        """Show the text, and keep it true if it may change."""
        copy = key_hint("y", "Copy") if self._copies else ()
        self.query_one("#heading", CellLine).show(
            joined(((Cell(f" {self._heading}", Tone.STRONG),), copy, key_hint("Esc", "Close")))
        )
        self._show()
        if self._live:
            self.set_interval(self.REFRESH_SECONDS, self._show)
        self.query_one(VerticalScroll).focus()

    def _show(self) -> None:
        lines = tuple(self._lines())
        if lines != self._shown:
            self._shown = lines
            self.query_one("#text", CellText).show(lines)

    def action_copy(self) -> None:
        """Copy what the text is about."""
        if self._copies:
            self.app.copy_to_clipboard(self._copies)

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

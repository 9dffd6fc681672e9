"""A text laid over the panes: an envelope, a request's details, a whole log line, a URI to select."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from kachery_tui.tui.cells import Cell, Line, Tone, plain, width_of, wrap_line
from kachery_tui.tui.dialogs.popup import Popup
from kachery_tui.tui.present import key_hint
from kachery_tui.tui.widgets.cell_line import CellLine
from kachery_tui.tui.widgets.toned import Toned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from textual.widget import Widget

FRAME: Final = 5
"""Lines of the terminal that are not the text: border, title, keys, and the covered footer."""


_SIDES: Final = 5
"""Cells of a line of the box that are not the text: border, padding, scrollbar."""


def text_width(columns: int) -> int:
    """How many cells wide a text is in a terminal of so many columns."""
    return max(min(columns * 96 // 100, 120) - _SIDES, 1)


class CellText(Toned, Static):
    """Lines of cells, wrapped where they are too long."""

    DEFAULT_CSS = """
    CellText { height: auto; width: 1fr; }
    """

    _lines: tuple[Line, ...] = ()

    def show(self, lines: Iterable[Line]) -> None:
        """Show `lines`."""
        lines = tuple(lines)
        if lines == self._lines:
            return
        self._lines = lines
        text = Text(overflow="fold", no_wrap=False)
        for number, line in enumerate(lines):
            text.append("\n" if number else "")
            for cell in line:
                text.append(self.drawn(plain(cell.text)), self.tone_style(cell.tone))
        self.update(text)


def wrapped(lines: Iterable[Line], width: int) -> Iterator[Line]:
    """Lines broken to a width. What stands in columns, each but the last ending in a space, hangs under its last."""
    for line in lines:
        heads = line[:-1]
        indent = width_of(heads) if heads and all(cell.text.endswith(" ") for cell in heads) else 0
        yield from wrap_line(line, width, indent=indent if indent <= width // 2 else 0)


class TextView(Popup[None]):
    """Lines under a title; closed by Esc, q or Enter. `lines` is asked anew some times a second while it is open.

    A `bare` one takes the whole width and has no frame at its sides, so that a mouse selects nothing but the text.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close"),
        Binding("y", "copy", "Copy"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
    ]

    DEFAULT_CSS = """
    TextView {
        & > .popup--box { width: 96%; max-width: 120; }
        & VerticalScroll { height: auto; scrollbar-size-vertical: 1; }
        &.-bare > .popup--box { width: 100%; max-width: 100%; padding: 0; border-left: none; border-right: none; }
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
        super().__init__()
        self.set_class(bare, "-bare")
        self._heading = title
        self._lines = lines
        self._copies = copies
        self._live = live
        self._shown: tuple[Line, ...] = ()

    def contents(self) -> Iterator[Widget]:
        """Title and text."""
        yield CellLine(id="heading")
        yield VerticalScroll(CellText(id="text"))

    def on_mount(self) -> None:
        """Show the text, and keep it true if it may change."""
        self.query_one("#heading", CellLine).show((Cell(self._heading, Tone.STRONG),))
        self._show()
        if self._live:
            self.set_interval(self.REFRESH_SECONDS, self._show)
        self._body.focus()
        self.on_resize()

    def on_resize(self) -> None:
        """Leave room for the keys, however long the text is."""
        self._body.styles.max_height = max(self.size.height - FRAME, 1)
        self._lay_out()
        self.call_after_refresh(self._lay_out)

    def hints(self) -> Iterator[Line]:
        """The keys that work here."""
        if self._body.max_scroll_y > 0:
            yield key_hint("↑ ↓", "Scroll")
        if self._copies:
            yield key_hint("y", "Copy")
        yield key_hint("Esc", "Close")

    @property
    def _body(self) -> VerticalScroll:
        return self.query_one(VerticalScroll)

    def _show(self) -> None:
        lines = tuple(self._lines())
        if lines != self._shown:
            self._shown = lines
            self._lay_out()
            self.call_after_refresh(self._lay_out)

    def _lay_out(self) -> None:
        """Break the lines to the width that there is, which a scrollbar may have changed, and say which keys work."""
        if not self.is_attached:
            return
        text = self.query_one("#text", CellText)
        text.show(wrapped(self._shown, text.size.width or text_width(self.size.width)))
        self.offer(*self.hints())

    def action_copy(self) -> None:
        """Copy what the text is about."""
        if self._copies:
            self.app.copy_to_clipboard(self._copies)

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self._body.scroll_relative(y=by, animate=False)

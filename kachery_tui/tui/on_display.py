"""How widgets know what they are shown on."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Final

from rich.console import Console
from textual.app import App
from textual.filter import Monochrome, NoColor

from kachery_tui.tui.display import Display

if TYPE_CHECKING:
    from textual.dom import DOMNode


class DisplayedApp(App[None]):
    """An app that knows what it is shown on."""

    def __init__(self, shown_on: Display) -> None:
        super().__init__()
        self.shown_on = shown_on
        if shown_on.environment is not os.environ:
            self._take_colours_from(shown_on)

    def _take_colours_from(self, display: Display) -> None:
        """Paint in the colours of that terminal. Textual looks at this process's own."""
        self.no_color = display.has_no_colours
        self._filters = [one for one in self._filters if not isinstance(one, Monochrome | NoColor)]
        if self.no_color:
            self._filters.append(NoColor() if self.native_ansi_color else Monochrome())
        self.console = Console(
            file=io.StringIO(),
            highlight=False,
            emoji=False,
            legacy_windows=False,
            force_terminal=True,
            safe_box=False,
            soft_wrap=False,
            _environ={name: value for name, value in display.environment.items() if name != "NO_COLOR"},
        )


_UNKNOWN: Final = Display()


def display_of(widget: DOMNode) -> Display:
    """What a widget is shown on."""
    app = widget.app
    return app.shown_on if isinstance(app, DisplayedApp) else _UNKNOWN

"""How widgets know what they are shown on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.app import App

from kachery_tui.tui.display import Display

if TYPE_CHECKING:
    from textual.dom import DOMNode


class DisplayedApp(App[None]):
    """An app that knows what it is shown on."""

    def __init__(self, shown_on: Display) -> None:
        super().__init__()
        self.shown_on = shown_on


_UNKNOWN: Final = Display()


def display_of(widget: DOMNode) -> Display:
    """What a widget is shown on."""
    app = widget.app
    return app.shown_on if isinstance(app, DisplayedApp) else _UNKNOWN

"""Which keys a pane may name in what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.widget import Widget


def key_of(pane: Widget, action_id: str) -> str:
    """How the key of an action is printed, on the screen that the pane stands on."""
    from kachery_tui.tui.screen import MainScreen

    screen = pane.screen
    return screen.here.key_of(action_id) if isinstance(screen, MainScreen) else ""

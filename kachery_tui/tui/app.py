"""The program around the screens: starts with the first paint, closes the node at the end, owns the clipboard."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType

from kachery_tui.tui.actions import ACTIONS
from kachery_tui.tui.clipboard import copy_sequence
from kachery_tui.tui.screen import MainScreen
from kachery_tui.tui.tour import Tour

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.screen import Screen

    from kachery_tui.node.node import Node
    from kachery_tui.tui.first_start import Finish, Suggestion

_log = logging.getLogger(__name__)

CLOSE_SECONDS: Final = 8.0
"""How long leaving waits for channels to be left and threads to end."""


class KacheryApp(App[None], inherit_bindings=False):
    """The screen of one node.

    `node` is configured and not started: the app paints first, then starts it on its own loop, and closes it when the
    person leaves. Without a node, `first_start` asks for what a configuration needs and brings one about. `tour` are
    hints, shown one at a time in a slim banner.
    """

    TITLE = "kachery-tui"
    ENABLE_COMMAND_PALETTE = True
    AUTO_FOCUS = None

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "leave", "Quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True),
    ]

    def __init__(
        self,
        node: Node | None = None,
        *,
        tour: Sequence[str] = (),
        first_start: tuple[Suggestion, Finish] | None = None,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self.node = node
        self._tour = Tour(tour)
        self._first_start = first_start
        self._leaving: asyncio.Task[None] | None = None
        theme = node.config.screen.theme if node is not None else None
        if theme and theme in self.available_themes:
            self.theme = theme

    def on_mount(self) -> None:
        """Show the first screen."""
        if self.node is not None:
            self.push_screen(MainScreen(self.node, self._tour))
        elif self._first_start is not None:
            # Not at the top: most starts are not the first, and the first paint would wait for it.
            from kachery_tui.tui.first_start import FirstStart

            self.push_screen(FirstStart(*self._first_start), self._begin)

    def _begin(self, node: Node | None) -> None:
        if node is None:
            self.exit()
            return
        self.node = node
        self.push_screen(MainScreen(node, self._tour))

    # Leaving

    def action_leave(self) -> None:
        """Close the node and leave; asked a second time, leave at once."""
        self.leave()

    def leave(self) -> None:
        """Close the node and leave; asked a second time, leave at once."""
        if self._leaving is not None or self.node is None:
            self.exit()
            return
        for screen in self.screen_stack:
            if isinstance(screen, MainScreen):
                screen.say_farewell()
        self._leaving = asyncio.create_task(self._close_and_exit(self.node), name="leave")

    async def _close_and_exit(self, node: Node) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await node.close()
        except TimeoutError:
            _log.warning("the node did not close within %.0f s", CLOSE_SECONDS)
        except Exception:  # noqa: BLE001 - whatever it was, the person wants to leave
            _log.exception("closing the node failed")
        finally:
            self.exit()

    # The terminal

    def copy_to_clipboard(self, text: str) -> None:
        """Copy through the terminal, also from inside tmux and screen, and say so."""
        try:
            sequence = copy_sequence(text, os.environ)
        except ValueError as error:
            self.notify(str(error), title="Not copied", severity="warning", markup=False)
            return
        self._clipboard = text
        if self._driver is not None:
            self._driver.write(sequence)
        self.notify(
            "if your terminal lets programs copy; else Y shows it to select", title="Copied", timeout=3
        )

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the command palette offers: every action, and the themes."""
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)
        if not isinstance(screen, MainScreen):
            return
        here = screen.here
        for action in ACTIONS:
            reason = action.unavailable(here)
            about = f"not now: {reason}" if reason else action.tooltip
            yield SystemCommand(
                f"{action.label} ({action.shown})", about, lambda id_=action.id: screen.action_act(id_)
            )

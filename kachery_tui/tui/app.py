"""The program around the screens: starts with the first paint, closes the node at the end, owns the clipboard."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import SystemCommand
from textual.binding import Binding, BindingType

from kachery_tui.config import ScreenConfig
from kachery_tui.errors import KacheryError
from kachery_tui.tui.actions import ACTIONS
from kachery_tui.tui.describe.since import standing
from kachery_tui.tui.display import Display
from kachery_tui.tui.keymap import Keymap
from kachery_tui.tui.memory import Memory, recall, remember
from kachery_tui.tui.on_display import DisplayedApp
from kachery_tui.tui.screen import MainScreen
from kachery_tui.tui.terminal.driver import MirrorDriver
from kachery_tui.tui.terminal.sequences import BELL, KEEP_TITLE, TITLE_BEFORE, copy_sequence, title_sequence
from kachery_tui.tui.tour import Hint, Tour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from textual.events import Key
    from textual.screen import Screen

    from kachery_tui.node.node import Node
    from kachery_tui.tui.first_start import Finish, Suggestion

_log = logging.getLogger(__name__)

CLOSE_SECONDS: Final = 8.0
"""How long leaving waits for channels to be left and threads to end."""


class KacheryApp(DisplayedApp, inherit_bindings=False):
    """The screen of one node.

    `node` is configured and not started: the app paints first, then starts it on its own loop, and closes it when the
    person leaves. Without a node, `first_start` asks for what a configuration needs and brings one about. `tour` are
    hints, shown one at a time in a slim banner. `beside` is told of the node before it starts. `shown_on` is the display,
    by default the terminal of this process. Raises `UsageError` when `[keys]` of the node's settings make no sense.
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
        tour: Sequence[Hint | str] = (),
        first_start: tuple[Suggestion, Finish] | None = None,
        beside: Callable[[Node], None] | None = None,
        shown_on: Display | None = None,
    ) -> None:
        super().__init__(shown_on or Display(node.config.screen if node is not None else ScreenConfig()))
        self.driver_class = MirrorDriver
        self.animation_level = "none"
        self.node = node
        self.other_screens: Callable[[], int] = lambda: 0
        """How many screens others have on this screen's node, which end with it."""
        self._tour = Tour(tour)
        self._first_start = first_start
        self._beside = beside
        self._terminal_title = ""
        self._first_theme = self.theme
        self._leaving: asyncio.Task[None] | None = None
        self._person_keys = Keymap()
        self._memory = Memory()
        if node is not None:
            self._settle_in(node)

    def _settle_in(self, node: Node) -> None:
        """Take over what the person has set, and how the screen was left. Before the first paint, so it may block."""
        self._person_keys = Keymap(node.config.keys)
        self._memory = Memory() if self.is_guest else recall(node.config.folder)
        few = "ansi-dark" if self.shown_on.has_few_colours else ""
        theme = self.shown_on.settings.theme or self._memory.theme or few
        if theme in self.available_themes:
            self.theme = theme
        self._first_theme = self.theme

    def on_mount(self) -> None:
        """Show the first screen."""
        if self.node is not None:
            self._show_main(self.node)
        elif self._first_start is not None:
            # Not at the top: most starts are not the first, and the first paint would wait for it.
            from kachery_tui.tui.first_start import FirstStart

            self.push_screen(FirstStart(*self._first_start), self._begin)

    @property
    def may_look(self) -> bool:
        """Whether a look that comes by itself would be painted soon, and is not too dear for the line."""
        painter = getattr(self._driver, "painter", None)
        return painter is None or bool(painter.may_look)

    farewell: ClassVar[str] = "closing: letting go of channels and files…"
    """What stands in the header while the screen ends."""

    @property
    def is_attached(self) -> bool:
        """Whether the node runs on without this screen."""
        return False

    @property
    def is_guest(self) -> bool:
        """Whether the person is another user than the node's own, and has no business on this one's disk."""
        return False

    def stop_node(self) -> None:
        """End the node, and this screen with it."""
        self.leave()

    def go_to_node(self, name: str) -> None:
        """Show another node of this machine: only where this one runs on without the screen."""

    async def part_from(self, node: Node) -> None:
        """Let go of the node at the end: it is this screen's own, and closed."""
        await self.remember_screen(node)
        await node.close()

    async def remember_screen(self, node: Node) -> None:
        """Keep how the screen was left, and how the node stood."""
        try:
            self._memory.left = standing(node, await node.cache.totals(), time.time())
        except KacheryError as error:
            _log.warning("how the node stands is not kept: %s", error)
        await asyncio.to_thread(remember, node.config.folder, self._memory)

    def _begin(self, node: Node | None) -> None:
        if node is None:
            self.exit()
            return
        self.node = node
        self._settle_in(node)
        self._show_main(node)

    def _show_main(self, node: Node) -> None:
        if self._beside is not None:
            self._beside(node)
        self.push_screen(MainScreen(node, self, self._tour, self._person_keys, self._memory))

    def on_key(self, event: Key) -> None:
        """Hand a key to the main screen.

        Here, where the bindings of lists are looked up, too, and not on the screen, which a key passes before: who types
        ahead on a slow line means the row that the cursor will be on.
        """
        if isinstance(self.screen, MainScreen):
            self.screen.press(event)

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
                screen.say_farewell(self.farewell)
        self._leaving = asyncio.create_task(self._close_and_exit(self.node), name="leave")

    async def _close_and_exit(self, node: Node) -> None:
        if self.theme != self._first_theme:
            # One that came by an option or the settings is no choice of this screen's.
            self._memory.theme = self.theme
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.part_from(node)
        except TimeoutError:
            _log.warning("the node did not close within %.0f s", CLOSE_SECONDS)
        except Exception:  # noqa: BLE001 - whatever it was, the person wants to leave
            _log.exception("closing the node failed")
        finally:
            if self._terminal_title and not self.is_attached and self._driver is not None:
                self._driver.write(TITLE_BEFORE)
            self.exit()

    # The terminal

    def forget_terminal_title(self) -> None:
        """The terminal has been given back meanwhile, and has another title."""
        self._terminal_title = ""

    def set_terminal_title(self, title: str) -> None:
        """Say in the terminal's title what goes on; written only when it changed."""
        if title == self._terminal_title or self._driver is None:
            return
        if not self._terminal_title and not self.is_attached:
            self._driver.write(KEEP_TITLE)
        self._terminal_title = title
        self._driver.write(title_sequence(title))

    def ring(self) -> None:
        """Ring the terminal's bell, if the person wants that."""
        if self._driver is not None and self.shown_on.settings.bell:
            self._driver.write(BELL)

    def copy_to_clipboard(self, text: str) -> None:
        """Copy through the terminal, also from inside tmux and screen, and say so."""
        try:
            sequence = copy_sequence(text, self.shown_on.environment)
        except ValueError as error:
            self.notify(str(error), title="Not copied", severity="warning", markup=False)
            return
        self._clipboard = text
        if self._driver is not None:
            self._driver.write(sequence)
        shows = f"{self._person_keys.key_of('show-uri')} shows it to select"
        self.notify(f"if your terminal lets programs copy; else {shows}", title="Copied", timeout=3)

    async def lend_terminal(self, command: Sequence[str]) -> int:
        """Hand the terminal to another program (an editor, a pager) until that ends; its exit code. The node goes on.

        Raises `OSError` when it does not start.
        """
        # The screen is painted on stderr: that is the terminal, wherever stdout goes. Nothing may be painted over the
        # program, and what changed meanwhile is painted after it.
        terminal = sys.__stderr__
        with self.suspend(), self.batch_update(), _interrupts_ignored():
            process = await asyncio.create_subprocess_exec(*command, stdout=terminal, stderr=terminal)
            return await process.wait()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the command palette offers: every action, and the themes."""
        if not isinstance(screen, MainScreen):
            return
        here = screen.here
        for action in ACTIONS:
            reason = action.reason(here)
            about = f"not now: {reason}" if reason else action.about
            key = self._person_keys.key_of(action)
            name = f"{action.label} ({key})" if key else action.label
            yield SystemCommand(name, about, partial(screen.action_act, action.id))


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ctrl+C in a pager is for the pager; the terminal sends it to this program, too."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

"""The node's side of attached screens: each is an app over the running node, painted on a terminal elsewhere."""

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Final

from kachery_tui.cli.running import need_theme
from kachery_tui.errors import NotAllowed, TryAgain
from kachery_tui.node.node import Node
from kachery_tui.node.threads import in_thread
from kachery_tui.service.screen_frames import FromTerminal, LineBroken, decoded_object, decoded_size
from kachery_tui.service.screen_line import ScreenLine
from kachery_tui.service.screens import ScreenWish
from kachery_tui.service.serving import serve_calls

if TYPE_CHECKING:
    from kachery_tui.service.calls import Session
    from kachery_tui.tui.app import KacheryApp
    from kachery_tui.tui.attached import AttachedApp
    from kachery_tui.tui.terminal.relay import RelayDriver

MOST_SCREENS: Final = 100
"""At a time. Each takes some megabytes."""

MOST_OF_OTHERS: Final = 20
"""Of them, screens of other users."""

LEAVE_SECONDS: Final = 3.0
"""How long a screen that is told to end may take."""

KEYS_AT_ONCE: Final = 512
"""Bytes that are taken at one go: what is pasted must not hold up the node."""

MOST_WAITING: Final = 64
"""Messages that may wait for a screen before it is handed more keys."""

WAITING_SECONDS: Final = 0.02
LONGEST_NOTE: Final = 1_000

_log = logging.getLogger(__name__)


class AttachedScreens:
    """Opens screens of a node. `stop` is what ends the node."""

    def __init__(self, node: Node, stop: Callable[[], object]) -> None:
        self._node = node
        self._stop = stop
        self._open: dict[asyncio.Task[None], bool] = {}
        """Screens, and whether they are of other users."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self._open)

    async def open(self, wish: ScreenWish) -> "Session":
        """A screen as it is wished for. Raises `KacheryError`."""
        self._make_room(wish)
        # Brings in Textual, which takes some tenths of a second the first time.
        await in_thread(lambda: import_module("kachery_tui.tui.attached"))
        need_theme(wish.settings.theme)
        return partial(self._run, wish)

    def _make_room(self, wish: ScreenWish) -> None:
        others = sum(self._open.values())
        if len(self._open) >= MOST_SCREENS or (not wish.is_user and others >= MOST_OF_OTHERS):
            raise TryAgain("this node shows too many screens", f"{len(self._open):,} at this moment")

    async def _run(self, wish: ScreenWish, line: ScreenLine) -> None:
        from kachery_tui.tui.attached import AttachedApp
        from kachery_tui.tui.display import Display

        def stop_node() -> None:
            if not wish.is_user:
                raise NotAllowed("this node is another user's")
            self._stop()

        try:
            # Others may have come since there was room.
            self._make_room(wish)
        except TryAgain as error:
            await line.end(error.line, runs=True)
            return
        display = Display(wish.settings, wish.environment, wish.colours)
        app = AttachedApp(self._node, line, display, stop_node=stop_node, is_guest=not wish.is_user)
        running = asyncio.create_task(app.run_at(wish.size), name=f"screen of {wish.caller}")
        self._open[running] = not wish.is_user
        hearing = asyncio.create_task(_hear(app, line), name=f"keys of {wish.caller}")
        _log.info("%s has opened a screen", wish.caller)
        text, runs = f"the node {self._node.label} runs on, process {os.getpid()}", True
        try:
            await asyncio.wait({running, hearing}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                app.leave()
        except asyncio.CancelledError:
            # The node ends.
            text, runs = f"the node {self._node.label} has ended", False
            app.leave()
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
            await _ended(running)
            self._open.pop(running, None)
            if app.return_code:
                text = f"the screen failed unexpectedly, as the node's log says; {text}"
            await line.end(text, runs=runs)
            _log.info("%s has left the screen", wish.caller)


def serve_beside_screen(node: Node, app: "KacheryApp") -> None:
    """Have the node of a screen answer other programs, and open screens for others, until the screen is left."""
    screens = AttachedScreens(node, app.leave)
    app.other_screens = lambda: len(screens)
    serve_calls(node, app.leave, screens=screens.open)


async def _hear(app: "AttachedApp", line: ScreenLine) -> None:
    """Hand on what the terminal's side says, until it goes."""
    try:
        async for kind, payload in line.frames():
            relay = app.relay
            match kind:
                case FromTerminal.LEAVE:
                    return
                case _ if relay is None:
                    # Not there yet; the size is told again with every change.
                    await asyncio.sleep(0)
                case FromTerminal.KEYS:
                    for start in range(0, len(payload), KEYS_AT_ONCE):
                        await _wait_until_typed(relay)
                        relay.take_keys(payload[start : start + KEYS_AT_ONCE])
                case FromTerminal.SIZE:
                    relay.resize(*decoded_size(payload))
                case FromTerminal.TAKEN:
                    relay.taken()
                case FromTerminal.NOTE:
                    app.note(str(decoded_object(payload).get("text", ""))[:LONGEST_NOTE])
                case FromTerminal.BACK:
                    app.back(decoded_object(payload))
    except LineBroken as error:
        _log.warning("a screen ends: its terminal's side sent %s", error)
    except Exception:  # noqa: BLE001 - a defect, to be seen in the log; it ends this screen alone
        _log.exception("the keys of a screen failed unexpectedly")


async def _wait_until_typed(relay: "RelayDriver") -> None:
    """Wait until the keys that came are nearly all done; whoever types faster than that waits."""
    await asyncio.sleep(0)
    while len(relay.typist) > MOST_WAITING:  # noqa: ASYNC110 - Textual tells nobody
        await asyncio.sleep(WAITING_SECONDS)


async def _ended(running: "asyncio.Task[None]") -> None:
    """Wait until a screen that was told to end has done so; see what it ended by."""
    await asyncio.wait({running}, timeout=LEAVE_SECONDS)
    if not running.done():
        running.cancel()
        await asyncio.wait({running}, timeout=LEAVE_SECONDS)
    if running.done() and not running.cancelled() and (error := running.exception()):
        _log.error("a screen failed unexpectedly: %r", error, exc_info=error)

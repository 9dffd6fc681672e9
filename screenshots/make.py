"""Take the pictures of the README from the running demo, without hand work.

Run it from a checkout: `uv run --extra hub python screenshots/make.py`. It starts the demo twice, at 140×45 and at 80×24,
presses the keys that the tour suggests, and saves what the screen shows as SVG files beside this script.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from textual.pilot import Pilot
from textual.widgets import Input

from kachery_tui.demo.show import NOBODYS, Backstage, DemoApp, make_node
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Side
from kachery_tui.protocol.roles import Role
from kachery_tui.tui.display import Display
from kachery_tui.tui.header import waiting
from kachery_tui.tui.screen import MainScreen

SIZES: Final = ((140, 45), (80, 24))
FOLDER: Final = Path(__file__).parent
LARGE: Final = 20_000_000
"""Bytes; a file over that comes in chunks, and takes long enough to be caught on its way."""
ENOUGH: Final = 20
"""Messages of a log that make a picture."""

PATIENCE: Final = 60.0
LOOK: Final = 0.02


class Photographer:
    """Presses keys in a running demo, waits until something has happened, and takes pictures."""

    def __init__(self, app: DemoApp, pilot: Pilot[None], node: Node) -> None:
        self._app = app
        self._pilot = pilot
        self._node = node

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self._pilot.press(*keys)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE):
            while not holds():  # noqa: ASYNC110 - the screen and the node are looked at, as a person does
                await asyncio.sleep(LOOK)

    def mine(self) -> list[Request]:
        """The requests of this node."""
        return [row for row in self._node.ledger if row.side is Side.MINE]

    async def take(self, name: str, settle: float = 0.3) -> None:
        """Save what the screen shows once it has settled, for which it gets so many seconds."""
        await self._pilot.pause(settle)
        width, height = self._app.size
        # Some programs that draw SVG drop the spaces at the ends of a text unless they are told not to.
        picture = self._app.export_screenshot(title="kachery-tui").replace(
            "<text ", '<text xml:space="preserve" '
        )
        if str(FOLDER.parent) in picture:
            raise SystemExit(f"{name}: the picture names the folder of this checkout")
        (FOLDER / f"{name}-{width}x{height}.svg").write_text(picture)

    async def tour(self) -> None:
        """Follow the demo's tour, and take the pictures on the way."""
        await self.until(lambda: bool(self._hint_uri()))
        first = self._hint_uri()
        await self._pilot.pause(0.3)
        await self.press("r")
        await self.take("ask")
        await self.press("enter")
        await self.until(lambda: self._hint_uri() != first)
        while uri := self._hint_uri():
            await self._request()
            await self.until(partial(self._hint_is_not, uri))
        await self.until(lambda: waiting(self._node) > 0)
        await self.press("p")
        await self.take("waiting")
        await self.press("p")
        await self.until(lambda: not any(row.is_pending for row in self._node.ledger))
        await self._request(str(NOBODYS))
        await self.press("w")
        await self.take("why")
        await self.press("escape")
        await self.take("requests")
        await self.press("1", "down", "down", "down", "g")
        await self.until(self._role_is_in_force)
        await self.take("channels")
        await self.until(lambda: bool(self._hint_uri()))
        await self.press("r", "enter")
        await self.until(lambda: any((row.subject.messages or 0) > ENOUGH for row in self.mine()))
        await self.press("5")
        await self.take("feeds")
        await self.press("enter", "p", "enter")
        await self.take("plot")
        await self.press("escape", "escape", "6", "r")
        await self._pilot.pause(0.5)
        await self.take("task")
        await self.press("ctrl+o")
        await self.until(lambda: any(getattr(row.subject, "result", None) for row in self.mine()))
        await self.take("tasks")
        for key, name in (("2", "streams"), ("4", "cache"), ("7", "log")):
            await self.press(key)
            await self.take(name)
        await self.press("4", "b")
        await self.take("bucket")
        await self.press("b", "2", "enter", "enter")
        await self.take("envelope")
        await self.press("escape", "escape", "question_mark")
        await self.take("help")

    def _role_is_in_force(self) -> bool:
        return any(Role.REQUEST_FEEDS in one.in_force for one in self._node.memberships.values())

    async def _request(self, uri: str = "") -> None:
        """Ask for the file that the tour suggests, or for another."""
        known = len(self.mine())
        await self.press("r")
        if uri:
            self._app.screen.query_one(Input).value = uri
        await self.press("enter")
        await self.until(lambda: len(self.mine()) > known)
        row = self.mine()[-1]
        await self.until(lambda: not row.is_active or ((row.size or 0) > LARGE and row.done > LARGE))
        if row.is_active:
            await self.take("download", settle=0.1)
        await self.until(lambda: not row.is_active)

    def _hint_is_not(self, uri: str) -> bool:
        return self._hint_uri() != uri

    def _hint_uri(self) -> str:
        """What the tour's current hint asks for."""
        screens = (screen for screen in self._app.screen_stack if isinstance(screen, MainScreen))
        return next((screen.tour.uri for screen in screens), "")


async def shoot(size: tuple[int, int]) -> None:
    """Run the demo at one size."""
    folder = Path(tempfile.mkdtemp(prefix="kachery-demo-"))
    try:
        with Backstage(folder, []) as backstage:
            node = make_node(folder)
            app = DemoApp(node, backstage, Display())
            async with app.run_test(size=size) as pilot:
                await Photographer(app, pilot, node).tour()
                app.leave()
                await asyncio.sleep(1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Take all pictures, in the colours of a terminal that has all."""
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    for size in SIZES:
        asyncio.run(shoot(size))
    sys.stdout.write("".join(f"{path}\n" for path in sorted(FOLDER.glob("*.svg"))))


if __name__ == "__main__":
    main()

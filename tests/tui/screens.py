"""The real app over a real node, driven by keys."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from kachery_tui.config import NodeConfig, load_channels
from kachery_tui.node.node import Node
from kachery_tui.protocol.roles import Role
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.app import KacheryApp
from kachery_tui.tui.screen import MainScreen
from kachery_tui.tui.tour import Hint
from tests.nodes import FILE_ROLES, join_by_file, until

WIDE, NARROW = (140, 45), (80, 24)


def unstarted_node(
    folder: Path, channel_file: Path | None, roles: Sequence[Role] = FILE_ROLES, **changes: Any
) -> Node:
    """A node as the command line hands it to the screen."""
    if channel_file is not None:
        join_by_file(folder, channel_file, roles=[role.value for role in roles], **changes)
    storage = Storage.open(folder / "storage")
    return Node(NodeConfig(folder, folder.name), storage, load_channels(folder).channels)


class Person:
    """Somebody at the screen: presses keys, and looks."""

    def __init__(self, app: KacheryApp, pilot: Pilot[None], node: Node) -> None:
        self.app = app
        self.pilot = pilot
        self.node = node

    async def press(self, *keys: str) -> None:
        """Press keys one after another."""
        await self.pilot.press(*keys)

    async def paste(self, text: str) -> None:
        """Paste into what has the focus, as a terminal does."""
        from textual import events

        target = self.app.screen.focused or self.app.screen
        target.post_message(events.Paste(text))
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Replace what stands in the focused line."""
        from textual.widgets import Input

        line = self.app.screen.focused
        assert isinstance(line, Input)
        line.value = text
        await self.pilot.pause()

    def text(self) -> str:
        """Everything that can be read on the screen."""
        strips = self.app.screen._compositor.render_strips()
        toasts = [notification.title + " " + notification.message for notification in self.app._notifications]
        return "\n".join([*(strip.text for strip in strips), *toasts])

    async def reads(self, *words: str) -> None:
        """Wait until all these words can be read on the screen, be it over the end of a line in a dialog.

        Where a line ends depends on how long the path of the test's folder is.
        """

        def can_be_read() -> bool:
            text = self.text()
            unwrapped = re.sub(r"\s*│\s*\n\s*│\s*", " ", text)
            return all(word in text or word in unwrapped for word in words)

        try:
            await until(can_be_read)
        except TimeoutError:
            raise AssertionError(f"not all of {words} on this screen:\n{self.text()}") from None

    async def shows(self, picture: str, seen: Callable[[str], str]) -> None:
        """Wait until the whole screen, as `seen`, is like a picture. Raises `TimeoutError`."""
        await until(lambda: seen(self.text()) == picture)

    @property
    def main(self) -> MainScreen:
        """The main screen."""
        return next(screen for screen in self.app.screen_stack if isinstance(screen, MainScreen))


@asynccontextmanager
async def at_the_screen(
    node: Node, size: tuple[int, int] = WIDE, *, tour: Sequence[Hint | str] = (), wait: bool = True
) -> AsyncIterator[Person]:
    """The app, running; with `wait`, the node's roles are in force by then."""
    app = KacheryApp(node, tour=tour)
    try:
        async with app.run_test(size=size) as pilot:
            person = Person(app, pilot, node)
            if wait:
                await until(lambda: node.is_started)
                await until(lambda: all(one.in_force == one.roles for one in node.memberships.values()))
            yield person
            # A failure inside a task of the screen is nobody's business but the test's.
            assert [failure.error for failure in node.supervisor.failures] == []
    finally:
        await node.close()

"""A screen of a node that runs on without it, on a terminal that another process holds."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import SuspendNotSupported

from kachery_tui.tui.app import KacheryApp
from kachery_tui.tui.cells import plain
from kachery_tui.tui.terminal.relay import RelayDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.driver import Driver

    from kachery_tui.node.node import Node
    from kachery_tui.tui.display import Display
    from kachery_tui.tui.terminal.relay import Line

_log = logging.getLogger(__name__)


class AttachedApp(KacheryApp):
    """The screen of a node that has been started, and that is not closed when the person leaves.

    `stop_node` ends the node, if the person asks for that. A guest is another user than the node's own: how that one
    leaves the screen is not kept, nor how the node's user has left it shown.
    """

    farewell: ClassVar[str] = "leaving…"

    def __init__(
        self,
        node: Node,
        line: Line,
        shown_on: Display,
        *,
        stop_node: Callable[[], object],
        is_guest: bool,
    ) -> None:
        self._is_guest = is_guest
        super().__init__(node, shown_on=shown_on)
        self.driver_class = cast("type[Driver]", partial(RelayDriver, line=line))
        self._line = line
        self._stop_node = stop_node
        self._lent: asyncio.Future[dict[str, Any]] | None = None
        # Where what is printed goes is the business of the process, and of its own screen if it has one.
        self._capture_stdout = sys.stdout  # type: ignore[assignment]
        self._capture_stderr = sys.stderr  # type: ignore[assignment]

    @property
    def is_attached(self) -> bool:
        """Whether the node runs on without this screen."""
        return True

    @property
    def is_guest(self) -> bool:
        """Whether the person is another user than the node's own."""
        return self._is_guest

    @property
    def relay(self) -> RelayDriver | None:
        """The driver, once there is one."""
        return self._driver if isinstance(self._driver, RelayDriver) else None

    async def run_at(self, size: tuple[int, int]) -> None:
        """Run until the person leaves, or `exit` is called; `size` is the terminal's, in columns and rows."""
        loop = asyncio.get_running_loop()
        # Textual has all tasks of a loop begin eagerly; this loop is the node's.
        loop.call_soon(loop.set_task_factory, loop.get_task_factory())
        try:
            await self.run_async(size=size, mouse=self.shown_on.settings.mouse)
        finally:
            if self._lent is not None and not self._lent.done():
                self._lent.set_result({"error": "the terminal has gone"})
            _forget_painted()

    def stop_node(self) -> None:
        """End the node, and this screen with it."""
        self._stop_node()

    async def part_from(self, node: Node) -> None:
        """The node runs on."""
        if not self._is_guest:
            await self.remember_screen(node)

    def go_to_node(self, name: str) -> None:
        """Show another node of this machine; why that cannot be comes as a note."""
        self._line.go(name)

    def note(self, text: str) -> None:
        """Show what the other end has to say."""
        self.clear_notifications()
        self.notify(plain(text), severity="warning", markup=False)

    # The terminal, at the other end of the line

    def back(self, value: dict[str, Any]) -> None:
        """The terminal can be painted again: `value` tells how the program ended that it was lent to, if it was."""
        self.forget_terminal_title()
        if self._lent is not None and not self._lent.done():
            self._lent.set_result(value)
        elif self.relay is not None:
            self.relay.go_on()

    def action_suspend_process(self) -> None:
        """Have the shell at the other end take its terminal back; the node goes on."""
        if self.relay is not None:
            self.relay.pause()
            self._line.suspend()

    async def lend_terminal(self, command: Sequence[str]) -> int:
        """Hand the terminal to another program until that ends; its exit code. The node goes on.

        Raises `OSError` when it does not start, `SuspendNotSupported` where another has the terminal already.
        """
        relay = self.relay
        if relay is None or self._lent is not None:
            raise SuspendNotSupported
        self._lent = asyncio.get_running_loop().create_future()
        relay.pause()
        try:
            with self.batch_update():
                self._line.lend(list(command))
                value = await self._lent
        finally:
            self._lent = None
            relay.go_on()
        if isinstance(value.get("code"), int):
            return int(value["code"])
        raise OSError(str(value.get("error") or "it did not start"))

    def _handle_exception(self, error: Exception) -> None:
        """What nobody expected ends this screen, never the node; the log has it."""
        if self._exception is None:
            self._exception = error
            _log.error("a screen failed unexpectedly: %r", error, exc_info=error)
        self._return_code = 1
        self._close_messages_no_wait()


def _forget_painted() -> None:
    """Have Textual let go of what it painted of screens that have ended: a cache of its keeps hundreds of widgets."""
    with suppress(ImportError, AttributeError):
        from textual._styles_cache import StylesCache

        StylesCache.get_inner_outer.cache_clear()

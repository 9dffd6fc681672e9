"""The driver for the terminal of this process: keys and sizes come from it, and a painter paints on it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from textual.drivers.linux_driver import LinuxDriver
from textual.events import InputEvent
from textual.messages import InBandWindowResize

from kachery_tui.tui.on_display import display_of
from kachery_tui.tui.terminal.outlet import Outlet
from kachery_tui.tui.terminal.painter import Painter
from kachery_tui.tui.terminal.stopping import stop_with_group
from kachery_tui.tui.terminal.typist import Typist

if TYPE_CHECKING:
    from textual.app import App
    from textual.message import Message

LAST_SECONDS: Final = 1.0
"""How long a terminal that takes nothing may keep the program from ending."""


class MirrorDriver(LinuxDriver):
    """Textual's driver for Linux and macOS, thrifty by its `painter`."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.painter = Painter(self._loop, display_of(app), self._get_terminal_size, self._hand_over)
        assert self._file is not None, "stderr is a terminal, or there would be no screen"
        self._outlet = Outlet(self._file.fileno(), self._was_taken)
        # The thread that Textual starts writes into this.
        self._file = self._outlet  # type: ignore[assignment]
        self._was_continued = False
        self._typist = Typist(app)

    def send_message(self, message: Message) -> None:
        """Hand on what the terminal says. Called in the thread that reads from it."""
        with suppress(RuntimeError):
            # The loop may be gone.
            self._loop.call_soon_threadsafe(self._typist.take, message)

    def write(self, data: str) -> None:
        """Take what Textual paints, and hand on what else it tells the terminal."""
        self.painter.write(data)

    # Textual's hooks

    def start_application_mode(self) -> None:
        """Take the terminal."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._follow_size()
        self.painter.resized()
        if self._takes_orders:
            self.painter.start()

    def stop_application_mode(self) -> None:
        """Give the terminal back."""
        self.painter.stop()
        super().stop_application_mode()

    def close(self) -> None:
        """Wait until the terminal has taken what it was told, if it takes anything."""
        self._outlet.give_up_at = time.monotonic() + LAST_SECONDS
        super().close()
        self._outlet.give_up_at = None
        self.painter.forget_on_the_way()

    def process_message(self, message: Message) -> None:
        """Note what the terminal tells. Called in the thread that reads from it."""
        if isinstance(message, InBandWindowResize):
            self.painter.resized()
        elif isinstance(message, InputEvent):
            self.painter.key_came()
        super().process_message(message)

    def _sigtstp_application(self, *_: object) -> None:
        """Give the terminal back, and stop with all that the shell takes for this program (Ctrl+Z).

        Where no shell waits, nothing stops, and the terminal is taken again.
        """
        if not self._auto_restart:
            # A person's editor or pager has the terminal, and stops with us.
            super()._sigtstp_application()
            return
        self.suspend_application_mode()
        self._must_signal_resume = True
        self._was_continued = False
        stop_with_group()
        if not self._was_continued:
            self._sigcont_application()

    def _sigcont_application(self, *_: object) -> None:
        self._was_continued = True
        super()._sigcont_application()

    def _get_terminal_size(self) -> tuple[int, int]:
        # Of the terminal that is painted on, wherever stdout goes.
        try:
            columns, rows = os.get_terminal_size(self.fileno)
        except OSError:
            columns = rows = 0
        return (columns, rows) if columns and rows else super()._get_terminal_size()

    def _follow_size(self) -> None:
        textual = signal.getsignal(signal.SIGWINCH)

        def resized(number: int, frame: Any) -> None:
            self.painter.resized()
            if callable(textual):
                textual(number, frame)

        signal.signal(signal.SIGWINCH, resized)

    # Sending

    @property
    def _takes_orders(self) -> bool:
        return self._writer_thread is not None and self._writer_thread.is_alive()

    def _hand_over(self, data: str) -> bool:
        # To a terminal that was given back, nothing is said.
        if self._takes_orders:
            super().write(data)
            return True
        return False

    def _was_taken(self) -> None:
        """Called in the thread that writes."""
        with suppress(RuntimeError):
            # The loop may be gone by the time the last words are taken.
            self._loop.call_soon_threadsafe(self.painter.taken)

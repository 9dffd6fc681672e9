"""The terminal: what is painted goes through a mirror of it, as fast as the terminal takes it and no faster."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TextIO

from textual.drivers.linux_driver import LinuxDriver
from textual.events import InputEvent
from textual.messages import InBandWindowResize

from kachery_tui.tui import FRAMES_PER_SECOND, OVER_SSH
from kachery_tui.tui.terminal.mirror import Mirror, is_aside
from kachery_tui.tui.terminal.output_budget import BYTES_PER_SECOND, OutputBudget

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from collections.abc import Callable

    from textual.app import App
    from textual.message import Message

GATHER_SECONDS: Final = 0.01
"""How long a frame waits for those that belong to it: what a key asks for is painted as it is read."""

LAST_SECONDS: Final = 1.0
"""How long a terminal that takes nothing may keep the program from ending."""

STOPPING_SECONDS: Final = 0.05
"""How long it may take until a signal that stops the process has done so."""

PIECE: Final = 256
"""Bytes that a terminal which takes anything at all takes without blocking."""


def output_budget(frames: int) -> OutputBudget:
    """What this terminal may be sent, at so many frames a second."""
    return OutputBudget(frames, BYTES_PER_SECOND if OVER_SSH else None)


class MirrorDriver(LinuxDriver):
    """Textual's driver for Linux and macOS, thrifty.

    Only what changed since the last frame is sent. While the terminal has not taken that (a line that stalls, a lid that
    was closed), nothing more is: what changed meanwhile is sent in one frame, and nobody waits for it.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._budget = output_budget(FRAMES_PER_SECOND)
        self._mirror = Mirror()
        assert self._file is not None, "stderr is a terminal, or there would be no screen"
        self._outlet = Outlet(self._file, self._was_taken)
        # The thread that Textual starts writes into this.
        self._file = self._outlet  # type: ignore[assignment]
        self._on_the_way = 0
        self._is_painting = False
        self._was_resized = False
        self._timer: TimerHandle | None = None
        self._key_waits = False
        self._was_continued = False

    @property
    def may_look(self) -> bool:
        """Whether a look that comes by itself would be painted soon, and may cost what it costs."""
        return not self._on_the_way and self._budget.may_look(time.monotonic())

    def limit_frames(self, frames: int) -> None:
        """Paint at most so many frames a second from now on."""
        self._budget = output_budget(frames)

    def write(self, data: str) -> None:
        """Take what Textual paints, and hand on what else it tells the terminal."""
        self._heed_size()
        if self._mirror.take_output(data):
            self._send_soon()
            return
        if not is_aside(data):
            self._mirror.forget_sent()
        self._hand_over(data)

    def repaint(self) -> None:
        """Paint everything anew, over whatever something else has put there."""
        self._mirror.forget_sent()
        self._send_soon()

    # Textual's hooks

    def start_application_mode(self) -> None:
        """Take the terminal."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._follow_size()
        self._was_resized = True
        self._is_painting = self._takes_orders
        self._send_soon()

    def stop_application_mode(self) -> None:
        """Give the terminal back."""
        self._is_painting = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().stop_application_mode()

    def close(self) -> None:
        """Wait until the terminal has taken what it was told, if it takes anything."""
        self._outlet.give_up_at = time.monotonic() + LAST_SECONDS
        super().close()
        self._outlet.give_up_at = None
        self._on_the_way = 0

    def process_message(self, message: Message) -> None:
        """Note what the terminal tells. Called in the thread that reads from it."""
        if isinstance(message, InBandWindowResize):
            self._was_resized = True
        elif isinstance(message, InputEvent):
            self._key_waits = True
        super().process_message(message)

    def _sigtstp_application(self, *_: object) -> None:
        """Give the terminal back, and stop with all that the shell takes for this program (Ctrl+Z).

        The program may have been begun by another one (`uv run`, `sudo`, a script), which has to stop, too, for the shell
        to come back. Where no shell waits, the system stops nothing, and the terminal is taken again.
        """
        if not self._auto_restart:
            # A person's editor or pager has the terminal, and stops with us.
            super()._sigtstp_application()
            return
        self.suspend_application_mode()
        self._must_signal_resume = True
        self._was_continued = False
        ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(0, signal.SIGTSTP)
        # Another thread may be the one that is stopped; this one does not run ahead of it.
        time.sleep(STOPPING_SECONDS)
        signal.signal(signal.SIGTSTP, ours)
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
            self._was_resized = True
            if callable(textual):
                textual(number, frame)

        signal.signal(signal.SIGWINCH, resized)

    def _heed_size(self) -> None:
        if self._was_resized:
            self._was_resized = False
            self._mirror.resize(*self._get_terminal_size())

    # Sending

    @property
    def _takes_orders(self) -> bool:
        return self._writer_thread is not None and self._writer_thread.is_alive()

    def _send_soon(self) -> None:
        if not self._is_painting:
            return
        pause = self._budget.pause(time.monotonic(), for_key=self._key_waits)
        at = self._loop.time() + max(GATHER_SECONDS, pause)
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._send)

    def _send(self) -> None:
        self._timer = None
        if self._on_the_way or not self._is_painting:
            return
        self._heed_size()
        data = self._mirror.changes()
        if data:
            self._key_waits = False
            self._hand_over(data)
            self._budget.wrote(len(data.encode("utf-8", "replace")), time.monotonic())

    def _hand_over(self, data: str) -> None:
        # To a terminal that was given back, nothing is said.
        if self._takes_orders:
            self._on_the_way += 1
            super().write(data)

    def _was_taken(self) -> None:
        """Called in the thread that writes."""
        with suppress(RuntimeError):
            # The loop may be gone by the time the last words are taken.
            self._loop.call_soon_threadsafe(self._go_on)

    def _go_on(self) -> None:
        self._on_the_way = max(self._on_the_way - 1, 0)
        if not self._on_the_way:
            self._send_soon()


class Outlet:
    """Writes to a terminal, of which it does not expect that it takes anything. Used by one thread.

    `taken` is called after each text. `give_up_at`, of the monotonic clock, is when what was not taken is let go of.
    """

    def __init__(self, terminal: TextIO, taken: Callable[[], None]) -> None:
        self._fileno = terminal.fileno()
        self._taken = taken
        self._is_gone = False
        self.give_up_at: float | None = None

    def fileno(self) -> int:
        """The terminal's file descriptor."""
        return self._fileno

    def write(self, text: str) -> None:
        """Write, as far as the terminal is there and goes on to take."""
        data = text.encode("utf-8", "replace")
        while data and not self._is_gone:
            try:
                _, writable, _ = select.select([], [self._fileno], [], 0.1)
                if writable:
                    data = data[os.write(self._fileno, data[:PIECE]) :]
            except OSError:
                # It was hung up. The signal for that ends the program, or it goes on without.
                self._is_gone = True
            if data and self.give_up_at is not None and time.monotonic() > self.give_up_at:
                break
        self._taken()

    def flush(self) -> None:
        """Nothing is held back."""

"""Writing to a terminal, of which it is not expected that it takes anything."""

import os
import select
import time
from collections.abc import Callable
from typing import Final

PIECE: Final = 256
"""Bytes that a terminal which takes anything at all takes without blocking."""


class Outlet:
    """Writes to a terminal, of which it does not expect that it takes anything. Used by one thread.

    `taken` is called after each text. `give_up_at`, of the monotonic clock, is when what was not taken is let go of.
    """

    def __init__(self, fileno: int, taken: Callable[[], None]) -> None:
        self._fileno = fileno
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

"""The terminal of this process, taken for a screen and given back as it was. Knows nothing of what is painted."""

import os
import select
import subprocess
import termios
import tty
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

TAKE: Final = (
    "\x1b[22;2t"  # keeps the title
    "\x1b[?1049h"  # the other screen
    "\x1b[?25l\x1b[?7l"  # no cursor, no wrap
    "\x1b[?1004h"  # says when it has the focus
    "\x1b[>25u"  # keys that can be told apart
    "\x1b[?2004h"  # says what is pasted
)
MOUSE: Final = (1000, 1003, 1015, 1006)
"""Modes: clicks, movements, and coordinates that are not limited to 223."""

ASK_FOR_SYNC: Final = "\x1b[?2026$p"
"""Whether it can be told where a frame ends."""

GIVE_BACK: Final = (
    "\x1b[0m\x1b[?2026l\x1b[?2004l\x1b[?7h"
    + "".join(f"\x1b[?{mode}l" for mode in MOUSE)
    + "\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[23;2t"
)

LAST_SECONDS: Final = 1.0
"""How long a terminal that takes nothing is waited for."""


class RawTerminal:
    """Keys come from `keys`, a file descriptor, and what is painted goes to `paper`, another one of the same terminal."""

    def __init__(self, keys: int, paper: int, *, mouse: bool) -> None:
        """Notes how the terminal is, for `give_back`."""
        self.keys = keys
        self.paper = paper
        self._mouse = mouse
        self._before = termios.tcgetattr(keys)
        self._is_taken = False

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        try:
            columns, rows = os.get_terminal_size(self.keys)
        except OSError:
            columns = rows = 0
        return columns or 80, rows or 24

    def take(self) -> None:
        """Have each key at once, unchanged, and the screen free."""
        # As it is now: the shell, or a program that it was lent to, may have changed it.
        raw = termios.tcgetattr(self.keys)
        raw[tty.LFLAG] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        raw[tty.IFLAG] &= ~(termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR | termios.IGNCR)
        raw[tty.CC][termios.VMIN] = 1
        termios.tcsetattr(self.keys, termios.TCSANOW, raw)
        modes = "".join(f"\x1b[?{mode}h" for mode in MOUSE) if self._mouse else ""
        # One terminal prints a p for the question.
        asks = ASK_FOR_SYNC if os.environ.get("TERM_PROGRAM") != "Apple_Terminal" else ""
        self._is_taken = True
        self._tell(TAKE + modes + asks)

    def give_back(self) -> None:
        """Leave it as it was found, if it was taken."""
        if self._is_taken:
            self._is_taken = False
            self.mend()

    def mend(self) -> None:
        """Leave it as it was found, whoever has taken it. A terminal that is gone is no trouble."""
        self._tell(GIVE_BACK)
        with suppress(termios.error, OSError):
            # What it answers to questions, and tells of the mouse, is not for the shell.
            termios.tcflush(self.keys, termios.TCIFLUSH)
            termios.tcsetattr(self.keys, termios.TCSANOW, self._before)

    def lend(self, command: Sequence[str]) -> int:
        """Let a program have it until that ends; its exit code. Raises `OSError` when it does not start."""
        self.give_back()
        try:
            return subprocess.run(
                command, check=False, stdin=self.keys, stdout=self.paper, stderr=self.paper
            ).returncode
        finally:
            self.take()

    def _tell(self, text: str) -> None:
        with suppress(OSError):
            # One that takes nothing (a line that stalls) keeps nobody.
            _, writable, _ = select.select([], [self.paper], [], LAST_SECONDS)
            if writable:
                os.write(self.paper, text.encode("ascii"))

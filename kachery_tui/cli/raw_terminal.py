"""The terminal of this process, taken for a screen and given back as it was. Knows nothing of what is painted."""

import os
import select
import signal
import subprocess
import termios
import time
import tty
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from kachery_tui.errors import KacheryError

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

MOST_WAITS: Final = 20
WAIT_SECONDS: Final = 0.1
"""How often, and between which pauses, it is looked whether the program is in the foreground again that was stopped."""

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
        """Have each key at once, unchanged, and the screen free; wait for that in the background.

        Raises `KacheryError` where nothing will bring this program to the foreground.
        """
        self._wait_for_foreground()
        # What was taken already is not to be put on a stack of the terminal's twice.
        self.give_back()
        with suppress(termios.error):
            # As it is now: the shell, or a program that it was lent to, may have changed it. Or it was hung up.
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
        # Also one that has lost the terminal may put it in order.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            self._tell(GIVE_BACK)
            with suppress(termios.error, OSError):
                # What it answers to questions, and tells of the mouse, is not for the shell.
                termios.tcflush(self.keys, termios.TCIFLUSH)
                termios.tcsetattr(self.keys, termios.TCSANOW, self._before)
        finally:
            signal.signal(signal.SIGTTOU, before)

    def lend(self, command: Sequence[str]) -> int:
        """Let a program have it that was given back, until that ends; its exit code.

        Raises `OSError` when it does not start.
        """
        done = subprocess.run(command, check=False, stdin=self.keys, stdout=self.paper, stderr=self.paper)
        return done.returncode

    def _wait_for_foreground(self) -> None:
        """As the system has a program wait that another one keeps from its terminal: stopped, with its group."""
        for _ in range(MOST_WAITS):
            try:
                if os.tcgetpgrp(self.keys) == os.getpgrp():
                    return
            except OSError:
                # It is not the terminal that this program belongs to, or is gone: nobody hands it round.
                return
            os.kill(0, signal.SIGTTOU)
            time.sleep(WAIT_SECONDS)
        raise KacheryError("the terminal is another program's", "", "Bring this one to the foreground: fg")

    def _tell(self, text: str) -> None:
        with suppress(OSError):
            # One that takes nothing (a line that stalls) keeps nobody.
            _, writable, _ = select.select([], [self.paper], [], LAST_SECONDS)
            if writable:
                os.write(self.paper, text.encode("ascii"))

"""The program in a pseudo-terminal, driven by keys and read as a person would."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping
from typing import Final, Self

from tests.emulator import Emulator

ROWS, COLUMNS = 45, 150

_ESCAPES: Final = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP.*?\x1b\\|\x1b.", re.DOTALL
)


class Terminal:
    """One run of the program. Everything that it paints is kept; leaving the `with` block makes sure of its end.

    The program sends what changed, not whole words: what can be read is found by a terminal that takes it all in.
    """

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        size: tuple[int, int] = (COLUMNS, ROWS),
        term: str = "xterm-256color",
    ) -> None:
        self.began = time.perf_counter()
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, size[::-1])
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kachery_tui", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment, "TERM": term},
            start_new_session=True,
        )
        os.close(slave)
        self._painted = bytearray()
        self._emulator = Emulator(*size)
        self._seen = 0
        self._screens: list[tuple[int, str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        os.close(self._master)

    @property
    def mark(self) -> int:
        """How much was painted so far, to look only at what comes later."""
        return len(self._painted)

    @property
    def painted(self) -> bytes:
        """All that came, as it came."""
        return bytes(self._painted)

    @property
    def lines(self) -> list[str]:
        """What can be read now."""
        self._look()
        return self._emulator.lines

    @property
    def modes(self) -> set[int]:
        """The terminal's private modes that are on."""
        self._look()
        return self._emulator.modes

    def text(self, since: int = 0) -> str:
        """What came, without colours and movements, and what could be read at any time since."""
        self._look()
        screens = (screen for mark, screen in self._screens if mark > since)
        return "\n".join((_ESCAPES.sub(b"", bytes(self._painted[since:])).decode(errors="replace"), *screens))

    def wait_for(self, text: str, *, since: int = 0, seconds: float = 60.0) -> float:
        """Wait until `text` was painted; seconds from the start of the program, to a hundredth or so."""
        deadline = time.monotonic() + seconds
        while text not in self.text(since):
            # The reading goes on beside this: a terminal that reads slowly would slow the program down.
            gone = self.process.poll() is not None and text not in self.text(since)
            assert not gone, f"the program ended before {text!r} was painted:\n" + "\n".join(self.lines)
            assert time.monotonic() < deadline, f"{text!r} was not painted:\n" + "\n".join(self.lines)
            time.sleep(0.01)
        return time.perf_counter() - self.began

    def wait_gone(self, text: str, *, seconds: float = 60.0) -> None:
        """Wait until `text` is nowhere on the screen."""
        deadline = time.monotonic() + seconds
        while text in "\n".join(self.lines):
            assert time.monotonic() < deadline, f"{text!r} is still there:\n" + "\n".join(self.lines)
            time.sleep(0.01)

    def press(self, *keys: str) -> None:
        """Press keys, one by one."""
        for key in keys:
            os.write(self._master, key.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, and the program the signal for it: this is not its controlling terminal."""
        self._look()
        self._emulator.resize(columns, rows)
        termios.tcsetwinsize(self._master, (rows, columns))
        self.process.send_signal(signal.SIGWINCH)

    def press_and_see(self, *keys: str) -> None:
        """Press keys one by one, each once the one before has changed the screen."""
        for key in keys:
            mark, deadline = self.mark, time.monotonic() + 30.0
            self.press(key)
            while self.mark == mark:
                assert time.monotonic() < deadline, f"{key!r} changed nothing"
                time.sleep(0.01)

    def end(self, number: signal.Signals | None = None, seconds: float = 60.0) -> int:
        """Wait for the end, after a signal if one is given; the exit code."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(seconds)

    def _look(self) -> None:
        """Take in what came since the last look. Not as it comes: the reading is to hold nobody up."""
        end = len(self._painted)
        if end > self._seen:
            self._emulator.feed(bytes(self._painted[self._seen : end]))
            self._seen = end
            self._screens.append((end, "\n".join(self._emulator.lines)))

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:
                # What Linux says once nobody has the other side open.
                return
            if not data:
                return
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Keep what was painted. Called in the thread that reads."""
        self._painted += data

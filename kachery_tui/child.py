"""Child processes that are this program again, and that live no longer than their parent."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

GRACE: Final = 10.0
"""Seconds that a child gets to end well."""


class Child:
    """Another run of this program.

    It watches its stdin, a pipe whose other end only this process holds: when this process goes, by whatever way,
    so does the child. It has a session of its own, so that a terminal's Ctrl-C and hang-up do not reach it. Its
    stdout is `output`, its stderr goes to the file `log`.
    """

    def __init__(self, arguments: Sequence[str], *, log: Path, module: str = "kachery_tui") -> None:
        # -P: a file in the current folder must not stand in for a module of ours.
        command = [sys.executable, "-P", "-m", module, *arguments]
        self.log = log
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )

    def read_line(self) -> str:
        """The next line of its stdout; empty once that has ended. Blocks."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode(errors="replace").rstrip("\n")

    def send_line(self, text: str) -> None:
        """Write a line to its stdin; to one that has ended, nothing is written."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(text.encode() + b"\n")
            self._process.stdin.flush()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def last_words(self) -> str:
        """The last line that it wrote to its log, for a person who wants to know why it ended."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def ask_to_end(self) -> None:
        """Ask it to end, without waiting."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """End it: by asking, and if that does not do, by force. Blocks until it is gone."""
        self.ask_to_end()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

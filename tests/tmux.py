"""A real terminal: a shell in a window of tmux, which says what it shows and in which state it is."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

PATIENCE: Final = 60.0
STILL: Final = 1.0
PROMPT: Final = "ready$"
SHELL: Final = ("bash", "--norc", "--noprofile")
PROGRAM: Final = f"{sys.executable} -P -m kachery_tui"

_FLAGS: Final = (
    "alternate_on",
    "cursor_flag",
    "mouse_any_flag",
    "mouse_sgr_flag",
    "wrap_flag",
    "insert_flag",
)

LEFT_AS_IT_WAS: Final = {
    "alternate_on": 0,
    "cursor_flag": 1,
    "mouse_any_flag": 0,
    "mouse_sgr_flag": 0,
    "wrap_flag": 1,
    "insert_flag": 0,
}
"""The state of a terminal that no screen has."""


def stopping_pager(folder: Path) -> str:
    """A pager, as a command, that stops as less and vim do, the whole group with it, and ends with exit code 3.

    It shows the file as page one, and page two once it has been stopped and goes on; Enter goes on from either.
    """
    pager = folder / "pager.py"
    pager.write_text(
        "import os, signal, sys\n"
        "print('page one of', open(sys.argv[1]).read(), os.isatty(0), os.isatty(1), flush=True)\n"
        "sys.stdin.readline()\n"
        "os.kill(0, signal.SIGTSTP)\n"
        "print('page two', flush=True)\n"
        "sys.stdin.readline()\n"
        "sys.exit(3)\n"
    )
    return f"{sys.executable} {pager}"


class Tmux:
    """A window with a shell in it, or another `program`. The server is one of its own, and ends with the `with` block."""

    def __init__(
        self, size: tuple[int, int], environment: Mapping[str, str], program: Sequence[str] = SHELL
    ) -> None:
        self._size = size
        self._program = program
        self._environment = {**environment, "PS1": f"{PROMPT} ", "TERM": "xterm-256color"}
        self._stack = ExitStack()
        self._socket = Path()

    def __enter__(self) -> Self:
        # Not below pytest's folders: the path of a socket must be short.
        self._socket = Path(self._stack.enter_context(tempfile.TemporaryDirectory())) / "tmux"
        columns, rows = self._size
        self._run(
            "-f", os.devnull, "new-session", "-d", "-x", str(columns), "-y", str(rows),
            *self._program,
        )  # fmt: skip
        self._stack.callback(lambda: self._run("kill-server"))
        if self._program is SHELL:
            self.wait_for(PROMPT)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def type(self, text: str) -> None:
        """Type a text."""
        self._run("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names of them."""
        self._run("send-keys", *keys)

    def command(self, text: str) -> None:
        """Type a command for the shell, and Enter."""
        self.type(text)
        self.press("Enter")

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size."""
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    @property
    def lines(self) -> list[str]:
        """What can be read."""
        return self._run("capture-pane", "-p").split("\n")[:-1]

    @property
    def text(self) -> str:
        """What can be read, as one text."""
        return "\n".join(self.lines)

    @property
    def pid(self) -> int:
        """The process of the shell."""
        return int(self._run("display-message", "-p", "#{pane_pid}"))

    @property
    def flags(self) -> dict[str, int]:
        """The state of the terminal."""
        values = self._run("display-message", "-p", " ".join(f"#{{{flag}}}" for flag in _FLAGS))
        return {flag: int(value) for flag, value in zip(_FLAGS, values.split(), strict=True)}

    def wait_for(self, *words: str) -> None:
        """Wait until all these words can be read."""
        self.wait_until(lambda: all(word in self.text for word in words))

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain:\n{self.text}"
            time.sleep(0.05)

    def settled(self) -> list[str]:
        """What can be read once nothing has changed for a while."""
        seen = self.lines
        since = time.monotonic()
        deadline = since + PATIENCE
        while time.monotonic() - since < STILL:
            time.sleep(0.05)
            now = self.lines
            if now != seen:
                seen, since = now, time.monotonic()
            assert time.monotonic() < deadline, f"never still:\n{self.text}"
        return seen

    def _run(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self._socket), *arguments]
        done = subprocess.run(command, check=True, capture_output=True, env=self._environment, text=True)
        return done.stdout

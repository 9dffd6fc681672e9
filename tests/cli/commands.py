"""Running the real command line: what ends by itself within this process, what serves or waits as one of its own."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from kachery_tui.cli.main import main

PROGRAM = [sys.executable, "-P", "-m", "kachery_tui"]
PATIENCE = 60.0

PLAIN: Final = frozenset({"channel", "config", "info", "init", "keys", "link", "status", "store"})
PLAIN_FEED: Final = frozenset({"append", "create", "delete", "list"})
"""Commands that neither wait for others nor start a loop: each of them does the same in a process that is running."""


@dataclass(frozen=True)
class Result:
    code: int
    stdout: str
    stderr: str

    @property
    def line(self) -> str:
        """The only line on stdout."""
        (line,) = self.stdout.splitlines()
        return line

    @property
    def values(self) -> list[Any]:
        """stdout as JSON, one value a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]


class Shell:
    """A person's environment: settings and storage below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config"
        self.storage = folder / "storage"
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        paths = {
            "KACHERY_TUI_CONFIG_DIR": str(self.config),
            "KACHERY_STORAGE_DIR": str(self.storage),
            "HOME": str(self.folder),
        }
        return {name: value for name, value in os.environ.items() if not name.startswith("XDG_")} | paths

    def run(self, *arguments: str | Path) -> Result:
        """Run a command to its end, without anything on stdin."""
        words = [str(argument) for argument in arguments]
        if words and (words[0] in PLAIN or (words[0] == "feed" and set(words[1:2]) <= PLAIN_FEED)):
            return self.here(*words)
        if words[:1] in (["load"], ["cat"]) and not (self.config / "channels").exists():
            # There is nobody to ask.
            return self.here(*words)
        return self.run_apart(*words)

    def run_apart(self, *arguments: str | Path) -> Result:
        """The same, always as a process of its own."""
        done = subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def here(self, *words: str) -> Result:
        """The same within this process; for what ends without a network."""
        with ExitStack() as stack:
            stack.enter_context(patch.dict(os.environ, self.environment, clear=True))
            stack.enter_context(chdir(self.folder))
            stack.enter_context(
                patch.object(sys, "stdin", stack.enter_context(Path(os.devnull).open(encoding="utf-8")))
            )
            outputs = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2)]
            stack.enter_context(redirect_stdout(outputs[0]))
            stack.enter_context(redirect_stderr(outputs[1]))
            try:
                code = main(words)
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 1
        for output in outputs:
            output.flush()
        stdout, stderr = (output.detach().getvalue().decode() for output in outputs)
        return Result(code, stdout, stderr)

    def ok(self, *arguments: str | Path) -> Result:
        """Run a command that must succeed."""
        result = self.run(*arguments)
        assert result.code == 0, result
        return result

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start a command and go on; the caller ends it."""
        return subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def wait_until(holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for a condition; fails when it does not come."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def processes_of(folder: Path) -> list[str]:
    """The command lines of processes that work below a folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def socket_of(shell: Shell) -> str:
    """Where the shell's node answers; empty as long as it does not."""
    text = (shell.storage / "kachery-tui.lock").read_text()
    return str(json.loads(text).get("socket", "")) if text.strip() else ""


def read_line(process: subprocess.Popen[bytes]) -> str:
    """The next line on a process's stdout."""
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def finish(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    """End a process by a signal; its exit code, and what it said on stderr."""
    process.send_signal(number)
    _, stderr = process.communicate(timeout=PATIENCE)
    return process.returncode, stderr.decode()


@contextmanager
def running_node(
    shell: Shell, *more: str, said: str = "channel lab: connected", may_be_killed: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """The shell's node, once its log has `said` something; by default, that it is connected.

    It is ended, and must end well, unless it `may_be_killed` or stopped before that.
    """
    log = shell.folder / "node.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*PROGRAM, "node", *more], env=shell.environment, stdin=subprocess.DEVNULL, stderr=stderr
        )
    try:
        wait_until(lambda: said in log.read_text())
        yield process
    finally:
        if may_be_killed:
            process.send_signal(signal.SIGCONT)
        process.terminate()
        code = process.wait(PATIENCE)
        assert code == 0 or (may_be_killed and code == -signal.SIGKILL)

"""How long a start takes, and how much memory the screen needs after it.

Run it by itself: python tests/benchmarks/bench_start.py [RUNS]. For each figure the median of some runs is printed; the
first run, which warms the disk's cache, does not count.
"""

import os
import pty
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path

COMMAND = [sys.executable, "-P", "-m", "kachery_tui"]
ROWS, COLUMNS = 45, 140

FIRST_FRAME = b"Quit"
"""The footer's last word: what is painted last of the first frame."""

SETTLED_SECONDS = 4.0
"""After the first paint: services are connected, SDKs imported, the storage folder scanned."""


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["KACHERY_TUI_CONFIG_DIR"] = str(folder / "config")
        os.environ["KACHERY_STORAGE_DIR"] = str(folder / "storage")
        _run("init", "--label", "benchmark")
        small = folder / "small.txt"
        small.write_text("a small file\n")
        _report("--help", 0.2, _median(runs, lambda: _timed("--help")))
        _report("store, 13 bytes", None, _median(runs, lambda: _timed("store", str(small))))
        _report("first paint", 0.8, _median(runs, first_paint))
        rss, pss = memory()
        print(f"memory of node with screen   {rss:6.1f} MB RSS, {pss:.1f} MB PSS (at most 120)")


def _report(what: str, limit: float | None, seconds: float) -> None:
    bound = f" (at most {limit:.1f})" if limit is not None else ""
    print(f"{what:28} {seconds:6.3f} s{bound}")


def _median(runs: int, measure: Callable[[], float]) -> float:
    measure()
    return statistics.median(measure() for _ in range(runs))


def _run(*arguments: str) -> None:
    subprocess.run([*COMMAND, *arguments], check=True, capture_output=True)


def _timed(*arguments: str) -> float:
    began = time.perf_counter()
    _run(*arguments)
    return time.perf_counter() - began


class Terminal:
    """The screen in a pseudo-terminal."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            termios.tcsetwinsize(0, (ROWS, COLUMNS))
            os.environ["TERM"] = "xterm-256color"
            os.execv(COMMAND[0], COMMAND)
        self._seen = b""

    def wait_for(self, text: bytes, seconds: float = 30.0) -> float:
        """Seconds from the start until `text` was painted."""
        deadline = time.perf_counter() + seconds
        while text not in self._seen:
            left = deadline - time.perf_counter()
            assert left > 0, f"{text!r} was not painted: {self._seen[-500:]!r}"
            self._read(left)
        return time.perf_counter() - self.began

    def watch(self, seconds: float) -> None:
        """Read on for some time: a terminal that reads nothing would hold the screen up."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            self._read(left)

    def close(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        while self._read(10.0):
            pass
        os.waitpid(self.pid, 0)
        os.close(self._master)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            # What Linux says when the other side of the terminal is closed.
            return False
        self._seen += data
        return bool(data)


def first_paint() -> float:
    """Seconds from the command to the first whole frame."""
    terminal = Terminal()
    seconds = terminal.wait_for(FIRST_FRAME)
    terminal.watch(0.5)
    terminal.close()
    return seconds


def memory() -> tuple[float, float]:
    """RSS and PSS in MB of the screen's process, some time after its start."""
    terminal = Terminal()
    terminal.wait_for(FIRST_FRAME)
    terminal.watch(SETTLED_SECONDS)
    figures = {}
    for line in Path(f"/proc/{terminal.pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss"):
            figures[name] = int(rest.split()[0]) / 1000
    terminal.close()
    return figures["Rss"], figures["Pss"]


if __name__ == "__main__":
    main()

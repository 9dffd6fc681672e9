"""A screen of a running node beside a screen with a node of its own: first paint, keys, memory, and what rest costs.

Run it by itself: python -m tests.benchmarks.bench_attach [RUNS]. Whole processes in pseudo-terminals, in turns.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.benchmarks.screen_runs import latencies, told
from tests.service.raw_screens import RawScreen

COMMAND = (sys.executable, "-P", "-m", "kachery_tui")
KEYS = 100
SCREENS = 20
REST = 20.0
SIZE = (140, 45)


class Painted:
    """The program in a pseudo-terminal, of which it is only seen when something comes."""

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self._wait_for(re.compile(rb"Quit|Leave"))
        self.first_paint = time.perf_counter() - began

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        os.write(self._master, b"q")
        while self.process.poll() is None:
            self._read(0.05)
        os.close(self._master)

    def answer(self, key: bytes) -> float:
        """Seconds from a key to the first byte that is painted for it."""
        while self._read(0.3):
            pass
        began = time.perf_counter()
        os.write(self._master, key)
        assert self._read(10.0)
        return time.perf_counter() - began

    def rest(self, seconds: float) -> int:
        """How many bytes are painted while nothing happens."""
        until, count = time.monotonic() + seconds, 0
        while (left := until - time.monotonic()) > 0:
            count += len(self._read(left))
        return count

    def _wait_for(self, words: re.Pattern[bytes]) -> None:
        seen = b""
        while not words.search(seen):
            seen += self._read(60.0)

    def _read(self, seconds: float) -> bytes:
        readable, _, _ = select.select([self._master], [], [], seconds)
        try:
            return os.read(self._master, 1 << 16) if readable else b""
        except OSError:
            return b""


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as name:
        own, attached = (_environment(Path(name) / place) for place in ("own", "attached"))
        for environment in (own, attached):
            subprocess.run(
                [*COMMAND, "init", "--label", "bench"], env=environment, check=True, capture_output=True
            )
        subprocess.run([*COMMAND, "node", "--detach"], env=attached, check=True, capture_output=True)
        note = json.loads((Path(attached["KACHERY_STORAGE_DIR"]) / "kachery-tui.lock").read_text())
        try:
            _first_paints(runs, own, attached)
            _keys(own, attached)
            _memory_and_rest(note["pid"], note["socket"])
        finally:
            os.kill(note["pid"], signal.SIGTERM)


def _environment(folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SSH_")}
    paths = {"KACHERY_TUI_CONFIG_DIR": str(folder / "config"), "KACHERY_STORAGE_DIR": str(folder / "storage")}
    return {**kept, **paths, "TERM": "xterm-256color"}


def _first_paints(runs: int, own: Mapping[str, str], attached: Mapping[str, str]) -> None:
    with Painted(attached) as first:
        told("first paint, attached, the node's first screen", f"{first.first_paint:.3f} s")
    seconds: dict[str, list[float]] = {"own": [], "attached": []}
    for _ in range(runs):
        for what, environment in (("own", own), ("attached", attached)):
            with Painted(environment) as painted:
                seconds[what].append(painted.first_paint)
    medians = {what: statistics.median(found) for what, found in seconds.items()}
    told("first paint, own", f"{medians['own']:.3f} s", "0.7 s")
    told("first paint, attached", f"{medians['attached']:.3f} s", "0.4 s")
    told("attached / own", f"{medians['attached'] / medians['own']:.2f}")


def _keys(own: Mapping[str, str], attached: Mapping[str, str]) -> None:
    seconds: dict[str, list[float]] = {"own": [], "attached": []}
    with Painted(own) as one, Painted(attached) as other:
        for number in range(KEYS):
            for what, painted in (("own", one), ("attached", other)):
                seconds[what].append(painted.answer(b"7" if number % 2 else b"6"))
    told("key to first byte, own", latencies(seconds["own"]))
    told("key to first byte, attached", latencies(seconds["attached"]))
    more = statistics.median(seconds["attached"]) - statistics.median(seconds["own"])
    told("attached more than own, median", f"{more * 1000:+.1f} ms", "20 ms")


def _memory_and_rest(pid: int, place: str) -> None:
    screens: list[RawScreen] = []
    memory: list[float] = []
    for _ in range(SCREENS):
        screens.append(RawScreen(place, columns=SIZE[0], rows=SIZE[1]))
        screens[-1].wait_for("q Leave")
        memory.append(_memory(pid))
    told("memory of node and one screen", f"{memory[0]:.1f} MB", "90 MB")
    told("each further screen", f"{_slope(memory):.1f} MB", "10 MB")
    # Until they have come to rest.
    time.sleep(15)
    used = _used(pid)
    time.sleep(REST)
    share = (_used(pid) - used) / REST
    told(f"{SCREENS} screens at rest", f"{share:.1%} of a core", "1 %")
    for screen in screens:
        screen.close()


def _slope(memory: Sequence[float]) -> float:
    return (memory[-1] - memory[0]) / (len(memory) - 1)


def _memory(pid: int) -> float:
    """Megabytes that a process has in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024 / 1e6


def _used(pid: int) -> float:
    """Seconds of a core that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()

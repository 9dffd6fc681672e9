"""The program at a terminal that is watched byte by byte, for the benchmarks of the screen."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from kachery_tui.child import Child
from tests.emulator import Emulator
from tests.terminal import Terminal

SIZE: Final = (80, 24)
PATIENCE: Final = 60.0

_SYNC_QUESTION: Final = b"\x1b[?2026$p"
_SYNC_ANSWER: Final = b"\x1b[?2026;2$y"

Seen = Callable[[list[str]], bool]


class Watched(Terminal):
    """A run of the program at a terminal that shows what comes, and notes when. It answers like a modern one."""

    def __init__(self, *arguments: str, environment: dict[str, str], size: tuple[int, int] = SIZE) -> None:
        self.shown = Emulator(*size)
        self._taking = threading.Lock()
        self._awaited: Seen | None = None
        self._came = threading.Event()
        self._came_at = 0.0
        super().__init__(*arguments, environment=environment, size=size)

    def _take(self, data: bytes) -> None:
        now = time.perf_counter()
        super()._take(data)
        if _SYNC_QUESTION in data:
            os.write(self._master, _SYNC_ANSWER)
        with self._taking:
            self.shown.feed(data)
            if self._awaited is not None and self._awaited(self.shown.lines):
                self._awaited, self._came_at = None, now
                self._came.set()

    @property
    def lines(self) -> list[str]:
        """What can be read now."""
        with self._taking:
            return self.shown.lines

    def wait_until(self, seen: Seen, press: str = "", seconds: float = PATIENCE) -> float:
        """Wait until the screen shows something, after pressing a key if one is given; seconds that it took."""
        with self._taking:
            if seen(self.shown.lines):
                assert not press, f"what {press!r} shows is there already"
                return 0.0
            self._came.clear()
            self._awaited = seen
        began = time.perf_counter()
        self.press(press)
        if not self._came.wait(seconds):
            raise AssertionError(f"after {press!r} it was not shown:\n" + "\n".join(self.lines))
        return self._came_at - began

    def wait_text(self, *words: str, press: str = "", seconds: float = PATIENCE) -> float:
        """Wait until all these words can be read."""
        return self.wait_until(lambda lines: all(word in "\n".join(lines) for word in words), press, seconds)

    # What the system says of it

    @property
    def cpu(self) -> float:
        """Seconds of processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def rss(self) -> float:
        """Resident memory in MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1000
        raise AssertionError("it has ended")


class Place:
    """A folder with a configured node and, if wanted, a hub that it has joined; everything ends with the `with` block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SSH_", "TMUX", "KACHERY"))
        }
        self.environment["KACHERY_TUI_CONFIG_DIR"] = str(folder / "config")
        self.environment["KACHERY_STORAGE_DIR"] = str(folder / "storage")
        self.channel_file = Path()
        self._stack = ExitStack()
        self.run("init", "--label", "benchmark")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, *arguments: str) -> str:
        """Run a command of the program; what it says on stdout."""
        command = [sys.executable, "-P", "-m", "kachery_tui", *arguments]
        done = subprocess.run(command, check=True, capture_output=True, env=self.environment, text=True)
        return done.stdout.strip()

    def join_hub(self, roles: str) -> None:
        """Start a hub with one channel, and join that."""
        arguments = ["--data", str(self.folder / "hub"), "--port", "0", "--s3-port", "0", "--channel", "lab"]
        hub = self._child(["hub", *arguments], "kachery_tui")
        self.channel_file = Path(hub.read_line())
        self.run("channel", "join", str(self.channel_file), "--roles", roles)

    def sender(self, role: str, peers: int, rate: float) -> Child:
        """Peers in a process of their own that publish `rate` messages a second each while they are told to."""
        arguments = [str(self.channel_file), role, str(peers), str(rate)]
        sender = self._child(arguments, "tests.benchmarks.senders")
        assert sender.read_line() == "ready", sender.last_words()
        return sender

    def asker(self) -> Child:
        """Another node in a process of its own, which requests the URIs that it is told."""
        asker = self._child([str(self.channel_file), str(self.folder / "asker")], "tests.benchmarks.askers")
        assert asker.read_line() == "ready", asker.last_words()
        return asker

    def _child(self, arguments: Sequence[str], module: str) -> Child:
        child = Child(arguments, log=self.folder / "children.log", module=module)
        self._stack.callback(child.close)
        return child

    def screen(self, *, ssh: bool = True) -> Watched:
        """The program's screen, as over SSH or not."""
        environment = dict(self.environment)
        if ssh:
            environment["SSH_CONNECTION"] = "192.0.2.7 50022 192.0.2.1 22"
        return Watched(environment=environment)


def has_pane(name: str) -> Seen:
    """Whether a pane is the one on the screen, its title and its tab."""
    return lambda lines: sum(f"▶{name}" in line for line in lines) == 2


def settle(watched: Watched, seconds: float = 3.0) -> None:
    """Wait until nothing was written for so long."""
    deadline = time.monotonic() + PATIENCE
    mark, since = watched.mark, time.monotonic()
    while time.monotonic() - since < seconds:
        assert time.monotonic() < deadline, "it goes on writing:\n" + "\n".join(watched.lines)
        time.sleep(0.1)
        if watched.mark != mark:
            mark, since = watched.mark, time.monotonic()


def leave(watched: Watched) -> None:
    """End the program, and see to it that it ends well."""
    assert watched.end(signal.SIGTERM) == 128 + signal.SIGTERM


def latencies(seconds: Sequence[float]) -> str:
    """Some times in words."""
    half, most, worst = percentile(seconds, 0.5), percentile(seconds, 0.95), max(seconds)
    return f"p50 {half * 1000:.0f} ms, p95 {most * 1000:.0f} ms, worst {worst * 1000:.0f} ms ({len(seconds)} keys)"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of all stay within."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def told(what: str, figure: str, limit: str = "") -> None:
    """Print one figure, and its limit if it has one."""
    print(f"{what:52} {figure}" + (f"  (at most {limit})" if limit else ""), flush=True)

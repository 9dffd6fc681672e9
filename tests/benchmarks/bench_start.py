"""How long a start takes, and how much memory the screen needs after it.

Run it by itself: python -m tests.benchmarks.bench_start [RUNS]. For each figure the median of some runs is printed; the
first run, which warms the disk's cache, does not count.
"""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kachery_tui.child import Child
from tests.terminal import Terminal

COMMAND = [sys.executable, "-P", "-m", "kachery_tui"]

FIRST_FRAME = "Quit"
"""The footer's last word: what is painted last of the first frame."""

SETTLED_SECONDS = 4.0
"""After the channel was connected: the SDKs are imported, and the storage folder was scanned."""


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
        hub = Child(
            ["hub", "--data", str(folder / "hub"), "--port", "0", "--s3-port", "0", "--channel", "lab"],
            log=folder / "hub.log",
        )
        _run("channel", "join", hub.read_line(), "--roles", "request-files,provide-files")
        _report("first paint, on a channel", 0.8, _median(runs, first_paint))
        _report("first paint, demo", 0.8, _median(runs, lambda: first_paint("demo")))
        with peer(folder, folder / "hub" / "channels" / "lab.toml") as stored:
            from_peer, from_bucket = loads(runs, stored)
        _report("load of 1 kB that a peer has", 0.9, from_peer)
        _report("load of 1 kB in the bucket", 0.55, from_bucket)
        rss, pss = memory()
        hub.close()
        print(f"memory of node with screen   {rss:6.1f} MB RSS, {pss:.1f} MB PSS (at most 95)")


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


def first_paint(*arguments: str) -> float:
    """Seconds from the command to the first whole frame."""
    with Terminal(*arguments, environment=os.environ) as terminal:
        seconds = terminal.wait_for(FIRST_FRAME)
        terminal.end(signal.SIGTERM)
    return seconds


@contextmanager
def peer(folder: Path, channel_file: Path) -> Iterator[Callable[[], str]]:
    """A node of its own on the channel; what it yields stores a new file there and returns the URI."""
    environment = {
        **os.environ,
        "KACHERY_TUI_CONFIG_DIR": str(folder / "peer" / "config"),
        "KACHERY_STORAGE_DIR": str(folder / "peer" / "storage"),
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments], check=True, env=environment, text=True, stdout=subprocess.PIPE
        )
        return done.stdout.strip()

    def stored() -> str:
        file = folder / "peer" / "file.bin"
        file.write_bytes(os.urandom(1_000))
        return run("store", str(file))

    run("init", "--label", "peer")
    run("channel", "join", str(channel_file), "--roles", "request-files,provide-files")
    with (folder / "peer" / "log").open("wb") as log:
        node = subprocess.Popen([*COMMAND, "node"], env=environment, stdout=log, stderr=log)
    try:
        time.sleep(SETTLED_SECONDS)
        yield stored
    finally:
        node.terminate()
        node.wait(60)


def loads(runs: int, stored: Callable[[], str]) -> tuple[float, float]:
    """Seconds for a file that only a peer has, and for one that is in the bucket: medians of whole processes."""
    from_peer, from_bucket = [], []
    for _ in range(runs + 1):
        uri = stored()
        from_peer.append(_timed("load", uri))
        shutil.rmtree(Path(os.environ["KACHERY_STORAGE_DIR"]) / "sha1")
        from_bucket.append(_timed("load", uri))
    return statistics.median(from_peer[1:]), statistics.median(from_bucket[1:])


def memory() -> tuple[float, float]:
    """RSS and PSS in MB of the screen's process, some time after its start."""
    figures = {}
    with Terminal(environment=os.environ) as terminal:
        terminal.wait_for("1 of 1 channel connected")
        time.sleep(SETTLED_SECONDS)
        for line in Path(f"/proc/{terminal.process.pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in ("Rss", "Pss"):
                figures[name] = int(rest.split()[0]) / 1000
        terminal.end(signal.SIGTERM)
    return figures["Rss"], figures["Pss"]


if __name__ == "__main__":
    main()

"""What 2,000 messages a second do to the screen and its node: at a terminal over SSH, 80x24.

    python -m tests.benchmarks.bench_screen_flood [--seconds N] [--rate N]

Eleven peers of a real hub sign and publish from processes of their own, each of them within what a node takes from one.
Meanwhile keys are pressed, and it is measured how long it takes until the screen shows what they do; and another node
requests files that only this one has, as it did before.
"""

import argparse
import itertools
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from kachery_tui.child import Child
from tests.benchmarks.bench_screen import PANES, ROLES
from tests.benchmarks.screen_runs import (
    Place,
    Seen,
    Watched,
    has_pane,
    latencies,
    leave,
    percentile,
    settle,
    told,
)

SENDERS: Final = (("provide-feeds", 5), ("provide-tasks", 4), ("request-files", 2))
PEERS: Final = sum(peers for _, peers in SENDERS)

ROUND: Final = ("j", "j", "k", "3", "2", "j", "k", "4", "2", "k", "7", "2")
"""Keys pressed again and again: down and up among the lanes, to other panes and back."""

WARM_UP: Final = 5.0
PAUSE: Final = 0.15
"""Seconds between an answer and the next key."""

FILES: Final = 60
FILE_BYTES: Final = 1_000


def cursor(lines: list[str]) -> int:
    """The line of the upper list's cursor."""
    return next((y for y, line in enumerate(lines) if line.startswith("›")), -1)


def answer(watched: Watched, key: str) -> Seen:
    """What shows that a key was answered."""
    if key in PANES:
        return has_pane(PANES[key])
    goal = cursor(watched.lines) + (1 if key == "j" else -1)
    return lambda lines: cursor(lines) == goal


def press_keys(watched: Watched, seconds: float) -> list[float]:
    """Press keys for so long, one after another; how long each took to be answered."""
    took: list[float] = []
    until = time.monotonic() + seconds
    for key in itertools.cycle(ROUND):
        if time.monotonic() > until and key == ROUND[0]:
            break
        took.append(watched.wait_until(answer(watched, key), press=key))
        time.sleep(PAUSE)
    return took


class Requests(threading.Thread):
    """Lets another node request files, one each second, until it is told to stop."""

    def __init__(self, asker: Child, uris: list[str]) -> None:
        super().__init__(daemon=True)
        self._asker = asker
        self._uris = uris
        self._stop_now = threading.Event()
        self.took: list[float] = []

    def run(self) -> None:
        """Request, measure, wait."""
        while not self._stop_now.wait(1.0):
            self._asker.send_line(self._uris.pop())
            self.took.append(float(self._asker.read_line()))

    def end(self) -> list[float]:
        """Stop; how long the requests took."""
        self._stop_now.set()
        self.join()
        return self.took


def measure(
    watched: Watched, asker: Child, uris: list[str], seconds: float
) -> tuple[list[float], list[float]]:
    """Keys and requests at the same time; how long both took."""
    requests = Requests(asker, uris)
    requests.start()
    keys = press_keys(watched, seconds)
    return keys, requests.end()


def told_requests(what: str, took: list[float]) -> None:
    """Print how long requests took."""
    half, most = percentile(took, 0.5), percentile(took, 0.95)
    told(what, f"p50 {half * 1000:.0f} ms, p95 {most * 1000:.0f} ms ({len(took)} requests)")


def flood(folder: Path, seconds: float, rate: float) -> None:
    """Without messages, then with them."""
    with Place(folder) as place:
        place.join_hub(ROLES)
        files = [folder / f"{number}.bin" for number in range(FILES + int(seconds))]
        for file in files:
            file.write_bytes(os.urandom(FILE_BYTES))
        uris = place.run("store", *map(str, files)).split()
        senders = [place.sender(role, peers, rate / PEERS) for role, peers in SENDERS]
        asker = place.asker()
        with place.screen() as watched:
            watched.wait_text("connected")
            watched.wait_until(has_pane("2 Streams"), press="2")
            settle(watched)
            asker.send_line(uris.pop())
            asker.read_line()
            before = watched.rss
            keys, requests = measure(watched, asker, uris, min(seconds, 15.0))
            told("without messages: key to screen", latencies(keys))
            told_requests("without messages: 1 KB for another node", requests)
            for sender in senders:
                sender.send_line("go")
            began = time.monotonic()
            time.sleep(WARM_UP)
            early, cpu, at, mark = watched.rss, watched.cpu, time.monotonic(), watched.mark
            keys, requests = measure(watched, asker, uris, seconds)
            late, passed = watched.rss, time.monotonic() - at
            share, written = (watched.cpu - cpu) / passed, (watched.mark - mark) * 60 / passed / 1000
            for sender in senders:
                sender.send_line("stop")
            lasted = time.monotonic() - began
            sent = sum(int(sender.read_line()) for sender in senders)
            settle(watched)
            told(f"sent in {lasted:.0f} s by {PEERS} peers", f"{sent:,}, {sent / lasted:,.0f} a second")
            told("with messages: key to screen", latencies(keys), "p95 100 ms")
            told_requests("with messages: 1 KB for another node", requests)
            told("memory before, early, late", f"{before:.1f}, {early:.1f}, {late:.1f} MB")
            told("share of a core; bytes", f"{100 * share:.0f} %; {written:.1f} KB a minute")
            told("the lanes at the end", "\n" + "\n".join(watched.lines[2:11]))
            leave(watched)


def main() -> None:
    """Parse, measure in a temporary folder, clean up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=float, default=2_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        flood(Path(folder), options.seconds, options.rate)


if __name__ == "__main__":
    main()

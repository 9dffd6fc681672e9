"""The cache pane over a large storage folder, at a terminal over SSH, 80x24.

    python -m tests.benchmarks.bench_screen_index [--files N] [--folder DIR]

Makes a storage folder with that many small files where a node keeps them, and an index that knows them all, as a node
leaves it behind. Then it starts the screen, and measures how long the pane takes to open and keys to be answered, from
the first moment on: the look over the folder that follows each start goes on beside it. With --folder the folder is kept
and, where it is there already, used again.
"""

import argparse
import os
import random
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kachery_tui.storage.layout import Layout
from kachery_tui.storage.storage import Storage
from kachery_tui.storage.values import Entry
from tests.benchmarks.screen_runs import Place, Seen, Watched, has_pane, latencies, leave, told

BATCH: Final = 5_000
FIRST_FRAME: Final = "Quit"

UP, DOWN, PAGE_UP, PAGE_DOWN = "\x1b[A", "\x1b[B", "\x1b[5~", "\x1b[6~"
END, HOME, ESCAPE = "\x1b[F", "\x1b[H", "\x1b"

SCROLLING: Final = (
    *[PAGE_DOWN] * 25, END, *[PAGE_UP] * 15, *[UP] * 15, HOME, *[DOWN] * 30, END, HOME,
    *[PAGE_DOWN] * 15, HOME, END, HOME,
)  # fmt: skip

PAUSE: Final = 0.15
"""Seconds between an answer and the next key."""

TYPING_PAUSE: Final = 0.15

FILTER: Final = "session-777"
SETTLED: Final = 60.0

_POSITION: Final = re.compile(r"([\d,]+)/([\d,]+) *$")


def fill(folder: Path, files: int) -> None:
    """Make the files and the index."""
    chance = random.Random(1)
    storage = Storage.open(folder)
    layout = Layout(folder)
    try:
        for start in range(0, files, BATCH):
            entries = [_entry(chance) for _ in range(min(BATCH, files - start))]
            for entry in entries:
                place = layout.file(entry.sha1)
                try:
                    place.touch()
                except FileNotFoundError:
                    place.parent.mkdir(parents=True)
                    place.touch()
                os.truncate(place, entry.size)
            storage.index.apply(entries, [], [], [])
        told("the folder was made; looking over it", "…")
        # Twice: what changed in the last two seconds before the first look is looked at again by the next.
        for _ in range(2):
            began = time.monotonic()
            result = storage.scan(threading.Event())
            told("a look over the folder", f"{time.monotonic() - began:.1f} s, {result}")
            time.sleep(2.0)
    finally:
        storage.close()


def _entry(chance: random.Random) -> Entry:
    name = f"session-{chance.randrange(10**6)}-{chance.choice(['raw', 'sorted', 'lfp'])}.nwb"
    times = (chance.random() * 1e9, chance.random() * 1e9)
    return Entry(
        chance.randbytes(20).hex(), chance.randrange(10**9), name, *times, "/data/x", False, "file", None
    )


def rows(lines: list[str]) -> int:
    """How many files can be read, none of them still on its way."""
    if any(line.strip(" ›") == "…" for line in lines):
        return 0
    return sum(".nwb" in line or "session-" in line for line in lines)


def position(lines: list[str]) -> str:
    """Where the cursor stands, as the pane's title says."""
    return next((found[0] for line in lines if (found := _POSITION.search(line))), "")


def total(lines: list[str]) -> str:
    """How many files there are in the list, as the pane's title says."""
    return position(lines).rpartition("/")[2]


def moved(watched: Watched) -> Seen:
    """Whether the cursor stands elsewhere than now, among files that can be read."""
    before = position(watched.lines)
    return lambda lines: position(lines) != before and rows(lines) >= 10


def scroll(watched: Watched, what: str) -> None:
    """Press the keys of a reader who looks around."""
    took = []
    for key in SCROLLING:
        took.append(watched.wait_until(moved(watched), press=key))
        time.sleep(PAUSE)
    told(what, latencies(took), "p95 50 ms")


def types(text: str) -> Seen:
    """Whether the line that asks for a filter shows a text."""
    return lambda lines: any("filter /" in line and f" {text} " in line for line in lines)


def find(watched: Watched) -> None:
    """Filter by a part of the names, and let go of it."""
    whole = total(watched.lines)
    watched.wait_text("filter", press="/")
    typed = []
    for number, key in enumerate(FILTER, start=1):
        typed.append(watched.wait_until(types(FILTER[:number]), press=key))
        time.sleep(TYPING_PAUSE)
    told("letters of a filter on the screen", latencies(typed), "p95 50 ms")
    took = watched.wait_until(
        lambda lines: (
            rows(lines) > 0
            and total(lines) != whole
            and all(FILTER in line for line in lines if ".nwb" in line)
        )
    )
    told("filtered, after the last letter", f"{took:.2f} s")
    watched.press("\r")
    watched.wait_until(lambda lines: not any("filter /" in line for line in lines))
    took = watched.wait_until(lambda lines: rows(lines) > 0 and total(lines) == whole, press=ESCAPE)
    told("no longer filtered", f"{took:.2f} s")
    print("\n".join(watched.lines[:6]))


def opened(watched: Watched) -> float:
    """Go to the cache; seconds until its files can be read."""
    return watched.wait_until(lambda lines: has_pane("4 Cache")(lines) and rows(lines) >= 10, press="4")


def measure(place: Place) -> None:
    """Start, and look around: at once, and again when the look over the folder is long done."""
    with place.screen() as watched:
        began = time.perf_counter()
        watched.wait_text(FIRST_FRAME)
        painted = time.perf_counter() - began
        told("first paint", f"{painted:.2f} s")
        told("opens, key pressed at the first paint", f"{opened(watched):.2f} s", "1 s")
        print("\n".join(watched.lines[:6]))
        scroll(watched, "keys, while the folder is looked over")
        find(watched)
        leave(watched)
    with place.screen() as watched:
        watched.wait_text(FIRST_FRAME)
        time.sleep(SETTLED)
        told("opens, a minute after the start", f"{opened(watched):.2f} s", "1 s")
        scroll(watched, "keys, a minute after the start")
        find(watched)
        told("memory", f"{watched.rss:.1f} MB")
        leave(watched)


@contextmanager
def somewhere(kept: Path | None) -> Iterator[Path]:
    """A folder that stays, or one that does not."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def main() -> None:
    """Parse, fill, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=None, help="where the storage folder is kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, somewhere(options.folder) as folder:
        storage = folder / "storage"
        began = time.monotonic()
        if not storage.exists():
            fill(storage, options.files)
            told(f"{options.files:,} files made", f"{time.monotonic() - began:.0f} s")
        with Place(Path(name)) as place:
            place.environment["KACHERY_STORAGE_DIR"] = str(storage)
            measure(place)


if __name__ == "__main__":
    main()

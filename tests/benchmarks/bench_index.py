"""How quickly the index of a large storage folder answers. Run by hand:

    python tests/benchmarks/bench_index.py [--files N] [--folder DIR]

Fills an index with that many made-up files and prints how long pages, filters and sums take.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from kachery_tui.filters import parse_filter
from kachery_tui.storage import Entry, Index, Order
from kachery_tui.storage.index_query import ENTRY_FIELDS

BATCH = 2000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where to write (default: the temporary folder)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        index = Index(Path(folder) / "index.db")
        _tell("fill", lambda: _fill(index, options.files))
        orders: list[Order] = ["name", "size", "added", "used"]
        for order in orders:
            for offset in (0, options.files // 4, options.files // 2, options.files * 3 // 4):
                _tell(
                    f"page by {order} from {offset:,}",
                    partial(index.page, order=order, offset=offset),
                )
        for matching in ("session-1234", "raw", "no such", "abc", "größe", "lfp size>500M", "!raw added>30y"):
            _tell(
                f"filter {matching!r}",
                partial(index.page, order="name", where=parse_filter(matching, ENTRY_FIELDS)),
            )
            _tell(
                f"filter {matching!r} again",
                partial(index.page, order="name", where=parse_filter(matching, ENTRY_FIELDS), offset=500),
            )
        _tell("totals", index.totals)
        third = index.totals().bytes / 3
        _tell("what would go to free a third", partial(index.to_go, third, (), 200))
        index.close()


def _fill(index: Index, files: int) -> None:
    chance = random.Random(1)
    for _ in range(files // BATCH):
        index.apply([_entry(chance) for _ in range(BATCH)], [], [], [])


def _entry(chance: random.Random) -> Entry:
    name = f"session-{chance.randrange(10**6)}-{chance.choice(['raw', 'sorted', 'lfp'])}.nwb"
    times = (chance.random() * 1e9, chance.random() * 1e9)
    return Entry(
        chance.randbytes(20).hex(), chance.randrange(10**9), name, *times, "/data/x", False, "file", None
    )


def _tell(what: str, action: Callable[[], object]) -> None:
    began = time.perf_counter()
    action()
    print(f"{what}: {(time.perf_counter() - began) * 1000:,.1f} ms")


if __name__ == "__main__":
    main()

"""What storing a file costs, beside what two well-known programs take for the same. Run by hand:

    python tests/benchmarks/bench_store.py [--size BYTES] [--memory-size BYTES] [--rounds N] [--folder DIR]

Prints, for each round, the seconds of `sha1sum` and then `cp` of a file, and of storing it (with its manifest, flushed
to disk) in a process of its own; then the memory that storing a larger file adds to a process.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Stores a file in a fresh process and prints seconds (imports left out) and the kilobytes that its memory grew by.
_STORE = """
import resource, sys, time
from pathlib import Path
from kachery_tui.storage import Storage
storage = Storage.open(Path(sys.argv[1]))
storage.store_bytes(b"warm", "warm")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
stored = storage.store(Path(sys.argv[2]))
took = time.perf_counter() - began
assert stored.added_bytes == stored.size
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)
storage.close()
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1_000_000_000)
    parser.add_argument("--memory-size", type=int, default=5_000_000_000, help="0 leaves that part out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where to write (default: the temporary folder)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        source = folder / "source.bin"
        _fill(source, options.size)
        ratios = [_round(folder, source) for _ in range(options.rounds)]
        print(f"median: store takes {statistics.median(ratios):.2f} × sha1sum and then cp")
        if options.memory_size:
            _fill(source, options.memory_size)
            took, grew = _store(folder, source)
            print(f"storing {options.memory_size:,} bytes: {took:.2f} s, memory grew by {grew / 1000:.1f} MB")


def _round(folder: Path, source: Path) -> float:
    began = time.perf_counter()
    subprocess.run(["sha1sum", source], check=True, stdout=subprocess.DEVNULL)
    hashed = time.perf_counter()
    subprocess.run(["cp", source, folder / "copy.bin"], check=True)
    copied = time.perf_counter()
    (folder / "copy.bin").unlink()
    os.sync()
    took, _ = _store(folder, source)
    plain = copied - began
    print(
        f"sha1sum {hashed - began:.2f} s + cp {copied - hashed:.2f} s = {plain:.2f} s; "
        f"store {took:.2f} s; ratio {took / plain:.2f}"
    )
    return took / plain


def _store(folder: Path, source: Path) -> tuple[float, int]:
    result = subprocess.run(
        [sys.executable, "-c", _STORE, folder / "storage", source],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    shutil.rmtree(folder / "storage")
    os.sync()
    took, grew = result.stdout.split()
    return float(took), int(grew)


def _fill(path: Path, size: int) -> None:
    """Bytes that neither compress nor repeat, so that no file system does less than it would have to."""
    with path.open("wb") as file:
        while size > 0:
            piece = os.urandom(min(size, 8 << 20))
            file.write(piece)
            size -= len(piece)
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    main()

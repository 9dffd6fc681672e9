"""Fetching 1 GB from a local S3 server, hashed and written to disk, beside what s5cmd takes for the same bytes.

Run by hand: `python tests/benchmarks/bench_fetch.py [--size BYTES] [--rounds N] [--folder DIR]`. Prints seconds and
ratios; the goal is at most 1.2 times s5cmd, which verifies nothing.
"""

import argparse
import asyncio
import hashlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from kachery_tui.channel.bucket import Bucket
from kachery_tui.config import BucketConfig

CHUNK = 20_000_000
AT_ONCE = 4
ACCESS_KEY = "bench-access-key-1234"
SECRET_KEY = "bench-secret-key-123456789"
PROGRAMS = Path(sys.executable).parent


class Part:
    """One range: hashed and written at its place as it comes."""

    def __init__(self, file: int, offset: int) -> None:
        self.file = file
        self.offset = offset
        self.hash = hashlib.sha1(usedforsecurity=False)

    def __call__(self, piece: memoryview) -> None:
        self.hash.update(piece)
        os.pwrite(self.file, piece, self.offset)
        self.offset += len(piece)


async def fetch_ranges(bucket: Bucket, target: Path, size: int, digests: list[str]) -> None:
    """One object by ranges of a chunk's size, several at a time."""
    file = os.open(target, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600)
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(index: int) -> None:
        start = index * CHUNK
        async with slots:
            part = Part(file, start)
            await bucket.fetch("large", part, start=start, end=min(start + CHUNK, size), max_bytes=CHUNK)
            assert part.hash.hexdigest() == digests[index], f"chunk {index} is wrong"

    await asyncio.gather(*(one(index) for index in range(len(digests))))
    os.close(file)


async def fetch_objects(bucket: Bucket, target: Path, size: int, digests: list[str]) -> None:
    """The same bytes from an object for each chunk, as kachery keeps them, joined into one file."""
    file = os.open(target, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600)
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(index: int) -> None:
        async with slots:
            part = Part(file, index * CHUNK)
            await bucket.fetch(f"chunks/{index:04d}", part, max_bytes=CHUNK)
            assert part.hash.hexdigest() == digests[index], f"chunk {index} is wrong"

    await asyncio.gather(*(one(index) for index in range(len(digests))))
    assert os.fstat(file).st_size == size
    os.close(file)


def s5cmd(port: int, source: str, target: str) -> None:
    """`s5cmd cp` with its own settings."""
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    environment["AWS_REGION"] = "us-east-1"
    subprocess.run(
        [PROGRAMS / "s5cmd", "--endpoint-url", f"http://127.0.0.1:{port}", "cp", source, target],
        check=True,
        stdout=subprocess.DEVNULL,
        env=environment,
    )


def make_objects(folder: Path, size: int) -> list[str]:
    """The large object, the same bytes in chunks, and the chunks' hashes."""
    digests = []
    (folder / "bench/chunks").mkdir(parents=True)
    with (folder / "bench/large").open("wb") as large:
        for index, start in enumerate(range(0, size, CHUNK)):
            data = os.urandom(min(CHUNK, size - start))
            large.write(data)
            (folder / f"bench/chunks/{index:04d}").write_bytes(data)
            digests.append(hashlib.sha1(data, usedforsecurity=False).hexdigest())
    return digests


def timed(work: Callable[[], None], output: Path) -> float:
    """Seconds that `work` takes, into an output that is not there yet."""
    if output.is_dir():
        shutil.rmtree(output)
    output.unlink(missing_ok=True)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(folder: Path, size: int, rounds: int) -> None:
    """Run all four in turn, `rounds` times after one to warm up, and print what they took."""
    print(f"writing {size:,} bytes twice …", flush=True)
    digests = make_objects(folder / "s3", size)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [
        "--addr",
        f"127.0.0.1:{port}",
        "--auth-key",
        f"{ACCESS_KEY},{SECRET_KEY}",
        "--vfs-cache-mode",
        "off",
    ]
    server = subprocess.Popen(
        [str(PROGRAMS / "rclone"), "serve", "s3", *arguments, "--config", "/dev/null", str(folder / "s3")],
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(1)
        config = BucketConfig(
            name="bench",
            endpoint=f"http://127.0.0.1:{port}",
            region="us-east-1",
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            path_style=True,
        )
        with asyncio.Runner() as runner:
            bucket = Bucket(config)
            runner.run(bucket.prepare())
            ours, theirs = folder / "ours", folder / "theirs"
            works: dict[str, tuple[Callable[[], None], Path]] = {
                "s5cmd, one object": (lambda: s5cmd(port, "s3://bench/large", str(theirs)), theirs),
                "ranges, hashed": (lambda: runner.run(fetch_ranges(bucket, ours, size, digests)), ours),
                "s5cmd, chunks": (lambda: s5cmd(port, "s3://bench/chunks/*", f"{theirs}/"), theirs),
                "chunks, hashed": (lambda: runner.run(fetch_objects(bucket, ours, size, digests)), ours),
            }
            taken: dict[str, list[float]] = {name: [] for name in works}
            for number in range(rounds + 1):
                for name, (work, output) in works.items():
                    seconds = timed(work, output)
                    if number > 0:
                        taken[name].append(seconds)
            runner.run(bucket.close())
    finally:
        server.terminate()
        server.wait()
    for name, seconds_each in taken.items():
        listed = " ".join(f"{seconds:.2f}" for seconds in seconds_each)
        print(f"{name:20} {statistics.median(seconds_each):5.2f} s   ({listed})")
    for ours_name, theirs_name in (
        ("ranges, hashed", "s5cmd, one object"),
        ("chunks, hashed", "s5cmd, chunks"),
    ):
        ratio = statistics.median(taken[ours_name]) / statistics.median(taken[theirs_name])
        print(f"{ours_name} / {theirs_name}: {ratio:.2f}")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="fetch against s5cmd, side by side")
    parser.add_argument("--size", type=int, default=1_000_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folder",
        type=Path,
        default=None,
        help="where to put three times the size; default: a temporary one",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure(Path(folder), options.size, options.rounds)


if __name__ == "__main__":
    main()

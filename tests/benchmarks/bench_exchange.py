"""Files between two nodes over one hub: how long a small one takes, and a large one beside what s5cmd takes.

Run by hand: `python -m tests.benchmarks.bench_exchange [--size BYTES] [--rounds N] [--folder DIR]`. Everything runs on
this machine: the hub (with `rclone serve s3`) in a process of its own, both nodes in this one. Prints figures and ratios.
"""

import argparse
import asyncio
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path

from kachery_tui.protocol.roles import Role
from tests.nodes import running_node

SMALL = 1_000
WARM_UP = 3
PROGRAMS = Path(sys.executable).parent


async def start_hub(folder: Path) -> tuple[asyncio.subprocess.Process, Path]:
    """A hub as a user starts it; its process and the channel file that it prints."""
    process = await asyncio.create_subprocess_exec(
        PROGRAMS / "kachery-tui", "hub", "--data", folder, "--port", "0", "--s3-port", "0", "--channel", "lab",
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    line = await process.stdout.readline()
    return process, Path(line.decode().strip())


async def small_files(folder: Path, lab: Path, rounds: int) -> None:
    """From request to verified on disk, for a file of 1 KB that only the other node has."""
    seconds: list[float] = []
    async with (
        running_node(folder / "ben", lab, roles=(Role.PROVIDE_FILES,)) as ben,
        running_node(folder / "ana", lab, roles=(Role.REQUEST_FILES,)) as ana,
    ):
        for number in range(WARM_UP + rounds):
            stored = await asyncio.to_thread(ben.storage.store_bytes, os.urandom(SMALL), f"{number}.bin")
            began = time.perf_counter()
            await ana.files.request(stored.uri).outcome()
            seconds.append(time.perf_counter() - began)
    milliseconds = sorted(1000 * each for each in seconds[WARM_UP:])
    print(
        f"1 KB that only a peer has: median {statistics.median(milliseconds):.1f} ms,"
        f" p95 {milliseconds[int(0.95 * len(milliseconds))]:.1f} ms ({rounds} rounds)"
    )


async def large_file(folder: Path, lab: Path, size: int, rounds: int) -> None:
    """A file that is in the bucket, loaded and verified, beside `s5cmd cp` of the same bytes from the same server."""
    folder.mkdir()
    source = folder / "large.bin"
    with source.open("wb") as file:
        for start in range(0, size, 1 << 24):
            file.write(os.urandom(min(1 << 24, size - start)))
    bucket = tomllib.loads(lab.read_text())["bucket"]
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": bucket["access_key"],
        "AWS_SECRET_ACCESS_KEY": bucket["secret_key"],
        "AWS_REGION": bucket["region"],
    }
    s5cmd = (str(PROGRAMS / "s5cmd"), "--endpoint-url", bucket["endpoint"], "cp")
    whole = f"s3://{bucket['name']}/whole"

    async def run_s5cmd(*arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *s5cmd, *arguments, env=environment, stdout=subprocess.DEVNULL
        )
        assert await process.wait() == 0

    await run_s5cmd(str(source), whole)
    async with running_node(folder / "ben", lab, roles=(Role.PROVIDE_FILES,)) as ben:
        stored = await ben.store(source)
        await ben.files.push(stored.uri, "lab").outcome()
    source.unlink()
    shutil.rmtree(folder / "ben")
    ours: list[float] = []
    theirs: list[float] = []
    grown: list[int] = []
    for number in range(1 + rounds):
        async with running_node(folder / "cleo", lab, roles=(Role.REQUEST_FILES,)) as cleo:

            async def load() -> None:
                await cleo.files.request(stored.uri).outcome()

            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            ours.append(await timed(load))
            grown.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)
        shutil.rmtree(folder / "cleo")
        target = folder / "whole"
        theirs.append(await timed(lambda: run_s5cmd(whole, str(target))))  # noqa: B023 - as above
        target.unlink()
        print(f"  round {number}: load {ours[-1]:.2f} s, s5cmd {theirs[-1]:.2f} s", flush=True)
    load_median, s5cmd_median = statistics.median(ours[1:]), statistics.median(theirs[1:])
    print(f"memory that loading {size / 1e9:g} GB adds to the peak: {max(grown) / 1000:.1f} MB at most")
    print(
        f"{size / 1e9:g} GB in the bucket: load, verified {load_median:.2f} s; s5cmd cp {s5cmd_median:.2f} s;"
        f" ratio {load_median / s5cmd_median:.2f} (medians of {rounds} after one to warm up)"
    )


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    """Seconds that `work` takes."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def measure(folder: Path, size: int, rounds: int) -> None:
    """Run everything against one hub."""
    hub, lab = await start_hub(folder / "hub")
    try:
        await small_files(folder / "small", lab, 20 * rounds)
        await large_file(folder / "large", lab, size, rounds)
    finally:
        hub.terminate()
        await hub.wait()


def main() -> None:
    """Parse, measure in a temporary folder, clean up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1_000_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        asyncio.run(measure(Path(folder), options.size, options.rounds))


if __name__ == "__main__":
    main()

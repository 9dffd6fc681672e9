"""Many different files asked of one provider by several askers: whether all arrive, how many a second, the longest wait.

Run by hand: `python -m tests.benchmarks.bench_many [--files N] [--askers N] [--at-once N] [--folder DIR]`. The hub, the
provider (`kachery-tui node`) and each asker are processes of their own; an asker has N requests under way at any time.
A request that has to wait for a time-out shows as one that took 30 seconds or more. Prints figures, and how many times
the median the slowest request took.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kachery_tui.config import NodeConfig, save_node_config
from kachery_tui.errors import KacheryError
from kachery_tui.protocol.roles import Role
from kachery_tui.storage.storage import Storage
from tests.benchmarks.bench_exchange import PROGRAMS, start_hub
from tests.nodes import join_by_file, running_node

SIZE = 1_000


async def ask(channel_file: Path, folder: Path, at_once: int) -> None:
    """Request every URI on stdin, so many at once; print the seconds that each took, `inf` for one that failed."""
    uris = [line.strip() for line in sys.stdin]
    todo = iter(uris)
    async with running_node(folder, channel_file, roles=(Role.REQUEST_FILES,)) as node:

        async def work() -> None:
            for uri in todo:
                began = time.perf_counter()
                try:
                    await node.files.request(uri).outcome()
                except KacheryError as error:
                    print(error, file=sys.stderr)
                    print("inf", flush=True)
                else:
                    print(time.perf_counter() - began, flush=True)

        await asyncio.gather(*(work() for _ in range(at_once)))


def store(folder: Path, number: int) -> list[str]:
    """Put files into a storage folder; their URIs."""
    storage = Storage.open(folder)
    uris = [str(storage.store_bytes(os.urandom(SIZE), f"{each}.bin").uri) for each in range(number)]
    storage.close()
    return uris


async def measure(folder: Path, files: int, askers: int, at_once: int) -> None:
    """Start everything, hand out the URIs, and say how it went."""
    hub, lab = await start_hub(folder / "hub")
    uris = await asyncio.to_thread(store, folder / "ben" / "storage", files)
    save_node_config(NodeConfig(folder / "ben", "ben"))
    join_by_file(folder / "ben", lab, roles=[Role.PROVIDE_FILES.value])
    paths = {
        "KACHERY_TUI_CONFIG_DIR": str(folder / "ben"),
        "KACHERY_STORAGE_DIR": str(folder / "ben/storage"),
    }
    provider = await asyncio.create_subprocess_exec(
        PROGRAMS / "kachery-tui", "node", env={**os.environ, **paths}, stderr=subprocess.PIPE
    )
    assert provider.stderr is not None
    while b"connected" not in (line := await provider.stderr.readline()):
        assert line, "the provider did not start"
    log = asyncio.create_task(provider.stderr.read())
    try:
        began = time.perf_counter()
        seconds: list[float] = []

        async def run(number: int) -> None:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.benchmarks.bench_many", "--asker", lab, folder / f"asker{number}",
                "--at-once", str(at_once), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            out, _ = await process.communicate("\n".join(uris[number::askers]).encode())
            seconds.extend(float(line) for line in out.split())

        await asyncio.gather(*(run(number) for number in range(askers)))
        took = time.perf_counter() - began
    finally:
        for process in (provider, hub):
            if process.returncode is None:
                process.terminate()
            await process.wait()
    said = (await log).decode()
    assert provider.returncode in (0, 143), said
    arrived = sorted(each for each in seconds if each != float("inf"))
    print(
        f"{len(arrived):,} of {files:,} files arrived, asked by {askers} askers, {at_once} at once each:"
        f" {took:.1f} s, {len(arrived) / took:.0f} files a second"
    )
    median = statistics.median(arrived)
    print(
        f"a request: median {median:.2f} s, p99 {arrived[int(0.99 * len(arrived))]:.2f} s,"
        f" the longest {arrived[-1]:.2f} s, {arrived[-1] / median:.1f} times the median"
    )


def main() -> None:
    """Parse, measure in a temporary folder, clean up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--askers", type=int, default=2)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--asker", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.asker:
        asyncio.run(ask(options.asker[0], options.asker[1], options.at_once))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        asyncio.run(measure(Path(folder), options.files, options.askers, options.at_once))


if __name__ == "__main__":
    main()

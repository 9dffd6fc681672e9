"""What a running node saves the commands beside it, whole processes, and many files at once beside s5cmd.

Run by hand: `python -m tests.benchmarks.bench_service [--runs N] [--files N]`. A hub, a peer that has the files, and one
who asks, each a process of its own; who asks does so with a node running, and without. Prints seconds and ratios; the
goals are 0.25 s and 0.6 s for one file, and twice s5cmd's time for many.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kachery_tui.child import Child
from kachery_tui.storage.lock import read_holder

COMMAND = [sys.executable, "-P", "-m", "kachery_tui"]
S5CMD = Path(sys.executable).parent / "s5cmd"
ROLES = "request-files,provide-files"
SMALL, MIDDLE = 1_000, 10_000
"""Bytes."""


class Person:
    """Settings and storage of one node."""

    def __init__(self, folder: Path, channel_file: str) -> None:
        self.folder = folder
        self.storage = folder / "storage"
        self.environment = {
            **os.environ,
            "KACHERY_TUI_CONFIG_DIR": str(folder / "config"),
            "KACHERY_STORAGE_DIR": str(self.storage),
        }
        folder.mkdir()
        self.run("init", "--label", folder.name)
        self.run("channel", "join", channel_file, "--roles", ROLES)

    def run(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            [*COMMAND, *arguments],
            check=True,
            env=self.environment,
            input=stdin,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return done.stdout

    def stores(self, size: int, count: int) -> list[str]:
        """URIs of new files."""
        files = self.folder / "files"
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir()
        for number in range(count):
            (files / str(number)).write_bytes(os.urandom(size))
        return self.run("store", *(str(file) for file in files.iterdir())).split()

    def forgets(self) -> None:
        """Have nothing in storage any more."""
        shutil.rmtree(self.storage / "sha1", ignore_errors=True)

    @contextmanager
    def node(self) -> Iterator[None]:
        """A node that runs, connected and answering calls."""
        with (self.folder / "log").open("w+") as log:
            process = subprocess.Popen([*COMMAND, "node"], env=self.environment, stderr=log)
            while "connected" not in (self.folder / "log").read_text() or not self._answers():
                time.sleep(0.05)
            time.sleep(1)
            yield
            process.terminate()
            process.wait(60)

    def _answers(self) -> bool:
        holder = read_holder(self.storage)
        return holder is not None and bool(holder.socket)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--files", type=int, default=1_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hub = Child(
            ["hub", "--data", str(folder / "hub"), "--port", "0", "--s3-port", "0", "--channel", "lab"],
            log=folder / "hub.log",
        )
        channel_file = hub.read_line()
        peer, asker = Person(folder / "peer", channel_file), Person(folder / "asker", channel_file)
        with peer.node():
            one_file(peer, asker, args.runs)
            many_files(peer, asker, args.files, Path(channel_file), folder)
        hub.close()


def one_file(peer: Person, asker: Person, runs: int) -> None:
    def load() -> float:
        (uri,) = peer.stores(SMALL, 1)
        return timed(lambda: asker.run("load", uri))

    with asker.node():
        beside = [load() for _ in range(runs + 1)][1:]
    alone = [load() for _ in range(runs + 1)][1:]
    with_node, without = statistics.median(beside), statistics.median(alone)
    print(f"1 kB of a peer, node running {with_node:7.3f} s (at most 0.25), quickest {min(beside):.3f}")
    print(
        f"1 kB of a peer, no node      {without:7.3f} s (at most 0.60), {without / with_node:.1f} times that"
    )


def many_files(peer: Person, asker: Person, files: int, channel_file: Path, folder: Path) -> None:
    uris = "\n".join(peer.stores(MIDDLE, files))
    with asker.node():
        from_peer = timed(lambda: asker.run("load", "-", stdin=uris))
        asker.forgets()
        by_node = timed(lambda: asker.run("load", "-", stdin=uris))
    asker.forgets()
    alone = timed(lambda: asker.run("load", "-", stdin=uris))
    assert len(asker.run("load", "-", stdin=uris).split()) == files
    bucket = tomllib.loads(channel_file.read_text())["bucket"]
    keys = {"AWS_ACCESS_KEY_ID": bucket["access_key"], "AWS_SECRET_ACCESS_KEY": bucket["secret_key"]}
    copy = [
        S5CMD,
        "--endpoint-url",
        bucket["endpoint"],
        "cp",
        f"s3://{bucket['name']}/lab/sha1/*",
        folder / "s5/",
    ]
    s5cmd = timed(lambda: subprocess.run(copy, check=True, env=os.environ | keys, stdout=subprocess.DEVNULL))
    print(f"{files} × 10 kB of a peer, node running     {from_peer:7.3f} s, {files / from_peer:.0f} a second")
    for what, seconds in (("node running", by_node), ("no node", alone), ("s5cmd", s5cmd)):
        print(f"{files} × 10 kB of the bucket, {what:12} {seconds:7.3f} s, {seconds / s5cmd:5.1f} × s5cmd")


if __name__ == "__main__":
    main()

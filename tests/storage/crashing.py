"""A process that the crash tests kill: `python -m tests.storage.crashing store|receive FOLDER`.

Prints `ready` when it begins, then a line for every thing that it promises.
"""

import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kachery_tui.storage import Storage
from tests.storage.helpers import chunked, manifest_of

CHUNKS = 4
SIZES = (0, 1, 1000, 300_000, 5_000_000, 21_000_000)


def store(folder: Path) -> None:
    storage = Storage.open(folder / "storage")
    source = folder / "source"
    print("ready", flush=True)
    while True:
        size = random.choice(SIZES)
        source.write_bytes(os.urandom(min(size, 1000)) * (size // 1000 + 1))
        if random.random() < 0.3:
            print(storage.store_bytes(os.urandom(5000), "bytes").uri, flush=True)
        print(storage.store(source).uri, flush=True)


def receive(folder: Path) -> None:
    storage = Storage.open(folder / "storage")
    data = chunked(chunks=CHUNKS)
    manifest = manifest_of(data)
    print("ready", flush=True)
    incoming = storage.receive(manifest.sha1, manifest.size, manifest=manifest, name="big")

    def write(index: int) -> None:
        chunk = incoming.chunks[index]
        writer = incoming.writer(index)
        for start in range(chunk.start, chunk.end, 200_000):
            writer.write(memoryview(data)[start : min(chunk.end, start + 200_000)])
        writer.finish()
        print(index, flush=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, sorted(set(range(len(incoming.chunks))) - incoming.verified)))
    incoming.commit()
    print("done", flush=True)


if __name__ == "__main__":
    {"store": store, "receive": receive}[sys.argv[1]](Path(sys.argv[2]))

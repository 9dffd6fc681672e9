"""What the tests of feeds share, and a process that appends: `python -m tests.storage.feed_helpers FOLDER FEED …`."""

import hashlib
import json
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from kachery_tui.protocol.canonical import JsonObject, JsonValue, canonical_json, object_hash
from kachery_tui.protocol.feeds import START, Head, SignedMessage, sign_messages
from kachery_tui.protocol.keys import PrivateKey, verify
from kachery_tui.protocol.uris import subfeed_hash
from kachery_tui.storage.feeds import FeedStore
from tests.storage.helpers import VECTORS

VECTOR = json.loads((VECTORS / "storage.json").read_text())
OLD_FEED = "c9d4a6d0542f9b86b77d24cb1e8851f040183171b775eb89532382a3a79d6af0"
"""The feed in the old daemon's folder, whose key is there, too."""

PRIMES = subfeed_hash("primes")
LOG = subfeed_hash("log")
KEY = PrivateKey.from_seed(b"\7" * 32)
"""The key of a feed that is another node's."""

FEED = KEY.node_id
STRANGER = PrivateKey.from_seed(bytes(32))
NOW = 1_700_000_000_000
ROOT = Path(__file__).parents[2]


def unpack_old(folder: Path) -> Path:
    """Unpack the storage folder that the old daemon made; where it is."""
    with tarfile.open(VECTORS / "kachery-storage.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "kachery-storage"


def chain(count: int, head: Head = START, key: PrivateKey = KEY, **more: Any) -> list[SignedMessage]:
    """Messages that follow on `head`; the member `n` of each is its number."""
    return sign_messages(key, head, [{"n": head.count + n, **more} for n in range(count)], NOW)


def head_of(messages: list[SignedMessage]) -> Head:
    """The end of a chain that begins with message 0."""
    return Head(len(messages), messages[-1].signature) if messages else START


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as another program has it: by SQLite alone. What was changed is committed at the end."""
    with closing(sqlite3.connect(path)) as db, db:
        yield db


def rows(folder: Path, feed: str, subfeed: str) -> list[tuple[int, str]]:
    """Numbers and texts of a subfeed, as they stand in the file."""
    query = (
        "SELECT position, message FROM subfeedMessages WHERE feedId = ? AND subfeedHash = ? ORDER BY position"
    )
    with by_hand(folder / "feeds.db") as db:
        return db.execute(query, (feed, subfeed)).fetchall()


def everything(folder: Path) -> list[list[tuple[Any, ...]]]:
    """All that feeds.db holds."""
    with by_hand(folder / "feeds.db") as db:
        return [
            db.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("feeds", "subfeeds", "subfeedMessages")
        ]


def assert_chain(folder: Path, feed: str, subfeed: str) -> list[Any]:
    """Verify a subfeed by the protocol's words, straight from the file; the messages in it."""
    previous = None
    found = []
    for place, (position, text) in enumerate(rows(folder, feed, subfeed)):
        value = json.loads(text)
        assert value.keys() == {"body", "signature"}
        body = value["body"]
        assert position == place == body["messageNumber"]
        assert ("previousSignature" in body) is (place > 0)
        assert body.get("previousSignature") == previous
        assert verify(body, value["signature"], feed)
        assert text == canonical_json(value)
        previous = value["signature"]
        found.append(body["message"])
    return found


def put_mutable(folder: Path, key: JsonValue, value: JsonValue) -> None:
    """Write a mutable as the old programs do."""
    with by_hand(folder / "mutables.db") as db:
        row = (object_hash(key), canonical_json(key), canonical_json(value))
        db.execute("INSERT OR REPLACE INTO mutables VALUES (?, ?, ?)", row)


def digests(folder: Path, name: str = "*.db") -> dict[str, str]:
    """The hashes of a folder's files."""
    return {
        path.name: hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in folder.glob(name)
        if path.is_file()
    }


def appending(
    folder: Path, feed: str, by: str, count: int, batch: int = 1, pad: int = 0
) -> "subprocess.Popen[str]":
    """A process that appends `count` times `batch` messages, each with `pad` bytes more than it needs.

    It prints `ready`, and the numbers of each batch as soon as it is acknowledged, a batch a line.
    """
    command = [sys.executable, "-m", "tests.storage.feed_helpers", str(folder), feed, by]
    return subprocess.Popen(
        [*command, str(count), str(batch), str(pad)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def promised(text: str) -> list[int]:
    """The numbers in what such a process printed; a kill may cut the last line."""
    whole = text[: text.rfind("\n") + 1]
    return [int(word) for word in whole.split() if word != "ready"]


def _append(folder: Path, feed: str, by: str, count: int, batch: int, pad: int) -> None:
    store = FeedStore(folder)
    print("ready", flush=True)
    for start in range(0, count * batch, batch):
        messages: list[JsonObject] = [{"by": by, "n": start + n, "pad": "x" * pad} for n in range(batch)]
        print(*(one.number for one in store.append(feed, LOG, messages)), flush=True)
        # SQLite has those who wait try again now and then: one that never pauses would keep others out for good.
        time.sleep(0 if pad else 0.002)
    store.close()


if __name__ == "__main__":
    _append(Path(sys.argv[1]), sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]))

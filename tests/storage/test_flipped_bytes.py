"""Any byte of what stands in a storage folder may be wrong: the program says what is, and does the rest.

Every so many bytes in turn; all of them with KACHERY_EVERY_BYTE=1 in the environment.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kachery_tui.errors import KacheryError
from kachery_tui.protocol.manifest import CHUNK_SIZE
from kachery_tui.protocol.uris import subfeed_hash
from kachery_tui.storage import Storage
from kachery_tui.storage.problems import Damaged
from tests.storage.helpers import put_by_hand, sha1_of

TRIES = 24
DATA = b"the bytes of a file"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A storage folder with one of everything, that no process has open."""
    storage = Storage.open(tmp_path / "storage")
    storage.node_key()
    storage.claim()
    storage.store_bytes(DATA, "a name")
    linked = tmp_path / "linked"
    linked.write_bytes(b"linked")
    storage.link(linked)
    storage.pin(sha1_of(DATA), True)
    (storage.folder / "kachery.yaml").write_text("maxCacheSizeGiB: 1.5 # of 10^9 bytes\n")
    feed = storage.feeds.create("log")
    storage.feeds.append(feed, subfeed_hash("log"), [{"a": 1}, {"b": "two"}])
    storage.feed_notes.learn("log")
    storage.feed_notes.follow(feed, subfeed_hash("log"), None)
    history = storage.history()
    assert history is not None
    history.save([])
    history.close()
    storage.close()
    return storage.folder


def damaged(file: Path, tries: int = TRIES) -> Iterator[int]:
    """The file with one byte after another changed; afterwards it is whole again."""
    whole = file.read_bytes()
    every = bool(os.environ.get("KACHERY_EVERY_BYTE"))
    for turn, place in enumerate(range(0, len(whole), 1 if every else max(1, len(whole) // tries))):
        for bits in (0xFF, 0x20) if every else (0xFF if turn % 2 else 0x20,):
            data = bytearray(whole)
            data[place] ^= bits
            file.write_bytes(data)
            yield place
    file.write_bytes(whole)


def everything(folder: Path) -> Storage:
    """Use all of a folder as a node does when it starts; each part may refuse, none may fail otherwise."""
    storage = Storage.open(folder)
    feed = sha1_of(b"no feed") + "0" * 24

    def look_at_feeds() -> None:
        for subfeed in storage.feeds.subfeeds():
            storage.feeds.read(subfeed.feed_id, subfeed.subfeed_hash, 0, 10)

    def look_at_history() -> None:
        history = storage.history()
        assert history is not None
        history.load()
        history.close()

    parts: list[Callable[[], object]] = [
        storage.claim,
        storage.node_key,
        storage.owner,
        storage.clean_tmp,
        lambda: storage.scan(threading.Event()),
        storage.totals,
        storage.evict,
        lambda: storage.index.page(order="name", limit=10),
        lambda: storage.next_to_go(10),
        lambda: storage.trashed(10),
        look_at_feeds,
        storage.feeds.feeds,
        lambda: storage.feeds.is_own(feed),
        storage.feed_notes.names,
        storage.feed_notes.follows,
        look_at_history,
    ]
    for part in parts:
        with suppress(KacheryError):
            part()
    return storage


@pytest.mark.parametrize(
    "name",
    [
        "kachery-tui.db",
        "kachery-tui-feeds.db",
        "kachery-tui-history.db",
        "feeds.db",
        "mutables.db",
        "private.pem",
        "public.pem",
        "kachery-node-id",
        "kachery.yaml",
        "kachery-tui-pins.txt",
        "kachery-tui.lock",
    ],
)
def test_one_wrong_byte_is_survived(folder: Path, name: str) -> None:
    for place in damaged(folder / name):
        storage = everything(folder)
        stored = storage.store_bytes(f"new {place}".encode(), "new")
        found = storage.find(sha1_of(DATA))
        assert found is not None, place
        assert found.path.read_bytes() == DATA
        assert storage.find(stored.uri.sha1) is not None
        storage.close()


def test_one_wrong_byte_of_a_link_is_survived(folder: Path) -> None:
    link = next(folder.rglob("*.link"))
    sha1 = sha1_of(b"linked")
    for place in damaged(link, 400):
        storage = everything(folder)
        found = storage.find(sha1)
        assert found is None or storage.verify(sha1) == (found.path.read_bytes() == b"linked"), place
        storage.close()


@pytest.mark.parametrize(
    "numbers", ['"size": 999999999999999999999999999999, "mtime": 1', f'"size": 6, "mtime": {"9" * 309}']
)
def test_a_link_with_numbers_that_no_file_has_is_none(folder: Path, numbers: str) -> None:
    link = next(folder.rglob("*.link"))
    link.write_text(f'{{"path": "/etc/passwd", "manifestSha1": null, "stat": {{{numbers}}}}}')
    storage = Storage.open(folder)
    assert storage.find(sha1_of(b"linked")) is None
    assert storage.scan(threading.Event()).complete
    storage.close()


def test_one_wrong_byte_of_a_manifest_is_survived(folder: Path) -> None:
    storage = Storage.open(folder)
    stored = storage.store_bytes(bytes(CHUNK_SIZE + 1), "large")
    assert stored.uri.manifest_sha1 is not None
    found = storage.find(stored.uri.manifest_sha1)
    assert found is not None
    storage.close()
    for place in damaged(found.path):
        storage = everything(folder)
        assert storage.manifest_of(stored.uri.sha1) is None, place
        assert storage.find_right(stored.uri.sha1) is not None
        with pytest.raises(Damaged):
            storage.find_right(stored.uri.manifest_sha1, anew=True)
        kept = next(folder.rglob("*.damaged"))
        kept.rename(found.path)
        storage.close()


def test_a_scan_goes_on_where_the_index_has_no_room(folder: Path) -> None:
    storage = Storage.open(folder)
    database = storage.index._db
    for n in range(300):
        put_by_hand(storage, f"file {n} {'x' * n}".encode())
    database._writer.execute("PRAGMA max_page_count=1")
    storage.scan(threading.Event())
    assert storage.totals().files >= 1, "what it knew it knows"
    database._writer.execute("PRAGMA max_page_count=1000000")
    storage.scan(threading.Event())
    assert storage.totals().files == 301
    storage.close()


def test_the_index_is_built_anew_where_a_value_is_of_another_kind(folder: Path) -> None:
    db = sqlite3.connect(folder / "kachery-tui.db")
    db.execute("UPDATE totals SET files = 'many', bytes = x'ff', entries = 'x'")
    db.commit()
    db.close()
    storage = Storage.open(folder)
    assert storage.totals().files == 0
    storage.scan(threading.Event())
    assert storage.totals().files == 1
    assert [entry.size for entry in storage.index.page(order="name", limit=10)] != []
    storage.close()


def test_an_index_that_is_damaged_while_a_node_runs_is_built_anew_and_others_follow(folder: Path) -> None:
    node = Storage.open(folder)
    node.claim()
    other = Storage.open(folder)
    assert other.totals().files == 1
    with (folder / "kachery-tui.db").open("r+b") as index:
        index.write(b"\xff" * index.seek(0, os.SEEK_END))
    node.store_bytes(b"new", "new")
    node.scan(threading.Event())
    assert node.totals().files == 2
    assert other.totals().files == 2
    node.close()
    other.close()

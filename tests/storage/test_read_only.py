"""A storage folder that cannot be written to: what only reads works, quietly."""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kachery_tui.protocol.uris import subfeed_hash
from kachery_tui.storage import Storage
from tests.storage.helpers import sha1_of
from tests.users import as_somebody_else

DATA = b"the bytes of a file"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A storage folder with a file, a link and a feed, whose user may only read it."""
    storage = Storage.open(tmp_path / "storage")
    storage.node_key()
    storage.store_bytes(DATA, "a name")
    (tmp_path / "linked").write_bytes(b"linked")
    storage.link(tmp_path / "linked")
    storage.feeds.append(storage.feeds.create("log"), subfeed_hash("log"), [{"a": 1}])
    storage.close()
    with as_somebody_else(tmp_path):
        for path in (storage.folder, *storage.folder.rglob("*")):
            path.chmod(0o500 if path.is_dir() else 0o400)
        yield storage.folder
        for path in (storage.folder, *storage.folder.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)


def test_everything_can_be_read_and_nothing_is_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = sorted(folder.rglob("*"))
    with caplog.at_level(logging.INFO, logger="kachery_tui"):
        storage = Storage.open(folder, to_read=True)
        found = storage.find(sha1_of(DATA))
        assert found is not None
        assert found.path.read_bytes() == DATA
        assert storage.find(sha1_of(b"linked")) is not None
        assert storage.totals().files == 1
        assert [entry.name for entry in storage.index.page(order="name", limit=10)] == ["a name", "linked"]
        (subfeed,) = storage.feeds.subfeeds()
        messages = storage.feeds.read(subfeed.feed_id, subfeed.subfeed_hash, 0, 10)
        assert [message.message for message in messages] == [{"a": 1}]
        storage.close()
    assert caplog.messages == []
    assert sorted(folder.rglob("*")) == before


def test_a_damaged_index_is_replaced_in_memory(folder: Path) -> None:
    folder.chmod(0o700)
    (folder / "kachery-tui.db").chmod(0o600)
    db = sqlite3.connect(folder / "kachery-tui.db")
    db.execute("UPDATE entries SET size = 'zz'")
    db.commit()
    db.close()
    folder.chmod(0o500)
    storage = Storage.open(folder, to_read=True)
    assert storage.index.get(sha1_of(DATA)) is None
    assert storage.find_right(sha1_of(DATA)) is not None
    storage.scan(threading.Event())
    assert storage.totals().files == 1
    storage.close()

"""The feeds of a folder that the old programs wrote, and of one that somebody has broken."""

import sqlite3
import tarfile
from pathlib import Path

import pytest

from kachery_tui.storage.feeds_reading import read_feeds

VECTORS = Path(__file__).parents[1] / "vectors" / "kachery-storage.tar.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with tarfile.open(VECTORS) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "kachery-storage"


def test_a_feed_of_the_old_daemon_is_listed(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.glob("*.db")}
    (feed,) = read_feeds(folder)
    assert feed.feed_id == "c9d4a6d0542f9b86b77d24cb1e8851f040183171b775eb89532382a3a79d6af0"
    assert (feed.name, feed.own, feed.subfeeds, feed.messages) == ("fixture-feed", True, 2, 4)
    assert feed.last_at == pytest.approx(1795386945.055)
    assert {path: path.read_bytes() for path in folder.glob("*.db")} == before


def test_without_the_private_key_it_is_another_nodes(folder: Path) -> None:
    (folder / "mutables.db").unlink()
    (feed,) = read_feeds(folder)
    assert (feed.name, feed.own) == ("", False)


def test_a_folder_without_feeds_has_none_and_gets_no_files(tmp_path: Path) -> None:
    assert read_feeds(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_what_cannot_be_read_is_left_out(
    folder: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "feeds.db").write_bytes(content)
    assert read_feeds(folder) == []
    assert "feeds.db cannot be read" in caplog.text


def test_odd_rows_are_left_out(folder: Path) -> None:
    with sqlite3.connect(folder / "feeds.db") as db:
        db.execute("INSERT INTO feeds VALUES ('no id')")
        db.execute("UPDATE subfeedMessages SET message = 'no json'")
    with sqlite3.connect(folder / "mutables.db") as db:
        db.execute("""INSERT INTO mutables VALUES ('x', '{"feedName":', '1')""")
        db.execute("""INSERT INTO mutables VALUES ('y', '["feed"]', '"a"')""")
        db.execute("""INSERT INTO mutables VALUES ('z', '{"feed_name":7}', '"a"')""")
    db.close()
    (feed,) = read_feeds(folder)
    assert (feed.messages, feed.last_at) == (4, None)

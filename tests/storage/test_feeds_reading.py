"""The feeds of a folder that the old programs wrote, and of one that somebody has broken."""

import os
import sqlite3
import tarfile
from contextlib import closing
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


def test_what_is_no_file_is_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "feeds.db").unlink()
    os.mkfifo(folder / "feeds.db")
    (folder / "mutables.db").unlink()
    (folder / "mutables.db").mkdir()
    assert read_feeds(folder) == []
    assert "feeds.db cannot be read: it is not a file" in caplog.text
    assert "mutables.db cannot be read: it is not a file" in caplog.text


def test_a_folder_that_may_not_be_looked_into_has_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As who may look everywhere cannot see it: a name too long to be looked for fails in the same way."""
    assert read_feeds(tmp_path / ("x" * 300)) == []
    assert "feeds.db cannot be read" in caplog.text


def test_a_database_with_a_log_gets_no_files_beside_it(folder: Path) -> None:
    for name in ("feeds.db", "mutables.db"):
        with closing(sqlite3.connect(folder / name)) as db:
            db.execute("PRAGMA journal_mode=WAL")
    before = {path: path.read_bytes() for path in folder.glob("*.db*")}
    (feed,) = read_feeds(folder)
    assert (feed.name, feed.messages) == ("fixture-feed", 4)
    assert {path: path.read_bytes() for path in folder.glob("*.db*")} == before


def test_what_another_program_has_only_in_its_log_is_listed(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "feeds.db")) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("INSERT INTO feeds VALUES (?)", ("ab" * 32,))
        db.commit()
        assert {feed.feed_id[:4] for feed in read_feeds(folder)} == {"c9d4", "abab"}


def test_a_log_that_a_killed_program_left_is_left_alone(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = folder / "feeds.db"
    with closing(sqlite3.connect(place)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("INSERT INTO feeds VALUES (?)", ("ab" * 32,))
        db.commit()
        log, index = (Path(f"{place}-{end}").read_bytes() for end in ("wal", "shm"))
    Path(f"{place}-wal").write_bytes(log)
    before = {path: path.read_bytes() for path in folder.glob("*.db*")}
    assert read_feeds(folder) == []
    assert "feeds.db cannot be read" in caplog.text
    assert {path: path.read_bytes() for path in folder.glob("*.db*")} == before
    Path(f"{place}-shm").write_bytes(index)
    assert len(read_feeds(folder)) == 2


def test_what_another_program_has_locked_is_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(sqlite3.connect(folder / "feeds.db", isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert read_feeds(folder) == []
    assert "feeds.db cannot be read: database is locked" in caplog.text


def test_what_takes_too_long_is_given_up(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kachery_tui.storage.feeds_reading.MOST_SECONDS", 0.0)
    monkeypatch.setattr("kachery_tui.storage.feeds_reading.STEPS", 10)
    assert read_feeds(folder) == []
    assert "feeds.db cannot be read: interrupted" in caplog.text


def test_a_folder_may_have_any_name(folder: Path) -> None:
    odd = folder.rename(folder.with_name(os.fsdecode(b"50%?mode=rwc#\xff")))
    assert len(read_feeds(odd)) == 1


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

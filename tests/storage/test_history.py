"""The file with the requests of earlier runs."""

import logging
import sqlite3
import stat
from pathlib import Path

import pytest

from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.storage import Storage
from kachery_tui.storage.history import KEPT_ENDED, LONGEST_DATA, MOST_NUMBER, History, Kept


def row(number: int, ended: float | None = 2.0, data: str = "{}") -> Kept:
    return Kept(number, ended, 1.0, data)


def test_rows_come_back_and_change_in_place(tmp_path: Path) -> None:
    file = tmp_path / "h.db"
    history = History(file)
    assert (history.highest(), history.load()) == (0, [])
    assert not file.exists()
    history.save([row(1, None), row(3)])
    history.save([row(1, 5.0, "x")])
    history.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = History(file)
    assert again.load() == [row(1, 5.0, "x"), row(3)]
    assert again.highest() == 3
    again.close()


def test_the_newest_ended_rows_are_kept_and_all_that_are_under_way(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    history.save([row(1, None), *(row(number) for number in range(2, KEPT_ENDED + 12))])
    numbers = [each.number for each in history.load()]
    assert numbers == [1, *range(12, KEPT_ENDED + 12)]
    history.close()


def test_what_was_not_written_by_this_program_is_left_out(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    history.save([row(2), row(MOST_NUMBER + 1), row(4, data="x" * (LONGEST_DATA + 1))])
    history.close()
    db = sqlite3.connect(tmp_path / "h.db")
    with db:
        db.execute("INSERT INTO requests VALUES (5, 'soon', 'now', x'00')")
    db.close()
    assert history.load() == [row(2)]
    assert history.highest() == 5
    history.close()


@pytest.mark.parametrize("damage", ["garbage", "foreign", "no table", "torn"])
def test_a_damaged_file_is_kept_aside(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "h.db"
    if damage == "torn":
        history = History(file)
        history.save([row(number, data="x" * 1000) for number in range(1, 100)])
        history.close()
        file.write_bytes(file.read_bytes()[:8192] + b"\xff" * 40_000)
    elif damage == "garbage":
        file.write_bytes(b"garbage" * 1000)
    else:
        db = sqlite3.connect(file)
        with db:
            db.execute("CREATE TABLE other (x)")
            db.execute(f"PRAGMA user_version={int(damage == 'no table')}")
        db.close()
    # SQLite's own header, where it notes how the file is to be opened, aside.
    before = file.read_bytes()[100:]
    history = History(file)
    with caplog.at_level(logging.WARNING):
        assert history.load() == []
    (aside,) = tmp_path.glob("h.db.damaged-*[0-9]")
    assert aside.read_bytes()[100:] == before
    assert aside.name in caplog.text
    assert history.begun_anew == 1
    history.save([row(1)])
    assert history.load() == [row(1)]
    history.close()


def test_two_damaged_files_of_one_second_are_both_kept(tmp_path: Path) -> None:
    for _ in range(3):
        (tmp_path / "h.db").write_bytes(b"garbage" * 1000)
        history = History(tmp_path / "h.db")
        history.load()
        history.close()
    assert len(list(tmp_path.glob("h.db.damaged-*"))) == 3


def test_a_file_that_is_taken_away_is_begun_anew(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db")
    history.save([row(1)])
    (tmp_path / "h.db").unlink()
    history.save([row(2)])
    assert history.begun_anew == 1
    assert history.load() == [row(2)]
    history.close()


def test_a_newer_form_is_left_alone(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "h.db")
    with db:
        db.execute("CREATE TABLE requests (x)")
        db.execute("PRAGMA user_version=2")
    db.close()
    history = History(tmp_path / "h.db")
    with pytest.raises(KacheryError, match="newer version"):
        history.save([row(1)])
    history.close()
    assert [file.name for file in tmp_path.iterdir() if "damaged" in file.name] == []


def test_a_locked_file_is_worth_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.storage.database._BUSY_TIMEOUT", 0.01)
    history = History(tmp_path / "h.db")
    history.save([row(1)])
    locker = sqlite3.connect(tmp_path / "h.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    with pytest.raises(TryAgain):
        history.save([row(2)])
    locker.execute("COMMIT")
    locker.close()
    history.save([row(2)])
    assert len(history.load()) == 2
    history.close()


def test_only_the_folders_one_node_has_a_history(tmp_path: Path) -> None:
    storage = Storage.open(tmp_path / "s")
    assert storage.history() is None
    storage.claim()
    assert storage.history() is not None
    storage.close()

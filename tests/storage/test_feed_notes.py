"""Names of subfeeds, and which are followed: whatever the names, and whatever happens to the file."""

import hashlib
import logging
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri, is_hash_name, subfeed_hash
from kachery_tui.storage.feed_notes import FeedNotes
from kachery_tui.storage.values import Followed
from tests.storage.feed_helpers import FEED, LOG, PRIMES, STRANGER, by_hand
from tests.users import as_somebody_else

NAMES = [
    "log", "a/b/c", "/", "//", "100 %", "%41", "%", "+", "two  words", " ", "..", "~", "~x", "~" + "AB" * 20,
    "\U0001f600", "日本語", "é", "e\u0301", "\u202e", "\n", "\0", "?a=b", "#c", "feed://x", "x" * 300,
]  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
HASH_NAME = "~" + "ab" * 20


def sha1(name: str) -> str:
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def uses(notes: FeedNotes) -> list[Callable[[], object]]:
    return [
        notes.names,
        notes.follows,
        lambda: notes.learn("log"),
        lambda: notes.follow(FEED, LOG, None),
        lambda: notes.unfollow(FEED, LOG),
    ]


@given(TEXT)
def test_any_name_there_and_back_in_a_uri(name: str) -> None:
    uri = SubfeedUri(FEED, name)
    text = str(uri)
    assert text.isascii()
    assert text.isprintable()
    assert " " not in text
    assert SubfeedUri.parse(text) == uri
    assert SubfeedUri.parse(f" {text}\n") == uri
    hash_ = name[1:] if is_hash_name(name) else sha1(name)
    assert (uri.subfeed_hash, uri.key("other")) == (hash_, SubfeedKey(FEED, hash_))


@pytest.mark.parametrize("name", NAMES)
def test_names_there_and_back_in_a_uri(name: str) -> None:
    assert SubfeedUri.parse(str(SubfeedUri(FEED, name))).subfeed_name == name
    assert subfeed_hash(name) == sha1(name)


def test_a_name_that_stands_for_a_hash() -> None:
    uri = SubfeedUri.parse(f"feed://{FEED}/{HASH_NAME}")
    assert (uri.subfeed_hash, uri.key("x").subfeed_hash) == ("ab" * 20, "ab" * 20)
    assert SubfeedUri(FEED).key("log") == SubfeedKey(FEED, sha1("log"))
    assert SubfeedUri(FEED).subfeed_hash is None


@given(st.lists(TEXT, max_size=8))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_names_are_remembered(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "notes.db").unlink(missing_ok=True)
    notes = FeedNotes(tmp_path / "notes.db")
    for name in names:
        notes.learn(name)
    notes.close()
    assert notes.names() == {sha1(name): name for name in names if not is_hash_name(name)}
    notes.close()


def test_names_are_remembered(tmp_path: Path) -> None:
    notes = FeedNotes(tmp_path / "notes.db")
    assert notes.names() == {}
    for name in [*NAMES, *NAMES, HASH_NAME, "\ud800", "log\udcff"]:
        notes.learn(name)
    notes.close()
    again = FeedNotes(tmp_path / "notes.db")
    assert again.names() == {sha1(name): name for name in NAMES}
    again.close()


def test_what_is_followed_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    notes = FeedNotes(path)
    assert notes.follows() == []
    assert not path.exists()
    notes.follow(FEED, LOG, None)
    notes.follow(STRANGER.node_id, LOG, "lab")
    notes.follow(FEED, PRIMES, "lab")
    assert notes.follows() == [
        Followed(FEED, LOG, None),
        Followed(STRANGER.node_id, LOG, "lab"),
        Followed(FEED, PRIMES, "lab"),
    ]
    notes.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = FeedNotes(path)
    # What is followed already keeps its place.
    again.follow(FEED, LOG, "other")
    again.unfollow(STRANGER.node_id, LOG)
    again.unfollow(STRANGER.node_id, PRIMES)
    again.close()
    assert again.follows() == [Followed(FEED, LOG, "other"), Followed(FEED, PRIMES, "lab")]
    again.follow(FEED, LOG, None)
    again.unfollow(FEED, PRIMES)
    assert notes.follows() == again.follows() == [Followed(FEED, LOG, None)]
    notes.close()
    again.close()


def test_rows_of_another_hand_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    notes = FeedNotes(path)
    notes.learn("log")
    notes.follow(FEED, LOG, "lab")
    notes.close()
    with by_hand(path) as db:
        for name in ("'a lie'", "x'00ff'", "7", "CAST(x'ff' AS TEXT)"):
            db.execute(f"INSERT INTO names VALUES (hex(randomblob(20)), {name})")
        db.execute("INSERT INTO names VALUES (x'ff', 'x'), (CAST(x'ff' AS TEXT), 'primes')")
        for feed in ("'x'", "7", "x'ff'", "CAST(x'ff' AS TEXT)", f"'{FEED.upper()}'"):
            db.execute(f"INSERT INTO follows VALUES ({feed}, '{LOG}', NULL, 0)")
        for hash_ in ("'x'", "7", "x'ff'", "CAST(x'ff' AS TEXT)"):
            db.execute(f"INSERT INTO follows VALUES ('{FEED}', {hash_}, NULL, 'soon')")
        db.execute("INSERT INTO follows VALUES (?, ?, x'ff', 'soon')", (FEED, PRIMES))
    assert notes.names() == {LOG: "log"}
    assert notes.follows() == [Followed(FEED, LOG, "lab"), Followed(FEED, PRIMES, None)]
    notes.close()


@pytest.mark.parametrize("damage", ["rubbish", "another program's", "no table", "torn"])
def test_a_damaged_file_is_moved_aside(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "notes.db"
    if damage == "rubbish":
        path.write_bytes(b"rubbish" * 1000)
    elif damage == "torn":
        notes = FeedNotes(path)
        for number in range(500):
            notes.learn(f"{number:0100}")
        notes.close()
        path.write_bytes(path.read_bytes()[:8192] + b"\xff" * 40_000)
    else:
        with by_hand(path) as db:
            db.execute("CREATE TABLE other (x)")
            db.execute("INSERT INTO other VALUES ('precious')")
            db.execute(f"PRAGMA user_version={int(damage == 'no table')}")
    # SQLite's own header, where it notes how the file is to be opened, aside.
    before = path.read_bytes()[100:]
    notes = FeedNotes(path)
    with caplog.at_level(logging.WARNING):
        assert (notes.names(), notes.follows()) == ({}, [])
    (aside,) = (
        part for part in tmp_path.glob("notes.db.damaged-*") if not part.name.endswith(("-wal", "-shm"))
    )
    assert aside.read_bytes()[100:] == before
    assert aside.name in caplog.text
    notes.learn("log")
    notes.follow(FEED, LOG, None)
    notes.close()
    assert (notes.names(), len(notes.follows())) == ({LOG: "log"}, 1)
    notes.close()


def test_a_newer_form_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    with by_hand(path) as db:
        db.execute("CREATE TABLE names (x)")
        db.execute("PRAGMA user_version=2")
    notes = FeedNotes(path)
    for use in uses(notes):
        with pytest.raises(KacheryError, match="newer version"):
            use()
    notes.close()
    with by_hand(path) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("names",)]


def test_a_locked_file_is_worth_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.storage.database._BUSY_TIMEOUT", 0.01)
    notes = FeedNotes(tmp_path / "notes.db")
    notes.learn("log")
    with closing(sqlite3.connect(tmp_path / "notes.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TryAgain):
            notes.learn("primes")
        with pytest.raises(TryAgain):
            notes.follow(FEED, LOG, None)
        # Those who only read do not wait.
        assert notes.names() == {LOG: "log"}
        other.execute("COMMIT")
    notes.learn("primes")
    assert notes.names() == {LOG: "log", PRIMES: "primes"}
    notes.close()


def test_a_file_that_is_taken_away_is_begun_anew(tmp_path: Path) -> None:
    notes = FeedNotes(tmp_path / "notes.db")
    notes.learn("log")
    (tmp_path / "notes.db").unlink()
    assert notes.names() == {}
    notes.learn("primes")
    assert notes.names() == {PRIMES: "primes"}
    notes.close()


def test_several_programs_take_notes(tmp_path: Path) -> None:
    stores = [FeedNotes(tmp_path / "notes.db") for _ in range(4)]

    def note(number: int) -> None:
        for n in range(20):
            stores[number].learn(f"{n % 10}")
            stores[number].follow(FEED, sha1(f"{number} {n}"), None)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(note, range(4)))
    assert stores[0].names() == {sha1(f"{n}"): f"{n}" for n in range(10)}
    assert len(stores[1].follows()) == 80
    for store in stores:
        store.close()


def test_a_folder_that_may_not_be_looked_into(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    notes = FeedNotes(folder / "notes.db")
    notes.learn("log")
    notes.close()
    folder.chmod(0)
    try:
        with as_somebody_else(folder):
            for use in uses(notes):
                with pytest.raises(KacheryError, match="Permission denied"):
                    use()
    finally:
        folder.chmod(0o700)
    assert notes.names() == {LOG: "log"}
    notes.close()

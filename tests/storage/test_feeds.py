"""Feeds on disk: the old daemon's files, appending, keeping, and what goes wrong."""

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError
from kachery_tui.protocol.canonical import object_hash
from kachery_tui.protocol.feeds import START, Fault, Head, SignedMessage, sign_messages
from kachery_tui.protocol.keys import PrivateKey, verify
from kachery_tui.protocol.uris import subfeed_hash
from kachery_tui.storage.feed_notes import FeedNotes
from kachery_tui.storage.feeds import MOST_AT_ONCE, FeedStore
from tests.storage.helpers import VECTORS

VECTOR = json.loads((VECTORS / "storage.json").read_text())
PRIMES = subfeed_hash("primes")
LOG = subfeed_hash("log")
KEY = PrivateKey.from_seed(b"\7" * 32)
FEED = KEY.node_id
NOW = 1_700_000_000_000


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder that the old daemon made, with a feed."""
    with tarfile.open(VECTORS / "kachery-storage.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "kachery-storage"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FeedStore]:
    """Feeds in an empty folder."""
    opened = FeedStore(tmp_path)
    yield opened
    opened.close()


def chain(count: int, head: Head = START, key: PrivateKey = KEY, **more: Any) -> list[SignedMessage]:
    return sign_messages(key, head, [{"n": head.count + n, **more} for n in range(count)], NOW)


def rows(folder: Path, feed: str, subfeed: str) -> list[tuple[int, str]]:
    """What the database holds, by SQLite alone."""
    with sqlite3.connect(folder / "feeds.db") as db:
        query = "SELECT position, message FROM subfeedMessages WHERE feedId = ? AND subfeedHash = ? ORDER BY position"
        return db.execute(query, (feed, subfeed)).fetchall()


def assert_chain(folder: Path, feed: str, subfeed: str) -> list[Any]:
    """Verify a subfeed by the protocol's words, straight from the database; what it says."""
    previous = None
    found = []
    for place, (position, text) in enumerate(rows(folder, feed, subfeed)):
        value = json.loads(text)
        assert position == place == value["body"]["messageNumber"]
        assert value["body"].get("previousSignature") == previous
        assert verify(value["body"], value["signature"], feed)
        previous = value["signature"]
        found.append(value["body"]["message"])
    return found


def test_the_old_daemons_feed_opens_and_is_extended(old: Path) -> None:
    store = FeedStore(old)
    feed = store.named(VECTOR["feed_name"])
    assert feed is not None
    assert store.is_own(feed)
    assert {one.subfeed_hash: one.messages for one in store.subfeeds()}[PRIMES] == 3
    before = rows(old, feed, PRIMES)
    assert store.check(feed, PRIMES) is None
    added = store.append(feed, PRIMES, [{"n": 4, "p": 7}, {"n": 5, "p": 11, "note": "é\U0001f600"}])
    assert [one.number for one in added] == [3, 4]
    assert rows(old, feed, PRIMES)[:3] == before
    assert [one["p"] for one in assert_chain(old, feed, PRIMES)] == [2, 3, 5, 7, 11]
    assert store.check(feed, PRIMES) is None
    (listed,) = store.feeds()
    assert (listed.name, listed.own, listed.messages) == ("fixture-feed", True, 6)
    store.close()
    with sqlite3.connect(old / "feeds.db") as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables == {"feeds", "subfeeds", "subfeedMessages"}
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_new_folder_has_the_old_daemons_schema(old: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    store = FeedStore(tmp_path / "new")
    feed = store.create("mine")
    store.append(feed, LOG, [{}])
    store.close()
    for name in ("feeds.db", "mutables.db"):
        schemas = []
        for folder in (old, tmp_path / "new"):
            with sqlite3.connect(folder / name) as db:
                found = db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
                schemas.append([(table, " ".join(sql.split())) for table, sql in found if sql])
        assert schemas[0] == schemas[1]
        assert stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) == 0o600
    with sqlite3.connect(tmp_path / "new/mutables.db") as db:
        kept = {
            json.loads(key)["type"]: (sha1, key, value)
            for sha1, key, value in db.execute("SELECT * FROM mutables")
        }
    sha1, key, value = kept["feedConfig"]
    assert sha1 == object_hash(json.loads(key))
    assert json.loads(key) == {"feedId": feed, "type": "feedConfig"}
    seed = bytes.fromhex(json.loads(value)["privateKey"])
    assert PrivateKey.from_seed(seed).node_id == feed
    assert json.loads(kept["feed_id_for_name"][2]) == feed


def test_an_own_feed(store: FeedStore, tmp_path: Path) -> None:
    feed = store.create("losses")
    assert store.head(feed, LOG) == START
    assert store.append(feed, LOG, []) == []
    first = store.append(feed, LOG, [{"a": 1}])
    store.append(feed, LOG, [{"b": 2}, {"c": 3}])
    store.append(feed, subfeed_hash("other"), [{}])
    assert store.head(feed, LOG).count == 3
    assert store.read(feed, LOG, 0, 1) == first
    assert [one.number for one in store.read(feed, LOG, 1, 10)] == [1, 2]
    assert store.read(feed, LOG, 3, 10) == []
    assert assert_chain(tmp_path, feed, LOG) == [{"a": 1}, {"b": 2}, {"c": 3}]
    with pytest.raises(UsageError, match="already"):
        store.create("losses")
    with pytest.raises(UsageError, match="too many"):
        store.append(feed, LOG, [{}] * (MOST_AT_ONCE + 1))
    assert store.head(feed, LOG).count == 3


def test_an_append_is_whole_or_not_at_all(store: FeedStore) -> None:
    feed = store.create()
    with pytest.raises(UsageError):
        store.append(feed, LOG, [{"good": 1}, [2]])  # type: ignore[list-item]
    assert store.head(feed, LOG) == START


def test_another_feed_is_kept_as_far_as_it_is_good(store: FeedStore, tmp_path: Path) -> None:
    messages = chain(6)
    assert store.keep(FEED, LOG, messages[:3]) == (messages[:3], None)
    assert store.keep(FEED, LOG, messages[1:4]) == (messages[3:4], None)
    good, bad = store.keep(
        FEED, LOG, [messages[4], chain(1, Head(5, messages[4].signature), KEY, x=1)[0], messages[5]]
    )
    assert len(good) == 2
    assert bad is not None
    assert bad.fault is Fault.FORK
    good, bad = store.keep(FEED, LOG, chain(1, Head(6, good[1].signature), PrivateKey.from_seed(bytes(32))))
    assert (good, bad.fault if bad else None) == ([], Fault.SIGNATURE)
    good, bad = store.keep(FEED, LOG, chain(2, Head(8, messages[5].signature)))
    assert (good, bad.fault if bad else None) == ([], Fault.GAP)
    assert [one["n"] for one in assert_chain(tmp_path, FEED, LOG)] == list(range(6))
    with pytest.raises(NotAllowed):
        store.append(FEED, LOG, [{}])


def test_forks_of_what_is_here(store: FeedStore) -> None:
    messages = chain(3)
    store.keep(FEED, LOG, messages)
    other = chain(1, Head(1, messages[0].signature), KEY, other=True)
    good, bad = store.keep(FEED, LOG, other)
    assert (good, bad.fault if bad else None, bad.number if bad else None) == ([], Fault.FORK, 1)
    lie = chain(1, Head(1, messages[0].signature), PrivateKey.from_seed(bytes(32)))
    good, bad = store.keep(FEED, LOG, lie)
    assert (good, bad.fault if bad else None) == ([], Fault.SIGNATURE)
    assert store.read(FEED, LOG, 0, 9) == messages


def test_damage_on_disk_is_found(store: FeedStore, tmp_path: Path) -> None:
    store.keep(FEED, LOG, chain(5))
    with sqlite3.connect(tmp_path / "feeds.db") as db:
        db.execute("UPDATE subfeedMessages SET message = replace(message, '\"n\":2', '\"n\":7')")
    bad = store.check(FEED, LOG)
    assert bad is not None
    assert (bad.fault, bad.number) == (Fault.SIGNATURE, 2)
    with sqlite3.connect(tmp_path / "feeds.db") as db:
        db.execute("DELETE FROM subfeedMessages WHERE position = 1")
    bad = store.check(FEED, LOG)
    assert bad is not None
    assert bad.fault is Fault.GAP
    with sqlite3.connect(tmp_path / "feeds.db") as db:
        db.execute("UPDATE subfeedMessages SET message = NULL")
    with pytest.raises(UsageError, match="damaged"):
        store.head(FEED, LOG)
    with pytest.raises(UsageError, match="damaged"):
        store.keep(FEED, LOG, chain(6))


def test_delete_takes_one_feed_and_no_other(store: FeedStore, tmp_path: Path) -> None:
    mine, other = store.create("mine"), store.create("other")
    for feed in (mine, other):
        store.append(feed, LOG, [{}])
    store.keep(FEED, LOG, chain(2))
    store.delete(mine)
    assert store.named("mine") is None
    assert not store.is_own(mine)
    assert rows(tmp_path, mine, LOG) == []
    store.delete(FEED)
    assert [feed.feed_id for feed in store.feeds()] == [other]
    assert len(store.append(other, LOG, [{}])) == 1


APPENDER = """
import sys, pathlib
from kachery_tui.storage.feeds import FeedStore
store = FeedStore(pathlib.Path(sys.argv[1]))
for number in range(int(sys.argv[4])):
    (added,) = store.append(sys.argv[2], sys.argv[3], [{"by": sys.argv[5], "n": number}])
    print(added.number, flush=True)
"""


def appender(folder: Path, feed: str, count: int, by: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", APPENDER, str(folder), feed, LOG, str(count), by]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_append_to_one_subfeed(store: FeedStore, tmp_path: Path) -> None:
    feed = store.create()
    processes = [appender(tmp_path, feed, 150, by) for by in ("ana", "ben")]
    numbers = [[int(line) for line in process.communicate(timeout=60)[0].split()] for process in processes]
    assert sorted(numbers[0] + numbers[1]) == list(range(300))
    found = assert_chain(tmp_path, feed, LOG)
    for by, its in zip(("ana", "ben"), numbers, strict=True):
        assert [found[number] for number in its] == [{"by": by, "n": n} for n in range(150)]


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.03, 0.07, 0.15])
def test_kill_in_mid_append(store: FeedStore, tmp_path: Path, seconds: float) -> None:
    feed = store.create()
    process = appender(tmp_path, feed, 100_000, "ana")
    assert process.stdout is not None
    said = [int(process.stdout.readline())]
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    said += [
        int(line)
        for line in process.communicate(timeout=60)[0].splitlines(keepends=True)
        if line.endswith("\n")
    ]
    found = assert_chain(tmp_path, feed, LOG)
    assert said == list(range(len(said)))
    assert [one["n"] for one in found][: len(said)] == said
    assert len(found) in (len(said), len(said) + 1)
    (added,) = store.append(feed, LOG, [{"n": "after"}])
    assert added.number == len(found)
    assert assert_chain(tmp_path, feed, LOG)[-1] == {"n": "after"}


def test_a_locked_database(store: FeedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.storage.old_database.BUSY_TIMEOUT", 0.1)
    feed = store.create()
    store.close()
    other = sqlite3.connect(tmp_path / "feeds.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TryAgain, match="locked"):
        store.append(feed, LOG, [{}])
    with pytest.raises(TryAgain, match="locked"):
        store.head(feed, LOG)
    other.execute("COMMIT")
    assert len(store.append(feed, LOG, [{}])) == 1
    other.close()


@pytest.mark.parametrize("name", ["feeds.db", "mutables.db"])
@pytest.mark.parametrize("damage", [b"rubbish" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_database_is_left_as_it_is(old: Path, name: str, damage: bytes) -> None:
    (old / name).write_bytes(damage)
    store = FeedStore(old)
    feed = "c9d4a6d0542f9b86b77d24cb1e8851f040183171b775eb89532382a3a79d6af0"
    with pytest.raises(UsageError, match="damaged") as caught:
        store.append(feed, PRIMES, [{}])
    assert "Nothing in it was touched" in caught.value.do
    store.close()
    assert (old / name).read_bytes() == damage


def test_a_key_without_messages_begins_at_zero(old: Path) -> None:
    (old / "feeds.db").unlink()
    store = FeedStore(old)
    feed = store.named("fixture-feed")
    assert feed is not None
    assert store.head(feed, PRIMES) == START
    assert store.subfeeds() == []
    assert not (old / "feeds.db").exists()
    (added,) = store.append(feed, PRIMES, [{}])
    assert added.number == 0
    assert store.check(feed, PRIMES) is None
    store.close()


@pytest.mark.parametrize(
    "config", [json.dumps({"privateKey": "00" * 32}), '{"privateKey":"xyz"}', "{}", "null", "[]", "no JSON"]
)
def test_a_key_that_is_not_the_feeds_signs_nothing(store: FeedStore, tmp_path: Path, config: str) -> None:
    feed = store.create()
    store.close()
    with sqlite3.connect(tmp_path / "mutables.db") as db:
        db.execute("UPDATE mutables SET value = ?", (config,))
    again = FeedStore(tmp_path)
    with pytest.raises(KacheryError):
        again.append(feed, LOG, [{}])
    assert again.head(feed, LOG) == START
    again.close()


def test_files_that_are_replaced_while_they_are_open(store: FeedStore, tmp_path: Path) -> None:
    feed = store.create()
    store.append(feed, LOG, [{}])
    before = store.stamp()
    (tmp_path / "feeds.db").unlink()
    assert store.head(feed, LOG) == START
    store.append(feed, LOG, [{"new": True}])
    assert store.stamp() != before
    assert assert_chain(tmp_path, feed, LOG) == [{"new": True}]


def test_a_change_by_another_program_is_seen(store: FeedStore, tmp_path: Path) -> None:
    feed = store.create()
    store.append(feed, LOG, [{}])
    before = store.stamp()
    assert store.stamp() == before
    beside = FeedStore(tmp_path)
    beside.append(feed, LOG, [{}])
    beside.close()
    assert store.stamp() != before
    assert store.head(feed, LOG).count == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(KacheryError):
        FeedStore(tmp_path).create()
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("name", ["", " x", "x" * 201, "a\nb", "a\x1b[0m", "\u202e"])
def test_names_that_a_feed_cannot_have(store: FeedStore, name: str) -> None:
    if not name:
        assert store.create(name) != store.create(name)
        return
    with pytest.raises(UsageError, match="feed's name"):
        store.create(name)
    assert store.feeds() == []


def test_a_name_that_the_old_daemon_gave(store: FeedStore, tmp_path: Path) -> None:
    feed = store.create()
    key = {"feedName": "old", "type": "feedIdForName"}
    with sqlite3.connect(tmp_path / "mutables.db") as db:
        row = (object_hash(key), json.dumps(key), json.dumps(feed))
        db.execute("INSERT INTO mutables VALUES (?, ?, ?)", row)
    assert store.named("old") == feed
    with pytest.raises(UsageError, match="already"):
        store.create("old")


def test_notes_on_feeds(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    notes = FeedNotes(path)
    assert (notes.names(), notes.follows()) == ({}, [])
    assert not path.exists()
    names = ["log", "ü/ 100 %", "\U0001f600", "..", "~x", "日本語"]
    for name in [*names, "~" + "ab" * 20]:
        notes.learn(name)
    notes.follow(FEED, LOG, None)
    notes.follow(FEED, PRIMES, "lab")
    notes.follow(FEED, LOG, "lab")
    notes.close()
    again = FeedNotes(path)
    assert again.names() == {subfeed_hash(name): name for name in names}
    assert {(one.subfeed_hash, one.channel) for one in again.follows()} == {(LOG, "lab"), (PRIMES, "lab")}
    again.unfollow(FEED, LOG)
    again.close()
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO follows VALUES ('x', 'y', NULL, 0), (?, ?, 7, 'z')", (FEED, LOG))
        db.execute("INSERT INTO names VALUES (?, 'a lie')", ("ab" * 20,))
    again = FeedNotes(path)
    assert "a lie" not in again.names().values()
    assert {one.subfeed_hash for one in again.follows()} == {PRIMES, LOG}
    again.close()
    path.write_bytes(b"rubbish" * 1000)
    again = FeedNotes(path)
    assert again.follows() == []
    again.close()
    assert b"rubbish" * 1000 in [part.read_bytes() for part in tmp_path.glob("notes.db.damaged-*")]

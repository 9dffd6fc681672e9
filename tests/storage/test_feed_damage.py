"""Feeds whose files are damaged, locked, taken away, or out of reach: said in words, and nothing lost."""

import os
import random
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError
from kachery_tui.protocol.feeds import START, Fault
from kachery_tui.storage.chain_check import check_subfeed
from kachery_tui.storage.feeds import FeedStore
from kachery_tui.storage.values import SubfeedInfo
from tests.storage.feed_helpers import (
    FEED,
    LOG,
    OLD_FEED,
    PRIMES,
    assert_chain,
    by_hand,
    chain,
    digests,
    everything,
    rows,
)
from tests.users import as_somebody_else

FOUR = chain(4)


def test_damage_on_disk_is_found(store: FeedStore, tmp_path: Path) -> None:
    messages = chain(5)
    store.keep(FEED, LOG, messages)
    with by_hand(tmp_path / "feeds.db") as db:
        db.execute("UPDATE subfeedMessages SET message = replace(message, '\"n\":2', '\"n\":7')")
    bad = check_subfeed(store, None, FEED, LOG)
    assert bad is not None
    assert (bad.fault, bad.number) == (Fault.SIGNATURE, 2)
    with by_hand(tmp_path / "feeds.db") as db:
        db.execute("UPDATE subfeedMessages SET message = x'ff' WHERE position = 2")
    bad = check_subfeed(store, None, FEED, LOG)
    assert bad is not None
    assert (bad.fault, bad.number) == (Fault.FORM, 2)
    # What stands here for message 2 is not blamed on its owner, who sent it once more.
    with pytest.raises(UsageError, match=r"message 2 of subfeed .* is damaged on this disk"):
        store.keep(FEED, LOG, messages)
    with by_hand(tmp_path / "feeds.db") as db:
        db.execute("DELETE FROM subfeedMessages WHERE position IN (1, 2)")
    bad = check_subfeed(store, None, FEED, LOG)
    assert bad is not None
    assert bad.fault is Fault.GAP
    assert store.keep(FEED, LOG, messages) == ([], None)
    with by_hand(tmp_path / "feeds.db") as db:
        db.execute("UPDATE subfeedMessages SET message = NULL")
    for use in (lambda: store.head(FEED, LOG), lambda: store.keep(FEED, LOG, chain(6))):
        with pytest.raises(UsageError, match=r"last message of subfeed .* damaged"):
            use()


def test_rows_that_are_no_messages_are_passed_over(store: FeedStore, tmp_path: Path) -> None:
    feed = store.create()
    store.append(feed, LOG, [{"n": 0}, {"n": 1}])
    with by_hand(tmp_path / "feeds.db") as db:
        for place in ("'x'", "x'00'", "9e999", "1.5", "-7"):
            db.execute(
                f"INSERT INTO subfeedMessages SELECT feedId, subfeedHash, {place}, 'x' FROM subfeedMessages LIMIT 1"
            )
        db.execute("INSERT INTO feeds VALUES (CAST(x'ff' AS TEXT)), ('no id')")
        db.execute("INSERT INTO subfeeds VALUES (CAST(x'ff' AS TEXT), 'x'), ('no id', ?)", (LOG,))
        db.execute("INSERT INTO subfeeds VALUES (?, 'no hash')", (feed,))
    assert store.subfeeds() == [SubfeedInfo(feed, LOG, 2)]
    assert store.head(feed, LOG).count == 2
    assert store.append(feed, LOG, [{"n": 2}])[0].number == 2
    assert [one.message for one in store.read(feed, LOG, 0, 99)] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert check_subfeed(store, None, feed, LOG) is None


def uses(store: FeedStore, feed: str, name: str) -> dict[str, Callable[[], object]]:
    """All that needs that file."""
    if name == "mutables.db":
        return {
            "append": lambda: store.append(feed, PRIMES, [{}]),
            "is_own": lambda: store.is_own(feed),
            "named": lambda: store.named("fixture-feed"),
            "create": lambda: store.create("new"),
            "delete": lambda: store.delete(feed),
        }
    return {
        "append": lambda: store.append(feed, PRIMES, [{}]),
        "keep": lambda: store.keep(FEED, LOG, FOUR),
        "head": lambda: store.head(feed, PRIMES),
        "read": lambda: store.read(feed, PRIMES, 0, 9),
        "check": lambda: check_subfeed(store, None, feed, PRIMES),
        "subfeeds": store.subfeeds,
        "stamp": store.stamp,
        "create": lambda: store.create("new"),
    }


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "rubbish": lambda _: b"rubbish" * 1000,
    "rubbish behind SQLite's first word": lambda _: b"SQLite format 3\0" + b"\1" * 5000,
    "a page": lambda data: data[:4096],
    "half a page": lambda data: data[:2048],
    "a header": lambda data: data[:100],
    "half a header": lambda data: data[:50],
    "all but the last byte": lambda data: data[:-4096],
    "all but its header": lambda data: data[:100] + b"\xff" * (len(data) - 100),
}


@pytest.mark.parametrize("name", ["feeds.db", "mutables.db"])
@pytest.mark.parametrize(
    ("damage", "is_open"),
    # With an unchanged header, what SQLite has read before still holds for it.
    [(damage, False) for damage in DAMAGES]
    + [(damage, True) for damage in DAMAGES if "header" not in damage],
)
def test_a_damaged_file_is_left_as_it_is(old: Path, name: str, damage: str, is_open: bool) -> None:
    store = FeedStore(old)
    if is_open:
        assert store.is_own(OLD_FEED)
        assert store.head(OLD_FEED, PRIMES).count == 3
    spoilt = DAMAGES[damage]((old / name).read_bytes())
    with (old / name).open("r+b") as file:
        file.truncate()
        file.write(spoilt)
        file.truncate()
    before = digests(old)
    for what, use in uses(store, OLD_FEED, name).items():
        with pytest.raises(UsageError, match="damaged") as caught:
            use()
        assert f"{old / name}" in caught.value.what, what
        assert "Nothing in it was touched" in caught.value.do
    if name == "mutables.db":
        assert store.head(OLD_FEED, PRIMES).count == 3
        assert store.keep(FEED, LOG, FOUR) == (FOUR, None)
    store.close()
    assert digests(old, name) == {name: before[name]}
    assert [path.name for path in old.iterdir() if "damaged" in path.name] == []


def test_whatever_stands_in_the_files_is_said_in_words(store: FeedStore, tmp_path: Path) -> None:
    """Bytes changed at random places: another kind of error than those for people would be a defect."""
    own = store.create("mine")
    store.append(own, LOG, [{"n": n, "pad": "x" * 300} for n in range(30)])
    messages = chain(30)
    store.keep(FEED, LOG, messages[:20])
    store.close()
    whole = {name: (tmp_path / name).read_bytes() for name in ("feeds.db", "mutables.db")}
    chance = random.Random(11)
    refused = 0
    for _ in range(50):
        for name, data in whole.items():
            spoilt = bytearray(data)
            for _ in range(chance.choice([1, 3, 20])):
                at = chance.randrange(len(data) if chance.random() < 0.6 else 200)
                spoilt[at] = chance.choice([0, 0x0D, 255, chance.randrange(256)])
            (tmp_path / name).write_bytes(spoilt)
        damaged = FeedStore(tmp_path)
        deeds = uses(damaged, own, "feeds.db") | uses(damaged, own, "mutables.db")
        deeds["append"] = lambda damaged=damaged: damaged.append(own, LOG, [{}])  # type: ignore[misc]
        deeds["keep"] = lambda damaged=damaged: damaged.keep(FEED, LOG, messages[10:])  # type: ignore[misc]
        for deed in deeds.values():
            try:
                deed()
            except KacheryError:
                refused += 1
        damaged.close()
    assert refused


# -- other programs, and other trouble -------------------------------------------------------------------------


def test_a_locked_file(store: FeedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.storage.old_database.BUSY_TIMEOUT", 0.02)
    feed = store.create("mine")
    store.append(feed, LOG, [{"n": 0}])
    for is_open in (False, True):
        if not is_open:
            store.close()
        with closing(sqlite3.connect(tmp_path / "feeds.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for use in uses(store, feed, "feeds.db").values():
                with pytest.raises(TryAgain, match="locked"):
                    use()
            other.execute("COMMIT")
    assert store.append(feed, LOG, [{"n": 1}])[0].number == 1
    assert assert_chain(tmp_path, feed, LOG) == [{"n": 0}, {"n": 1}]
    assert rows(tmp_path, FEED, LOG) == []
    assert store.create("new") == store.named("new")


def test_locked_keys(store: FeedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.storage.old_database.BUSY_TIMEOUT", 0.02)
    feed = store.create("fixture-feed")
    store.append(feed, PRIMES, [{}])
    before = everything(tmp_path)
    with closing(sqlite3.connect(tmp_path / "mutables.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for use in uses(store, feed, "mutables.db").values():
            with pytest.raises(TryAgain, match="locked"):
                use()
        other.execute("COMMIT")
    assert everything(tmp_path) == before
    assert len(store.append(feed, PRIMES, [{}])) == 1
    assert store.create("new") == store.named("new")


def test_a_program_that_reads_for_too_long(
    store: FeedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops the commit itself: what was written until then is taken back."""
    monkeypatch.setattr("kachery_tui.storage.old_database.BUSY_TIMEOUT", 0.05)
    feed = store.create()
    store.append(feed, LOG, [{"n": 0}])
    store.close()
    with closing(sqlite3.connect(tmp_path / "feeds.db", isolation_level=None)) as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM subfeedMessages").fetchone() == (1,)
        with pytest.raises(TryAgain, match="locked"):
            store.append(feed, LOG, [{"n": "lost"}])
        assert store.head(feed, LOG).count == 1
        other.execute("COMMIT")
    store.append(feed, LOG, [{"n": 1}])
    assert assert_chain(tmp_path, feed, LOG) == [{"n": 0}, {"n": 1}]


def test_a_lock_of_a_moment_is_waited_for(store: FeedStore, tmp_path: Path) -> None:
    feed = store.create()
    with closing(
        sqlite3.connect(tmp_path / "feeds.db", isolation_level=None, check_same_thread=False)
    ) as other:
        other.execute("BEGIN EXCLUSIVE")
        released = threading.Event()

        def release() -> None:
            released.set()
            other.execute("COMMIT")

        timer = threading.Timer(0.2, release)
        timer.start()
        assert len(store.append(feed, LOG, [{}])) == 1
        assert released.is_set()
        timer.join()


def test_files_that_are_taken_away_or_replaced_while_they_are_open(store: FeedStore, tmp_path: Path) -> None:
    place = tmp_path / "feeds.db"
    feed = store.create()
    store.append(feed, LOG, [{"n": 0}])
    copy = place.read_bytes()
    store.append(feed, LOG, [{"n": 1}])
    stamps = [store.stamp()]
    (tmp_path / "copy").write_bytes(copy)
    (tmp_path / "copy").replace(place)
    stamps.append(store.stamp())
    assert store.head(feed, LOG).count == 1
    assert store.append(feed, LOG, [{"n": "1 again"}])[0].number == 1
    assert assert_chain(tmp_path, feed, LOG) == [{"n": 0}, {"n": "1 again"}]
    place.unlink()
    stamps.append(store.stamp())
    assert (store.head(feed, LOG), store.subfeeds(), store.read(feed, LOG, 0, 9)) == (START, [], [])
    assert not place.exists()
    store.append(feed, LOG, [{"new": True}])
    stamps.append(store.stamp())
    assert assert_chain(tmp_path, feed, LOG) == [{"new": True}]
    assert len(set(stamps)) == 4
    (tmp_path / "mutables.db").unlink()
    assert not store.is_own(feed)
    with pytest.raises(NotAllowed):
        store.append(feed, LOG, [{}])
    assert store.head(feed, LOG).count == 1


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


def test_a_folder_that_cannot_be_written_to(old: Path) -> None:
    before = digests(old)
    old.chmod(0o500)
    try:
        with as_somebody_else(old):
            store = FeedStore(old)
            assert store.head(OLD_FEED, PRIMES).count == 3
            assert check_subfeed(store, None, OLD_FEED, PRIMES) is None
            assert store.is_own(OLD_FEED)
            deeds: list[Callable[[], object]] = [
                lambda: store.append(OLD_FEED, PRIMES, [{}]),
                lambda: store.create("new"),
                lambda: store.keep(FEED, LOG, FOUR),
                lambda: store.delete(OLD_FEED),
            ]
            for deed in deeds:
                with pytest.raises(KacheryError, match=r"permissions|storage folder"):
                    deed()
            store.close()
            empty = FeedStore(old / "sha1")
            empty_folder = old / "sha1"
            empty_folder.chmod(0o500)
            assert (empty.head(FEED, LOG), empty.named("x")) == (START, None)
            with pytest.raises(KacheryError, match=r"cannot use .*feeds\.db"):
                empty.create()
            empty_folder.chmod(0o700)
    finally:
        old.chmod(0o700)
    assert digests(old) == before


def test_a_folder_that_may_not_be_looked_into(old: Path) -> None:
    store = FeedStore(old)
    old.chmod(0)
    try:
        with as_somebody_else(old):
            deeds = uses(store, OLD_FEED, "mutables.db") | uses(store, OLD_FEED, "feeds.db")
            for use in deeds.values():
                with pytest.raises(KacheryError, match="Permission denied"):
                    use()
    finally:
        old.chmod(0o700)


@pytest.mark.parametrize("name", ["feeds.db", "mutables.db"])
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    store = FeedStore(tmp_path)
    deeds = uses(store, FEED, name)
    if name == "feeds.db":
        del deeds["append"]
    for use in deeds.values():
        with pytest.raises(KacheryError, match="directory"):
            use()
    store.close()
    (tmp_path / name).rmdir()
    os.mkfifo(tmp_path / name)
    with pytest.raises(KacheryError, match=name):
        store.create()
    store.close()

"""How far a chain was verified is remembered, and nothing that changed since then goes unseen."""

import sqlite3
from pathlib import Path
from unittest.mock import patch

import pytest

from kachery_tui.protocol import feeds as protocol_feeds
from kachery_tui.protocol.feeds import Fault
from kachery_tui.protocol.uris import subfeed_hash
from kachery_tui.storage import chain_check
from kachery_tui.storage.chain_check import check_subfeed
from kachery_tui.storage.storage import Storage

SUBFEED = subfeed_hash("messages")


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.open(tmp_path)


def made(storage: Storage, count: int) -> str:
    feed_id = storage.feeds.create()
    append(storage, feed_id, count)
    return feed_id


def append(storage: Storage, feed_id: str, count: int) -> None:
    storage.feeds.append(feed_id, SUBFEED, [{"n": number} for number in range(count)])


def verified(storage: Storage, feed_id: str) -> int:
    """Check, and say how many messages were verified for it; all must hold."""
    seen = 0
    check = protocol_feeds.check_chain

    def counting(messages, head, feed):  # type: ignore[no-untyped-def]
        nonlocal seen
        seen += len(messages)
        return check(messages, head, feed)

    with patch.object(chain_check, "check_chain", counting):
        assert check_subfeed(storage.feeds, storage.feed_notes, feed_id, SUBFEED) is None
    return seen


def alter(folder: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(folder / "feeds.db") as db:
        db.execute(statement, values)
    db.close()


def test_only_what_is_new_is_verified(storage: Storage) -> None:
    feed_id = made(storage, 30)
    assert [verified(storage, feed_id) for _ in range(2)] == [30, 0]
    append(storage, feed_id, 5)
    assert [verified(storage, feed_id) for _ in range(2)] == [5, 0]
    storage.close()
    again = Storage.open(storage.folder)
    assert verified(again, feed_id) == 0
    again.close()


@pytest.mark.parametrize("number", [0, 7, 29])
def test_a_message_that_changed_since_then_is_found(storage: Storage, number: int) -> None:
    feed_id = made(storage, 30)
    verified(storage, feed_id)
    ((_, text),) = storage.feeds.texts(feed_id, SUBFEED, number, 1)
    changed = text.decode().replace('"n":', '"m":')
    assert changed != text.decode()
    alter(storage.folder, "UPDATE subfeedMessages SET message = ? WHERE position = ?", changed, number)
    bad = check_subfeed(storage.feeds, storage.feed_notes, feed_id, SUBFEED)
    assert bad is not None
    assert (bad.fault, bad.number) == (Fault.SIGNATURE, number)
    # And is found again: what does not hold is not remembered as holding.
    assert check_subfeed(storage.feeds, storage.feed_notes, feed_id, SUBFEED) is not None


def test_a_message_that_is_gone_since_then_is_found(storage: Storage) -> None:
    feed_id = made(storage, 30)
    verified(storage, feed_id)
    alter(storage.folder, "DELETE FROM subfeedMessages WHERE position = 7")
    bad = check_subfeed(storage.feeds, storage.feed_notes, feed_id, SUBFEED)
    assert bad is not None
    assert bad.number in (7, 8)


def test_a_chain_that_is_shorter_than_it_was_is_verified_anew(storage: Storage) -> None:
    feed_id = made(storage, 30)
    verified(storage, feed_id)
    alter(storage.folder, "DELETE FROM subfeedMessages WHERE position >= 20")
    assert [verified(storage, feed_id) for _ in range(2)] == [20, 0]


@pytest.mark.parametrize("note", [(10**12, "00"), (-1, "x"), ("many", 7), (5, "0" * 64), (None, None)])
def test_a_note_that_makes_no_sense_is_none(storage: Storage, note: tuple[object, object]) -> None:
    feed_id = made(storage, 10)
    verified(storage, feed_id)
    with sqlite3.connect(storage.folder / "kachery-tui-feeds.db") as db:
        db.execute("DROP TABLE checked")
        db.execute("CREATE TABLE checked (feed, hash, count, digest, PRIMARY KEY (feed, hash))")
        db.execute("INSERT INTO checked VALUES (?, ?, ?, ?)", (feed_id, SUBFEED, *note))
    db.close()
    assert [verified(storage, feed_id) for _ in range(2)] == [10, 0]


def test_without_notes_all_is_verified(storage: Storage) -> None:
    feed_id = made(storage, 10)
    verified(storage, feed_id)
    assert check_subfeed(storage.feeds, None, feed_id, SUBFEED) is None

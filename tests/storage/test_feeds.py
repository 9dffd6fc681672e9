"""Feeds on disk: the old daemon's files, own feeds that grow, and others' that are kept."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.errors import NotAllowed, UsageError
from kachery_tui.protocol.canonical import JsonObject, canonical_json
from kachery_tui.protocol.feeds import START, Fault, Head, SignedMessage, sign_messages
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.uris import subfeed_hash
from kachery_tui.storage.chain_check import check_subfeed
from kachery_tui.storage.feeds import MOST_AT_ONCE, FeedStore
from tests.storage.feed_helpers import (
    FEED,
    KEY,
    LOG,
    NOW,
    OLD_FEED,
    PRIMES,
    STRANGER,
    VECTOR,
    assert_chain,
    by_hand,
    chain,
    everything,
    head_of,
    rows,
)


def schema(folder: Path, name: str = "feeds.db") -> list[tuple[str, str]]:
    with by_hand(folder / name) as db:
        found = db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    return [(table, " ".join(sql.split())) for table, sql in found if sql]


def nested(levels: int) -> JsonObject:
    value: JsonObject = {}
    for _ in range(levels - 1):
        value = {"in": value}
    return value


# -- the old daemon's folder -----------------------------------------------------------------------------------


def test_the_old_daemons_feed_opens_and_is_extended(old: Path) -> None:
    before = everything(old)
    made_by_it = schema(old)
    assert [len(assert_chain(old, OLD_FEED, hash_)) for _, hash_ in before[1]] == [3, 1]
    store = FeedStore(old)
    assert store.named(VECTOR["feed_name"]) == OLD_FEED
    assert store.is_own(OLD_FEED)
    assert {one.subfeed_hash: one.messages for one in store.subfeeds()} == {
        PRIMES: 3,
        before[1][1][1]: 1,
    }
    assert [check_subfeed(store, None, OLD_FEED, hash_) for _, hash_ in before[1]] == [None, None]
    added = store.append(OLD_FEED, PRIMES, [{"n": 4, "p": 7}, {"n": 5, "p": 11, "note": "é\U0001f600"}])
    assert [one.number for one in added] == [3, 4]
    assert [one["p"] for one in assert_chain(old, OLD_FEED, PRIMES)] == [2, 3, 5, 7, 11]
    assert check_subfeed(store, None, OLD_FEED, PRIMES) is None
    (listed,) = store.feeds()
    assert (listed.name, listed.own, listed.messages) == ("fixture-feed", True, 6)
    store.close()
    after = everything(old)
    assert after[:2] == before[:2]
    assert [row for row in after[2] if row not in before[2]] == [
        (OLD_FEED, PRIMES, one.number, one.text) for one in added
    ]
    assert [row for row in after[2] if row in before[2]] == before[2]
    assert schema(old) == made_by_it
    for name in ("feeds.db", "mutables.db"):
        assert stat.S_IMODE((old / name).stat().st_mode) == 0o600


def test_the_old_daemon_and_this_node_write_in_turns(old: Path) -> None:
    """The old daemon is here what it is to the file: another program, with SQLite's first journal mode."""
    store = FeedStore(old)
    head, key = store.head(OLD_FEED, PRIMES), PrivateKey.from_seed(_seed(old))
    for turn in range(4):
        store.append(OLD_FEED, PRIMES, [{"by": "us", "turn": turn}])
        stamp = store.stamp()
        head = store.head(OLD_FEED, PRIMES)
        (theirs,) = sign_messages(key, head, [{"by": "it", "turn": turn}], NOW)
        with by_hand(old / "feeds.db") as db:
            assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
            db.execute(
                "INSERT INTO subfeedMessages VALUES (?, ?, ?, ?)",
                (OLD_FEED, PRIMES, 4 + 2 * turn, theirs.text),
            )
        assert store.stamp() != stamp
        assert store.head(OLD_FEED, PRIMES) == Head(5 + 2 * turn, theirs.signature)
    store.close()
    assert [one["by"] for one in assert_chain(old, OLD_FEED, PRIMES)[3:]] == ["us", "it"] * 4


def _seed(folder: Path) -> bytes:
    with by_hand(folder / "mutables.db") as db:
        (text,) = db.execute(
            "SELECT json_extract(value, '$.privateKey') FROM mutables WHERE key LIKE '%feedConfig%'"
        ).fetchone()
    return bytes.fromhex(text)


def test_a_file_keeps_its_mode_and_its_journal(old: Path) -> None:
    (old / "feeds.db").chmod(0o640)
    with closing(sqlite3.connect(old / "feeds.db")) as db:
        assert db.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    store = FeedStore(old)
    store.append(OLD_FEED, PRIMES, [{}])
    assert stat.S_IMODE((old / "feeds.db").stat().st_mode) == 0o640
    with by_hand(old / "feeds.db") as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()
    assert len(assert_chain(old, OLD_FEED, PRIMES)) == 4


def test_a_new_folder_has_the_old_daemons_schema(old: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    umask = os.umask(0)
    try:
        store = FeedStore(new)
        feed = store.create("mine")
        store.append(feed, LOG, [{}])
    finally:
        os.umask(umask)
    assert [stat.S_IMODE(path.stat().st_mode) for path in new.iterdir()] == [0o600] * len(list(new.iterdir()))
    store.close()
    for name in ("feeds.db", "mutables.db"):
        assert schema(new, name) == schema(old, name)


# -- appending -------------------------------------------------------------------------------------------------


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
    with pytest.raises(UsageError, match="too many"):
        store.append(feed, LOG, [{}] * (MOST_AT_ONCE + 1))
    assert store.head(feed, LOG).count == 3


@pytest.mark.parametrize("bad", [[2], None, nested(250), nested(100_000), {"x": "y" * 10_000_000}])
def test_an_append_is_whole_or_not_at_all(store: FeedStore, tmp_path: Path, bad: Any) -> None:
    feed = store.create()
    store.append(feed, LOG, [{"n": 0}])
    before = everything(tmp_path)
    with pytest.raises(UsageError, match=r"cannot be appended|too deeply") as caught:
        store.append(feed, LOG, [{"good": 1}, bad])
    assert caught.value.what
    assert everything(tmp_path) == before
    store.append(feed, LOG, [{"n": 1}])
    assert assert_chain(tmp_path, feed, LOG) == [{"n": 0}, {"n": 1}]


def test_whatever_is_taken_can_be_read_back(store: FeedStore) -> None:
    """A message that nobody can read back would be the last one of its subfeed for ever."""
    feed = store.create()
    taken = 0
    for levels in range(190, 205):
        try:
            store.append(feed, LOG, [nested(levels)])
        except UsageError:
            continue
        taken += 1
        assert store.head(feed, LOG).count == taken
    odd: list[JsonObject] = [{"": float("nan")}, {"\ud800": "\udfff"}, {"x": [10**400, -0.0, 1e300, None]}]
    store.append(feed, LOG, odd)
    assert 5 < taken < 15
    assert [canonical_json(one.message) for one in store.read(feed, LOG, taken, 9)] == [
        canonical_json(one) for one in odd
    ]
    assert check_subfeed(store, None, feed, LOG) is None


# -- keeping others' feeds -------------------------------------------------------------------------------------

FOUR = chain(4)
UNKNOWN: JsonObject = {
    "message": {"n": 2},
    "messageNumber": 2,
    "previousSignature": FOUR[1].signature,
    "timestamp": NOW,
    "metaData": {"by": "é"},
    "unheardOf": [0.5, {"deep": None}],
}


def changed(message: SignedMessage) -> SignedMessage:
    body = message.raw["body"]
    assert isinstance(body, dict)
    return SignedMessage.read(
        {"body": body | {"message": {"n": 99}}, "signature": message.signature}, message.number
    )


BAD: dict[str, tuple[Fault, int, SignedMessage]] = {
    "a gap": (Fault.GAP, 3, FOUR[3]),
    "another's signature": (Fault.SIGNATURE, 2, chain(1, head_of(FOUR[:2]), STRANGER)[0]),
    "a changed message": (Fault.SIGNATURE, 2, changed(FOUR[2])),
    "another previous signature": (Fault.CHAIN, 2, chain(1, Head(2, FOUR[0].signature))[0]),
    "no previous signature": (Fault.CHAIN, 2, chain(1, Head(2, None))[0]),
    "a fork of what came with it": (Fault.FORK, 1, chain(1, head_of(FOUR[:1]), fork=True)[0]),
    "junk for what came with it": (Fault.SIGNATURE, 1, chain(1, head_of(FOUR[:1]), STRANGER)[0]),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("are_here", [0, 1, 2])
def test_what_is_good_is_kept_and_nothing_of_a_bad_one(
    store: FeedStore, tmp_path: Path, what: str, are_here: int
) -> None:
    fault, number, message = BAD[what]
    store.keep(FEED, LOG, FOUR[:are_here])
    good, bad = store.keep(FEED, LOG, [*FOUR[:2], message, FOUR[2], FOUR[3]])
    assert good == FOUR[are_here:2]
    assert bad is not None
    assert (bad.fault, bad.number) == (fault, number)
    assert everything(tmp_path) == [
        [(FEED,)],
        [(FEED, LOG)],
        [(FEED, LOG, one.number, one.text) for one in FOUR[:2]],
    ]
    assert store.keep(FEED, LOG, FOUR) == (FOUR[2:], None)
    assert assert_chain(tmp_path, FEED, LOG) == [{"n": n} for n in range(4)]
    with pytest.raises(NotAllowed, match="another's"):
        store.append(FEED, LOG, [{}])


@pytest.mark.parametrize("message", [FOUR[1], chain(1, START, STRANGER)[0], chain(1, Head(0, "ab" * 64))[0]])
def test_a_feed_of_bad_messages_alone_is_not_there(
    store: FeedStore, tmp_path: Path, message: SignedMessage
) -> None:
    good, bad = store.keep(FEED, LOG, [message])
    assert good == []
    assert bad is not None
    assert everything(tmp_path) == [[], [], []]
    assert (store.subfeeds(), store.feeds(), store.head(FEED, LOG)) == ([], [], START)


def test_what_is_here_already_is_passed_over_in_any_order(store: FeedStore) -> None:
    messages = chain(6)
    assert store.keep(FEED, LOG, [messages[0], messages[0], messages[1]]) == (messages[:2], None)
    assert store.keep(FEED, LOG, messages[:2]) == ([], None)
    assert store.keep(FEED, LOG, []) == ([], None)
    mixed = [messages[2], messages[0], messages[2], messages[3], messages[1], messages[4]]
    assert store.keep(FEED, LOG, mixed) == (messages[2:5], None)
    assert store.keep(FEED, LOG, messages[1:]) == (messages[5:], None)
    assert store.read(FEED, LOG, 0, 9) == messages


def test_forks_of_what_is_here(store: FeedStore) -> None:
    store.keep(FEED, LOG, FOUR)
    cases = [
        (chain(3, head_of(FOUR[:1]), other=True), Fault.FORK),
        (chain(3, head_of(FOUR[:1]), STRANGER), Fault.SIGNATURE),
        (chain(2, START, other=True)[1:], Fault.FORK),
    ]
    for messages, fault in cases:
        good, bad = store.keep(FEED, LOG, messages)
        assert (good, bad and bad.fault, bad and bad.number) == ([], fault, 1)
    assert store.read(FEED, LOG, 0, 9) == FOUR
    assert check_subfeed(store, None, FEED, LOG) is None


def test_members_that_nobody_knows_are_kept_as_they_were_signed(store: FeedStore, tmp_path: Path) -> None:
    odd = SignedMessage.read({"body": UNKNOWN, "signature": KEY.sign(UNKNOWN)}, 2)
    messages = [*FOUR[:2], odd, *chain(1, Head(3, odd.signature))]
    assert store.keep(FEED, LOG, messages) == (messages, None)
    assert_chain(tmp_path, FEED, LOG)
    assert rows(tmp_path, FEED, LOG)[2][1] == canonical_json({"body": UNKNOWN, "signature": odd.signature})
    assert check_subfeed(store, None, FEED, LOG) is None

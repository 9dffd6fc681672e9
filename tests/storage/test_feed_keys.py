"""Own feeds: their private keys and names, in the old daemon's file, and what is left when one is deleted."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError
from kachery_tui.protocol.canonical import canonical_json, object_hash
from kachery_tui.protocol.feeds import START
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.uris import SubfeedUri
from kachery_tui.storage.chain_check import check_subfeed
from kachery_tui.storage.feed_keys import LONGEST_NAME
from kachery_tui.storage.feeds import FeedStore
from tests.storage.feed_helpers import (
    FEED,
    LOG,
    OLD_FEED,
    PRIMES,
    assert_chain,
    by_hand,
    chain,
    everything,
    put_mutable,
    rows,
)

NAMES = [
    "losses",
    "x",
    "two words",
    "50 % of it",
    "ünïcödé 日本語",
    "\U0001f600",
    "~" + "ab" * 20,
    "a:b?c=d#e",
    "'; --",
]
CONFIG = "feedConfig"


def mutables(folder: Path) -> dict[str, tuple[str, str]]:
    with by_hand(folder / "mutables.db") as db:
        return {
            sha1: (key, value) for sha1, key, value in db.execute("SELECT sha1, key, value FROM mutables")
        }


def name_by_client(name: str) -> dict[str, Any]:
    return {"feed_name": name, "type": "feed_id_for_name"}


def name_by_daemon(name: str) -> dict[str, Any]:
    return {"feedName": name, "type": "feedIdForName"}


# -- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_feed_is_found_by_its_name(store: FeedStore, tmp_path: Path, name: str) -> None:
    feed = store.create(name)
    store.create()
    again = FeedStore(tmp_path)
    assert again.named(name) == feed
    assert again.is_own(feed)
    assert again.resolve(name) == SubfeedUri(feed)
    assert again.resolve(f"{name}/a b/c%20") == SubfeedUri(feed, "a b/c%20")
    assert [one.name for one in again.feeds()] == ["", name]
    with pytest.raises(UsageError, match="already") as caught:
        again.create(name)
    assert caught.value.do
    assert len(again.feeds()) == 2
    again.close()


def test_key_and_name_are_kept_as_the_old_client_keeps_them(
    store: FeedStore, old: Path, tmp_path: Path
) -> None:
    feed = store.create("mine")
    found = mutables(tmp_path)
    assert all(sha1 == object_hash(json.loads(key)) for sha1, (key, _) in found.items())
    ours = {key: json.loads(value) for key, value in found.values()}
    seed = ours[canonical_json({"feedId": feed, "type": CONFIG})]["privateKey"]
    assert PrivateKey.from_seed(bytes.fromhex(seed)).node_id == feed
    theirs = {key: json.loads(value) for key, value in mutables(old).values()}
    theirs.pop('"greeting"')
    # The same keys and values as its own, but for the feed and the name.
    as_its = {
        key.replace(feed, OLD_FEED).replace('"mine"', '"fixture-feed"'): value for key, value in ours.items()
    }
    assert as_its.keys() == theirs.keys()
    for key, value in theirs.items():
        assert type(as_its[key]) is type(value)
        assert not isinstance(value, dict) or as_its[key].keys() == value.keys()


@pytest.mark.parametrize("form", [name_by_client, name_by_daemon])
def test_names_that_the_old_programs_gave(store: FeedStore, tmp_path: Path, form: Any) -> None:
    feed = store.create()
    put_mutable(tmp_path, form("old"), feed)
    put_mutable(tmp_path, form("lab/losses"), feed)
    assert store.named("old") == feed
    assert store.resolve("old/log") == SubfeedUri(feed, "log")
    assert store.resolve("lab/losses") == SubfeedUri(feed)
    assert store.resolve("lab/losses/a/b") == SubfeedUri(feed, "a/b")
    with pytest.raises(UsageError, match="already"):
        store.create("old")


@pytest.mark.parametrize(
    "name",
    [
        " x",
        "x ",
        "\u3000x",
        "x" * (LONGEST_NAME + 1),
        "a\nb",
        "a\x1b[0m",
        "\u202e",
        "\ud800",
        "\0",
        "a/b",
        "/",
        "x://y",
    ],
)
def test_names_that_a_feed_cannot_have(store: FeedStore, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a feed's name"):
        store.create(name)
    assert store.feeds() == []
    assert list(tmp_path.iterdir()) == []


def test_the_longest_name_and_none(store: FeedStore) -> None:
    name = "ü" * LONGEST_NAME
    assert store.create(name) == store.named(name)
    assert store.create("") != store.create("")
    assert store.named("") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "nobody",
        "nobody/log",
        "feed",
        f"{FEED}",
        "feed://",
        "feed://x",
        "sha1://x",
        "\udcff",
        "mine/\udcff",
    ],
)
def test_what_names_no_feed(store: FeedStore, text: str) -> None:
    store.create("mine")
    with pytest.raises(UsageError) as caught:
        store.resolve(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", [7, None, "no id", {"id": FEED}, [FEED], FEED.upper(), "\ud800"])
def test_names_of_nothing(store: FeedStore, tmp_path: Path, value: Any) -> None:
    store.create("mine")
    put_mutable(tmp_path, name_by_client("odd"), value)
    assert store.named("odd") is None
    with pytest.raises(UsageError, match="no feed 'odd' here"):
        store.resolve("odd")


def test_one_name_is_given_once(tmp_path: Path) -> None:
    stores = [FeedStore(tmp_path) for _ in range(4)]

    def create(store: FeedStore) -> str | None:
        try:
            return store.create("same")
        except UsageError:
            return None

    with ThreadPoolExecutor(4) as pool:
        made = [feed for feed in pool.map(create, stores) if feed]
    assert len(made) == 1
    assert [feed.feed_id for feed in stores[0].feeds()] == made
    assert stores[0].named("same") == made[0]
    for store in stores:
        store.close()


@pytest.mark.parametrize("name", ["feeds.db", "mutables.db"])
def test_a_feed_that_could_not_be_made_takes_no_name(
    store: FeedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("kachery_tui.storage.old_database.BUSY_TIMEOUT", 0.02)
    store.create("other")
    before = mutables(tmp_path), everything(tmp_path)
    with closing(sqlite3.connect(tmp_path / name, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(TryAgain):
            store.create("mine")
        db.execute("COMMIT")
    assert (mutables(tmp_path), everything(tmp_path)) == before
    assert store.create("mine") == store.named("mine")


# -- keys ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_key_without_messages_begins_at_zero(old: Path, is_gone: bool) -> None:
    if is_gone:
        (old / "feeds.db").unlink()
    else:
        with by_hand(old / "feeds.db") as db:
            db.execute("DELETE FROM subfeedMessages")
    store = FeedStore(old)
    assert store.is_own(OLD_FEED)
    assert store.head(OLD_FEED, PRIMES) == START
    assert store.read(OLD_FEED, PRIMES, 0, 9) == []
    assert check_subfeed(store, None, OLD_FEED, PRIMES) is None
    assert [one.messages for one in store.subfeeds()] == ([] if is_gone else [0, 0])
    assert (old / "feeds.db").exists() is not is_gone
    assert [one.number for one in store.append(OLD_FEED, PRIMES, [{"a": 1}, {}])] == [0, 1]
    assert assert_chain(old, OLD_FEED, PRIMES) == [{"a": 1}, {}]
    store.close()


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"privateKey": "00" * 32}, UsageError),
        ({"privateKey": "xyz"}, UsageError),
        ({"privateKey": ""}, UsageError),
        ({"privateKey": "ab" * 64}, UsageError),
        ({"privateKey": 7}, UsageError),
        ({"feedId": FEED}, UsageError),
        ([], UsageError),
        ("text", UsageError),
        (None, NotAllowed),
    ],
)
def test_a_key_that_is_not_the_feeds_signs_nothing(
    store: FeedStore, tmp_path: Path, config: Any, error: type[KacheryError]
) -> None:
    feed = store.create("mine")
    store.append(feed, LOG, [{"n": 0}])
    put_mutable(tmp_path, {"feedId": feed, "type": CONFIG}, config)
    before = everything(tmp_path)
    for subject in (store, again := FeedStore(tmp_path)):
        with pytest.raises(error) as caught:
            subject.append(feed, LOG, [{}])
        assert caught.value.what
        assert caught.value.why
    again.close()
    assert everything(tmp_path) == before


@pytest.mark.parametrize("text", ["", "no JSON", "{" * 5000, "\ud83d"])
def test_a_key_that_cannot_be_read_is_none(store: FeedStore, tmp_path: Path, text: str) -> None:
    feed = store.create()
    store.append(feed, LOG, [{}])
    with by_hand(tmp_path / "mutables.db") as db:
        db.execute("UPDATE mutables SET value = CAST(? AS TEXT)", (text.encode("utf-8", "surrogatepass"),))
    with pytest.raises(NotAllowed):
        store.append(feed, LOG, [{}])
    assert store.head(feed, LOG).count == 1


def test_the_key_of_another_feed_is_not_taken_for_this_one(store: FeedStore, tmp_path: Path) -> None:
    mine, other = store.create("mine"), store.create("other")
    theirs = {json.loads(key).get("feedId"): json.loads(value) for key, value in mutables(tmp_path).values()}
    put_mutable(tmp_path, {"feedId": mine, "type": CONFIG}, theirs[other])
    with pytest.raises(UsageError, match="the key of another feed") as caught:
        store.append(mine, LOG, [{}])
    assert theirs[other]["privateKey"] not in str(caught.value)
    assert store.head(mine, LOG) == START
    assert len(store.append(other, LOG, [{}])) == 1


# -- deleting --------------------------------------------------------------------------------------------------


def test_delete_takes_one_feed_and_no_other(store: FeedStore, tmp_path: Path) -> None:
    mine, other = store.create("mine"), store.create("other")
    for feed in (mine, other):
        store.append(feed, LOG, [{}])
        store.append(feed, PRIMES, [{}, {}])
    store.keep(FEED, LOG, chain(2))
    more: list[tuple[Any, Any]] = [
        (name_by_client("second name"), mine),
        (name_by_daemon("third name"), mine),
        # A name of one form is another feed's in the other.
        (name_by_daemon("mine"), other),
        ("about", {"feed": mine}),
        ("greeting", mine),
    ]
    for key, value in more:
        put_mutable(tmp_path, key, value)
    before = mutables(tmp_path)
    store.delete(mine)
    gone = [json.loads(before[sha1][0]) for sha1 in before.keys() - mutables(tmp_path).keys()]
    assert sorted(gone, key=str) == sorted(
        [
            {"feedId": mine, "type": CONFIG},
            name_by_client("mine"),
            name_by_client("second name"),
            name_by_daemon("third name"),
        ],
        key=str,
    )
    assert store.named("mine") == other
    assert not store.is_own(mine)
    with pytest.raises(NotAllowed):
        store.append(mine, LOG, [{}])
    assert (rows(tmp_path, mine, LOG), rows(tmp_path, mine, PRIMES)) == ([], [])
    assert {feed.feed_id: feed.messages for feed in store.feeds()} == {other: 3, FEED: 2}
    assert {one.feed_id for one in store.subfeeds()} == {other, FEED}
    assert mine not in str(everything(tmp_path))
    assert [one.number for one in store.append(other, LOG, [{}])] == [1]
    store.delete(FEED)
    assert [feed.feed_id for feed in store.feeds()] == [other]
    assert len(assert_chain(tmp_path, other, LOG)) == 2
    store.delete(FEED)


def test_a_name_is_free_once_its_feed_is_deleted(old: Path) -> None:
    store = FeedStore(old)
    (old / "feeds.db").unlink()
    store.delete(OLD_FEED)
    assert store.named("fixture-feed") is None
    assert [key for key, _ in mutables(old).values()] == ['"greeting"']
    assert store.create("fixture-feed") == store.named("fixture-feed")
    store.close()


def test_nothing_of_a_deleted_key_stays_in_the_files(store: FeedStore, tmp_path: Path) -> None:
    store.create("first")
    feed = store.create("mine")
    seed = {json.loads(key).get("feedId"): json.loads(value) for key, value in mutables(tmp_path).values()}[
        feed
    ]["privateKey"].encode()
    assert seed in (tmp_path / "mutables.db").read_bytes()
    store.delete(feed)
    for path in tmp_path.iterdir():
        assert seed not in path.read_bytes()


def test_a_feed_that_another_program_deleted_is_not_begun_anew(store: FeedStore, tmp_path: Path) -> None:
    feed, other = store.create(), store.create()
    store.append(feed, LOG, [{}])
    beside = FeedStore(tmp_path)
    beside.delete(feed)
    beside.close()
    assert not store.is_own(feed)
    with pytest.raises(NotAllowed):
        store.append(feed, LOG, [{}])
    assert rows(tmp_path, feed, LOG) == []
    assert store.is_own(other)


def test_a_key_that_comes_later_is_found(store: FeedStore, tmp_path: Path) -> None:
    """Somebody brings the feed along from another machine."""
    messages = chain(2, key=(key := PrivateKey.generate()))
    store.create()
    store.keep(key.node_id, LOG, messages)
    assert not store.is_own(key.node_id)
    config = {"feedId": key.node_id, "privateKey": key.seed().hex()}
    put_mutable(tmp_path, {"feedId": key.node_id, "type": CONFIG}, config)
    assert store.is_own(key.node_id)
    assert store.append(key.node_id, LOG, [{"n": 2}])[0].previous == messages[1].signature
    assert assert_chain(tmp_path, key.node_id, LOG) == [{"n": n} for n in range(3)]

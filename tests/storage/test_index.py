import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kachery_tui.errors import KacheryError
from kachery_tui.filters import Fact, Filter, matches, parse_filter
from kachery_tui.storage import Entry, EntryKind, Index, Order, Storage
from kachery_tui.storage.index_query import ENTRY_FIELDS


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = Index(tmp_path / "index.db")
    yield opened
    opened.close()


def _where(word: str) -> Filter:
    return parse_filter(f'"{word}"' if word else "", ENTRY_FIELDS)


def _entries(count: int) -> list[Entry]:
    chance = random.Random(count)
    return [
        Entry(
            chance.randbytes(20).hex(),
            chance.randrange(1000),
            f"{chance.choice(['alpha', 'Beta', 'gamma_1', '50%'])}-{number}.dat",
            chance.random() * 1e9,
            chance.random() * 1e9,
            "/somewhere",
            False,
            "file",
            None,
        )
        for number in range(count)
    ]


def _facts(entry: Entry) -> dict[str, Fact]:
    return {
        "name": entry.name,
        "size": float(entry.size),
        "added": entry.added,
        "used": entry.used,
        "from": entry.origin,
        "state": entry.kind,
        "pinned": entry.pinned,
        "sha1": entry.sha1,
    }


@pytest.mark.parametrize("matching", ["", "alpha", "A", "GAMMA", "%", "_1-", "\\", "no such"])
def test_pages_join_to_the_whole_in_order(index: Index, matching: str) -> None:
    entries = _entries(311)
    index.apply(entries, [], [], [])
    low = matching.lower()
    wanted = [e for e in entries if low in e.name.lower() or (low and e.sha1.startswith(low))]
    orders: list[Order] = ["name", "size", "added", "used"]
    for order, descending in product(orders, (False, True)):
        pages: list[Entry] = []
        for offset in range(0, 400, 20):
            pages += index.page(
                order=order, descending=descending, where=_where(matching), offset=offset, limit=20
            )
        assert len(pages) == len(wanted) == index.count(_where(matching))
        assert set(pages) == set(wanted)
        keys = [e.name.lower() if order == "name" else getattr(e, order) for e in pages]
        assert keys == sorted(keys, reverse=descending)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("size>1k", {"b", "c"}),
        ("size<=1000", {"a"}),
        ("size>1k size<1M", {"b"}),
        ("!size>1k", {"a"}),
        ("size=1000,2000", {"a", "b"}),
        ("name:notes", {"a", "b"}),
        ("NOTES", {"a", "b"}),
        ('name="notes b"', {"b"}),
        ("from:ana,lab", {"a", "c"}),
        ("from=lab", {"c"}),
        ("pinned", {"b"}),
        ("!pinned state:file", {"a"}),
        ("state:link,void", {"c"}),
        ("added<2h", {"a"}),
        ("added>2h used<2h", {"b"}),
        ("sha1:bb", {"b"}),
        ("sha1://" + "c" * 40 + "/x", {"c"}),
        ("name:'; --", set()),
        ("name:%", set()),
        ("ÜBER", {"c"}),
        ("name:über", {"c"}),
        ("name=SCAN_über", {"c"}),
        ('name:"s b",nothing', {"b"}),
    ],
)
def test_filters_leave_what_they_say(index: Index, text: str, left: set[str]) -> None:
    now = time.time()
    entries = [
        Entry("a" * 40, 1_000, "notes a", now - 60, now - 60, "/home/ana", False, "file", None),
        Entry("b" * 40, 2_000, "Notes b", now - 9_000, now - 60, "", True, "file", None),
        Entry("c" * 40, 3_000_000, "scan_Über", now - 9_000, now - 9_000, "lab", False, "link", None),
    ]
    index.apply(entries, [], [], [])
    where = parse_filter(text, ENTRY_FIELDS)
    assert {entry.sha1[0] for entry in index.page(order="name", where=where)} == left
    assert index.count(where) == len(left)
    assert {entry.sha1[0] for entry in entries if matches(where, _facts(entry), now)} == left


_KINDS: list[EntryKind] = ["file", "link"]
_PARTS = ["a", "B", "é", "É", "_", "%", "\\", "'", ",", "*", "ß"]


@given(
    name=st.text(st.sampled_from("".join(_PARTS)), max_size=3),
    field=st.sampled_from(["name:", "name=", "!name:", "from:", "!from="]),
    number=st.sampled_from(
        ["size>1", "size<=2", "!size:1", "added<2m", "pinned", "state:link", "state:FILE"]
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_index_and_the_screen_agree_on_filters(index: Index, name: str, field: str, number: str) -> None:
    now = time.time()
    if index.count() == 0:
        rows = [
            Entry(
                f"{place:040x}",
                place % 4,
                f"{one}{two}",
                now - 60 * (place % 7) - 30,
                0,
                two + one,
                place % 2 == 0,
                kind,
                None,
            )
            for place, (one, two, kind) in enumerate(product(_PARTS, _PARTS, _KINDS))
        ]
        index.apply(rows, [], [], [])
    where = parse_filter(f'{field}"{name or "a"}" {number}', ENTRY_FIELDS)
    left = index.page(order="name", where=where, limit=1_000)
    everything = index.page(order="name", limit=1_000)
    assert left == [entry for entry in everything if matches(where, _facts(entry), now)]


def test_a_hash_matches_by_its_beginning(index: Index) -> None:
    entries = _entries(50)
    index.apply(entries, [], [], [])
    assert index.page(order="size", where=_where(entries[7].sha1[:12])) == [entries[7]]
    assert index.page(order="size", where=_where(entries[7].sha1.upper())) == [entries[7]]


def test_pages_beyond_the_end_are_empty(index: Index) -> None:
    index.apply(_entries(5), [], [], [])
    for matching in ("", "a"):
        assert index.page(order="name", offset=5, where=_where(matching)) == []
        assert index.page(order="name", offset=10**12, where=_where(matching)) == []
        assert index.page(order="name", limit=0, where=_where(matching)) == []
        assert index.page(order="name", offset=99, descending=True, where=_where(matching)) == []


def test_a_filter_follows_what_changes(index: Index) -> None:
    entries = _entries(5)
    index.apply(entries[:3], [], [], [])
    assert index.count(_where("-")) == 3
    index.apply(entries[3:], [], [], [])
    assert index.count(_where("-")) == 5
    index.forget(entries[0].sha1)
    assert len(index.page(order="size", where=_where("-"))) == 4


def test_recording_again_keeps_what_was_known(index: Index) -> None:
    sha1 = "a" * 40
    index.record(sha1, 5, "file", name="first", origin="lab", manifest_sha1="b" * 40)
    before = index.get(sha1)
    assert before is not None
    index.record(sha1, 5, "file")
    after = index.get(sha1)
    assert after is not None
    assert replace(after, used=0) == replace(before, used=0)
    assert after.used >= before.used
    index.record(sha1, 5, "file", name="second")
    after = index.get(sha1)
    assert after is not None
    assert (after.name, after.origin) == ("second", "lab")


def test_totals_follow_every_change(index: Index) -> None:
    index.record("a" * 40, 5, "file")
    index.record("b" * 40, 7, "file")
    index.record("c" * 40, 100, "link")
    index.add_trash(30)
    totals = index.totals()
    assert (totals.files, totals.bytes, totals.links, totals.trash_bytes) == (2, 12, 1, 30)
    index.set_link_kind("c" * 40, False)
    index.record("b" * 40, 8, "file")
    index.forget("a" * 40)
    index.add_trash(-100)
    totals = index.totals()
    assert (totals.files, totals.bytes, totals.links, totals.trash_bytes) == (1, 8, 0, 0)
    index.record("c" * 40, 100, "file")
    assert index.totals().bytes == 108


def test_the_version_grows_with_changes_here_and_elsewhere(index: Index, tmp_path: Path) -> None:
    version = index.version
    index.record("a" * 40, 5, "file")
    assert index.version > version
    index.totals()
    version = index.version
    index.totals()
    assert index.version == version
    other = Index(tmp_path / "index.db")
    other.record("b" * 40, 5, "file")
    assert index.count() == 2
    assert index.version > version
    other.close()


def test_a_manifest_is_told_by_the_file_that_it_is_of(index: Index) -> None:
    named, nameless, plain, *manifests = [f"{number:040x}" for number in range(5)]
    index.record(named, 1, "file", name="recording.npy", manifest_sha1=manifests[0])
    index.record(nameless, 1, "file", manifest_sha1=manifests[1])
    index.record(plain, 1, "file", name="plain.dat")
    for manifest in manifests:
        index.record(manifest, 1, "file")
    assert index.described([named, nameless, plain, *manifests]) == {
        manifests[0]: "recording.npy",
        manifests[1]: nameless,
    }


def test_the_longest_unused_come_first(index: Index) -> None:
    entries = _entries(2500)
    index.apply(entries, [], [], [])
    assert [e.sha1 for e in index.oldest()] == [e.sha1 for e in sorted(entries, key=lambda e: e.used)]


def test_many_threads_at_once(index: Index) -> None:
    entries = _entries(400)
    problems: list[Exception] = []

    def work(part: int) -> None:
        try:
            for entry in entries[part::8]:
                index.record(entry.sha1, entry.size, "file", name=entry.name)
                index.page(order="used", limit=5)
                index.count(_where("alpha"))
        except Exception as error:  # noqa: BLE001 -- shown by the assertion
            problems.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert index.count() == 400


@pytest.mark.parametrize(
    "garbage",
    [b"this is no database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 4096],
    ids=["text", "header", "zeros"],
)
def test_a_damaged_database_is_built_anew_from_the_folder(tmp_path: Path, garbage: bytes) -> None:
    storage = Storage.open(tmp_path / "s")
    sha1 = storage.store_bytes(b"content", "name").uri.sha1
    storage.pin(sha1, True)
    storage.close()
    (tmp_path / "s" / "kachery-tui.db").write_bytes(garbage)
    for suffix in ("-wal", "-shm"):
        (tmp_path / "s" / f"kachery-tui.db{suffix}").unlink(missing_ok=True)

    storage = Storage.open(tmp_path / "s")
    assert storage.find(sha1) is not None
    assert storage.scan(threading.Event()).added == 1
    entry = storage.index.get(sha1)
    assert entry is not None
    assert (entry.size, entry.pinned) == (7, True)
    storage.close()


def test_a_database_that_breaks_under_way_is_built_anew(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    index = Index(path)
    index.apply(_entries(2000), [], [], [])
    index.close()
    with path.open("r+b") as file:
        size = path.stat().st_size
        for offset in range(4096, size, 4096):
            file.seek(offset)
            file.write(b"\xaa" * 100)
    index = Index(path)
    assert len(index.page(order="size")) == 0
    index.record("a" * 40, 5, "file")
    assert index.count() == 1
    index.close()


def test_a_database_of_another_version_is_built_anew(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE entries (what TEXT)")
        db.execute("PRAGMA user_version = 77")
    db.close()
    index = Index(path)
    index.record("a" * 40, 5, "file")
    assert index.count() == 1
    index.close()


def test_a_database_that_cannot_be_opened_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "s" / "kachery-tui.db").mkdir(parents=True)
    storage = Storage.open(tmp_path / "s")
    stored = storage.store_bytes(b"content", "name")
    assert storage.find(stored.uri.sha1) is not None
    assert storage.index.count() == 1
    storage.close()


def test_a_locked_database_stops_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.storage.database._BUSY_TIMEOUT", 0.05)
    storage = Storage.open(tmp_path / "s")
    locker = sqlite3.connect(tmp_path / "s" / "kachery-tui.db", isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")
    stored = storage.store_bytes(b"content", "name")
    assert storage.find(stored.uri.sha1) is not None
    assert storage.index.count() == 0
    locker.execute("ROLLBACK")
    locker.close()
    assert storage.scan(threading.Event()).added == 1
    storage.close()


def test_pages_are_walked_along_an_index(index: Index) -> None:
    """Counted in steps of SQLite's machine, not in seconds: sorting all rows takes ten for each."""
    index.apply(_entries(5000), [], [], [])
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 100

    index._db.read(lambda db: db.set_progress_handler(count, 100))
    orders: list[Order] = ["name", "size", "added", "used"]
    for order, offset, descending in product(orders, (0, 2400, 2600, 4900), (False, True)):
        steps = 0
        assert len(index.page(order=order, offset=offset, limit=100, descending=descending)) == 100
        assert steps < 13_000


@pytest.mark.parametrize("text", ["size>1", "name:a size<=5 added<2d", "!raw used>1h", "pinned size=1,2"])
def test_filters_go_through_the_whole_file_in_its_own_order(index: Index, text: str) -> None:
    """Which is quicker than from an index to row after row, wherever that is, as long as many rows are looked at."""
    asked: list[str] = []
    index._db.search(lambda db: db.set_trace_callback(asked.append))
    index.count(parse_filter(text, ENTRY_FIELDS))
    (query,) = (one for one in asked if one.startswith("SELECT id"))
    plan = index._db.search(lambda db: db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
    assert [step[3] for step in plan] == ["SCAN entries", "USE TEMP B-TREE FOR ORDER BY"]


def test_a_closed_index_says_so(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.db")
    index.close()
    for action in (index.count, lambda: index.forget("a" * 40)):
        with pytest.raises(KacheryError, match="closed"):
            action()

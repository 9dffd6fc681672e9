"""Several filters at once: which goes first, and how one ends that nobody wants any more."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kachery_tui.filters import Filter, parse_filter
from kachery_tui.storage import Entry, Index, Order
from kachery_tui.storage.index_query import ENTRY_FIELDS, ids_matching
from tests.storage.helpers import sha1_of

if TYPE_CHECKING:
    from array import array

ROWS = 3_000


class Gate:
    """Lets a search begin, and go on when it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.open.wait(20)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setattr("kachery_tui.storage.search.STEPS", 100)
    opened = Index(tmp_path / "index.db")
    opened.apply([_entry(number) for number in range(ROWS)], [], [], [])
    yield opened
    opened.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as running:
        yield running


def _entry(number: int) -> Entry:
    return Entry(sha1_of(str(number).encode()), number, f"name-{number}", 0.0, 0.0, "", False, "file", None)


def _where(text: str) -> Filter:
    return parse_filter(text, ENTRY_FIELDS)


def _await_wanted(index: Index, number: int) -> None:
    until = time.monotonic() + 20
    while len(index._search._wanted) != number:
        assert time.monotonic() < until
        time.sleep(0.001)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The searches in the order in which they began to run."""
    texts: list[str] = []

    def search(db: sqlite3.Connection, where: Filter, order: Order, now: float) -> "array[int]":
        texts.append(where.text)
        return ids_matching(db, where, order, now)

    monkeypatch.setattr("kachery_tui.storage.search.ids_matching", search)
    return texts


def test_a_newer_filter_goes_first_and_the_older_is_still_answered(
    index: Index, pool: ThreadPoolExecutor, begun: list[str]
) -> None:
    gate = Gate()
    old = pool.submit(index.count, _where("size<10"), check=gate)
    assert gate.reached.wait(20)
    new = pool.submit(index.count, _where("size<20"))
    _await_wanted(index, 2)
    gate.open.set()
    assert (old.result(20), new.result(20)) == (10, 20)
    assert begun == ["size<10", "size<20", "size<10"]


def test_a_filter_gives_way_only_once(index: Index, pool: ThreadPoolExecutor, begun: list[str]) -> None:
    gate = Gate()
    newest: list[Future[int]] = []

    def check() -> None:
        if len(begun) == 1:
            gate()
        elif len(begun) == 3 and not newest:
            newest.append(pool.submit(index.count, _where("size<30")))
            _await_wanted(index, 2)

    old = pool.submit(index.count, _where("size<10"), check=check)
    assert gate.reached.wait(20)
    new = pool.submit(index.count, _where("size<20"))
    _await_wanted(index, 2)
    gate.open.set()
    assert (old.result(20), new.result(20)) == (10, 20)
    assert newest[0].result(20) == 30
    assert begun == ["size<10", "size<20", "size<10", "size<30"]


def test_what_is_searched_for_twice_at_once_is_searched_once(index: Index, pool: ThreadPoolExecutor) -> None:
    gate = Gate()
    first = pool.submit(index._search.ids, _where("size<10"), "size", (0, 0), gate)
    assert gate.reached.wait(20)
    second = pool.submit(index._search.ids, _where("size<10"), "size", (0, 0), None)
    _await_wanted(index, 2)
    gate.open.set()
    assert first.result(20) is second.result(20)


def test_what_nobody_wants_ends_and_the_index_is_none_the_worse(index: Index) -> None:
    class UnwantedError(Exception):
        pass

    def check() -> None:
        raise UnwantedError

    with pytest.raises(UnwantedError):
        index.page(order="name", where=_where("size<10"), check=check)
    assert index.count(_where("size<10")) == 10
    assert index.count() == ROWS


def test_one_that_waits_for_its_turn_can_be_ended_too(index: Index, pool: ThreadPoolExecutor) -> None:
    class UnwantedError(Exception):
        pass

    def check() -> None:
        raise UnwantedError

    gate = Gate()
    running = pool.submit(index._search.ids, _where("size<10"), "size", (0, 0), gate)
    assert gate.reached.wait(20)
    with pytest.raises(UnwantedError):
        index._search.ids(_where("size<20"), "size", (0, 0), check)
    gate.open.set()
    assert len(running.result(20)) == 10


def test_ages_are_looked_at_again_as_time_passes(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000_000.0
    monkeypatch.setattr("kachery_tui.storage.search.time.time", lambda: now)
    index.apply([Entry("a" * 40, 1, "new", now, now, "", False, "file", None)], [], [], [])
    assert index.count(_where("added<2m")) == 1
    now += 180
    assert index.count(_where("added<2m")) == 0

"""Looking for the rows that a filter leaves: one filter at a time, and the newest before older ones."""

import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kachery_tui.filters import FieldKind, Filter
from kachery_tui.storage.database import Database
from kachery_tui.storage.index_query import ids_matching
from kachery_tui.storage.values import Check, Order

if TYPE_CHECKING:
    from array import array

STEPS: Final = 20_000
"""Of SQLite's machine between two looks at whether the search is still wanted: about a millisecond."""

LOOK_EVERY: Final = 0.05
"""The same for a search that waits for its turn, in seconds."""

AGE_GRAIN: Final = 60
"""Seconds for which an answer to how old files are is kept, while nothing else changes."""

State = tuple[int, int]
_Key = tuple[Filter, Order, State, int]


class _GaveWay(Exception):
    """A newer filter is waiting."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """The rows that a filter leaves, in order, as of one state of the database."""

    key: _Key
    ids: "array[int]"


class Search:
    """What filters leave of the index. Keeps the last answer: pages of one list are asked for one after the other.

    A search gives way to a newer one of something else, once, and is then done from its beginning.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._turn = threading.Condition()
        self._wanted: dict[int, _Key] = {}
        self._last = 0
        self._is_running = False
        self._answer: _Answer | None = None

    def ids(self, where: Filter, order: Order | None, state: State, check: Check | None) -> "array[int]":
        """The rows in order; without one, in that of the last answer. What `check` raises ends the search."""
        now = time.time()
        if order is None:
            # So a list that was looked at need not be searched again to be counted.
            order = self._answer.key[1] if self._answer is not None else "name"
        is_of_age = any(term.kind is FieldKind.TIME for term in where.terms)
        key = (where, order, state, int(now // AGE_GRAIN) if is_of_age else 0)
        with self._turn:
            self._last = number = self._last + 1
            self._wanted[number] = key
        try:
            return self._find(number, key, now, check)
        finally:
            with self._turn:
                del self._wanted[number]
                self._turn.notify_all()

    def _find(self, number: int, key: _Key, now: float, check: Check | None) -> "array[int]":
        newest: int | None = None

        def look() -> None:
            if check is not None:
                check()
            if newest is None and self._is_newer(number, key):
                raise _GaveWay

        while True:
            found = self._await_turn(number, key, newest, check)
            if found is not None:
                return found
            try:
                ids = self._db.search(
                    lambda db: _interruptibly(db, look, lambda: ids_matching(db, key[0], key[1], now))
                )
                self._answer = _Answer(key, ids)
            except _GaveWay:
                # To those that are waiting now: with every further one, it might never come to an end.
                newest = self._last
            else:
                return ids
            finally:
                with self._turn:
                    self._is_running = False
                    self._turn.notify_all()

    def _await_turn(
        self, number: int, key: _Key, newest: int | None, check: Check | None
    ) -> "array[int] | None":
        """Wait until nobody searches, and nobody newer up to `newest` wants to; the answer, if it is there by then."""
        with self._turn:
            while True:
                if self._answer is not None and self._answer.key == key:
                    return self._answer.ids
                newer = (other for other in self._wanted if other > number)
                if not self._is_running and not any(newest is None or other <= newest for other in newer):
                    self._is_running = True
                    return None
                self._turn.wait(LOOK_EVERY)
                if check is not None:
                    check()

    def _is_newer(self, number: int, key: _Key) -> bool:
        with self._turn:
            return any(other > number and wanted != key for other, wanted in self._wanted.items())


def _interruptibly(
    db: sqlite3.Connection, look: Callable[[], None], work: Callable[[], "array[int]"]
) -> "array[int]":
    """Do `work`, and `look` now and then; what that raises is raised from here."""
    raised: list[BaseException] = []

    def handler() -> bool:
        try:
            look()
        except BaseException as error:  # noqa: BLE001 -- SQLite would swallow it
            raised.append(error)
        return bool(raised)

    db.set_progress_handler(handler, STEPS)
    try:
        return work()
    except sqlite3.OperationalError:
        if raised:
            raise raised[0] from None
        raise
    finally:
        db.set_progress_handler(None, 0)

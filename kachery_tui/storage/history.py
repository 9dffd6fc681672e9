"""The SQLite file with the requests of earlier runs, each as a text that only the node understands.

It is apart from the index, which may be thrown away at any time: nothing else remembers what is kept here.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.storage.database import connection, is_locked, statements, version_of

T = TypeVar("T")
_log = logging.getLogger(__name__)

SCHEMA_VERSION: Final = 1

KEPT_ENDED: Final = 1_000
"""Ended rows that are kept, those with the highest numbers."""

KEPT_IN_ALL: Final = 3 * KEPT_ENDED
"""Rows that are read, those under way when the program was killed among them."""

LONGEST_DATA: Final = 65_536
"""Characters of one row."""

MOST_NUMBER: Final = 2**53
"""A number above this was not written by this program, and counting on from there would end soon."""

_SCHEMA: Final = """
-- `ended` is null as long as a request is under way; `seen` is when the row was written; both are Unix time.
CREATE TABLE requests (
    number INTEGER PRIMARY KEY,
    ended REAL,
    seen REAL NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX requests_ended ON requests (number) WHERE ended IS NOT NULL;
"""

_UPSERT: Final = """
INSERT INTO requests (number, ended, seen, data) VALUES (?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE SET ended = excluded.ended, seen = excluded.seen, data = excluded.data
"""

_TRIM: Final = """
DELETE FROM requests WHERE ended IS NOT NULL AND number <= (
    SELECT number FROM requests WHERE ended IS NOT NULL ORDER BY number DESC LIMIT 1 OFFSET ?
)
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """One request as it is kept. `seen` is when it was written, in Unix time; `ended` is None while under way."""

    number: int
    ended: float | None
    seen: float
    data: str


class _Damaged(Exception):
    """The file is SQLite's, and not what this program made."""


class History:
    """The kept requests of a storage folder. Methods block on the disk, and are safe from any thread.

    They raise `KacheryError`, or `TryAgain` where the file stays locked. A damaged file is moved aside, never
    removed, and a new one begun.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self.begun_anew = 0
        """How often a file was damaged, or taken away by somebody: what had been saved has to be saved again."""

    def highest(self) -> int:
        """The highest number that is taken; 0 where none is. Creates nothing."""
        if not self._path.exists():
            return 0
        query = "SELECT max(number) FROM requests WHERE number <= ?"
        return int(self._run(lambda db: db.execute(query, (MOST_NUMBER,)).fetchone()[0]) or 0)

    def load(self) -> list[Kept]:
        """All that is kept, the oldest first; rows that this program cannot have written are left out."""
        if not self._path.exists():
            return []
        query = (
            "SELECT number, ended, seen, data FROM requests WHERE number BETWEEN 1 AND ? AND length(data) <= ?"
            " ORDER BY number DESC LIMIT ?"
        )
        rows = self._run(lambda db: db.execute(query, (MOST_NUMBER, LONGEST_DATA, KEPT_IN_ALL)).fetchall())
        return [
            Kept(number, ended, seen, data)
            for number, ended, seen, data in reversed(rows)
            if isinstance(ended, float | None) and isinstance(seen, float) and isinstance(data, str)
        ]

    def save(self, rows: Sequence[Kept]) -> None:
        """Write rows, new ones and such as have changed, and drop what is too old to be kept. All of it or nothing."""
        values = [(row.number, row.ended, row.seen, row.data) for row in rows]

        def work(db: sqlite3.Connection) -> None:
            db.execute("BEGIN IMMEDIATE")
            try:
                db.executemany(_UPSERT, values)
                db.execute(_TRIM, (KEPT_ENDED,))
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

        self._run(work)

    def close(self) -> None:
        """Let go of the file; the next call opens it anew."""
        with self._lock:
            self._let_go()

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        what = f"cannot use the history of requests {self._path}"
        with self._lock:
            for last in (False, True):
                try:
                    return work(self._opened())
                except (sqlite3.Error, OSError, _Damaged) as error:
                    if isinstance(error, sqlite3.Error) and is_locked(error):
                        raise TryAgain(what, "another process has locked it") from error
                    if last or not _is_damage(error):
                        raise KacheryError(what, str(error), "Requests are not remembered") from error
                    self._move_aside(error)
        raise AssertionError("unreachable")

    def _opened(self) -> sqlite3.Connection:
        if self._db is not None and not self._is_in_place():
            self._let_go()
            self.begun_anew += 1
        if self._db is None:
            # SQLite gives its other files the mode of this one. Names of files and people are nobody else's concern.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._path.chmod(0o600)
            db = connection(str(self._path))
            try:
                _prepare(db)
            except BaseException:
                db.close()
                raise
            self._db, self._inode = db, self._path.stat().st_ino
        return self._db

    def _is_in_place(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _move_aside(self, error: Exception) -> None:
        self._let_go()
        stamp = time.strftime("%Y%m%dT%H%M%S")
        target = self._path.with_name(f"{self._path.name}.damaged-{stamp}")
        for attempt in range(1, 1_000):
            if not target.exists():
                break
            target = self._path.with_name(f"{self._path.name}.damaged-{stamp}-{attempt}")
        try:
            # The file itself goes last: a log that stayed behind would be played into the new one.
            for suffix in ("-journal", "-wal", "-shm", ""):
                part = Path(f"{self._path}{suffix}")
                if part.exists():
                    part.rename(f"{target}{suffix}")
        except OSError as trouble:
            what = f"the history of requests {self._path} is damaged and cannot be moved aside"
            raise KacheryError(what, f"{error}; {trouble}", "Move it away yourself") from trouble
        self.begun_anew += 1
        _log.warning(
            "The history of requests %s is damaged (%s): it is kept as %s, and a new one begun",
            self._path,
            error,
            target.name,
        )

    def _let_go(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def _prepare(db: sqlite3.Connection) -> None:
    version = version_of(db)
    if version > SCHEMA_VERSION:
        raise KacheryError(
            "the history of requests is of a newer version of this program",
            f"it has form {version}, and {SCHEMA_VERSION} is known here",
            "Requests are not remembered; use the newer version",
        )
    if version == SCHEMA_VERSION:
        try:
            db.execute("SELECT number, ended, seen, data FROM requests LIMIT 1").fetchone()
        except sqlite3.OperationalError as error:
            if "no such" in str(error):
                raise _Damaged(str(error)) from error
            raise
        return
    db.execute("BEGIN EXCLUSIVE")
    try:
        # Another process may have come first.
        if version_of(db) != SCHEMA_VERSION:
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise _Damaged("it holds tables of another program")
            for statement in statements(_SCHEMA):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _is_damage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, _Damaged) or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

"""SQLite files of this program's own whose contents stand nowhere else: never thrown away, even if damaged."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.storage.database import connection, is_locked, statements, version_of

T = TypeVar("T")
_log = logging.getLogger(__name__)

SCHEMA_VERSION = 1


class _Damaged(Exception):
    """The file is SQLite's, and not what this program made."""


class KeptDatabase:
    """One such file, begun by the first call. Methods block on the disk, and are safe from any thread.

    `name` is what it holds, for people, and `lost` what it means to them that it cannot be used; `schema` makes it, and
    `probe` is a query that only works on what `schema` has made.
    """

    def __init__(self, path: Path, schema: str, probe: str, *, name: str, lost: str) -> None:
        self._path = path
        self._schema = schema
        self._probe = probe
        self._name = name
        self._lost = lost
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self.begun_anew = 0
        """How often a file was damaged, or taken away by somebody: what had been saved has to be saved again."""

    @property
    def exists(self) -> bool:
        """Whether there is a file yet."""
        return self._path.exists()

    def close(self) -> None:
        """Let go of the file; the next call opens it anew."""
        with self._lock:
            self._let_go()

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`. `TryAgain` if the file stays locked; a damaged one is moved aside, and a new one begun."""
        what = f"cannot use {self._name} {self._path}"
        with self._lock:
            for last in (False, True):
                try:
                    return work(self._opened())
                except (sqlite3.Error, OSError, _Damaged) as error:
                    if isinstance(error, sqlite3.Error) and is_locked(error):
                        raise TryAgain(what, "another process has locked it") from error
                    if last or not _is_damage(error):
                        raise KacheryError(what, str(error), self._lost) from error
                    self._move_aside(error)
        raise AssertionError("unreachable")

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction: all of it or nothing. Raises as `read` does."""

        def transact(db: sqlite3.Connection) -> T:
            db.execute("BEGIN IMMEDIATE")
            try:
                result = work(db)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            return result

        return self.read(transact)

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
                self._prepare(db)
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
            what = f"{self._name} {self._path} is damaged and cannot be moved aside"
            raise KacheryError(what, f"{error}; {trouble}", "Move it away yourself") from trouble
        self.begun_anew += 1
        _log.warning(
            "%s %s is damaged (%s): it is kept as %s, and a new one begun",
            self._name.capitalize(),
            self._path,
            error,
            target.name,
        )

    def _let_go(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _prepare(self, db: sqlite3.Connection) -> None:
        version = version_of(db)
        if version > SCHEMA_VERSION:
            raise KacheryError(
                f"{self._name} is of a newer version of this program",
                f"it has form {version}, and {SCHEMA_VERSION} is known here",
                f"{self._lost}; use the newer version",
            )
        if version == SCHEMA_VERSION:
            try:
                db.execute(self._probe).fetchone()
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
                for statement in statements(self._schema):
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

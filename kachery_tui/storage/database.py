"""The SQLite file under the index: opened, shared between threads, and thrown away when it is of no use.

The folder is the truth and the index only its picture, so nothing here may stop a file from being stored or found:
a damaged database is replaced by an empty one, and one that cannot be opened by one in memory.
"""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.file_locks import try_lock
from kachery_tui.storage.atomic import open_in_place
from kachery_tui.storage.modes import PRIVATE, Modes
from kachery_tui.storage.sqlite_file import (
    connect_to,
    connect_to_memory,
    is_read_only,
    make_with_mode,
    set_mode,
    transact,
)

T = TypeVar("T")
_log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
# How long a statement waits for another process that writes, in seconds.
_BUSY_TIMEOUT = 5.0

_SCHEMA = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    sha1 TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    added REAL NOT NULL,
    used REAL NOT NULL,
    origin TEXT NOT NULL,
    pinned INTEGER NOT NULL,
    kind TEXT NOT NULL,
    manifest_sha1 TEXT
);
CREATE INDEX entries_by_name ON entries (name);
CREATE INDEX entries_by_size ON entries (size);
CREATE INDEX entries_by_added ON entries (added);
CREATE INDEX entries_by_used ON entries (used);
CREATE INDEX entries_linked ON entries (sha1) WHERE kind != 'file';
-- The folders below sha1/ with the time of their last change as of when they were read, keyed by their three
-- (or two) bytes as a number with a leading 1.
CREATE TABLE folders (id INTEGER PRIMARY KEY, mtime_ns INTEGER NOT NULL);
CREATE TABLE totals (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    entries INTEGER NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL, links INTEGER NOT NULL,
    trash_bytes INTEGER NOT NULL
);
INSERT INTO totals VALUES (1, 0, 0, 0, 0, 0);
CREATE TRIGGER entry_added AFTER INSERT ON entries BEGIN
    UPDATE totals SET entries = entries + 1, files = files + (new.kind = 'file'),
        bytes = bytes + new.size * (new.kind = 'file'), links = links + (new.kind = 'link');
END;
CREATE TRIGGER entry_removed AFTER DELETE ON entries BEGIN
    UPDATE totals SET entries = entries - 1, files = files - (old.kind = 'file'),
        bytes = bytes - old.size * (old.kind = 'file'), links = links - (old.kind = 'link');
END;
CREATE TRIGGER entry_changed AFTER UPDATE OF size, kind ON entries
WHEN old.size != new.size OR old.kind != new.kind BEGIN
    UPDATE totals SET files = files + (new.kind = 'file') - (old.kind = 'file'),
        bytes = bytes + new.size * (new.kind = 'file') - old.size * (old.kind = 'file'),
        links = links + (new.kind = 'link') - (old.kind = 'link');
END;
"""


# What came to the schema later and needs nothing of what is there to be built anew: names and origins would be lost.
_ADDED = """
CREATE TABLE IF NOT EXISTS trashed (
    sha1 TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    added REAL NOT NULL,
    origin TEXT NOT NULL,
    manifest_sha1 TEXT
);
-- What a link says that was found to be so: its bytes have been read, and have that sha1.
CREATE TABLE IF NOT EXISTS vouched (
    sha1 TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_with_manifest ON entries (manifest_sha1) WHERE manifest_sha1 IS NOT NULL;
"""


class Database:
    """A connection for reading, one for writing and one for searching, each behind a lock; safe from any thread."""

    def __init__(self, path: Path, modes: Modes = PRIVATE) -> None:
        self._path = path
        self._modes = modes
        self._said = ""
        self._read_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._search_lock = threading.Lock()
        self._searcher: sqlite3.Connection | None = None
        self._inode = 0
        self._closed = False
        # Grows with every change made through this object, so that a reader can tell old from new.
        self.changes = 0
        self._connect()

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the reading connection. TryAgain if the database stays locked."""
        for last in (False, True):
            try:
                self._follow()
                with self._read_lock:
                    return work(self._reader)
            except _TROUBLE as error:
                self._answer(error, last)
        raise AssertionError("unreachable")

    def search(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `read`, for what takes its time: neither those who read nor those who write wait for it."""
        for last in (False, True):
            try:
                self._follow()
                with self._search_lock:
                    if self._searcher is None:
                        self._searcher = self._open_searcher()
                    return work(self._searcher)
            except _TROUBLE as error:
                self._answer(error, last)
        raise AssertionError("unreachable")

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Run `work` in a transaction. None if the database stays locked: a later scan makes up for it."""
        for last in (False, True):
            try:
                self._follow()
                with self._write_lock:
                    result = transact(self._writer, work)
                    self.changes += 1
            except _TROUBLE as error:
                if isinstance(error, sqlite3.Error) and (is_locked(error) or _is_refusal(error)):
                    self._say_not_written(error)
                    return None
                self._answer(error, last)
            else:
                return result
        raise AssertionError("unreachable")

    def foreign_changes(self) -> int:
        """A number that grows when another connection, here or elsewhere, has changed the database."""
        return self.read(lambda db: int(db.execute("PRAGMA data_version").fetchone()[0]))

    def close(self) -> None:
        """Close the connections; the object is of no use afterwards."""
        with self._read_lock, self._write_lock, self._search_lock:
            self._closed = True
            self._close_all()

    def _answer(self, error: Exception, last: bool) -> None:
        if self._closed:
            raise KacheryError("the storage folder's index is closed") from error
        if isinstance(error, sqlite3.ProgrammingError):
            raise error
        if isinstance(error, sqlite3.Error) and is_locked(error):
            raise TryAgain("the index is locked by another process", str(error)) from error
        if last:
            raise KacheryError(f"cannot use the index {self._path}", str(error), "Check the disk") from error
        with self._read_lock, self._write_lock, self._search_lock:
            self._close_all()
            if not _is_damage(error):
                self._connect()
            elif self._is_discarded():
                _log.warning("The index cannot be used (%s); it is built anew", error)
                self._connect()
            else:
                _log.warning("The index cannot be used (%s); it is kept in memory", error)
                self._open_memory()

    def _is_discarded(self) -> bool:
        """Remove the database; False where it stays."""
        if is_read_only(self._path.parent):
            return False
        try:
            self._discard()
        except OSError:
            return False
        return True

    def _follow(self) -> None:
        """Use the file that is there now: another process may have put a new one in the place of a damaged one."""
        if self._closed or not self._inode or self._inode == _inode(self._path):
            return
        with self._read_lock, self._write_lock, self._search_lock:
            if not self._closed and self._inode != _inode(self._path):
                self._close_all()
                self._connect()

    def _say_not_written(self, error: sqlite3.Error) -> None:
        """Say, once for each reason, that the index falls behind."""
        if is_locked(error):
            _log.warning("The index is locked by another process; it will be brought up to date later")
        elif is_read_only(self._path.parent):
            # Nothing comes or goes in such a folder, so that the index is as true as it was.
            return
        elif self._said != str(error):
            self._said = str(error)
            _log.warning(
                "The index %s cannot be written to (%s) and falls behind; its owner can run: chmod %s %s",
                self._path,
                error,
                "g+rw" if self._modes.is_shared else "u+rw",
                self._path,
            )

    def _connect(self) -> None:
        try:
            try:
                self._open_file()
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if not _is_damage(error) or is_read_only(self._path.parent):
                    raise
                _log.warning("The index %s cannot be read (%s); it is built anew", self._path, error)
                self._discard()
                self._open_file()
        except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
            if not is_read_only(self._path.parent):
                _log.warning("The index %s cannot be opened (%s); it is kept in memory", self._path, error)
            self._open_memory()

    def _open_memory(self) -> None:
        self._open(lambda: _tuned(connect_to_memory(f"kachery-tui-{id(self):x}", _BUSY_TIMEOUT)))

    def _open_file(self) -> None:
        if not is_read_only(self._path.parent):
            with suppress(PermissionError):
                # Another user's index can be read.
                make_with_mode(self._path, self._modes)
            set_mode(self._path, self._modes)
        self._open(lambda: connection(self._path))

    def _open(self, connect: Callable[[], sqlite3.Connection]) -> None:
        writer = connect()
        try:
            _prepare(writer)
            reader = connect()
        except BaseException:
            writer.close()
            raise
        self._writer, self._reader, self._connected = writer, reader, connect
        self._inode = _inode(self._path)

    def _open_searcher(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("closed")
        return self._connected()

    def _close_all(self) -> None:
        self._reader.close()
        self._writer.close()
        if self._searcher is not None:
            self._searcher.close()
            self._searcher = None

    def _discard(self) -> None:
        """Remove the database, unless another process has already put a new one in its place."""
        guard = open_in_place(self._path.with_name(f"{self._path.stem}-index.lock"), self._modes)
        try:
            if not try_lock(guard):
                return
            if self._inode and _inode(self._path) not in (0, self._inode):
                return
            for suffix in ("", "-wal", "-shm", "-journal"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        finally:
            os.close(guard)


def _inode(path: Path) -> int:
    """Which file stands there; 0 if there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def connection(path: Path) -> sqlite3.Connection:
    """A connection to a file of this program's: without transactions of its own, for any thread, behind a lock."""
    return _tuned(connect_to(path, _BUSY_TIMEOUT))


def _tuned(db: sqlite3.Connection) -> sqlite3.Connection:
    try:
        # Network file systems may have no WAL; SQLite then keeps the mode it has.
        db.execute("PRAGMA journal_mode=WAL")
        # A crash of the machine may lose the last changes, never the database; a scan finds them again.
        db.execute("PRAGMA synchronous=NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection) -> None:
    if version_of(db) == SCHEMA_VERSION:
        db.execute("SELECT entries FROM totals").fetchone()
        for statement in statements(_ADDED):
            db.execute(statement)
        return
    transact(db, _begin_anew, "EXCLUSIVE")


def _begin_anew(db: sqlite3.Connection) -> None:
    # Another process may have come first.
    if version_of(db) == SCHEMA_VERSION:
        return
    made = db.execute(
        "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'trigger') AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    for kind, name in made:
        db.execute(f'DROP {kind} IF EXISTS "{name}"')
    make_schema(db, _SCHEMA + _ADDED, SCHEMA_VERSION)


def make_schema(db: sqlite3.Connection, schema: str, version: int) -> None:
    """Make what `schema` says, and have the file say of which version it is."""
    for statement in statements(schema):
        db.execute(statement)
    db.execute(f"PRAGMA user_version={version}")


def version_of(db: sqlite3.Connection) -> int:
    """The version that a file's schema says it has; 0 where it says none."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def statements(script: str) -> list[str]:
    """The statements of a script: sqlite3's executescript would commit the transaction they belong to."""
    statements, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements


# A value of another kind than was written, or a message of SQLite's that quotes a damaged schema and is no text.
_TROUBLE: Final = (sqlite3.Error, ValueError, TypeError)

_REFUSALS: Final = frozenset(
    {
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_FULL,
    }
)


def _is_refusal(error: sqlite3.Error) -> bool:
    """Whether a whole file cannot be written to: another user's, on a full disk, or on one that is read-only."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in _REFUSALS and code != sqlite3.SQLITE_READONLY_DBMOVED


def _is_damage(error: Exception) -> bool:
    """Whether a file is of no use to anybody: damaged, of another program, or with a schema that is not the index's."""
    if not isinstance(error, sqlite3.Error):
        return True
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def is_locked(error: sqlite3.Error) -> bool:
    """Whether another process writes to the file, so that it is whole and the same may work later."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

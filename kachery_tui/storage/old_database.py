"""SQLite files that the old daemon made, or might open: its schema, its journal, durable commits.

Nothing here moves, replaces or repairs such a file: what is wrong with it is said, and it stays as it is.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from kachery_tui.errors import KacheryError, TryAgain, UsageError
from kachery_tui.storage.database import is_locked, statements
from kachery_tui.storage.sqlite_file import SqliteFile, connect_to, transact

T = TypeVar("T")

BUSY_TIMEOUT: Final = 5.0
"""Seconds that a statement waits for another program that writes."""


class OldDatabase(SqliteFile):
    """One such file, made on the first write if it is missing. Methods block on the disk, and are safe from any thread.

    They raise `TryAgain` where another program has locked it, `UsageError` where it is damaged or not what it should
    be, `KacheryError` for other trouble of the disk.
    """

    def __init__(self, path: Path, schema: str) -> None:
        super().__init__(path)
        self._schema = schema

    def read(self, work: Callable[[sqlite3.Connection], T], missing: T) -> T:
        """Run `work`; `missing` where there is no file, which is not made for this."""

        def whole() -> T:
            if not self.exists:
                self.let_go()
                return missing
            return work(self.opened())

        with self.lock:
            return self._guarded(whole)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction, which is on disk once this returns, or has changed nothing."""

        def whole(db: sqlite3.Connection) -> T:
            for statement in statements(self._schema):
                db.execute(statement)
            return work(db)

        with self.lock:
            return self._guarded(lambda: transact(self.opened(), whole))

    def stamp(self) -> tuple[int, int]:
        """What differs as soon as another connection, here or in another program, has written. Quick."""
        version = self.read(lambda db: int(db.execute("PRAGMA data_version").fetchone()[0]), 0)
        return self.opened_times, version

    def connect(self) -> sqlite3.Connection:
        """See `SqliteFile`."""
        db = connect_to(self.path, BUSY_TIMEOUT)
        try:
            _prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _guarded(self, work: Callable[[], T]) -> T:
        what = f"cannot use {self.path}"
        try:
            return work()
        except sqlite3.Error as error:
            if is_locked(error):
                raise TryAgain(
                    what,
                    f"another program has locked it for {BUSY_TIMEOUT:.0f} s",
                    "Try again when that program is done",
                ) from error
            raise _explained(what, error) from error
        except UnicodeDecodeError as error:
            # Where the schema is damaged, SQLite's very message may be no text.
            raise _damaged(what, "its schema is unreadable") from error
        except OSError as error:
            raise KacheryError(what, error.strerror or str(error), "Check the storage folder") from error


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA foreign_keys=ON")
    # The old daemon's journal stays of the old daemon's kind, which also works on network file systems. Emptying it
    # instead of removing it saves one flush of a folder a commit.
    if db.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
        db.execute("PRAGMA journal_mode=TRUNCATE")
    # A private key that was removed is not to be read from the file any more.
    db.execute("PRAGMA secure_delete=ON")
    # An acknowledged message is on disk, whatever happens to the machine afterwards.
    db.execute("PRAGMA synchronous=FULL")


def _explained(what: str, error: sqlite3.Error) -> KacheryError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(what, str(error))
    if code == sqlite3.SQLITE_FULL:
        return KacheryError(what, "the disk is full", "Free space on that disk, then try again")
    if code == sqlite3.SQLITE_READONLY:
        return KacheryError(what, "it cannot be written to", "Check its permissions, and those of the folder")
    return KacheryError(what, str(error), "Check the storage folder")


def _damaged(what: str, why: str) -> UsageError:
    return UsageError(
        what,
        f"it is damaged ({why})",
        "Nothing in it was touched: bring back a copy, or move it away to begin anew",
    )

"""SQLite files of this program's own whose contents stand nowhere else: never thrown away, even if damaged."""

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.storage.database import connection, is_locked, make_schema, version_of
from kachery_tui.storage.modes import PRIVATE, Modes
from kachery_tui.storage.sqlite_file import SqliteFile, set_mode, transact

T = TypeVar("T")
_log = logging.getLogger(__name__)

SCHEMA_VERSION = 1


class _Damaged(Exception):
    """The file is SQLite's, and not what this program made."""


class KeptDatabase(SqliteFile):
    """One such file, begun by the first call. Methods block on the disk, and are safe from any thread.

    `name` is what it holds, for people, and `lost` what it means to them that it cannot be used; `schema` makes it, and
    `probe` is a query that only works on what `schema` has made.
    """

    def __init__(
        self, path: Path, schema: str, probe: str, *, name: str, lost: str, modes: Modes = PRIVATE
    ) -> None:
        super().__init__(path, modes)
        self._schema = schema
        self._probe = probe
        self._name = name
        self._lost = lost
        self._moved_aside = 0

    @property
    def exists(self) -> bool:
        """Whether there is a file yet. Where nobody can tell, opening it says why."""
        try:
            return super().exists
        except OSError:
            return True

    @property
    def begun_anew(self) -> int:
        """How often a file was damaged, or taken away by somebody: what had been saved has to be saved again."""
        return self._moved_aside + self.taken_away

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`. `TryAgain` if the file stays locked; a damaged one is moved aside, and a new one begun."""
        what = f"cannot use {self._name} {self.path}"
        with self.lock:
            for last in (False, True):
                try:
                    return work(self.opened())
                except (sqlite3.Error, OSError, UnicodeDecodeError, _Damaged) as error:
                    if isinstance(error, sqlite3.Error) and is_locked(error):
                        raise TryAgain(what, "another process has locked it") from error
                    if last or not _is_damage(error):
                        raise KacheryError(what, str(error), self._lost) from error
                    self._move_aside(error)
        raise AssertionError("unreachable")

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction: all of it or nothing. Raises as `read` does."""
        return self.read(lambda db: transact(db, work))

    def connect(self) -> sqlite3.Connection:
        """See `SqliteFile`."""
        set_mode(self.path, self.modes)
        db = connection(self.path)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _move_aside(self, error: Exception) -> None:
        self.let_go()
        stamp = time.strftime("%Y%m%dT%H%M%S")
        target = self.path.with_name(f"{self.path.name}.damaged-{stamp}")
        for attempt in range(1, 1_000):
            if not target.exists():
                break
            target = self.path.with_name(f"{self.path.name}.damaged-{stamp}-{attempt}")
        try:
            # The file itself goes last: a log that stayed behind would be played into the new one.
            for suffix in ("-journal", "-wal", "-shm", ""):
                part = Path(f"{self.path}{suffix}")
                if part.exists():
                    part.rename(f"{target}{suffix}")
        except OSError as trouble:
            what = f"{self._name} {self.path} is damaged and cannot be moved aside"
            raise KacheryError(what, f"{error}; {trouble}", "Move it away yourself") from trouble
        self._moved_aside += 1
        _log.warning(
            "%s %s is damaged (%s): it is kept as %s, and a new one begun",
            self._name.capitalize(),
            self.path,
            error,
            target.name,
        )

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
        transact(db, self._begin, "EXCLUSIVE")

    def _begin(self, db: sqlite3.Connection) -> None:
        # Another process may have come first.
        if version_of(db) == SCHEMA_VERSION:
            return
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise _Damaged("it holds tables of another program")
        make_schema(db, self._schema, SCHEMA_VERSION)


def _is_damage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    # Where its schema is damaged, SQLite's very message may be no text.
    return isinstance(error, _Damaged | UnicodeDecodeError) or code in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    )

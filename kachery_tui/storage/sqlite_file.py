"""One SQLite file: opened when it is needed, opened anew when another was put in its place, written in transactions."""

import os
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class SqliteFile(ABC):
    """What is the same for every such file. Its methods block on the disk, and `lock` is held while they run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()
        self.opened_times = 0
        self.taken_away = 0
        """How often the file was not there any more, or another in its place, while it was open."""
        self._db: sqlite3.Connection | None = None
        self._inode = 0

    @property
    def exists(self) -> bool:
        """Whether there is a file yet."""
        return self.path.exists()

    def close(self) -> None:
        """Let go of the file; the next call opens it anew."""
        with self.lock:
            self.let_go()

    @abstractmethod
    def connect(self) -> sqlite3.Connection:
        """A connection to the file, which is there by now; without transactions of its own, for any thread."""

    def opened(self) -> sqlite3.Connection:
        """The connection to the file that stands there now. For those who hold the lock."""
        if self._db is not None and not self._is_in_place():
            self.let_go()
            self.taken_away += 1
        if self._db is None:
            # SQLite gives its other files the mode of this one. What is in there is nobody else's concern.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._db, self._inode = self.connect(), self.path.stat().st_ino
            self.opened_times += 1
        return self._db

    def let_go(self) -> None:
        """Close the connection. For those who hold the lock."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _is_in_place(self) -> bool:
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False


def transact(db: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run `work` in a transaction: all of it or nothing. Whoever comes second waits, and then reads what is new."""
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result

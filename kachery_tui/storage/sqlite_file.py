"""One SQLite file: opened when it is needed, opened anew when another was put in its place, written in transactions."""

import errno
import os
import sqlite3
import stat
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from kachery_tui.storage.modes import PRIVATE, Modes

T = TypeVar("T")

SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
"""What SQLite's files are called beside the one that they belong to."""


class SqliteFile(ABC):
    """What is the same for every such file. Its methods block on the disk, and `lock` is held while they run."""

    def __init__(self, path: Path, modes: Modes = PRIVATE) -> None:
        self.path = path
        self.modes = modes
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
            make_with_mode(self.path, self.modes)
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


def make_with_mode(path: Path, modes: Modes) -> None:
    """Make an SQLite file, empty, with the bits that it is to have, unless it is there.

    SQLite gives its other files the mode of this one. Raises `OSError` that says why, where the file cannot be used. One
    that is there is not opened for that: closing it would end every lock that this process has on it. Nor is a link used
    in a folder that others may write to: they would have this program write to another file of its user's.
    """
    if path.parent.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        for suffix in SUFFIXES:
            if Path(f"{path}{suffix}").is_symlink():
                raise OSError(errno.ELOOP, "it is a symbolic link", f"{path}{suffix}")
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, modes.file)
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path)) from None
        as_effective = os.access in os.supports_effective_ids
        if path.exists() and not os.access(path, os.R_OK | os.W_OK, effective_ids=as_effective):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from None
        return
    try:
        modes.apply(fd)
    finally:
        os.close(fd)


def set_mode(path: Path, modes: Modes) -> None:
    """Give an SQLite file of this program's, and those beside it, the bits that they are to have, where they are ours."""
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            part = Path(f"{path}{suffix}")
            status = part.lstat()
            # Through a link another file's bits would change.
            is_own_file = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
            if is_own_file and stat.S_IMODE(status.st_mode) != modes.file:
                try:
                    part.chmod(modes.file)
                except OSError:
                    if modes.is_shared:
                        raise


def transact(db: sqlite3.Connection, work: Callable[[sqlite3.Connection], T], mode: str = "IMMEDIATE") -> T:
    """Run `work` in a transaction: all of it or nothing. Whoever comes second waits, and then reads what is new.

    In the mode `EXCLUSIVE` nobody reads meanwhile: for making or changing a schema.
    """
    db.execute(f"BEGIN {mode}")
    try:
        result = work(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result

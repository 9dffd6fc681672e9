"""One SQLite file: opened when it is needed, opened anew when another was put in its place, written in transactions."""

import errno
import os
import sqlite3
import stat
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

from kachery_tui.file_locks import has_record_locks
from kachery_tui.storage.modes import PRIVATE, Modes

T = TypeVar("T")

SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
"""What SQLite's files are called beside the one that they belong to."""

_LONGEST_TRANSACTION: Final = 60.0
"""Seconds."""


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


def connect_to(path: Path, timeout: float, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection without transactions of its own, for any thread. Raises `sqlite3.Error`.

    In a folder that cannot be written to, it is for reading alone. Where the file system has no locks, SQLite locks by a
    folder beside the file.
    """
    options = {}
    if read_only or is_read_only(path.parent):
        # Opened in the usual way, even to be read, it would get a log.
        options = {"mode": "ro", **({"immutable": "1"} if _is_at_rest(path) else {"readonly_shm": "1"})}
    if not has_record_locks(path.parent):
        if not read_only:
            _remove_stale_lock(Path(f"{path}.lock"))
            _leave_wal(path)
        options["vfs"] = "unix-dotfile"
    return _connect(path, timeout, options)


def connect_to_memory(name: str, timeout: float) -> sqlite3.Connection:
    """A connection to a database in memory, which is shared by those who give its name."""
    return _connect(Path(name), timeout, {"mode": "memory", "cache": "shared"})


def _connect(path: Path, timeout: float, options: Mapping[str, str]) -> sqlite3.Connection:
    name = f"file:{quote(os.fsencode(path))}?{urlencode(options)}"
    db = sqlite3.connect(name, timeout=timeout, isolation_level=None, check_same_thread=False, uri=True)
    db.text_factory = _as_text
    return db


def _as_text(data: bytes) -> str:
    """A text of a row. Another program may have put there what is no text; one such row is not to hide the others."""
    return data.decode(errors="replace")


def is_read_only(folder: Path) -> bool:
    """Whether nothing can be put into an existing folder."""
    return folder.is_dir() and not _may(folder, os.W_OK | os.X_OK)


def _may(path: Path, kind: int) -> bool:
    """Whether this process may do that with a file, by the user that it acts for."""
    return os.access(path, kind, effective_ids=os.access in os.supports_effective_ids)


def _is_at_rest(path: Path) -> bool:
    """Whether it is a database that keeps a log beside it (WAL), and there is none now: nobody has it open."""
    try:
        with path.open("rb") as file:
            is_wal = file.read(20)[18:] == b"\2\2"
    except FileNotFoundError:
        return False
    return is_wal and not Path(f"{path}-wal").exists()


def _leave_wal(path: Path) -> None:
    """Where a file was used with locks before, it has a log that needs them."""
    if not _is_at_rest(path):
        return
    with suppress(sqlite3.Error), closing(_connect(path, 0.0, {"vfs": "unix-dotfile"})) as db:
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=DELETE")


def _remove_stale_lock(lock: Path) -> None:
    """A process that was killed leaves SQLite's lock folder behind; nothing is written for as long as this."""
    with suppress(OSError):
        if time.time() - lock.stat().st_mtime > _LONGEST_TRANSACTION:
            lock.rmdir()


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
        needed = os.R_OK if is_read_only(path.parent) else os.R_OK | os.W_OK
        if path.exists() and not _may(path, needed):
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

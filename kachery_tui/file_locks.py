"""Locks of open files, as `flock` has them, and what takes their place on file systems that have none.

Lustre without `-o flock`, some NFS and CIFS mounts and some FUSE file systems answer `flock` with an error. There a lock
holds within this process alone; who must be the only one on a machine asks `is_running` about whom a note names.
"""

import errno
import fcntl
import os
import tempfile
import threading
from pathlib import Path
from typing import Final

_UNSUPPORTED: Final = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})

# By device and inode: the descriptor under which this process holds the file.
_held: Final[dict[tuple[int, int], int]] = {}
_lockless: Final[set[int]] = set()
_record_locks: Final[dict[int, bool]] = {}
_guard: Final = threading.Lock()


def try_lock(fd: int) -> bool:
    """Take the lock of an open file unless somebody else has it; it ends when `fd` is closed. Raises `OSError`."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return _hold_here(fd)
    return True


def wait_for_lock(fd: int) -> None:
    """Take the lock of an open file once nobody else has it. Raises `OSError`."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def lacks_locks(fd: int) -> bool:
    """Whether the file system of an open file, on which a lock has been tried, turned out to have none."""
    return os.fstat(fd).st_dev in _lockless


def has_record_locks(folder: Path) -> bool:
    """Whether parts of a file in this folder can be locked, as SQLite does it. True where that cannot be tried."""
    try:
        device = folder.stat().st_dev
        if device not in _record_locks:
            with tempfile.TemporaryFile(dir=folder) as file:
                _record_locks[device] = _takes_record_lock(file.fileno())
    except OSError:
        return True
    return _record_locks[device]


def _takes_record_lock(fd: int) -> bool:
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _UNSUPPORTED
    return True


def is_running(pid: int) -> bool:
    """Whether a process of this number runs on this machine, this one aside."""
    if pid <= 0 or pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _hold_here(fd: int) -> bool:
    with _guard:
        key = _key(fd)
        _lockless.add(key[0])
        for other, holder in list(_held.items()):
            # Nothing tells of a descriptor that was closed; its number leads to another file by now, or to none.
            if not _is_open_as(holder, other):
                del _held[other]
        return _held.setdefault(key, fd) == fd


def _is_open_as(fd: int, key: tuple[int, int]) -> bool:
    try:
        return _key(fd) == key
    except OSError:
        return False


def _key(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino

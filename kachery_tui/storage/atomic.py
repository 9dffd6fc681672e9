"""Files that are there whole or not at all.

Everything is written to tmp/, flushed, and renamed. A temporary file is locked as long as its process lives, so
that a cleaner can tell a leftover from one in use.
"""

import errno
import os
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from kachery_tui.file_locks import try_lock
from kachery_tui.storage.modes import PRIVATE, Modes

T = TypeVar("T")

# macOS has no fdatasync.
flush_data = getattr(os, "fdatasync", os.fsync)

TEMP_PREFIX = "write-"
TEMP_SUFFIX = ".tmp"
_TRIES = 50
_PAUSE = 0.01


class TempFile:
    """A new file in `folder`, to be published under another name or thrown away at the end of its block."""

    def __init__(self, folder: Path, modes: Modes = PRIVATE) -> None:
        self._folder = folder
        self._modes = modes
        self._open = False
        self.path, self.fd = folder, -1

    def __enter__(self) -> Self:
        """Make the file. Here and not before: an interrupt may come at any moment, and must not leave it behind."""
        while True:
            self.path = self._folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}{TEMP_SUFFIX}"
            try:
                self.fd = _open_new(self.path, self._modes)
                # Between the calls a cleaner may have taken the file for a leftover.
                if try_lock(self.fd) and still_named(self.fd, self.path):
                    self._open = True
                    return self
                os.close(self.fd)
            except FileNotFoundError:
                make_folders(self._folder, self._modes)
            except BaseException:
                self.path.unlink(missing_ok=True)
                raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open:
            self._open = False
            # While the lock is held: once it is gone, the name may be somebody else's.
            self.path.unlink(missing_ok=True)
            os.close(self.fd)

    def publish(self, place: Path) -> None:
        """Flush, rename to `place` (over what is there), and see to it that the name survives a crash as well."""
        publish(self.path, self.fd, place, self._modes)
        self._open = False
        os.close(self.fd)

    def rename(self, place: Path) -> None:
        """Rename to `place` without flushing: for what may be lost, but not half written, when the machine fails."""
        self.path.rename(place)
        self._open = False
        os.close(self.fd)

    def publish_new(self, place: Path) -> bool:
        """As `publish`, but leaves what is already at `place` and returns False."""
        os.fsync(self.fd)
        try:
            place.hardlink_to(self.path)
        except FileExistsError:
            return False
        sync_directory(place.parent)
        return True


def publish(path: Path, fd: int, place: Path, modes: Modes) -> None:
    """Flush the file at `path`, open as `fd`, and rename it to `place`; both survive a crash once this returns."""
    os.fsync(fd)
    created = move(path, place, modes)
    sync_directory(place.parent)
    for folder in created:
        sync_directory(folder.parent)


def move(path: Path, place: Path, modes: Modes) -> list[Path]:
    """Rename `path` to `place`, whose folders are made where they are missing; returns the new ones. Raises `OSError`."""

    def work() -> list[Path]:
        created = _make_folders(place.parent, modes)
        path.rename(place)
        return created

    return _patiently(work, modes)


def write_file(tmp: Path, place: Path, data: bytes, modes: Modes = PRIVATE) -> None:
    """Put `data` at `place` in one step, over what is there; `tmp` is a folder of the same file system."""
    with TempFile(tmp, modes) as temp:
        write_all(temp.fd, data, 0)
        temp.publish(place)


def write_all(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data` at `offset`."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view = view[written:]
        offset += written


def sync_directory(path: Path) -> None:
    """Make the names in a folder survive a crash."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        # Some network file systems cannot flush a folder; their names are durable by themselves or not at all.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)


def still_named(fd: int, path: Path) -> bool:
    """Whether `path` still leads to the open file: locks are taken after opening, and names move meanwhile."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    opened = os.fstat(fd)
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


def open_in_place(path: Path, modes: Modes) -> int:
    """Open a file that is locked or written where it stands, made if it is missing; with the bits that it is to have.

    A symbolic link, or anything else that is no file, raises `OSError`: nothing of this program's is one, so somebody
    planted it to have another file written. A file of one's own that others may open loses those bits: whoever can
    open a file can hold its lock.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, modes.file)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        modes.apply(fd, status)
    except BaseException:
        os.close(fd)
        raise
    return fd


def make_folders(path: Path, modes: Modes) -> list[Path]:
    """Create the folder and those above it that are missing; returns the new ones. Raises `OSError`."""
    return _patiently(lambda: _make_folders(path, modes), modes)


def _make_folders(path: Path, modes: Modes) -> list[Path]:
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        try:
            modes.make_folder(folder)
        except FileExistsError:
            if not folder.is_dir():
                raise
    return missing


def _patiently(work: Callable[[], T], modes: Modes) -> T:
    """Do `work`; wait a moment for the bits of a folder that another user of the group has only just made."""
    for _ in range(_TRIES if modes.is_shared else 0):
        try:
            return work()
        except PermissionError:
            time.sleep(_PAUSE)
    return work()


def _open_new(path: Path, modes: Modes) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, modes.file)
    modes.apply(fd)
    return fd

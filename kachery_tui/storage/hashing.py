"""Hashing a file, and hashing it while it is being copied.

hashlib lets go of the interpreter lock, so the whole-file hash and the chunk hashes run side by side, each reading
what is already there from the page cache, while the calling thread copies on. What is hashed is the copy: if the
source changes meanwhile, hash and stored bytes still agree.
"""

import errno
import fcntl
import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kachery_tui.protocol.manifest import CHUNK_SIZE, Chunk, Manifest, needs_manifest
from kachery_tui.storage.atomic import flush_data, write_all
from kachery_tui.storage.problems import SourceChanged
from kachery_tui.storage.values import Progress

# A read that fits the processor's cache is hashed faster than a larger one.
_READ = 1 << 20
_COPY = 8 << 20
# How far copying may run ahead of hashing, so that the hashers find the bytes in memory.
_MAX_AHEAD = 256 << 20
# Writing back begins this early, so that the flush at the end finds little left to do.
_FLUSH_EVERY = 64 << 20
# How often progress is told while the copy is done and the hashers catch up, in seconds.
_TELL_EVERY = 0.1

_FICLONE = 0x40049409
# What kernels and file systems say where they cannot copy by themselves; reading and writing always can.
_CANNOT_COPY = frozenset(
    {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM, errno.ENOTTY}
)


@dataclass(frozen=True, slots=True)
class Digest:
    """The hash of a file and, where it needs a manifest, those of its chunks."""

    size: int
    sha1: str
    chunks: tuple[Chunk, ...]

    @property
    def manifest(self) -> Manifest | None:
        """The manifest, for a file that has one."""
        return Manifest(self.size, self.sha1, self.chunks) if self.chunks else None


def sha1_of(data: bytes | memoryview = b"") -> "hashlib._Hash":
    """A sha1 over `data`, to be carried on."""
    return hashlib.sha1(data, usedforsecurity=False)


def hash_bytes(data: bytes) -> Digest:
    """The digest of bytes in memory."""
    chunks: list[Chunk] = []
    if needs_manifest(len(data)):
        view = memoryview(data)
        for start in range(0, len(data), CHUNK_SIZE):
            piece = view[start : start + CHUNK_SIZE]
            chunks.append(Chunk(start, start + len(piece), sha1_of(piece).hexdigest()))
    return Digest(len(data), sha1_of(data).hexdigest(), tuple(chunks))


def hash_file(fd: int, size: int, progress: Progress | None = None) -> Digest:
    """The digest of the first `size` bytes of an open file; SourceChanged if it is shorter."""
    return _Hashing(fd, size, progress).run(lambda _ready: None, size)


def copy_and_hash(source: int, target: int, size: int, progress: Progress | None = None) -> Digest:
    """Copy `size` bytes between open files and return the digest of the copy.

    Leaves it to the caller to flush the rest and to check that the source stayed the same.
    """
    hashing = _Hashing(target, size, progress)
    if size and _clone(source, target):
        return hashing.run(lambda _ready: None, size)
    return hashing.run(lambda ready: _copy(source, target, size, ready), 0, flush=size > _FLUSH_EVERY)


def hash_range(fd: int, start: int, end: int) -> str | None:
    """The sha1 of a range of an open file, in the calling thread; None if the file ends before the range does."""
    digest = sha1_of()
    return digest.hexdigest() if feed_range(digest, fd, start, end) else None


def feed_range(digest: "hashlib._Hash", fd: int, start: int, end: int) -> bool:
    """Hash a range of an open file into `digest`; False if the file ends before the range does."""
    buffer = memoryview(bytearray(min(_READ, max(1, end - start))))
    while start < end:
        count = os.preadv(fd, [buffer[: end - start]], start)
        if not count:
            return False
        digest.update(buffer[:count])
        start += count
    return True


class _Hashing:
    """Threads that hash a file up to a mark that the calling thread moves on."""

    def __init__(self, fd: int, size: int, progress: Progress | None) -> None:
        self._fd = fd
        self._size = size
        self._progress = progress
        self._moved = threading.Condition()
        self._available = 0
        self._failure: BaseException | None = None
        self._done: dict[str, int] = {}
        self._sha1 = ""
        self._chunks: list[Chunk] = []

    def run(
        self, fill: Callable[[Callable[[int], None]], None], available: int, *, flush: bool = False
    ) -> Digest:
        """Hash while `fill` runs, which calls back with how much of the file is there."""
        self._available = available
        workers: dict[str, Callable[[], None]] = {"whole": self._hash_whole}
        if needs_manifest(self._size):
            workers["chunks"] = self._hash_chunks
        self._done = dict.fromkeys(workers, 0)
        if flush:
            workers["flush"] = self._flush
        threads = [
            threading.Thread(target=self._guard, args=(work,), name=name) for name, work in workers.items()
        ]
        try:
            # Within: an interrupt may come at any moment, and whoever has started must hear that it is over.
            for thread in threads:
                thread.start()
            fill(self._advance)
            self._wait(lambda: min(self._done.values()) == self._size)
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self._failure is not None:
            raise self._failure
        return Digest(self._size, self._sha1, tuple(self._chunks))

    def _advance(self, available: int) -> None:
        with self._moved:
            self._available = available
            self._moved.notify_all()
        self._wait(lambda: available - min(self._done.values()) < _MAX_AHEAD)

    def _wait(self, reached: Callable[[], bool]) -> None:
        """Wait for the hashers in the calling thread, telling progress, which may raise."""
        while True:
            with self._moved:
                self._moved.wait_for(lambda: self._failure is not None or reached(), _TELL_EVERY)
                failure, finished, done = self._failure, reached(), min(self._done.values())
            if failure is not None:
                raise failure
            if self._progress is not None:
                self._progress(done)
            if finished:
                return

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 -- raised again in the calling thread
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._moved:
            if self._failure is None:
                self._failure = error
            self._moved.notify_all()

    def _hash_whole(self) -> None:
        digest = sha1_of()
        for piece in self._pieces("whole", self._size):
            digest.update(piece)
        self._sha1 = digest.hexdigest()

    def _hash_chunks(self) -> None:
        digest, start, done = sha1_of(), 0, 0
        for piece in self._pieces("chunks", CHUNK_SIZE):
            digest.update(piece)
            done += len(piece)
            if done - start == CHUNK_SIZE or done == self._size:
                self._chunks.append(Chunk(start, done, digest.hexdigest()))
                digest, start = sha1_of(), done

    def _pieces(self, worker: str, step: int) -> Iterator[memoryview]:
        """The file in pieces as they become available, none of them across a multiple of `step`."""
        buffer = memoryview(bytearray(min(_READ, max(1, self._size))))
        position = 0
        while position < self._size:
            available = self._wait_beyond(position)
            while position < available:
                wanted = min(available - position, step - position % step)
                count = os.preadv(self._fd, [buffer[:wanted]], position)
                if not count:
                    raise SourceChanged("the file became shorter while it was being read")
                yield buffer[:count]
                position += count
                if position % (4 * _READ) < count or position == self._size:
                    self._tell(worker, position)

    def _wait_beyond(self, position: int) -> int:
        """Wait until more than `position` bytes are there; returns how many. Ends the thread if the work failed."""
        with self._moved:
            self._moved.wait_for(lambda: self._failure is not None or self._available > position)
            if self._failure is not None:
                raise self._failure
            # Not all at once, so that a failure elsewhere is noticed soon.
            return min(self._available, position + _COPY)

    def _tell(self, worker: str, position: int) -> None:
        with self._moved:
            self._done[worker] = position
            self._moved.notify_all()

    def _flush(self) -> None:
        flushed = 0
        while self._size - flushed > _FLUSH_EVERY:
            available = self._wait_beyond(flushed + _FLUSH_EVERY - 1)
            flush_data(self._fd)
            flushed = available


def _clone(source: int, target: int) -> bool:
    """Let the file system share the blocks of both files, where it can."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT_COPY:
            return False
        raise
    return True


def _copy(source: int, target: int, size: int, ready: Callable[[int], None]) -> None:
    in_kernel = hasattr(os, "copy_file_range")
    buffer = memoryview(bytearray(0))
    position = 0
    while position < size:
        wanted = min(_COPY, size - position)
        count = 0
        if in_kernel:
            try:
                count = os.copy_file_range(source, target, wanted, position, position)
            except OSError as error:
                if error.errno not in _CANNOT_COPY:
                    raise
            # Some file systems answer 0 in place of an error: only a plain read tells the end.
            in_kernel = count > 0
        if not count:
            buffer = buffer or memoryview(bytearray(_READ))
            count = os.preadv(source, [buffer[:wanted]], position)
            if not count:
                raise SourceChanged("the file became shorter while it was being read")
            write_all(target, buffer[:count], position)
        position += count
        ready(position)

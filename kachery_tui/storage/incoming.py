"""Files that arrive: chunk by chunk, from several threads at once, across restarts.

`tmp/<sha1>.part` has the bytes, `tmp/<sha1>.json` says which chunks of it are verified and on disk. A chunk is hashed
while it is written; the hash of the whole file rolls on over the verified chunks from the beginning, read back from
memory, so that little is left to do when the last one arrives. Only a file whose hash is right gets its name.

Every byte is hashed twice, then, once for its chunk and once for the file. Over a network that costs nothing: hashing
is faster. Where bytes come faster than that, two hashes would be what a download waits for; so above `OUTRUNS` a
chunk is taken as verified when it is whole, and hashed by itself only if the file turns out to be wrong.

Theory of operation, in the order that makes a crash harmless: the bytes of a chunk are written to the part file and
flushed; then the record says that the chunk is verified, and is flushed; at the end the part file is renamed into its
place, and the folder flushed. Whatever a crash takes, what the record names is on disk. One process at a time has a
file in hand, by a lock on the part file; another that wants the same file waits (`StillArriving`), and finds it in
storage, or goes on from the verified chunks. A part file that nobody has in hand is kept for a while, and then
cleaned away.
"""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from kachery_tui.errors import UsageError
from kachery_tui.file_locks import lacks_locks, try_lock
from kachery_tui.protocol.manifest import Chunk, Manifest
from kachery_tui.storage.atomic import (
    flush_data,
    make_folders,
    open_in_place,
    publish,
    still_named,
    write_all,
)
from kachery_tui.storage.chunk_writer import ChunkWriter
from kachery_tui.storage.hashing import feed_range, hash_range, sha1_of
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.modes import Modes
from kachery_tui.storage.part_record import read_record, write_record
from kachery_tui.storage.problems import StillArriving, WrongBytes, WrongManifest, disk_full, explained
from kachery_tui.storage.values import ByteSource, Found

_READ = 1 << 20
# Writing back begins after this much, so that the flush at the end finds little left to do.
_FLUSH_EVERY = 32 << 20
OUTRUNS = 300_000_000
"""Bytes a second; about what is left of a core that receives, writes and hashes once."""
_PACE_KNOWN = 40_000_000
_QUIET = 30.0
"""Seconds after which nobody writes to a file any more: a connection that stands still for so long is given up."""


class Incoming:
    """One file that is being received. Everything is safe from any thread, each writer from one at a time."""

    def __init__(
        self,
        layout: Layout,
        sha1: str,
        size: int,
        manifest: Manifest | None,
        landed: Callable[[Found, str | None], None],
    ) -> None:
        """Take hold of the file; StillArriving if another request has it. `landed` is told when it is here."""
        if manifest is not None and (manifest.sha1, manifest.size) != (sha1, size):
            raise UsageError(f"the manifest is of another file than {sha1}")
        self.sha1 = sha1
        self.size = size
        # The one chunk of a small file is the file itself, whatever a manifest says of it.
        chunked = manifest is not None and len(manifest.chunks) > 1
        self.chunks: tuple[Chunk, ...] = manifest.chunks if manifest and chunked else (Chunk(0, size, sha1),)
        self._what = f"cannot receive {sha1}"
        self._layout = layout
        self._manifest_sha1 = manifest.object_sha1 if manifest else None
        self._landed = landed
        self._path = layout.part(sha1)
        self._record = layout.part_record(sha1)
        self._record_lock = threading.Lock()
        self._state = threading.Condition()
        self._verified: set[int] = set()
        self._recorded: frozenset[int] = frozenset()
        self._writing: set[int] = set()
        self._unflushed = 0
        self._began = time.monotonic()
        self._received = 0
        self._may_trust = chunked
        self._stopping = False
        self._failure: OSError | None = None
        self._flusher: threading.Thread | None = None
        self._roll_lock = threading.Lock()
        self._rolling = sha1_of()
        self._rolled = 0
        self._closed = False
        with explained(self._what):
            self._fd = _open_locked(self._path, sha1, layout.modes)
            try:
                self._resume()
                self._need_room()
                os.ftruncate(self._fd, size)
            except BaseException:
                if not self._verified:
                    self._remove()
                os.close(self._fd)
                raise

    @property
    def verified(self) -> frozenset[int]:
        """The indices of the chunks that are here and have the right hash."""
        with self._state:
            return frozenset(self._verified)

    def writer(self, index: int) -> "ChunkWriter":
        """A writer for one chunk; it starts the chunk from its beginning."""
        trusted = self._outruns_hashing()
        with self._state:
            # Writing over verified bytes would make the record on disk a lie for a while.
            if index in self._writing or index in self._verified:
                raise UsageError(self._what, f"chunk {index} is being written or verified already")
            self._writing.add(index)
        return ChunkWriter(self, index, self.chunks[index], trusted=trusted)

    def copy_from(self, index: int, source: ByteSource) -> None:
        """Take a chunk from a file on this machine; WrongBytes if it is not that chunk."""
        writer = self.writer(index)
        try:
            with explained(self._what), source.path.open("rb", buffering=0) as file:
                buffer = memoryview(bytearray(_READ))
                position = source.start
                while position < source.end:
                    count = os.preadv(file.fileno(), [buffer[: source.end - position]], position)
                    if not count:
                        break
                    writer.write(buffer[:count])
                    position += count
            writer.finish()
        except BaseException:
            writer.abort()
            raise

    def commit(self) -> Found:
        """Check the whole file and give it its name.

        Raises WrongManifest if the whole has another hash although each chunk has its own: then nothing is kept.
        Raises WrongBytes if chunks are wrong: those are forgotten, the rest is kept for another try with this object.
        """
        with explained(self._what):
            missing = len(self.chunks) - len(self.verified)
            if missing:
                raise WrongBytes(self._what, f"{missing} of {len(self.chunks)} chunks are missing")
            self._roll()
            if self._whole_sha1() != self.sha1:
                self._blame()
            self._stop_flusher()
            if self._failure is not None:
                # The kernel tells of a failed write-back once: the flush below would find nothing wrong.
                raise self._failure
            place = self._layout.file(self.sha1)
            publish(self._path, self._fd, place, self._layout.modes)
            self._record.unlink(missing_ok=True)
        self._closed = True
        os.close(self._fd)
        found = Found(self.sha1, place, self.size, "file")
        self._landed(found, self._manifest_sha1)
        return found

    def close(self, *, keep: bool) -> None:
        """Let go of a file that did not arrive whole; `keep` leaves its verified chunks for another try.

        Does nothing after `commit`. No writer may be at work any more.
        """
        if self._closed:
            return
        self._closed = True
        try:
            with explained(self._what):
                self._stop_flusher()
                if keep and self._failure is None:
                    self._flush_once()
                if not (keep and self._recorded):
                    self._remove()
        finally:
            os.close(self._fd)

    def reset(self) -> None:
        """Forget everything that was verified. No writer may be at work."""
        self._keep_only(frozenset())

    # -- for the writers ------------------------------------------------------------------------------------

    def _outruns_hashing(self) -> bool:
        """Whether bytes come faster than two hashes of them can be made; not before that can be told."""
        with self._state:
            pace = self._received / max(time.monotonic() - self._began, 1e-6)
            return self._may_trust and self._received >= _PACE_KNOWN and pace > OUTRUNS

    def wrote(self, offset: int, data: memoryview) -> None:
        """Put bytes of a chunk in their place."""
        with explained(self._what):
            if self._failure is not None:
                raise self._failure
            write_all(self._fd, data, offset)
        with self._state:
            self._unflushed += len(data)
            self._received += len(data)
            if self._unflushed >= _FLUSH_EVERY:
                self._wake_flusher()

    def ended(self, index: int, sha1: str | None) -> None:
        """A writer is done with its chunk, whose bytes have this hash; None if it gave up."""
        chunk = self.chunks[index]
        right = sha1 == chunk.sha1
        with self._state:
            self._writing.discard(index)
            if right:
                self._verified.add(index)
                if len(self.chunks) > 1:
                    self._wake_flusher()
        if right:
            with explained(self._what):
                self._roll(wait=False)
        elif sha1 is not None:
            raise WrongBytes(
                f"chunk {index} of {self.sha1} has wrong bytes"
                if len(self.chunks) > 1
                else f"{self.sha1} has wrong bytes",
                f"their sha1 is {sha1}, not {chunk.sha1}",
            )

    # -- the hash of the whole ------------------------------------------------------------------------------

    def _roll(self, *, wait: bool = True) -> None:
        """Hash on over the verified chunks that follow what is hashed; one thread at a time is enough for that."""
        if len(self.chunks) == 1:
            return
        while self._rolled < len(self.chunks) and self._rolled in self.verified:
            if not self._roll_lock.acquire(blocking=wait):
                return
            try:
                while self._rolled < len(self.chunks) and self._rolled in self._verified:
                    chunk = self.chunks[self._rolled]
                    # Into a copy: an error in the middle must not spoil what is hashed so far.
                    rolling = self._rolling.copy()
                    if not feed_range(rolling, self._fd, chunk.start, chunk.end):
                        raise OSError(errno.EIO, "the temporary file became shorter")
                    self._rolling = rolling
                    self._rolled += 1
            finally:
                self._roll_lock.release()

    def _whole_sha1(self) -> str:
        # With one chunk, its hash has been compared to that of the file already.
        return self.sha1 if len(self.chunks) == 1 else self._rolling.hexdigest()

    def _blame(self) -> None:
        """The whole is wrong: find out whether chunks on disk are, or the manifest; then raise."""
        bad = {
            index
            for index, chunk in enumerate(self.chunks)
            if hash_range(self._fd, chunk.start, chunk.end) != chunk.sha1
        }
        whole = self._whole_sha1()
        # The next try has each chunk hashed as it comes, so that wrong ones are known by then.
        self._may_trust = False
        if not bad:
            self.reset()
            raise WrongManifest(
                f"the manifest of {self.sha1} is wrong",
                f"the chunks that it names make up a file of sha1 {whole}",
            )
        self._keep_only(self.verified - bad)
        raise WrongBytes(
            f"{len(bad)} chunks of {self.sha1} have wrong bytes", "", "Try again to fetch them anew"
        )

    def _keep_only(self, good: frozenset[int]) -> None:
        """Take chunks back that were called verified, on disk first."""
        with self._record_lock, explained(self._what):
            self._write_record(good)
            with self._state:
                self._verified = set(good)
                self._recorded = good
        with self._roll_lock:
            self._rolling = sha1_of()
            self._rolled = 0

    # -- flushing and the record ----------------------------------------------------------------------------

    def _wake_flusher(self) -> None:
        """With the state held: have what was written flushed, and the verified chunks recorded after that."""
        if self._flusher is None:
            self._flusher = threading.Thread(
                target=self._flush_on, name=f"flush-{self.sha1[:8]}", daemon=True
            )
            self._flusher.start()
        self._state.notify_all()

    def _flush_on(self) -> None:
        while True:
            with self._state:
                self._state.wait_for(
                    lambda: (
                        self._stopping or self._unflushed >= _FLUSH_EVERY or self._verified != self._recorded
                    )
                )
                if self._stopping:
                    return
            try:
                self._flush_once()
            except OSError as error:
                # The next write raises it: a thread of its own has nobody to tell.
                self._failure = error
                return

    def _flush_once(self) -> None:
        with self._state:
            flushed = frozenset(self._verified)
            self._unflushed = 0
        flush_data(self._fd)
        with self._record_lock:
            # What was taken back meanwhile must not come back by this.
            verified = flushed & self.verified
            if verified != self._recorded:
                self._write_record(verified)
            with self._state:
                self._recorded = verified

    def _write_record(self, verified: frozenset[int]) -> None:
        if len(self.chunks) == 1 or self._manifest_sha1 is None:
            return
        if verified:
            write_record(self._layout.tmp, self._record, self._manifest_sha1, verified, self._layout.modes)
        else:
            self._record.unlink(missing_ok=True)

    def _stop_flusher(self) -> None:
        with self._state:
            self._stopping = True
            self._state.notify_all()
        if self._flusher is not None:
            self._flusher.join()

    # -- starting -------------------------------------------------------------------------------------------

    def _resume(self) -> None:
        """Trust the chunks in the record: they were flushed before it was written."""
        have = os.fstat(self._fd).st_size
        if not have or len(self.chunks) == 1 or self._manifest_sha1 is None:
            # The record of an earlier file of this name says nothing about a new one.
            self._record.unlink(missing_ok=True)
            return
        recorded = read_record(self._record, self._manifest_sha1, len(self.chunks))
        self._verified = {i for i in recorded if self.chunks[i].end <= have}
        self._recorded = frozenset(self._verified)

    def _remove(self) -> None:
        # The record first: a record without bytes is what must never be.
        self._record.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    def _need_room(self) -> None:
        missing = sum(c.end - c.start for i, c in enumerate(self.chunks) if i not in self._verified)
        free = os.fstatvfs(self._fd)
        room = free.f_bavail * free.f_frsize
        if missing > room:
            raise disk_full(self._what, f"it takes {missing:,} more bytes, and {room:,} are free")


def _open_locked(path: Path, sha1: str, modes: Modes) -> int:
    while True:
        try:
            fd = open_in_place(path, modes)
        except FileNotFoundError:
            make_folders(path.parent, modes)
            continue
        except OSError:
            if not path.is_symlink():
                raise
            # Not ours, and nothing is lost with it.
            path.unlink(missing_ok=True)
            continue
        if not try_lock(fd):
            os.close(fd)
            raise StillArriving(f"{sha1} is being received already", "another request has it in hand")
        if lacks_locks(fd) and _is_being_written(fd):
            os.close(fd)
            raise StillArriving(
                f"{sha1} may be arriving already",
                "it was written to a moment ago, and the file system has no locks that would tell by whom",
            )
        # It may have been renamed or removed between the two calls by whoever held the lock.
        if still_named(fd, path):
            return fd
        os.close(fd)


def _is_being_written(fd: int) -> bool:
    status = os.fstat(fd)
    return status.st_size > 0 and 0 <= time.time() - status.st_mtime < _QUIET

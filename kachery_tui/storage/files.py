"""Finding files by their hash, and putting files there: stored, linked, or given as bytes."""

import os
import shutil
import stat
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.manifest import CHUNK_SIZE, Manifest, needs_manifest
from kachery_tui.protocol.messages import FileKey
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.atomic import TempFile, write_all, write_file
from kachery_tui.storage.foreign_links import find_link
from kachery_tui.storage.hashing import Digest, copy_and_hash, hash_bytes, hash_file, hash_range
from kachery_tui.storage.index import Index
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.links import Link
from kachery_tui.storage.problems import disk_full, explain, explained
from kachery_tui.storage.source import Source
from kachery_tui.storage.values import ByteSource, Found, Progress, Stored
from kachery_tui.storage.vouched import Looks

# A manifest takes about 110 bytes for each 20 MB: this one is of a file of 10 TB.
MAX_MANIFEST_BYTES = 64_000_000


class FileStore:
    """The files and links below sha1/."""

    def __init__(self, layout: Layout, index: Index) -> None:
        self._layout = layout
        self._index = index
        self._in_use: Counter[str] = Counter()
        self._in_use_lock = threading.Lock()

    # -- finding --------------------------------------------------------------------------------------------

    def find(self, sha1: str) -> Found | None:
        """The file with this hash, by name and size, without reading it; a link only while it holds."""
        place = self._layout.file(sha1)
        try:
            status = place.stat()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            raise explain(error, f"cannot look for {sha1}") from error
        else:
            if stat.S_ISREG(status.st_mode):
                return Found(sha1, place, status.st_size, "file")
        link = find_link(self._layout, sha1)
        if link is None:
            return None
        holds = link.holds()
        self._index.set_link_kind(sha1, holds)
        return Found(sha1, link.path, link.size, "link") if holds else None

    def find_object(self, key: FileKey) -> ByteSource | None:
        """The bytes that a file key asks for, unread: a file, a link, or a chunk inside a file that is here.

        A chunk has the bounds of one of the file's manifest, and no others.
        """
        if (found := self.find(key.sha1)) is not None:
            return ByteSource(found.path, 0, found.size)
        if key.chunk_of is None:
            return None
        start, end = key.chunk_of.start_byte, key.chunk_of.end_byte
        whole = self.find(key.chunk_of.file_key.sha1)
        if whole is None or not _is_chunk(start, end, whole.size):
            return None
        return ByteSource(whole.path, start, end)

    def find_key(self, key: FileKey) -> ByteSource | None:
        """As `find_object`, with the bytes of a chunk inside a file compared with its hash."""
        source = self.find_object(key)
        if source is None or key.chunk_of is None or self.find(key.sha1) is not None:
            return source
        with explained(f"cannot read {source.path}"):
            fd = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                sha1 = hash_range(fd, source.start, source.end)
            finally:
                os.close(fd)
        return source if sha1 == key.sha1 else None

    def is_vouched(self, sha1: str) -> bool:
        """Whether the bytes of a file that is here were read under this name: by whoever put it there as a file, or of
        a link by this program, since they changed last. A link can be put there by whoever may write to the folder, and
        say of any file that the node may read that it is any other.
        """
        found = self.find(sha1)
        if found is None or found.kind == "file":
            return True
        link = find_link(self._layout, sha1)
        return link is not None and self._index.is_vouched(sha1, Looks.of_link(link))

    def read_bytes(self, sha1: str, max_bytes: int) -> bytes | None:
        """A small file whole, its hash checked; None if it is not here or not what its name says.

        Raises UsageError for a file of more than `max_bytes`.
        """
        found = self.find(sha1)
        if found is None:
            return None
        if found.size > max_bytes:
            raise UsageError(f"{sha1} has {found.size:,} bytes", f"at most {max_bytes:,} are read at once")
        with explained(f"cannot read {found.path}"), found.path.open("rb") as file:
            data = file.read(max_bytes + 1)
        return data if hash_bytes(data).sha1 == sha1 else None

    def manifest_of(self, sha1: str) -> Manifest | None:
        """The manifest of a file that is here, if it is known and here as well."""
        entry = self._index.get(sha1)
        manifest_sha1 = entry.manifest_sha1 if entry else None
        if manifest_sha1 is None:
            link = find_link(self._layout, sha1)
            manifest_sha1 = link.manifest_sha1 if link else None
        if manifest_sha1 is None:
            return None
        try:
            data = self.read_bytes(manifest_sha1, MAX_MANIFEST_BYTES)
            return None if data is None else Manifest.parse(data, sha1)
        except (ProtocolError, UsageError):
            return None

    def verify(self, sha1: str, progress: Progress | None = None) -> bool:
        """Read a file through and say whether it has the hash it is named by; False as well if it is not here."""
        found = self.find(sha1)
        return found is not None and self._reads_right(found, self._looks(found), progress)

    def is_right(self, found: Found, progress: Progress | None = None) -> bool:
        """The same of a file that was found, which is read only if it was not since it was changed last."""
        seen = self._looks(found)
        try:
            known = seen is not None and self._index.is_vouched(found.sha1, seen)
        except KacheryError:
            # Where the index cannot be asked, the file can.
            known = False
        return known or self._reads_right(found, seen, progress)

    def _reads_right(self, found: Found, seen: Looks | None, progress: Progress | None) -> bool:
        sha1 = found.sha1
        with self.using(sha1), explained(f"cannot read {found.path}"), found.path.open("rb") as file:
            is_right = hash_file(file.fileno(), found.size, progress).sha1 == sha1
        if seen is not None and is_right:
            self._index.vouch(sha1, seen)
        return is_right

    def _looks(self, found: Found) -> Looks | None:
        if found.kind == "file":
            return Looks.of_file(found.path)
        link = find_link(self._layout, found.sha1)
        return Looks.of_link(link) if link is not None else None

    # -- putting there --------------------------------------------------------------------------------------

    def store(self, path: Path, progress: Progress | None = None) -> Stored:
        """Copy a file into storage. See `Storage.store`."""
        path = Path(os.path.abspath(path))  # noqa: PTH100 -- symbolic links stay as the person named them
        with Source(path, "store") as source, explained(f"cannot store {path}"):
            if self._index.resembles(path.name, source.size):
                digest = hash_file(source.fd, source.size, progress)
                source.check_unchanged()
                if self._has(digest):
                    return self._finish(digest, path.name, str(path), 0)
            self._need_room(source.size, f"cannot store {path}")
            with TempFile(self._layout.tmp, self._layout.modes) as temp:
                digest = copy_and_hash(source.fd, temp.fd, source.size, progress)
                source.check_unchanged()
                if self._has(digest):
                    return self._finish(digest, path.name, str(path), 0)
                temp.publish(self._layout.file(digest.sha1))
            return self._finish(digest, path.name, str(path), digest.size)

    def store_bytes(self, data: bytes, name: str | None, origin: str) -> Stored:
        """Put bytes into storage. See `Storage.store_bytes`."""
        what = f"cannot store {name or 'the bytes'}"
        digest = hash_bytes(data)
        added = 0
        if not self._has(digest):
            self._need_room(len(data), what)
            with explained(what), TempFile(self._layout.tmp, self._layout.modes) as temp:
                write_all(temp.fd, data, 0)
                temp.publish(self._layout.file(digest.sha1))
            added = len(data)
        with explained(what):
            return self._finish(digest, name, origin, added)

    def link(self, path: Path, progress: Progress | None = None) -> Stored:
        """Remember where a file is in place of copying it. See `Storage.link`."""
        path = Path(os.path.abspath(path))  # noqa: PTH100 -- symbolic links stay as the person named them
        with Source(path, "link") as source, explained(f"cannot link {path}"):
            if path.resolve().is_relative_to(self._layout.folder.resolve()):
                raise UsageError(f"cannot link {path}", "it stands inside the storage folder itself")
            digest = hash_file(source.fd, source.size, progress)
            source.check_unchanged()
            if self._has(digest):
                return self._finish(digest, path.name, str(path), 0)
            manifest_sha1 = self._store_manifest(digest, path.name)
            link = Link.to(path, source.stat, manifest_sha1)
            write_file(self._layout.tmp, self._layout.link(digest.sha1), link.encode(), self._layout.modes)
            self._index.record(
                digest.sha1,
                digest.size,
                "link",
                name=path.name,
                origin=str(path),
                manifest_sha1=manifest_sha1,
                seen=Looks.of_link(link),
            )
        return Stored(FileUri(digest.sha1, path.name, manifest_sha1), digest.size, 0, is_linked=True)

    # -- files that must stay -------------------------------------------------------------------------------

    @contextmanager
    def using(self, sha1: str) -> Iterator[None]:
        """Keep a file from being evicted while the block runs."""
        with self._in_use_lock:
            self._in_use[sha1] += 1
        try:
            yield
        finally:
            with self._in_use_lock:
                self._in_use[sha1] -= 1
                if not self._in_use[sha1]:
                    del self._in_use[sha1]

    def is_used(self, sha1: str) -> bool:
        """Whether somebody is inside `using` for this file."""
        with self._in_use_lock:
            return sha1 in self._in_use

    def in_use(self) -> frozenset[str]:
        """The files for which somebody is inside `using`."""
        with self._in_use_lock:
            return frozenset(self._in_use)

    # -- inside ---------------------------------------------------------------------------------------------

    def _has(self, digest: Digest) -> bool:
        """Whether the file is here as a file; one that is broken will be replaced."""
        found = self.find(digest.sha1)
        return (
            found is not None and found.kind == "file" and found.size == digest.size and self.is_right(found)
        )

    def _finish(self, digest: Digest, name: str | None, origin: str, added: int) -> Stored:
        manifest_sha1 = self._store_manifest(digest, name)
        self._index.record(
            digest.sha1,
            digest.size,
            "file",
            name=name or "",
            origin=origin,
            manifest_sha1=manifest_sha1,
            seen=Looks.of_file(self._layout.file(digest.sha1)),
        )
        return Stored(FileUri(digest.sha1, name, manifest_sha1), digest.size, added)

    def _store_manifest(self, digest: Digest, name: str | None) -> str | None:
        manifest = digest.manifest
        if manifest is None:
            return None
        data = manifest.encode()
        return self.store_bytes(data, f"{name}.manifest" if name else None, "manifest").uri.sha1

    def _need_room(self, size: int, what: str) -> None:
        """Say so before a long copy that cannot end well."""
        free = shutil.disk_usage(self._layout.folder).free
        if size > free:
            raise disk_full(what, f"it takes {size:,} bytes, and {free:,} are free")


def _is_chunk(start: int, end: int, size: int) -> bool:
    """Whether a file of `size` bytes has a chunk from `start` to `end`."""
    return (
        needs_manifest(size)
        and 0 <= start < size
        and not start % CHUNK_SIZE
        and end == min(start + CHUNK_SIZE, size)
    )

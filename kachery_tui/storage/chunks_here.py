"""Chunks that are here as parts of larger files: in a bucket they have hashes of their own, which do not say whose."""

import threading
from collections.abc import Sequence
from typing import Final

from kachery_tui.storage.files import FileStore
from kachery_tui.storage.index import Index
from kachery_tui.storage.values import Part

MOST_FILES: Final = 1_000
"""Large files whose manifests are read, those that were used last."""
MOST_CHUNKS: Final = 100_000
"""Chunks that are kept in mind; with 20 MB each, of 2 TB."""


class ChunksHere:
    """Knows the chunks of large files by their hashes. Methods block on the disk and are safe from any thread."""

    def __init__(self, index: Index, files: FileStore) -> None:
        self._index = index
        self._files = files
        self._lock = threading.Lock()
        self._version = -1
        self._read: dict[str, tuple[str, ...]] = {}
        self._parts: dict[str, Part] = {}

    def parts(self, sha1s: Sequence[str]) -> dict[str, Part]:
        """Of those of these hashes that are chunks of files that are here, the places in them."""
        with self._lock:
            version = self._index.version
            if version != self._version:
                self._read_manifests()
                self._version = version
            return {sha1: part for sha1 in sha1s if (part := self._parts.get(sha1)) is not None}

    def _read_manifests(self) -> None:
        read: dict[str, tuple[str, ...]] = {}
        parts: dict[str, Part] = {}
        for sha1, name in self._index.with_manifests(MOST_FILES):
            chunks = self._read.get(sha1)
            if chunks is None:
                manifest = self._files.manifest_of(sha1)
                chunks = tuple(chunk.sha1 for chunk in manifest.chunks) if manifest is not None else ()
            if len(parts) + len(chunks) > MOST_CHUNKS:
                break
            read[sha1] = chunks
            for number, chunk in enumerate(chunks, 1):
                parts.setdefault(chunk, Part(sha1, name, number, len(chunks)))
        self._read, self._parts = read, parts

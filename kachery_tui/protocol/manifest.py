"""Manifests: what a file over 20,000,000 bytes is made of (PROTOCOL.md § Files)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self, TypeGuard

from kachery_tui.protocol.canonical import JsonValue, parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.hashes import is_sha1

CHUNK_SIZE: Final = 20_000_000
"""Bytes of every chunk but the last."""


MAX_MANIFEST_BYTES: Final = CHUNK_SIZE
"""A manifest has none itself, so it fits into one chunk; it is that of a file of some 4 TB then."""

_LEAST_CHUNK_BYTES: Final = len('{"start":0,"end":1,"sha1":""},') + 40


@dataclass(frozen=True, slots=True)
class Chunk:
    """The bytes of a file from `start` up to, not including, `end`, and their hash."""

    start: int
    end: int
    sha1: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A file's size and hash, and its chunks in order."""

    size: int
    sha1: str
    chunks: tuple[Chunk, ...]

    def encode(self) -> bytes:
        """The manifest's JSON text, byte for byte as the old programs write it."""
        members = {
            "size": self.size,
            "sha1": self.sha1,
            "chunks": [{"start": chunk.start, "end": chunk.end, "sha1": chunk.sha1} for chunk in self.chunks],
        }
        return json.dumps(members, separators=(",", ":")).encode()

    @property
    def object_sha1(self) -> str:
        """The hash of the manifest itself, under which it is stored."""
        return hashlib.sha1(self.encode(), usedforsecurity=False).hexdigest()

    @classmethod
    def parse(cls, data: bytes, sha1: str | None = None) -> Self:
        """Read a manifest, of the file `sha1` where that is given.

        Raises `ProtocolError` unless its chunks follow each other without gap, have `CHUNK_SIZE` bytes each but the last,
        and make up the size.
        """
        # Millions of empty objects in a few megabytes would take a gigabyte of memory once parsed.
        if data.count(b"{") + data.count(b"[") > len(data) // _LEAST_CHUNK_BYTES + 2:
            raise ProtocolError("a manifest with other things than chunks")
        value = parse_json(data, max_bytes=MAX_MANIFEST_BYTES)
        if not isinstance(value, Mapping):
            raise ProtocolError("a manifest that is not an object")
        size, own_sha1, listed = value.get("size"), value.get("sha1"), value.get("chunks")
        if not _is_size(size) or not is_sha1(own_sha1) or not isinstance(listed, list):
            raise ProtocolError("a manifest without a size, a sha1 and chunks")
        if sha1 is not None and own_sha1 != sha1:
            raise ProtocolError(f"a manifest of another file ({own_sha1[:12]}…)")
        expected = -(-size // CHUNK_SIZE)
        if len(listed) != expected:
            raise ProtocolError(f"a manifest with {len(listed)} chunks, and {size} bytes have {expected}")
        return cls(size, own_sha1, tuple(_chunk(item, index, size) for index, item in enumerate(listed)))


def needs_manifest(size: int) -> bool:
    """Whether a file of `size` bytes has a manifest: only one that does not fit into one chunk."""
    return size > CHUNK_SIZE


def _chunk(value: JsonValue, index: int, size: int) -> Chunk:
    if not isinstance(value, Mapping):
        raise ProtocolError(f"a manifest whose chunk {index} is not an object")
    start, end, sha1 = value.get("start"), value.get("end"), value.get("sha1")
    if not is_sha1(sha1):
        raise ProtocolError(f"a manifest whose chunk {index} has no sha1")
    if not _is_size(start) or not _is_size(end):
        raise ProtocolError(f"a manifest whose chunk {index} has no start and end")
    expected = (index * CHUNK_SIZE, min((index + 1) * CHUNK_SIZE, size))
    if (start, end) != expected:
        raise ProtocolError(
            f"a manifest whose chunk {index} has bytes {start}–{end}, and {expected[0]}–{expected[1]} are its place"
        )
    return Chunk(start, end, sha1)


def _is_size(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0

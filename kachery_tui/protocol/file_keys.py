"""File keys: how messages name a file, or a chunk of one (PROTOCOL.md § Messages)."""

from dataclasses import dataclass
from typing import Final, Self

from kachery_tui.protocol.canonical import JsonObject, JsonValue, object_hash
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.hashes import is_sha1
from kachery_tui.protocol.members import Members

DEEPEST_CHUNK: Final = 2
"""A chunk is of a file; a chunk of a chunk means nothing."""


@dataclass(frozen=True, slots=True)
class ChunkOf:
    """Which bytes of which file a chunk is: from `start_byte` up to, not including, `end_byte`."""

    file_key: "FileKey"
    start_byte: int
    end_byte: int


@dataclass(frozen=True, slots=True)
class FileKey:
    """A file, or a chunk of one, as messages name it."""

    sha1: str
    manifest_sha1: str | None = None
    chunk_of: ChunkOf | None = None

    def to_json(self) -> JsonObject:
        """The key as a JSON object."""
        members: dict[str, JsonValue] = {"sha1": self.sha1}
        if self.manifest_sha1 is not None:
            members["manifestSha1"] = self.manifest_sha1
        if self.chunk_of is not None:
            members["chunkOf"] = {
                "fileKey": self.chunk_of.file_key.to_json(),
                "startByte": self.chunk_of.start_byte,
                "endByte": self.chunk_of.end_byte,
            }
        return members

    def summary(self) -> str:
        """The key in a few words: the start of its hash, and of which file's bytes it is a chunk."""
        if self.chunk_of is None:
            return f"{self.sha1[:12]}…"
        part = self.chunk_of
        return f"{self.sha1[:12]}… (bytes {part.start_byte}–{part.end_byte} of {part.file_key.sha1[:12]}…)"

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Read a key from JSON. Raises `ProtocolError`."""
        return cls._parse(value, 1)

    @classmethod
    def _parse(cls, value: JsonValue, depth: int) -> Self:
        if depth > DEEPEST_CHUNK:
            raise ProtocolError("a file key with a chunk of a chunk")
        members = Members("a file key", value, {"sha1", "manifestSha1", "chunkOf"})
        chunk_of = None
        if "chunkOf" in members:
            part = Members("a file key's chunkOf", members["chunkOf"], {"fileKey", "startByte", "endByte"})
            start, end = part.number("startByte"), part.number("endByte")
            if end <= start:
                raise ProtocolError("a file key's chunkOf ends before it starts")
            chunk_of = ChunkOf(FileKey._parse(part["fileKey"], depth + 1), start, end)
        manifest = members.text("manifestSha1", is_sha1) if "manifestSha1" in members else None
        return cls(members.text("sha1", is_sha1), manifest, chunk_of)

    @property
    def hash(self) -> str:
        """The file key hash."""
        return object_hash(self.to_json())

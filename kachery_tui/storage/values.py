"""The values that storage hands out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kachery_tui.protocol.uris import FileUri

# Called from the working thread with the bytes done so far, in all. Raising from it aborts the work and
# removes what was written: this is how work is cancelled.
Progress = Callable[[int], None]

# Called from the working thread now and then. Raising from it ends the work, which has changed nothing.
Check = Callable[[], None]

# A file stands in the folder itself, a link points at one elsewhere, a void link at one that changed or went.
EntryKind = Literal["file", "link", "void"]
Order = Literal["name", "size", "added", "used"]


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is now in storage; `added_bytes` is 0 if it was there before, or `is_linked`, which is new."""

    uri: FileUri
    size: int
    added_bytes: int
    is_linked: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A file that storage has; `path` is where its bytes are."""

    sha1: str
    path: Path
    size: int
    kind: Literal["file", "link"]


@dataclass(frozen=True, slots=True)
class Part:
    """Chunk `number`, from 1, of `count` of a file that is here; `name` is empty where nobody gave it one."""

    sha1: str
    name: str
    number: int
    count: int


@dataclass(frozen=True, slots=True)
class ByteSource:
    """The bytes `start` up to, without, `end` of the file at `path`."""

    path: Path
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes these are."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the index. Times are seconds since 1970; `name` and `origin` are empty where nobody said."""

    sha1: str
    size: int
    name: str
    added: float
    used: float
    origin: str
    pinned: bool
    kind: EntryKind
    manifest_sha1: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What the index holds in sum; `limit` is the size limit in bytes, None without one."""

    files: int
    bytes: int
    links: int
    trash_bytes: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What one pass over the folder changed in the index; `complete` is False if it was stopped."""

    added: int
    removed: int
    changed: int
    complete: bool


@dataclass(frozen=True, slots=True)
class TrashedFile:
    """A file in the trash: size in bytes, and when it went there, in Unix time."""

    sha1: str
    size: int
    name: str
    at: float


@dataclass(frozen=True, slots=True)
class FeedInfo:
    """A feed that the storage folder holds; `own` if its private key is here. `last_at` is Unix time in seconds."""

    feed_id: str
    name: str
    own: bool
    subfeeds: int
    messages: int
    last_at: float | None


@dataclass(frozen=True, slots=True)
class SubfeedInfo:
    """A subfeed that the storage folder holds, and how many messages of it."""

    feed_id: str
    subfeed_hash: str
    messages: int


@dataclass(frozen=True, slots=True)
class CheckedChain:
    """How many messages of a subfeed were verified, and the BLAKE2b of their texts, each with a line end behind it."""

    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class Followed:
    """A subfeed that this node follows: over `channel`, or over any where that is None."""

    feed_id: str
    subfeed_hash: str
    channel: str | None

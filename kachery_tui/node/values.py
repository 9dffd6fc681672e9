"""The values that a node hands on to whoever looks at it: those of the lower floors, and what it makes of both."""

from dataclasses import dataclass

from kachery_tui.channel.values import Connection, ConnectionState, Member
from kachery_tui.storage.values import Entry, FeedInfo, Found, Order, Part, Stored, Totals, TrashedFile

__all__ = [
    "BucketFile",
    "BucketPage",
    "Connection",
    "ConnectionState",
    "Entry",
    "FeedInfo",
    "Found",
    "Horizon",
    "Member",
    "Order",
    "Part",
    "Stored",
    "Totals",
    "Trashed",
    "TrashedFile",
]


@dataclass(frozen=True, slots=True)
class BucketFile:
    """A file in a channel's bucket; `name` is what this node's storage calls it, empty where it is not there.

    `described` is the name of the file that it is the manifest of, as far as this node knows of one.
    `size` is in bytes, `modified` Unix time in seconds where the service tells it. A chunk of a file that is here is a
    `part` of it.
    """

    sha1: str
    size: int
    modified: float | None
    name: str
    on_disk: bool
    described: str = ""
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class BucketPage:
    """Part of a bucket's listing. `others` counts objects that are no files; `next_token` is None on the last page."""

    files: tuple[BucketFile, ...]
    others: int
    next_token: str | None


@dataclass(frozen=True, slots=True)
class Trashed:
    """The newest files of the trash; `more` if there are others."""

    entries: tuple[TrashedFile, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Horizon:
    """What eviction would take, in its order: `over` bytes now, the rest once `room` bytes more are stored.

    `limit` is the size limit in bytes and `goal` what eviction goes down to; None without a limit.
    """

    entries: tuple[Entry, ...]
    over: int
    room: int | None
    limit: int | None
    goal: int | None

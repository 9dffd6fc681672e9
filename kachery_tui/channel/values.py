"""What the floor above gets to see of a channel: plain values, none of them of an SDK."""

import enum
from dataclasses import dataclass


class ConnectionState(enum.StrEnum):
    """Where the pub-sub connection stands. Only CLOSED is final; all others try to get to CONNECTED."""

    CONNECTING = "connecting"
    """The first attempt is under way."""
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    """Lost or not reached; tried again every second or two."""
    FAILED = "failed"
    """Refused by the service; tried again, slowly."""
    CLOSED = "closed"
    """Not wanted: not started, closed by us, or the channel gives this node no role."""


@dataclass(frozen=True, slots=True)
class Connection:
    """State of the pub-sub connection, why it is so (may be empty), and since when (Unix time in seconds)."""

    state: ConnectionState
    reason: str
    since: float


@dataclass(frozen=True, slots=True)
class StreamState:
    """What is in force on one stream. `problem` says in plain words why something wanted is not."""

    subscribed: bool = False
    may_publish: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A node that entered presence on a stream, because it may publish there.

    `since` is the service's Unix time in seconds.
    """

    node_id: str
    label: str
    since: float


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object in the bucket: its full name, size in bytes, and Unix time of last change where known.

    `etag` is what S3 calls so, without quotes: the MD5 of an object that was put in one piece, mostly.
    """

    name: str
    size: int
    modified: float | None
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a listing; `next_token` is None on the last page."""

    objects: tuple[ObjectInfo, ...]
    next_token: str | None

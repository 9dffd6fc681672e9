"""The frames of Ably's realtime protocol: their codes, what they hold, and how they are written.

A frame is a map with an `action`, as JSON text or as msgpack. What comes in is checked in `reading` and becomes one
of the dataclasses below.
"""

import base64
import json
from dataclasses import dataclass
from enum import IntEnum, IntFlag, StrEnum
from typing import Any, Final, TypeAlias

import msgpack

Frame: TypeAlias = dict[str, Any]
Encoded: TypeAlias = str | bytes


class Action(IntEnum):
    """What a frame is for."""

    HEARTBEAT = 0
    ACK = 1
    NACK = 2
    CONNECTED = 4
    DISCONNECTED = 6
    CLOSE = 7
    CLOSED = 8
    ERROR = 9
    ATTACH = 10
    ATTACHED = 11
    DETACH = 12
    DETACHED = 13
    PRESENCE = 14
    MESSAGE = 15
    SYNC = 16
    AUTH = 17
    OBJECT = 19
    ANNOTATION = 21


class Flag(IntFlag):
    """Of ATTACH and ATTACHED: the upper ones are channel modes."""

    NONE = 0
    HAS_PRESENCE = 1 << 0
    RESUMED = 1 << 2
    PRESENCE = 1 << 16
    PUBLISH = 1 << 17
    SUBSCRIBE = 1 << 18
    PRESENCE_SUBSCRIBE = 1 << 19


MODES: Final = Flag.PRESENCE | Flag.PUBLISH | Flag.SUBSCRIBE | Flag.PRESENCE_SUBSCRIBE


class PresenceAction(IntEnum):
    """What a presence message says of its member."""

    ABSENT = 0
    PRESENT = 1
    ENTER = 2
    LEAVE = 3
    UPDATE = 4


class Format(StrEnum):
    """How a client wants its frames, by its `format` query parameter."""

    JSON = "json"
    MSGPACK = "msgpack"


class Code(IntEnum):
    """Ably's error codes, as far as a hub gives them."""

    BAD_REQUEST = 40000
    TOO_LARGE = 40009
    INVALID_CLIENT_ID = 40012
    UNSUPPORTED = 40020
    INVALID_CREDENTIALS = 40101
    INCOMPATIBLE_CREDENTIALS = 40102
    TOKEN_REVOKED = 40141
    TOKEN_EXPIRED = 40142
    INVALID_TOKEN = 40144
    NOT_PERMITTED = 40160
    TOO_MANY_CONNECTIONS = 42922
    CONNECTION_EXPIRED = 80008
    INVALID_CONNECTION = 80018
    TOO_MANY_CHANNELS = 90010
    NO_CLIENT_ID = 91000
    PRESENCE_NOT_ATTACHED = 91001
    TOO_MANY_MEMBERS = 91003

    @property
    def status(self) -> int:
        """The HTTP status that goes with it."""
        if 40101 <= self < 40200:
            return 401
        if 42900 <= self < 43000:
            return 429
        return 413 if self == Code.TOO_LARGE else 400


class Fault(Exception):
    """A client did what the protocol or its rights do not allow. Goes to it as an `error` of this code."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(f"{code.value}: {message}")
        self.code = code
        self.message = message

    def to_wire(self) -> Frame:
        """The `error` member of a frame."""
        return {"code": int(self.code), "statusCode": self.code.status, "message": self.message}


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life; one with an id is a ping that wants an answer."""

    id: str | None


@dataclass(frozen=True, slots=True)
class Attach:
    """The client wants to hear a channel, from `serial` on if it was attached before. No modes means all."""

    channel: str
    serial: str | None
    modes: Flag


@dataclass(frozen=True, slots=True)
class Detach:
    """The client wants no more of a channel."""

    channel: str


@dataclass(frozen=True, slots=True)
class Auth:
    """A new token for the connection."""

    token: str


@dataclass(frozen=True, slots=True)
class Close:
    """The client is done."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Messages for a channel, as they will go to others; `size` is counted as Ably counts it."""

    serial: int
    channel: str
    messages: tuple[Frame, ...]
    size: int


@dataclass(frozen=True, slots=True)
class PresenceItem:
    """One change of presence. `repeats` is the id under which the client has said the same before, if it has."""

    action: PresenceAction
    client_id: str | None
    payload: Frame
    repeats: str | None


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """Changes of presence on a channel."""

    serial: int
    channel: str
    items: tuple[PresenceItem, ...]


@dataclass(frozen=True, slots=True)
class Faulty:
    """A frame that is answered by a NACK: well-formed enough to know its serial."""

    serial: int
    fault: Fault


Acknowledged: TypeAlias = Publish | PresenceChange | Faulty
Incoming: TypeAlias = Heartbeat | Attach | Detach | Auth | Close | Acknowledged


def encode(frame: Frame, form: Format) -> Encoded:
    """Write a frame. Binary data becomes base64 in JSON, as Ably does it."""
    if form is Format.MSGPACK:
        packed: bytes = msgpack.packb(frame, use_bin_type=True)
        return packed
    return json.dumps(_json_ready(frame), separators=(",", ":"))


def unpack(packed: bytes) -> Frame:
    """Read what `encode` has written as msgpack."""
    frame: Frame = msgpack.unpackb(packed, raw=False)
    return frame


def _json_ready(frame: Frame) -> Frame:
    for key in ("messages", "presence"):
        items = frame.get(key)
        if items and any(isinstance(item.get("data"), bytes) for item in items):
            frame = {**frame, key: [_base64_data(item) for item in items]}
    return frame


def _base64_data(item: Frame) -> Frame:
    data = item.get("data")
    if not isinstance(data, bytes):
        return item
    encoding = f"{item['encoding']}/base64" if item.get("encoding") else "base64"
    return {**item, "data": base64.b64encode(data).decode(), "encoding": encoding}

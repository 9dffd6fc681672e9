"""Frames of Ably's realtime protocol (https://ably.com/docs/protocol): from bytes to values and back.

Two formats: JSON in text messages, MessagePack in binary ones. A frame from outside becomes one of the `Inbound`
values or raises `Malformed`; nothing else can come out.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any, Final, Literal, TypeAlias

import msgpack

from kachery_tui.hub.faults import TOO_LARGE, ErrorInfo, Malformed
from kachery_tui.protocol.canonical import parse_json
from kachery_tui.protocol.errors import ProtocolError

Format: TypeAlias = Literal["json", "msgpack"]

LONGEST_NAME: Final = 512
"""Characters of a channel's name, a client id, a message id."""
DEEPEST: Final = 32
"""Levels of nesting in a message's data and extras."""
LARGEST_INTEGER: Final = 2**53 - 1
MOST_SERIAL: Final = 2**53 - 1


class Action(IntEnum):
    """What a frame is for."""

    HEARTBEAT = 0
    ACK = 1
    NACK = 2
    CONNECT = 3
    CONNECTED = 4
    DISCONNECT = 5
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
    ACTIVATE = 18
    OBJECT = 19
    OBJECT_SYNC = 20
    ANNOTATION = 21


class Flag(IntFlag):
    """Flags of ATTACH and ATTACHED: how an attachment stands, and from bit 16 its modes."""

    NONE = 0
    HAS_PRESENCE = 1 << 0
    RESUMED = 1 << 2
    PRESENCE = 1 << 16
    PUBLISH = 1 << 17
    SUBSCRIBE = 1 << 18
    PRESENCE_SUBSCRIBE = 1 << 19


MODES: Final = Flag.PRESENCE | Flag.PUBLISH | Flag.SUBSCRIBE | Flag.PRESENCE_SUBSCRIBE


class PresenceAction(IntEnum):
    """What happens to a member."""

    ABSENT = 0
    PRESENT = 1
    ENTER = 2
    LEAVE = 3
    UPDATE = 4


@dataclass(frozen=True, slots=True)
class Item:
    """One message or one presence entry of a frame, as its sender gave it. `size` in bytes."""

    fields: Mapping[str, Any]
    action: PresenceAction | None
    client_id: str | None
    id: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A ping, to be echoed with its id."""

    id: str | None


@dataclass(frozen=True, slots=True)
class Close:
    """The client goes for good."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The client goes, and may come back."""


@dataclass(frozen=True, slots=True)
class Attach:
    """The client wants a channel, with these modes (none given: all), from `serial` on if it had it before."""

    channel: str
    modes: Flag
    serial: str | None


@dataclass(frozen=True, slots=True)
class Detach:
    """The client lets go of a channel."""

    channel: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Messages for a channel. `digest` tells a frame sent again from another of the same serial."""

    channel: str
    serial: int
    items: tuple[Item, ...]
    digest: int


@dataclass(frozen=True, slots=True)
class Present:
    """Members enter, change or leave."""

    channel: str
    serial: int
    items: tuple[Item, ...]
    digest: int


@dataclass(frozen=True, slots=True)
class Authorize:
    """A new token."""

    token: str


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A frame that wants an answer which this hub has not."""

    serial: int
    what: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A frame that needs no answer."""


Inbound: TypeAlias = (
    Heartbeat | Close | Disconnect | Attach | Detach | Publish | Present | Authorize | Unsupported | Passed
)


@dataclass(slots=True)
class Frame:
    """A frame to send. It is encoded once for each format, however many it goes to; not to be changed afterwards."""

    action: Action
    members: Mapping[str, Any] = field(default_factory=dict)
    _encoded: dict[Format, str | bytes] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def error(cls, info: ErrorInfo, channel: str | None = None) -> "Frame":
        """An ERROR for a channel, or for the connection."""
        members: dict[str, Any] = {"error": info.to_wire()}
        if channel is not None:
            members["channel"] = channel
        return cls(Action.ERROR, members)

    def encode(self, form: Format) -> str | bytes:
        """Its bytes (MessagePack) or text (JSON)."""
        found = self._encoded.get(form)
        if found is None:
            found = self._encoded[form] = _encode(self, form)
        return found


def _encode(frame: Frame, form: Format) -> str | bytes:
    wire = {"action": int(frame.action), **frame.members}
    if form == "msgpack":
        packed: bytes = msgpack.packb(wire, use_bin_type=True)
        return packed
    for part in ("messages", "presence"):
        if part in wire:
            wire[part] = [_without_bytes(item) for item in wire[part]]
    return json.dumps(wire, ensure_ascii=False, separators=(",", ":"))


def _without_bytes(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """JSON has no bytes: they become base64, and the message's encoding says so."""
    data = item.get("data")
    if not isinstance(data, bytes):
        return item
    encoding = f"{item['encoding']}/base64" if item.get("encoding") else "base64"
    return {**item, "data": base64.b64encode(data).decode("ascii"), "encoding": encoding}


def decode(raw: str | bytes, form: Format, *, max_items: int) -> Inbound:
    """One frame from a client. Raises `Malformed`."""
    wire = _parse(raw, form)
    if not isinstance(wire, dict):
        raise Malformed("a frame is an object")
    number = wire.get("action")
    if isinstance(number, bool) or not isinstance(number, int):
        raise Malformed("a frame has a whole number for `action`")
    try:
        action = Action(number)
    except ValueError:
        return Passed()
    match action:
        case Action.HEARTBEAT:
            return Heartbeat(_text(wire, "id"))
        case Action.CLOSE:
            return Close()
        case Action.DISCONNECT:
            return Disconnect()
        case Action.ATTACH:
            modes = Flag(_number(wire, "flags", 0) & MODES)
            return Attach(_channel(wire), modes or MODES, _text(wire, "channelSerial"))
        case Action.DETACH:
            return Detach(_channel(wire))
        case Action.MESSAGE:
            return Publish(_channel(wire), _serial(wire), _items(wire, "messages", max_items), hash(raw))
        case Action.PRESENCE:
            return Present(_channel(wire), _serial(wire), _items(wire, "presence", max_items), hash(raw))
        case Action.AUTH:
            return _authorize(wire)
        case Action.ANNOTATION | Action.OBJECT:
            return Unsupported(_serial(wire), action.name.lower())
        case _:
            return Passed()


def _parse(raw: str | bytes, form: Format) -> Any:
    if isinstance(raw, str) != (form == "json"):
        raise Malformed(f"the connection speaks {form}, and this is the other kind of WebSocket message")
    try:
        if isinstance(raw, str):
            return parse_json(raw)
        return msgpack.unpackb(raw, raw=False, strict_map_key=True, timestamp=0)
    except ProtocolError as error:
        raise Malformed(error.what) from None
    except (ValueError, msgpack.UnpackException, OverflowError, RecursionError) as error:
        raise Malformed(f"not MessagePack: {error}") from None


def _text(wire: Mapping[str, Any], key: str) -> str | None:
    value = wire.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LONGEST_NAME or not _is_unicode(value):
        raise Malformed(f"`{key}` is a text of at most {LONGEST_NAME} characters")
    return value


def _number(wire: Mapping[str, Any], key: str, default: int) -> int:
    value = wire.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SERIAL:
        raise Malformed(f"`{key}` is a whole number")
    return value


def _channel(wire: Mapping[str, Any]) -> str:
    name = _text(wire, "channel")
    if not name:
        raise Malformed("the frame needs a `channel`")
    return name


def _serial(wire: Mapping[str, Any]) -> int:
    return _number(wire, "msgSerial", 0)


def _authorize(wire: Mapping[str, Any]) -> Authorize:
    auth = wire.get("auth")
    token = auth.get("accessToken") if isinstance(auth, dict) else None
    if not isinstance(token, str) or not _is_unicode(token):
        raise Malformed("AUTH needs `auth.accessToken`")
    return Authorize(token)


def _items(wire: Mapping[str, Any], key: str, most: int) -> tuple[Item, ...]:
    values = wire.get(key)
    if not isinstance(values, list) or not values:
        raise Malformed(f"the frame needs a list of `{key}`")
    if len(values) > most:
        raise Malformed(f"at most {most} `{key}` fit into one frame", TOO_LARGE)
    return tuple(_item(value, key) for value in values)


def _item(value: object, key: str) -> Item:
    """Only what a message can have is kept: what else a client writes, a sender's connection say, is not passed on."""
    if not isinstance(value, dict):
        raise Malformed(f"each of `{key}` is an object")
    name, encoding = _text(value, "name"), _text(value, "encoding")
    data, extras = value.get("data"), value.get("extras")
    if not isinstance(data, bytes) and not is_plain(data):
        raise Malformed("`data` is text, bytes, or JSON")
    if extras is not None and not (isinstance(extras, dict) and is_plain(extras)):
        raise Malformed("`extras` is an object")
    given = {"name": name, "data": data, "encoding": encoding, "extras": extras}
    fields = {part: content for part, content in given.items() if content is not None}
    client_id = _text(value, "clientId")
    action = _number(value, "action", PresenceAction.ENTER if key == "presence" else 0)
    if action > (PresenceAction.UPDATE if key == "presence" else 0):
        raise Malformed("this hub keeps no messages to be changed afterwards")
    size = sum(map(_size, (name, data, extras, client_id)))
    return Item(
        fields,
        PresenceAction(action) if key == "presence" else None,
        client_id,
        _text(value, "id"),
        size,
    )


def _size(value: object) -> int:
    """Bytes that count against the limit."""
    if value is None:
        return 0
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, str):
        return len(value.encode())
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def is_plain(value: object, levels: int = DEEPEST) -> bool:
    """Whether `value` can be said in both formats: JSON without bytes, lone surrogates, numbers beyond a double's."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        return _is_unicode(value)
    if isinstance(value, int):
        return -LARGEST_INTEGER <= value <= LARGEST_INTEGER
    if isinstance(value, float):
        return value - value == 0
    if levels == 0:
        return False
    if isinstance(value, dict):
        return all(
            isinstance(key, str) and _is_unicode(key) and is_plain(inner, levels - 1)
            for key, inner in value.items()
        )
    return (
        isinstance(value, Sequence)
        and not isinstance(value, bytes)
        and all(is_plain(inner, levels - 1) for inner in value)
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

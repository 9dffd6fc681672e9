"""Reading what clients send. Everything here comes from outside: typed, bounded, or refused with a `Fault`."""

import json
from typing import Final

import msgpack

from kachery_tui.hub.pubsub.frames import (
    MODES,
    Acknowledged,
    Action,
    Attach,
    Auth,
    Close,
    Code,
    Detach,
    Encoded,
    Fault,
    Faulty,
    Flag,
    Frame,
    Heartbeat,
    Incoming,
    PresenceAction,
    PresenceChange,
    PresenceItem,
    Publish,
)
from kachery_tui.hub.pubsub.limits import Limits

_LARGEST: Final = 1 << 53
"""Whole numbers go up to here in every language that speaks the protocol."""

_CONTAINER: Final = 64
_ENTRY: Final = 100
"""Bytes of memory that a list or map takes by itself, and each entry of a map beside its key and value."""

_DEEPEST: Final = 50
"""Levels of maps and lists in extras."""

_FROM_CLIENTS: Final = (PresenceAction.ENTER, PresenceAction.UPDATE, PresenceAction.LEAVE)


def decode(raw: Encoded, limits: Limits) -> Incoming | None:
    """Read a frame from a client. None for an action that is passed over. Raises `Fault`.

    Text is JSON and binary is msgpack, whatever the connection's own format is.
    """
    frame = _unpack(raw, limits)
    action = _number(frame, "action")
    match action:
        case Action.HEARTBEAT:
            return Heartbeat(_text(frame, "id", limits.name_length))
        case Action.ATTACH:
            return _attach(frame, limits)
        case Action.DETACH:
            return Detach(_channel(frame, limits))
        case Action.CLOSE:
            return Close()
        case Action.AUTH:
            return _auth(frame, limits)
        case Action.MESSAGE | Action.PRESENCE | Action.OBJECT | Action.ANNOTATION:
            return _acknowledged(Action(action), frame, limits)
        case _:
            return None


def _unpack(raw: Encoded, limits: Limits) -> Frame:
    if len(raw) > limits.frame_bytes:
        raise Fault(Code.TOO_LARGE, f"a frame over {limits.frame_bytes} bytes")
    try:
        if isinstance(raw, str):
            frame = json.loads(raw, parse_constant=_no_constant)
        else:
            frame = msgpack.unpackb(raw, raw=False, strict_map_key=True)
    except (ValueError, RecursionError, OverflowError, msgpack.UnpackException):
        raise Fault(Code.BAD_REQUEST, "a frame that cannot be decoded") from None
    if not isinstance(frame, dict):
        raise Fault(Code.BAD_REQUEST, "a frame that is no map")
    return frame


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _number(frame: Frame, key: str) -> int:
    value = frame.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _LARGEST:
        raise Fault(Code.BAD_REQUEST, f"`{key}` is no whole number")
    return value


def _text(frame: Frame, key: str, longest: int) -> str | None:
    value = frame.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > longest or not _is_utf8(value):
        raise Fault(Code.BAD_REQUEST, f"`{key}` is no text of at most {longest} characters")
    return value


def _is_utf8(text: str) -> bool:
    # JSON's escapes can write half a surrogate pair, which msgpack then could not.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _channel(frame: Frame, limits: Limits) -> str:
    name = _text(frame, "channel", limits.name_length)
    if not name:
        raise Fault(Code.BAD_REQUEST, "a frame without a channel")
    return name


def _attach(frame: Frame, limits: Limits) -> Attach:
    flags = _number(frame, "flags") if frame.get("flags") is not None else 0
    serial = _text(frame, "channelSerial", limits.name_length)
    return Attach(_channel(frame, limits), serial, Flag(flags & MODES))


def _auth(frame: Frame, limits: Limits) -> Auth:
    auth = frame.get("auth")
    token = _text(auth, "accessToken", limits.token_bytes) if isinstance(auth, dict) else None
    if token is None:
        raise Fault(Code.BAD_REQUEST, "AUTH without a token")
    return Auth(token)


def _acknowledged(action: Action, frame: Frame, limits: Limits) -> Acknowledged:
    serial = _number(frame, "msgSerial")
    try:
        if action is Action.MESSAGE:
            return _publish(serial, frame, limits)
        if action is Action.PRESENCE:
            return _presence_change(serial, frame, limits)
    except Fault as fault:
        # Without its traceback, which holds all that was read.
        return Faulty(serial, fault.with_traceback(None))
    return Faulty(serial, Fault(Code.UNSUPPORTED, f"a hub takes no {action.name} frames"))


def _publish(serial: int, frame: Frame, limits: Limits) -> Publish:
    channel = _channel(frame, limits)
    messages = tuple(_message(item, limits) for item in _items(frame, "messages", limits))
    size = sum(_size(message) for message in messages)
    _check_size(size, limits)
    return Publish(serial, channel, messages, size)


def _presence_change(serial: int, frame: Frame, limits: Limits) -> PresenceChange:
    channel = _channel(frame, limits)
    items = tuple(_presence_item(item, limits) for item in _items(frame, "presence", limits))
    sizes = [_size(item.payload) for item in items]
    _check_size(sum(sizes), limits)
    if max(sizes) > limits.member_bytes:
        raise Fault(
            Code.TOO_LARGE, f"a presence member of {max(sizes)} bytes; limit is {limits.member_bytes}"
        )
    return PresenceChange(serial, channel, items)


def _items(frame: Frame, key: str, limits: Limits) -> list[Frame]:
    items = frame.get(key)
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Fault(Code.BAD_REQUEST, f"`{key}` is no list of maps")
    if len(items) > limits.messages_per_frame:
        raise Fault(Code.TOO_LARGE, f"more than {limits.messages_per_frame} messages at once")
    return items


def _message(item: Frame, limits: Limits) -> Frame:
    message = _payload(item, limits)
    for key in ("name", "id", "clientId"):
        value = _text(item, key, limits.name_length)
        if value is not None:
            message[key] = value
    return message


def _presence_item(item: Frame, limits: Limits) -> PresenceItem:
    action = _number(item, "action")
    if action not in _FROM_CLIENTS:
        raise Fault(Code.BAD_REQUEST, "presence is entered, updated or left")
    client_id = _text(item, "clientId", limits.name_length)
    repeats = _text(item, "id", limits.name_length)
    return PresenceItem(PresenceAction(action), client_id, _payload(item, limits), repeats)


def _payload(item: Frame, limits: Limits) -> Frame:
    payload: Frame = {}
    data = item.get("data")
    if data is not None:
        if not isinstance(data, str | bytes) or (isinstance(data, str) and not _is_utf8(data)):
            raise Fault(Code.BAD_REQUEST, "`data` is neither a text nor binary")
        payload["data"] = data
    encoding = _text(item, "encoding", limits.name_length)
    if encoding:
        payload["encoding"] = encoding
    extras = item.get("extras")
    if extras is not None:
        payload["extras"] = _extras(extras)
    return payload


def _extras(extras: object) -> object:
    if not isinstance(extras, dict):
        raise Fault(Code.BAD_REQUEST, "`extras` is no map")
    try:
        # Shows that both formats can carry it.
        json.dumps(extras, allow_nan=False)
        msgpack.packb(extras, use_bin_type=True)
    except (TypeError, ValueError, RecursionError, OverflowError):
        raise Fault(Code.BAD_REQUEST, "`extras` is no JSON object") from None
    return extras


def _size(message: Frame) -> int:
    """Bytes of one message: as Ably counts them, and what else of it is kept and sent on."""
    size = 0
    for key in ("name", "clientId", "data", "id", "encoding"):
        value = message.get(key)
        if value is not None:
            size += len(value.encode() if isinstance(value, str) else value)
    if message.get("encoding", "").endswith("base64"):
        # What counts is the data, not how JSON has to write it.
        size -= len(message.get("data", "")) // 4 + len(
            message["encoding"].removesuffix("base64")[-1:] + "base64"
        )
    if "extras" in message:
        size += _weight(message["extras"])
    return size


def _weight(value: object, depth: int = 0) -> int:
    """Bytes of memory, about, that a JSON value takes: many small parts take far more than their text. Raises `Fault`."""
    if depth > _DEEPEST:
        raise Fault(Code.BAD_REQUEST, f"`extras` is nested deeper than {_DEEPEST} levels")
    if isinstance(value, dict):
        return _CONTAINER + sum(
            _ENTRY + len(str(key)) + _weight(inner, depth + 1) for key, inner in value.items()
        )
    if isinstance(value, list):
        return _CONTAINER + sum(_weight(inner, depth + 1) for inner in value)
    return 8 + (len(value) if isinstance(value, str | bytes) else 24)


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.message_bytes:
        raise Fault(
            Code.TOO_LARGE,
            f"Maximum size of messages that can be published at once exceeded"
            f" (was {size} bytes; limit is {limits.message_bytes} bytes)",
        )

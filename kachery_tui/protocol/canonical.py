"""JSON from outside, and canonical JSON: what JavaScript's `JSON.stringify` prints, keys sorted by UTF-16 code unit.

Source: PROTOCOL.md § Canonical JSON; the number format is ECMAScript's Number::toString.
"""

import codecs
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias

from kachery_tui.protocol.errors import ProtocolError

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = Mapping[str, JsonValue]

MAX_JSON_BYTES: Final = 32_000_000
"""The largest text that is parsed at all, in bytes: a manifest fits into one stored object of 20 MB."""

MAX_DEPTH: Final = 200
"""Levels of nesting. Real messages have under ten; Python's own parser gives up near a thousand."""

MAX_SAFE_INTEGER: Final = 2**53 - 1

_UTF_16: Final = codecs.lookup("utf-16-be")
"""At hand from the start: Python reads a codec's file when it is first used, and may not be allowed to by then."""

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
"""Canonical for what `_is_plain` lets through, and several times faster than `_write`: most messages are plain."""


def parse_json(data: bytes | str, *, max_bytes: int = MAX_JSON_BYTES) -> JsonValue:
    """Parse JSON text from outside. `max_bytes` bounds it as it would be in UTF-8.

    Raises `ProtocolError` for anything but JSON within the bounds: also for NaN and Infinity, which Python's parser
    takes and JSON does not have, for text that is not UTF-8, and for nesting beyond `MAX_DEPTH`.
    """
    size = byte_length(data) if len(data) <= max_bytes else len(data)
    if size > max_bytes:
        raise ProtocolError(f"JSON text of {size} bytes, and {max_bytes} are allowed")
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value: JsonValue = json.loads(text, parse_constant=_refuse_constant, parse_int=_parse_int)
    except UnicodeDecodeError as error:
        raise ProtocolError(f"text that is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise ProtocolError(f"JSON nested deeper than {MAX_DEPTH} levels") from None
    except ProtocolError:
        raise
    except ValueError as error:
        raise ProtocolError(f"text that is not JSON: {error}") from None
    check_depth(value)
    return value


def byte_length(data: bytes | str) -> int:
    """How many bytes `data` is, a text in UTF-8."""
    if isinstance(data, str) and not data.isascii():
        return len(data.encode("utf-8", "surrogatepass"))
    return len(data)


def _refuse_constant(name: str) -> NoReturn:
    raise ProtocolError(f"text that is not JSON: {name}")


def _parse_int(digits: str) -> int | float:
    # Beyond a double's range JavaScript reads Infinity; and Python refuses thousands of digits altogether.
    return int(digits) if len(digits) < 310 else float(digits)


def check_depth(value: JsonValue) -> None:
    """Raise `ProtocolError` for a value that is nested deeper than `MAX_DEPTH`."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            outer.values() if isinstance(outer, dict) else outer
            for outer in level
            if isinstance(outer, (dict, list))
        ]
        if not level:
            return
        level = [inner for outer in level for inner in outer]
    raise ProtocolError(f"JSON nested deeper than {MAX_DEPTH} levels")


def canonical_json(value: JsonValue) -> str:
    """The canonical text of a JSON value."""
    try:
        if _is_plain(value):
            return _encode(value)
        parts: list[str] = []
        _write(value, parts)
    except RecursionError:
        raise ProtocolError("JSON nested too deeply") from None
    return "".join(parts)


def object_hash(value: JsonValue) -> str:
    """sha1 of the canonical JSON in UTF-8, as 40 hexadecimal digits."""
    return hashlib.sha1(canonical_json(value).encode(), usedforsecurity=False).hexdigest()


def has_lone_surrogate(text: str) -> bool:
    """Whether half a character is in `text`: JSON can say so, UTF-8 cannot."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _is_plain(value: object) -> bool:
    """Whether Python's own encoder prints `value` as JavaScript would: no fractions, no large integers, and only
    characters whose order is the same in UTF-16 and in code points, of which none needs an escape of its own."""
    if isinstance(value, str):
        return value.isascii()
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER
    if isinstance(value, dict):
        return all(
            isinstance(key, str) and key.isascii() and _is_plain(inner) for key, inner in value.items()
        )
    return isinstance(value, (list, tuple)) and all(_is_plain(inner) for inner in value)


def _write(value: JsonValue, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(_string(value))
    elif value is None or isinstance(value, bool):
        parts.append("null" if value is None else "true" if value else "false")
    elif isinstance(value, (int, float)):
        parts.append(_number(value))
    elif isinstance(value, Mapping):
        parts.append("{")
        for index, key in enumerate(sorted(value, key=_utf16)):
            parts.append(("," if index else "") + _string(key) + ":")
            _write(value[key], parts)
        parts.append("}")
    else:
        parts.append("[")
        for index, inner in enumerate(value):
            if index:
                parts.append(",")
            _write(inner, parts)
        parts.append("]")


def _utf16(key: str) -> bytes:
    return _UTF_16.encode(key, "surrogatepass")[0]


def _string(text: str) -> str:
    if not has_lone_surrogate(text):
        return json.dumps(text, ensure_ascii=False)
    # Two escaped halves of a pair arrive as two surrogates where a text was put together; JavaScript sees one character,
    # as Python's own reader does. None of the steps looks at characters one by one: a stranger chooses how many.
    joined: str = json.loads(json.dumps(text))
    return json.dumps(joined, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _number(value: float) -> str:
    """ECMAScript's Number::toString with radix 10 (ECMA-262, 6.1.6.1.20)."""
    try:
        number = float(value)
    except OverflowError:
        return "null"
    if not math.isfinite(number):
        return "null"
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = f"{abs(number)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    return sign + _place_point(digits, point)


def _place_point(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    mantissa = digits if count == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"

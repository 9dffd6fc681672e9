"""JSON that a person or a program of his gives to be signed: what is signed is what was given, or it is refused.

JSON's texts say more than the doubles hold that numbers are for everybody who reads them, and say some things twice.
"""

import json
import math
from collections import Counter
from typing import NoReturn

from kachery_tui.protocol.canonical import (
    MAX_DEPTH,
    MAX_JSON_BYTES,
    MAX_SAFE_INTEGER,
    JsonObject,
    byte_length,
    check_depth,
)
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.members import is_object


def parse_given(data: bytes | str, *, max_bytes: int = MAX_JSON_BYTES) -> JsonObject:
    """Parse a JSON object. Raises `ProtocolError` with what is wrong, where, and what would do.

    Beside what `parse_json` refuses, these are: whole numbers beyond 2^53 - 1, which would be rounded; numbers beyond a
    double's range; and keys that stand in an object more than once.
    """
    size = byte_length(data) if len(data) <= max_bytes else len(data)
    if size > max_bytes:
        raise ProtocolError(f"it has {size:,} bytes, and {max_bytes:,} are allowed")
    try:
        value = json.loads(
            data.decode() if isinstance(data, bytes) else data,
            object_pairs_hook=_unique,
            parse_constant=_refused,
            parse_float=_float,
            parse_int=_int,
        )
    except UnicodeDecodeError as error:
        raise ProtocolError(f"it is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:]
        raise ProtocolError(f"line {error.lineno}, column {error.colno}: {what}") from None
    except RecursionError:
        raise ProtocolError(f"it is nested too deeply: more than {MAX_DEPTH} levels") from None
    if not is_object(value):
        raise ProtocolError('it must be an object: {"key": value}')
    check_depth(value)
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ProtocolError(f"the key {json.dumps(twice[:60])} stands there more than once")
    return found


def _refused(name: str) -> NoReturn:
    raise ProtocolError(f"{name} is no number in JSON: write it as a text, or null")


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ProtocolError(
            f"{digits[:40]} is larger than any number that JSON programs agree on: write it as a text"
        )
    return number


def _int(digits: str) -> int:
    if abs(_float(digits)) > MAX_SAFE_INTEGER:
        raise ProtocolError(f"{digits[:40]} would be rounded: write it as a text")
    return int(digits)

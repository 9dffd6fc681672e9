"""Values of the history of requests, typed and bounded: the file lies where others may write, too.

Each reads one value of JSON and raises `ValueError` or `TypeError` for one that makes no sense.
"""

from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any, Final, TypeVar

from kachery_tui.printable import printable_lines
from kachery_tui.protocol.hashes import is_node_id

T = TypeVar("T")

LATEST: Final = 32_503_680_000.0
"""Unix time of the year 3000: what is later was not written by a clock, and no calendar need be able to show it."""

MOST_BYTES: Final = 2**63

LONGEST_TEXT: Final = 4_096
"""Characters of one text."""


def perhaps(read: Callable[[Any], T], value: Any) -> T | None:
    """What `read` makes of it, or None for null."""
    return None if value is None else read(value)


def items(value: Any, most: int) -> list[Any]:
    """A list of up to `most`."""
    if not isinstance(value, list) or len(value) > most:
        raise ValueError("no list, or too long a one")
    return value


def text(value: Any) -> str:
    """A text for a terminal, where nothing in it may do more than be shown."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError("no text, or too long a one")
    return printable_lines(value)


def path(value: Any) -> Path:
    """A path."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\0" in value:
        raise ValueError("no path")
    return Path(value)


def node_id(value: Any) -> str:
    """The id of a node."""
    if not isinstance(value, str) or not is_node_id(value):
        raise ValueError("no node id")
    return value


def time(value: Any) -> float:
    """A Unix time in seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("no time")
    if not isfinite(value) or not 0 <= value <= LATEST:
        raise ValueError("no time that can be")
    return float(value)


def amount(value: Any) -> int:
    """A number of bytes, or of anything else that is counted."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("no number")
    if not 0 <= value < MOST_BYTES:
        raise ValueError("no number that can be")
    return value

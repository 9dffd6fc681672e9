"""How much work something is, told in a way that is the same on any machine: the calls that Python makes for it."""

import sys
from collections.abc import Callable
from types import FrameType


class TooMuch(BaseException):
    """More calls than were allowed."""


def calls_of(work: Callable[[], object], most: int = 2_000_000) -> int:
    """How many functions are called, this program's and built-in ones. Raises `TooMuch` after `most` of them."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")
        if calls > most:
            sys.setprofile(None)
            raise TooMuch

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls

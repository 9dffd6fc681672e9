"""What is given a line each on stdin, in place of arguments."""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from kachery_tui.cli.output import say
from kachery_tui.errors import UsageError

FROM_STDIN: Final = "-"
"""The argument that stands for what comes on stdin."""

LONGEST_LINE: Final = 100_000
"""Bytes of a line; paths and URIs are much shorter."""


def given(words: Sequence[str], what: str) -> Iterator[str]:
    """The arguments, or the lines of stdin where `-` is the only one; `what` they are, in the plural.

    Empty lines are passed over. Raises `UsageError` for a line that is too long.
    """
    if list(words) != [FROM_STDIN]:
        yield from words
        return
    if sys.stdin.isatty():
        say(f"reading {what}, one a line; Ctrl+D ends")
    while line := sys.stdin.buffer.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise UsageError(f"a line of stdin has {LONGEST_LINE:,} bytes or more", f"{what} are expected")
        if word := line.rstrip(b"\r\n"):
            yield os.fsdecode(word)

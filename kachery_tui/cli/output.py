"""What a command prints: data on stdout, talk on stderr.

Everything printed to a terminal goes through here, and is made safe for it (`printable`): what other nodes say of
themselves and their files is part of most of it. Data that goes into a pipe or a file stays as it is.
"""

import errno
import io
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kachery_tui.errors import KacheryError
from kachery_tui.printable import printable, printable_json, printable_lines

LIVE_SECONDS: Final = 0.1
SPARSE_SECONDS: Final = 10.0
"""Between two progress lines where stderr is a file or a pipe: a log should not fill up with them."""


class StdoutFailed(KacheryError):
    """What is printed does not arrive: the disk that it goes to is full, or stdout was closed."""


@contextmanager
def to_stdout() -> Iterator[None]:
    """Raise `StdoutFailed` where stdout takes nothing. That its reader has gone is no failure, and comes through."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StdoutFailed(f"cannot write to stdout: {error.strerror or error}") from None


def mend_standard_streams() -> None:
    """Have something in the place of each standard stream that is closed, which a file would take that is opened next.

    What is printed on a closed stdout fails.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if getattr(sys, "stdin", None) is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - as long as the program runs
    # What is typed says that they are there; started without, Python has None in their places.
    if getattr(sys, "stderr", None) is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - as long as the program runs
    if getattr(sys, "stdout", None) is None:
        sys.stdout = io.TextIOWrapper(_Closed(), encoding="utf-8", write_through=True)


class _Closed(io.RawIOBase):
    """A stdout that is closed."""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1

    def write(self, _data: Any) -> int:
        raise OSError(errno.EBADF, "it is closed")


def emit(text: str, value: Mapping[str, object] | Sequence[object], *, as_json: bool) -> None:
    """Print one piece of data on stdout: as text (nothing, if it is empty), or as one line of JSON."""
    if as_json:
        emit_json(json.dumps(value, ensure_ascii=False))
    elif text:
        with to_stdout():
            sys.stdout.write((printable_lines(text) if sys.stdout.isatty() else text) + "\n")
    flush()


def emit_json(text: str) -> None:
    """Print one line of JSON on stdout, without flushing it."""
    if sys.stdout.isatty():
        text = printable_json(text)
    with to_stdout():
        # Half characters are JSON, and no UTF-8.
        sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


def flush() -> None:
    """Have everything printed that was to be. Raises `StdoutFailed`."""
    with to_stdout():
        sys.stdout.flush()


def say(text: str, end: str = "\n") -> None:
    """Tell the person something that is not data."""
    sys.stderr.write(f"{printable_lines(text)}{end}")
    sys.stderr.flush()


def complain(error: KacheryError) -> None:
    """Say what failed, why, and what would help."""
    say(f"kachery-tui: {error.line}")
    if error.do:
        say(f"  {error.do}")


def is_confirmed(question: str) -> bool:
    """Whether a person types yes; False, without asking, where none can."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    say(question, end="")
    return sys.stdin.readline().strip() == "yes"


class Progress:
    """Progress on stderr: a live line on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._next = time.monotonic() + (LIVE_SECONDS if self._live else SPARSE_SECONDS)
        self._shown = False

    def show(self, text: str) -> None:
        """Show where things stand; cheap to call as often as one likes."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (LIVE_SECONDS if self._live else SPARSE_SECONDS)
        if self._live:
            sys.stderr.write(f"\r\x1b[K{printable(text)}")
            sys.stderr.flush()
            self._shown = True
        else:
            say(text)

    def clear(self) -> None:
        """Take the live line away, so that what is printed next stands by itself."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False

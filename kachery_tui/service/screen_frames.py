"""The line between a screen that the node paints and the terminal that another process holds.

Theory of operation. Who has the terminal (a person's `kachery-tui`) keeps it: its modes, its size, Ctrl+Z, editors and
pagers stay that process's business. It hands on the keys as bytes, and writes what the node paints; each piece that the
terminal has taken is said so, and until then the node paints no more. So a terminal that stalls costs the node one frame,
and a node that is gone leaves a process behind that can put the terminal in order.

Both ways go frames: a byte for the kind, four for the length of what follows (big-endian), and that many bytes.
Source: API.md § Screens.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final

UPGRADE: Final = "kachery-screen"
"""What the connection is upgraded to."""

LARGEST_FROM_TERMINAL: Final = 65_536
LARGEST_FROM_NODE: Final = 16_000_000
"""Bytes of one frame."""

HEAD: Final = struct.Struct(">cI")
_SIZE: Final = struct.Struct(">HH")

LARGEST_SIDE: Final = 1_000
"""Columns and rows that are painted at most: a picture is as large as both say."""


VARIABLES: Final = (
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "TERM_PROGRAM",
    "SSH_CONNECTION",
    "TMUX",
    "STY",
    "PATH",
    "PWD",
    "PAGER",
    "VISUAL",
    "EDITOR",
)
"""Variables of the terminal's side that a screen looks at."""

LONGEST_VARIABLE: Final = 10_000
"""Characters."""


class FromTerminal(Enum):
    """What the terminal's side says."""

    KEYS = b"k"
    """Bytes that the terminal sent."""
    SIZE = b"s"
    """The terminal has this size: columns and rows, two bytes each."""
    TAKEN = b"t"
    """The terminal has taken one piece."""
    BACK = b"b"
    """The terminal shows nothing of the screen any more, and can be painted: after Ctrl+Z, or after a program that it was
    lent to, of which a JSON object tells the exit `code`, or the `error`."""
    NOTE = b"n"
    """A JSON object with a `text` that the screen should show: why another node cannot be shown."""
    LEAVE = b"l"
    """A signal says that the terminal's side has to go."""


class FromNode(Enum):
    """What the node says."""

    PAINT = b"p"
    """Text for the terminal, in UTF-8."""
    SUSPEND = b"z"
    """The person pressed the key that stops a program."""
    LEND = b"e"
    """Run the `command` of a JSON object on the terminal."""
    GO = b"g"
    """Show another `node` of this machine, which a JSON object names; if that cannot be, say so and stay."""
    BYE = b"q"
    """The end: a JSON object with a `text` for the person, and whether the node `runs` on."""


class LineBroken(Exception):
    """What came is no frame, or more than may come."""


def encoded(kind: FromTerminal | FromNode, payload: bytes = b"") -> bytes:
    """One frame."""
    return HEAD.pack(kind.value, len(payload)) + payload


def encoded_size(columns: int, rows: int) -> bytes:
    """The frame that tells a size."""
    return encoded(FromTerminal.SIZE, _SIZE.pack(min(columns, LARGEST_SIDE), min(rows, LARGEST_SIDE)))


def decoded_size(payload: bytes) -> tuple[int, int]:
    """Columns and rows, 1 to `LARGEST_SIDE`. Raises `LineBroken`."""
    try:
        columns, rows = _SIZE.unpack(payload)
    except struct.error:
        raise LineBroken("a size of another length") from None
    if not (1 <= columns <= LARGEST_SIDE and 1 <= rows <= LARGEST_SIDE):
        raise LineBroken(f"a size of {columns}×{rows}")
    return columns, rows


def encoded_object(kind: FromTerminal | FromNode, value: Mapping[str, Any]) -> bytes:
    """A frame with a JSON object."""
    return encoded(kind, json.dumps(value).encode())


def decoded_object(payload: bytes) -> dict[str, Any]:
    """The JSON object of a frame; empty for none. Raises `LineBroken`."""
    try:
        value = json.loads(payload or b"{}")
    except (ValueError, RecursionError):
        raise LineBroken("no JSON") from None
    if not isinstance(value, dict):
        raise LineBroken("no JSON object")
    return value


class Frames:
    """Frames of the node, as the bytes come. For the side of the terminal."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[FromNode, bytes]]:
        """What is whole by now. Raises `LineBroken`."""
        self._waiting += data
        while len(self._waiting) >= HEAD.size:
            kind, length = HEAD.unpack_from(self._waiting)
            if length > LARGEST_FROM_NODE:
                raise LineBroken(f"a frame of {length:,} bytes")
            end = HEAD.size + length
            if len(self._waiting) < end:
                return
            payload = bytes(self._waiting[HEAD.size : end])
            del self._waiting[:end]
            try:
                yield FromNode(kind), payload
            except ValueError:
                # Of a newer node. What has to be understood comes with a new version of the protocol.
                continue

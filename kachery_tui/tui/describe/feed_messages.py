"""What is said of a message of a subfeed: its row, what it can be filtered by, and all of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kachery_tui.filters import FieldKind
from kachery_tui.protocol.canonical import byte_length
from kachery_tui.protocol.members import is_object
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone
from kachery_tui.tui.describe.feeds import title
from kachery_tui.tui.describe.json_text import compact, laid_out, plain_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kachery_tui.filters import Fact
    from kachery_tui.node.feeds.states import SubfeedState
    from kachery_tui.protocol.canonical import JsonValue
    from kachery_tui.protocol.feeds import SignedMessage

MESSAGE_FIELDS: Final[Mapping[str, FieldKind]] = {
    "number": FieldKind.NUMBER,
    "time": FieldKind.TIME,
    "size": FieldKind.SIZE,
    "text": FieldKind.TEXT,
}
"""What messages can be filtered by, beside the keys in them."""

KEPT_TEXT: Final = 8_000
"""Characters of a message that the list keeps; a filter looks at no more."""

MOST_KEYS: Final = 40
"""Keys of a message that it can be filtered by."""

LONGEST_VALUE: Final = 200
"""Characters of a text that a key of a message is compared with."""

LATEST: Final = 32_503_680_000_000
"""Milliseconds of Unix time, in the year 3000: an owner may write any number there."""

SHORT_SIGNATURE: Final = 16

_HEAD: Final = 12
"""Cells of the word that heads a line."""

_KNOWN: Final = frozenset({"message", "messageNumber", "timestamp", "previousSignature"})


@dataclass(frozen=True, slots=True)
class Said:
    """A message as the list keeps it. `at` is Unix time in seconds by the owner's clock, None where that is no time;
    `size` the bytes of it as it was signed."""

    number: int
    at: float | None
    size: int
    text: str
    """It in one line, as far as that is kept; of a damaged one what is wrong with it."""
    values: Mapping[str, Fact] = field(default_factory=dict)
    """Plain values in it by their paths, in lower case."""
    is_damaged: bool = False


def said(message: SignedMessage) -> Said:
    """A message for the list."""
    values: dict[str, Fact] = {}
    for path, value in plain_values(message.message):
        if len(values) >= MOST_KEYS:
            break
        values.setdefault(path.lower(), value[:LONGEST_VALUE] if isinstance(value, str) else value)
    return Said(
        message.number,
        message.timestamp / 1_000 if message.timestamp <= LATEST else None,
        byte_length(message.text),
        compact(message.message, KEPT_TEXT),
        values,
    )


def damaged(number: int, problem: str) -> Said:
    """What stands in the place of a message that cannot be read from disk."""
    return Said(number, None, 0, problem, is_damaged=True)


def said_cells(message: Said, now: float) -> Line:
    """A message as a row: number, time, size, what it says."""
    if message.is_damaged:
        return (Cell(f"{message.number:,}", Tone.MUTED), BLANK, BLANK, Cell(f"✗ {message.text}", Tone.BAD))
    return (
        Cell(f"{message.number:,}", Tone.MUTED),
        Cell(present.last(message.at, now), Tone.MUTED),
        Cell(present.size(message.size), Tone.MUTED),
        Cell(message.text),
    )


def said_facts(message: Said) -> Mapping[str, Fact]:
    """A message for a filter."""
    return {
        **message.values,
        "number": message.number,
        "time": message.at,
        "size": message.size,
        "text": message.text,
    }


def message_fields(messages: Iterable[Said]) -> Mapping[str, FieldKind]:
    """What messages like these can be filtered by: their keys are fields, too."""
    found = dict(MESSAGE_FIELDS)
    for message in messages:
        for path, value in message.values.items():
            found.setdefault(path, _kind(value))
    return found


def _kind(value: Fact) -> FieldKind:
    if isinstance(value, bool):
        return FieldKind.FLAG
    return FieldKind.NUMBER if isinstance(value, (int, float)) else FieldKind.TEXT


# All of it


def message_lines(subfeed: SubfeedState, message: SignedMessage) -> Iterator[Line]:
    """Everything that the owner signed, and then the message laid out."""
    yield from _headed("number", f"{message.number:,} of {subfeed.here:,} here")
    at = message.timestamp / 1_000
    yield from _headed("time", f"{present.moment(at)} by the owner's clock")
    yield from _headed("size", f"{byte_length(message.text):,} B as it was signed")
    before = "none, it is the first" if message.previous is None else signature(message.previous)
    yield from _headed("previous", before)
    yield from _headed("signature", signature(message.signature))
    for name, value in _unknown(message):
        yield from _headed(name, compact(value, KEPT_TEXT))
    yield (BLANK,)
    yield from laid_out(message.message)


def _headed(word: str, text: str) -> Iterator[Line]:
    yield (Cell(f"{word} ".ljust(_HEAD), Tone.MUTED), Cell(text))


def _unknown(message: SignedMessage) -> Iterator[tuple[str, JsonValue]]:
    """What else was signed: `metaData`, and members that nobody knows."""
    body = message.raw.get("body")
    if is_object(body):
        yield from ((name, value) for name, value in body.items() if name not in _KNOWN)


def signature(text: str) -> str:
    """A signature by its start."""
    return present.short(text, SHORT_SIGNATURE)


def message_title(subfeed: SubfeedState, number: int) -> str:
    """What a message is called."""
    return f"Message {number:,} of {title(subfeed)}"


def message_json(message: SignedMessage) -> str:
    """What the owner said, as JSON to copy."""
    return json.dumps(message.message, indent=2, ensure_ascii=False)

"""JSON to be read: in one line, laid out with tones, and the numbers in it by their paths.

It comes from other nodes and may be ten megabytes of anything: only as much is made as will be shown, and what a terminal
would not show as it is stands as an escape, `\\u202e`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from kachery_tui.printable import printable, printable_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.strict_json import parse_given
from kachery_tui.tui.cells import Cell, Line, Tone

if TYPE_CHECKING:
    from kachery_tui.protocol.canonical import JsonValue

INDENT: Final = "  "

SHORT: Final = 60
"""Characters up to which a list of plain values stands in one line."""

LONGEST_TEXT: Final = 4_000
"""Characters that are shown of one text within JSON that is laid out."""

MOST_LINES: Final = 2_000
MOST_CHARACTERS: Final = 100_000
"""Of JSON that is laid out."""

MOST_PATHS: Final = 200
"""Paths of numbers that are looked for in one message."""

DEEPEST: Final = 8
"""Levels down to which numbers are looked for."""

LONGEST_LIST: Final = 16
"""Items of a list that have a path each."""

LONGEST_PATH: Final = 200
"""Characters."""

MOST_LOOKED_AT: Final = 2_000
"""Values of one message that are looked at for numbers and plain values, and keys that are tried to find one of them."""

_PAST_END: Final = "…"


def quoted(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text as JSON, in which everything shows; what is beyond `longest` characters is left out."""
    shown = printable_json(json.dumps(text[:longest], ensure_ascii=False))
    return shown if len(text) <= longest else f"{shown[:-1]}{_PAST_END}{shown[-1]}"


def compact(value: JsonValue, longest: int) -> str:
    """JSON in one line of at most `longest` characters."""
    parts: list[str] = []
    taken = 0
    for piece in _pieces(value, longest):
        parts.append(piece)
        taken += len(piece)
        if taken > longest:
            return "".join(parts)[: longest - 1] + _PAST_END
    return "".join(parts)


def _pieces(value: JsonValue, longest: int) -> Iterator[str]:
    if isinstance(value, str):
        yield quoted(value, longest)
    elif isinstance(value, Mapping):
        yield "{"
        for place, (key, inner) in enumerate(value.items()):
            yield f"{', ' if place else ''}{quoted(key, longest)}: "
            yield from _pieces(inner, longest)
        yield "}"
    elif isinstance(value, Sequence):
        yield "["
        for place, inner in enumerate(value):
            if place:
                yield ", "
            yield from _pieces(inner, longest)
        yield "]"
    else:
        yield _scalar(value)


def _scalar(value: bool | float | None) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int):
        try:
            return str(value)
        except ValueError:
            # Python refuses to print thousands of digits.
            return "a number of thousands of digits"
    return repr(value)


# Laid out


def laid_out(value: JsonValue, most_lines: int = MOST_LINES, most: int = MOST_CHARACTERS) -> Iterator[Line]:
    """JSON over several lines, with a tone for each kind of value; what is beyond so much is left out, and that said."""
    taken = 0
    for number, line in enumerate(_lines(value, "", "", "")):
        if number >= most_lines or taken > most:
            yield (Cell(f"{_PAST_END} there is more than is shown here", Tone.WARN),)
            return
        taken += sum(len(cell.text) for cell in line)
        yield line


def _lines(value: JsonValue, indent: str, head: str, tail: str) -> Iterator[Line]:
    """A value in lines: `head` is the key before it, `tail` the comma after it."""
    if not _is_laid_out(value):
        text, tone = _toned(value)
        yield _line(indent, head, Cell(f"{text}{tail}", tone))
        return
    assert not isinstance(value, (str, int, float))
    assert value is not None
    opening, closing = ("{", "}") if isinstance(value, Mapping) else ("[", "]")
    yield _line(indent, head, Cell(opening, Tone.MUTED))
    items: Iterator[tuple[str, JsonValue]] = (
        ((f"{quoted(key)}: ", inner) for key, inner in value.items())
        if isinstance(value, Mapping)
        else (("", inner) for inner in value)
    )
    for place, (key, inner) in enumerate(items, 1):
        yield from _lines(inner, indent + INDENT, key, "," if place < len(value) else "")
    yield _line(indent, "", Cell(f"{closing}{tail}", Tone.MUTED))


def _is_laid_out(value: JsonValue) -> bool:
    """Whether it takes lines of its own: what holds other values, unless it is a short list of plain ones."""
    if isinstance(value, (str, int, float)) or value is None or not value:
        return False
    if isinstance(value, Mapping):
        return True
    if len(value) > SHORT or any(isinstance(item, (Mapping, list, tuple)) for item in value):
        return True
    return len(compact(value, SHORT + 1)) > SHORT


def _toned(value: JsonValue) -> tuple[str, Tone]:
    if isinstance(value, str):
        return quoted(value), Tone.GOOD
    if isinstance(value, bool) or value is None:
        return _scalar(value), Tone.WARN
    if isinstance(value, (int, float)):
        return _scalar(value), Tone.BUSY
    return compact(value, SHORT + 1), Tone.BUSY


def _line(indent: str, head: str, last: Cell) -> Line:
    return tuple(cell for cell in (Cell(indent), Cell(head, Tone.STRONG), last) if cell.text)


# Numbers


def numbers(value: JsonValue) -> dict[str, float]:
    """The numbers in a message by their paths, `loss`, `train.acc`, `position.0`, in the order in which they stand."""
    found: dict[str, float] = {}
    search = _Search()
    for path, inner in _leaves(value, "", DEEPEST, _Search()):
        # Of two that read alike, the one that drawing the path would find.
        number = None if as_number(inner) is None else search.number_at(value, path)
        if number is not None:
            found[path] = number
        if len(found) >= MOST_PATHS:
            break
    return found


def plain_values(value: JsonValue) -> Iterator[tuple[str, str | float | bool]]:
    """Texts, numbers, yes and no in a message, with their paths."""
    for path, inner in _leaves(value, "", DEEPEST, _Search()):
        if isinstance(inner, (str, bool)):
            yield path, inner
        elif (number := as_number(inner)) is not None:
            yield path, number


def _leaves(value: JsonValue, path: str, levels: int, search: _Search) -> Iterator[tuple[str, JsonValue]]:
    """What holds no other values, with its path."""
    if isinstance(value, Mapping):
        items: Iterator[tuple[str, JsonValue]] = iter(value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        items = ((str(place), inner) for place, inner in enumerate(value[:LONGEST_LIST]))
    else:
        yield path, value
        return
    for key, inner in items if levels else ():
        if not search.may_go_on():
            return
        longer = f"{path}.{key}" if path else key
        if key and len(longer) <= LONGEST_PATH:
            yield from _leaves(inner, longer, levels - 1, search)


def number_at(value: JsonValue, path: str) -> float | None:
    """The number at a path; None where there is none. A key with dots in it goes before such a path."""
    return _Search().number_at(value, path)


class _Search:
    """A look into one message that ends, whatever the message is: its owner decides how many keys read alike."""

    def __init__(self) -> None:
        self._left = MOST_LOOKED_AT

    def may_go_on(self) -> bool:
        """Count one step; whether there may be more."""
        self._left -= 1
        return self._left > 0

    def number_at(self, value: JsonValue, path: str) -> float | None:
        """See `number_at`; also None once this search has gone on for too long."""
        if not path:
            return as_number(value)
        if not isinstance(value, Mapping):
            if isinstance(value, str) or not isinstance(value, Sequence):
                return None
            head, _, rest = path.partition(".")
            place = int(head) if head.isascii() and head.isdecimal() and len(head) < 9 else len(value)
            return self.number_at(value[place], rest) if place < len(value) else None
        end = len(path)
        while end > 0 and self.may_go_on():
            head = path[:end]
            found = self.number_at(value[head], path[end + 1 :]) if head in value else None
            if found is not None:
                return found
            end = path.rfind(".", 0, end)
        return None


def as_number(value: JsonValue) -> float | None:
    """A value as a number that can be drawn; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


# As it is typed


def object_problem(text: str) -> str:
    """What is wrong with a text that should be a JSON object, with the place where it is; empty if nothing is."""
    try:
        parse_given(text)
    except ProtocolError as error:
        return printable(error.what)
    return ""

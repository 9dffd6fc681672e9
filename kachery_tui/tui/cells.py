"""Text that is safe to paint: one cell of a line, its tone, and the cleaning that all text goes through.

Names, labels, reasons and messages come from other nodes. Painted as they are, they could carry terminal escapes,
reverse the order of what is read, or push a line out of its bounds. `plain` is the one gate, and `fit` (which every
line of every list goes through) passes it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rich.cells import cell_len, set_cell_size

from kachery_tui.printable import MOST_MARKS, printable

_WORD: Final = re.compile(r" *[^ ]+| +")


class Tone(StrEnum):
    """What a cell means, beside its words; a theme turns it into colour."""

    NORMAL = "normal"
    MUTED = "muted"
    STRONG = "strong"
    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    EDGE = "edge"
    LIT_EDGE = "lit-edge"


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of a line."""

    text: str
    tone: Tone = Tone.NORMAL


Line = tuple[Cell, ...]
"""Cells side by side."""

Row = tuple[Cell | Line, ...]
"""What stands in the columns of a list: one cell each, or several side by side."""

BLANK: Final = Cell("")


def parts_of(cell: Cell | Line) -> Line:
    """What stands in one column, as a line."""
    return (cell,) if isinstance(cell, Cell) else cell


def text_of(cell: Cell | Line) -> str:
    """What stands in one column, without its tones."""
    return "".join(part.text for part in parts_of(cell))


class Mask:
    """Whether hashes and URIs are hidden: one switch for the whole screen. A URI is all that it takes to get a file."""

    on: bool = False

    @classmethod
    def over(cls, text: str) -> str:
        """`text` as it is shown: while the mask is on, with no hash, and nothing from a `sha1://` on."""
        return _HASH.sub(_hidden, _URI.sub(_hidden, text)) if cls.on else text


_URI: Final = re.compile(
    r"(?P<head>sha1://)(?![0-9a-f]{2}…[0-9a-f]{2}\s*$)(?P<hash>[0-9a-f]*).*", re.DOTALL | re.IGNORECASE
)
"""To the end of the text, since a name in a URI may have spaces in it; one that is masked already stays so."""

_HASH: Final = re.compile(r"(?P<head>)(?<![0-9A-Za-z])(?P<hash>[0-9a-fA-F]{12,})(?![0-9A-Za-z])")


def _hidden(found: re.Match[str]) -> str:
    return f"{found['head']}{found['hash'][:2]}…{found['hash'][-2:]}"


def plain(text: str) -> str:
    """`text` as one line that is safe to print (see `printable`), masked where it has to be."""
    return printable(Mask.over(text))


def plain_lines(text: str) -> list[str]:
    """`text` by lines, each safe to paint."""
    return [plain(line) for line in text.split("\n")]


def clip(text: str, width: int) -> str:
    """`text`, cleaned, in at most `width` terminal cells; what was cut shows as an ellipsis."""
    # No character takes less than a third of a cell once marks are bounded, so the rest need not be looked at.
    text = plain(Mask.over(text)[: width * (MOST_MARKS + 1) + 1])
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text`, cleaned, in exactly `width` terminal cells."""
    text = clip(text, width)
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def width_of(line: Iterable[Cell]) -> int:
    """Terminal cells that a line takes."""
    return sum(cell_len(plain(cell.text)) for cell in line)


def fit_line(line: Iterable[Cell], width: int) -> Line:
    """A line cleaned, and cut or filled to exactly `width` cells."""
    fitted: list[Cell] = []
    left = width
    for cell in line:
        if left <= 0:
            break
        text = clip(cell.text, left)
        fitted.append(Cell(text, cell.tone))
        left -= cell_len(text)
    if left > 0:
        fitted.append(Cell(" " * left))
    return tuple(fitted)


def wrap_line(line: Iterable[Cell], width: int, *, indent: int = 0) -> list[Line]:
    """A line cleaned, and broken into lines of at most `width` cells: at spaces where it can, later ones indented."""
    lines: list[Line] = []
    current: list[Cell] = []
    left = width
    for word in _words(line):
        text, taken = word.text, cell_len(word.text)
        while taken > left:
            # A word goes whole into the next line, unless it would not fit into that one either.
            if left > 0 and (taken > width - indent or not current):
                head = clip_exactly(text, left)
                current.append(Cell(head, word.tone))
                text = text[len(head) :]
            lines.append(tuple(current))
            current, left = [Cell(" " * indent)], max(width - indent, 1)
            text = text.lstrip(" ")
            taken = cell_len(text)
        current.append(Cell(text, word.tone))
        left -= taken
    return [*lines, tuple(current)]


def clip_exactly(text: str, width: int) -> str:
    """The start of a cleaned text that takes at most `width` cells, and at least one character of it."""
    end, taken = 1, cell_len(text[:1])
    while end < len(text) and (taken := taken + cell_len(text[end])) <= width:
        end += 1
    return text[:end]


def _words(line: Iterable[Cell]) -> Iterator[Cell]:
    """The cells of a line in pieces that end before a space."""
    for cell in line:
        for piece in _WORD.findall(plain(cell.text)):
            yield Cell(piece, cell.tone)


def joined(parts: Iterable[Line], gap: str = "  ") -> Line:
    """Lines one after another with a gap between those that are not empty."""
    result: list[Cell] = []
    for part in parts:
        if part:
            result.extend((Cell(gap), *part) if result else part)
    return tuple(result)


HEAD: Final = 7
"""Cells of the word that heads a line of details."""


def headed(word: str, line: Line) -> Line:
    """A line with a word before it."""
    return (Cell(word.ljust(HEAD), Tone.MUTED), *line)

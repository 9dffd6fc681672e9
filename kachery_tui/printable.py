"""Text from outside, made safe to print: the one gate that everything passes on its way to a terminal.

Names, labels, reasons and messages come from other nodes. Printed as they are, they could carry terminal escapes,
reverse the order of what is read, or paint over the lines above.
"""

import unicodedata
from functools import lru_cache
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
MOST_MARKS: Final = 2
"""Combining marks kept in a row. Real scripts need two; hundreds would paint over the lines above."""

TAB_WIDTH: Final = 4

LONGEST_KEPT: Final = 500
"""Characters of a text whose cleaned form is remembered: what is on a screen is looked at again and again."""


def printable(text: str) -> str:
    """`text` as one line that does to a terminal what it seems to.

    Control characters, bidirectional overrides, invisible and unassigned characters become `REPLACEMENT`; line ends
    and tabs become spaces, odd spaces ordinary ones, piles of combining marks are cut down.
    """
    if text.isascii() and text.isprintable():
        return text
    return _remembered(text) if len(text) <= LONGEST_KEPT else _cleaned(text)


def _cleaned(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category in ("Mn", "Me"):
            marks += 1
            # A variation selector changes how wide terminals draw what it follows, and they disagree by how much.
            if marks <= MOST_MARKS and not 0xFE00 <= ord(character) <= 0xFE0F:
                kept.append(character)
            continue
        marks = 0
        if character in "\n\r" or category == "Zs":
            kept.append(" ")
        elif character == "\t":
            kept.append(" " * TAB_WIDTH)
        else:
            kept.append(character if character.isprintable() else REPLACEMENT)
    return "".join(kept)


_remembered: Final = lru_cache(maxsize=4096)(_cleaned)


def printable_lines(text: str) -> str:
    """`text` with its line ends and tabs as they are, and all else of it as `printable` makes it."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def printable_json(text: str) -> str:
    """JSON text whose every character can be printed: the others are escaped, and mean the same within a text of it.

    Line ends between its parts stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else _escaped(character)
        for character in text
    )


def _escaped(character: str) -> str:
    number = ord(character)
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"

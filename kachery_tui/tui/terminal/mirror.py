"""What the terminal shows and what it is to show, so that only the difference is sent.

Textual writes whole widgets anew: a row that scrolled by one, or a pane that is shown again, costs thousands of bytes
of which the terminal has nearly all. Here every frame goes into a picture of the screen first, and out comes what
differs from the picture of what was sent, with as few movements and changes of style as that takes.

Theory of operation. There are two pictures of cells, each cell a character with its style: what the terminal shows,
and what the program wants shown. A frame of Textual's is movements, styles and text, and goes into the wanted
picture. Whatever else is written is handed on to the terminal as it is; unless it is known to leave the picture alone
(`is_aside`), what is shown counts as unknown from then on: a picture that may be wrong is worse than none.

When the terminal has taken what was sent before, rows that changed are compared. Runs of cells that differ are
written, with a movement before each; a gap of equal cells is written again where that takes fewer bytes than to move
over it. A row with characters about whose width terminals disagree is written whole. Then the shown picture is the
wanted one. After a resize, or when another program had the terminal, nothing is known of what it shows.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final

from rich.cells import cell_len

SYNC_START: Final = "\x1b[?2026h"
SYNC_END: Final = "\x1b[?2026l"

# Possessive, all of these: what does not match must not be tried in every other way, too.
_FRAME: Final = re.compile(r"(?:\x1b\[[\d;]*+[Hm]|\x1b\[\?2026[hl]|[^\x00-\x1f\x7f]++|\n)*+")
_PIECE: Final = re.compile(r"\x1b\[([\d;]*+)([Hm])|(\x1b\[\?2026[hl])|([^\x00-\x1f\x7f]++)|\n")
# Questions, modes other than the alternate screen, keyboard, title, clipboard, bell: nothing of the picture changes.
_ASIDE: Final = re.compile(
    r"(?:\x1b\[\?(?!1049)\d++(?:[hl]|\$p)|\x1b\[[<>=]\d*+u|\x1b\[2[23];\d++t|\x07"
    r"|\x1b](?:[^\x07\x1b]|\x1b(?!\\))*+(?:\x07|\x1b\\)|\x1bP(?:[^\x1b]|\x1b(?!\\))*+\x1b\\)*+"
)

_OFF: Final = {
    "1": "22",
    "2": "22",
    "3": "23",
    "4": "24",
    "5": "25",
    "7": "27",
    "8": "28",
    "9": "29",
    "21": "24",
}

_SHORT_GAP: Final = 4
"""Cells that are rather sent again than jumped over: a jump takes as many bytes."""

Glyph = tuple[str, str]
"""A character with the marks on it, and its style as the numbers of an SGR sequence. The right half of a wide character
is an empty text."""

Row = list[Glyph | None]
"""None is a cell of which nothing is known."""


def is_aside(data: str) -> bool:
    """Whether what is written leaves what the terminal shows as it is."""
    return _ASIDE.fullmatch(data) is not None


class Mirror:
    """Two pictures of a terminal: what is wanted, and what was sent.

    `take_output` puts a frame into the first, `changes` returns what makes the second like it. Any number of frames can
    come in between: what was overwritten is never sent.
    """

    def __init__(self) -> None:
        self._columns = self._rows = 0
        self._wanted: list[Row] = []
        self._sent: list[Row] = []
        self._changed: set[int] = set()
        self._style = ""
        self._x = self._y = 0
        self._cursor: tuple[int, int] | None = None
        self._in_step = False

    def resize(self, columns: int, rows: int) -> None:
        """Take over the size, and know no more what the terminal shows: when its size changes it may lose some."""
        kept = [[*row[:columns], *[None] * (columns - len(row))] for row in self._wanted[:rows]]
        self._columns, self._rows = columns, rows
        self._wanted = kept + [[None] * columns for _ in range(rows - len(kept))]
        self.forget_sent()

    def forget(self) -> None:
        """Begin anew with a terminal that shows who knows what, and will be painted all over."""
        self._wanted = []
        self.resize(self._columns, self._rows)

    def forget_sent(self) -> None:
        """Send everything that is wanted with the next changes, whatever the terminal shows."""
        self._sent = [[None] * self._columns for _ in range(self._rows)]
        self._changed = set(range(self._rows))
        self._cursor = None

    def take_output(self, data: str) -> bool:
        """Put a frame into the picture; False, and nothing is done, if there is more in it than painting."""
        if _FRAME.fullmatch(data) is None:
            return False
        for piece in _PIECE.finditer(data):
            numbers, final, sync, text = piece.groups()
            if text is not None:
                self._put(text)
            elif final == "H":
                down, _, right = numbers.partition(";")
                self._x, self._y = int(right or 1) - 1, int(down or 1) - 1
            elif final == "m":
                self._style = "" if numbers in ("", "0") else f"{self._style};{numbers}".lstrip(";")
            elif sync is not None:
                # The terminal paints what stands between these marks in one step.
                self._in_step = True
            else:
                self._y += 1
        return True

    def changes(self) -> str:
        """What makes the terminal show what is wanted; empty if it does. It counts as sent."""
        writer = _Writer(self._cursor, self._columns)
        for y in sorted(self._changed):
            wanted, sent = self._wanted[y], self._sent[y]
            if wanted != sent:
                for start, end in _spans(wanted, sent):
                    writer.write(start, y, wanted[start:end])
                self._sent[y] = wanted.copy()
        self._changed.clear()
        writer.end(min(self._x, self._columns - 1), min(self._y, self._rows - 1))
        self._cursor = writer.cursor
        if not writer.text:
            return ""
        return f"{SYNC_START}{writer.text}{SYNC_END}" if self._in_step else writer.text

    def _put(self, text: str) -> None:
        if not 0 <= self._y < self._rows:
            return
        row, style = self._wanted[self._y], self._style
        glyphs = [(character, style) for character in text] if text.isascii() else _glyphs(text, style)
        start, end = self._x, min(self._x + len(glyphs), self._columns)
        self._x += len(glyphs)
        if start >= end:
            return
        if end - start < len(glyphs) and glyphs[end - start] == ("", style):
            glyphs[end - start - 1] = (" ", style)
        # Of a wide character that is painted over by half, the other half goes, too.
        if start and _is_right_half(row[start]):
            row[start - 1] = (" ", _style_of(row[start - 1]))
        if end < self._columns and _is_right_half(row[end]):
            row[end] = (" ", _style_of(row[end]))
        row[start:end] = glyphs[: end - start]
        self._changed.add(self._y)


class _Writer:
    """Writes pieces of rows, and keeps to what the terminal has in force already."""

    def __init__(self, cursor: tuple[int, int] | None, columns: int) -> None:
        self.cursor = cursor
        self._columns = columns
        self._style = ""
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        """What was written."""
        return "".join(self._parts)

    def write(self, x: int, y: int, glyphs: Row) -> None:
        """Write known glyphs from there on."""
        self._move(x, y)
        for glyph in glyphs:
            assert glyph is not None
            text, style = glyph
            if style != self._style:
                self._parts.append(_transition(self._style, style))
                self._style = style
            self._parts.append(text)
        end = x + len(glyphs)
        # Behind the last column terminals differ in where they put the cursor.
        self.cursor = (end, y) if end < self._columns else None

    def end(self, x: int, y: int) -> None:
        """Leave no style behind, and the cursor where it is wanted."""
        if self._style:
            self._parts.append("\x1b[m")
        self._move(x, y)

    def _move(self, x: int, y: int) -> None:
        if self.cursor == (x, y):
            return
        if self.cursor is not None and self.cursor[1] == y and self.cursor[0] < x:
            steps = x - self.cursor[0]
            self._parts.append(f"\x1b[{steps}C" if steps > 1 else "\x1b[C")
        elif x == 0:
            self._parts.append(f"\x1b[{y + 1}H" if y else "\x1b[H")
        else:
            self._parts.append(f"\x1b[{y + 1};{x + 1}H")
        self.cursor = (x, y)


def _spans(wanted: Row, sent: Row) -> Iterator[tuple[int, int]]:
    """The pieces of a row to send: from, and up to which cell."""
    if not (_is_even(wanted) and _is_even(sent)):
        # Terminals disagree about how wide some characters are, so no cell right of one is sure to be where it seems.
        starts = [-1, *(x for x, glyph in enumerate(wanted) if glyph is None), len(wanted)]
        yield from ((start + 1, end) for start, end in pairwise(starts) if end > start + 1)
        return
    span: tuple[int, int] | None = None
    for x, glyph in enumerate(wanted):
        if glyph is None or glyph == sent[x]:
            continue
        if span is not None and (span[1] == x or _is_short(wanted, span[1], x)):
            span = (span[0], x + 1)
            continue
        if span is not None:
            yield span
        span = (x, x + 1)
    if span is not None:
        yield span


def _glyphs(text: str, style: str) -> list[Glyph]:
    """A text with wide characters or marks as one glyph for each cell."""
    glyphs: list[Glyph] = []
    base = -1
    for character in text:
        width = cell_len(character)
        if width:
            base = len(glyphs)
            glyphs.append((character, style))
            glyphs.extend([("", style)] * (width - 1))
        elif glyphs:
            glyphs[base] = (glyphs[base][0] + character, style)
    return glyphs


def _is_right_half(glyph: Glyph | None) -> bool:
    return glyph is not None and not glyph[0]


def _style_of(glyph: Glyph | None) -> str:
    return "" if glyph is None else glyph[1]


def _is_short(row: Row, start: int, end: int) -> bool:
    """Whether the cells between two pieces cost less than to jump over them."""
    if end - start > _SHORT_GAP:
        return False
    before = row[start - 1]
    return before is not None and all(
        glyph is not None and glyph[1] == before[1] and glyph[0].isascii() for glyph in row[start:end]
    )


def _is_even(row: Row) -> bool:
    """Whether every character of a row takes one cell, and none bears marks."""
    texts = [" " if glyph is None else glyph[0] for glyph in row]
    together = "".join(texts)
    return len(together) == len(texts) and (together.isascii() or _is_narrow(together))


@lru_cache(maxsize=512)
def _is_narrow(text: str) -> bool:
    return all(cell_len(character) == 1 for character in text)


@lru_cache(maxsize=1024)
def _transition(before: str, after: str) -> str:
    """The shortest sequence from one style to another."""
    anew = f"\x1b[0;{after}m" if after else "\x1b[m"
    if not before:
        return f"\x1b[{after}m"
    attributes, colour, ground = _parts(before)
    to_attributes, to_colour, to_ground = _parts(after)
    off = {_OFF.get(number, "0") for number in attributes if number not in to_attributes}
    # Bold and faint are switched off together.
    stays = [number for number in attributes if number in to_attributes and _OFF.get(number) not in off]
    numbers = [*off, *(number for number in to_attributes if number not in stays)]
    if colour != to_colour:
        numbers.append(to_colour or "39")
    if ground != to_ground:
        numbers.append(to_ground or "49")
    by_steps = f"\x1b[{';'.join(numbers)}m"
    return by_steps if "0" not in off and len(by_steps) < len(anew) else anew


def _parts(style: str) -> tuple[tuple[str, ...], str, str]:
    """Attributes, colour and background of a style."""
    attributes: list[str] = []
    colour = ground = ""
    left = style.split(";") if style else []
    while left:
        number = left[0]
        taken = 1
        if number in ("38", "48"):
            taken = 5 if left[1:2] == ["2"] else 3
        piece = ";".join(left[:taken])
        left = left[taken:]
        if number == "38" or 30 <= int(number) <= 37 or 90 <= int(number) <= 97:
            colour = piece
        elif number == "48" or 40 <= int(number) <= 47 or 100 <= int(number) <= 107:
            ground = piece
        elif number not in attributes:
            attributes.append(number)
    return tuple(attributes), colour, ground

"""What a terminal shows after the bytes that it got: as much of one as this program uses, and strict about the rest."""

import codecs
import re
from dataclasses import dataclass, field
from typing import Final

from rich.cells import cell_len

_TOKEN: Final = re.compile(
    r"\x1b\[(?P<private>[<=>?]?)(?P<numbers>[0-9;:]*)(?P<middle>[ -/]*)(?P<final>[@-~])"
    r"|(?P<string>\x1b](?:[^\x07\x1b]|\x1b(?!\\))*+(?:\x07|\x1b\\)|\x1bP(?:[^\x1b]|\x1b(?!\\))*+\x1b\\)"
    r"|(?P<escape>\x1b[^]P[])"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)"
)
# Attributes that are switched on by the number before the colon, and off by the one after it.
_OFF: Final = {22: {1, 2}, 23: {3}, 24: {4, 21}, 25: {5, 6}, 27: {7}, 28: {8}, 29: {9}}


@dataclass(frozen=True, slots=True)
class Look:
    """How a character looks: its attributes, and the colours as they were given."""

    attributes: frozenset[int] = frozenset()
    colour: tuple[int, ...] = ()
    ground: tuple[int, ...] = ()

    def changed(self, numbers: list[int]) -> "Look":
        """This look after an SGR sequence."""
        attributes, colour, ground = set(self.attributes), self.colour, self.ground
        left = numbers or [0]
        while left:
            number, left = left[0], left[1:]
            if number == 0:
                attributes, colour, ground = set(), (), ()
            elif number in _OFF:
                attributes -= _OFF[number]
            elif number in (38, 48):
                taken = 4 if left[0] == 2 else 2
                value, left = tuple(left[:taken]), left[taken:]
                colour, ground = (value, ground) if number == 38 else (colour, value)
            elif number == 39:
                colour = ()
            elif number == 49:
                ground = ()
            elif 30 <= number <= 37 or 90 <= number <= 97:
                colour = (number,)
            elif 40 <= number <= 47 or 100 <= number <= 107:
                ground = (number,)
            else:
                attributes.add(number)
        return Look(frozenset(attributes), colour, ground)


PLAIN: Final = Look()
_BLANK: Final = (" ", PLAIN)


@dataclass(slots=True)
class Emulator:
    """A terminal of `columns` by `rows`. Raises `ValueError` for a sequence that it does not know."""

    columns: int
    rows: int
    modes: set[int] = field(default_factory=lambda: {7, 25})
    """The private modes that are on: 25 shows the cursor, 1049 is the alternate screen, 1000 to 1006 are the mouse."""
    x: int = 0
    y: int = 0
    _look: Look = PLAIN
    _cells: list[list[tuple[str, Look]]] = field(default_factory=list)
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    _rest: str = ""

    def __post_init__(self) -> None:
        self._clear()

    def resize(self, columns: int, rows: int) -> None:
        """Change the size. What is cut off is gone, what is new is blank."""
        self._cells = [(row + [_BLANK] * columns)[:columns] for row in self._cells[:rows]]
        self._cells += [[_BLANK] * columns for _ in range(rows - len(self._cells))]
        self.columns, self.rows = columns, rows
        self.x, self.y = min(self.x, columns - 1), min(self.y, rows - 1)

    def feed(self, data: bytes) -> None:
        """Take what was written to the terminal."""
        text = self._rest + self._decoder.decode(data)
        place = 0
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                # The beginning of a sequence, whose end comes with the next bytes.
                break
            self._take(match)
            place = match.end()
        self._rest = text[place:]

    @property
    def lines(self) -> list[str]:
        """The rows as text."""
        return ["".join(character for character, _ in row) for row in self._cells]

    @property
    def cells(self) -> list[list[tuple[str, Look]]]:
        """The rows as characters with their look."""
        return self._cells

    def _take(self, match: re.Match[str]) -> None:
        if match["text"]:
            for character in match["text"]:
                self._put(character)
        elif match["control"]:
            self._control(match["control"])
        elif match["final"]:
            self._sequence(match)

    def _control(self, character: str) -> None:
        if character == "\n":
            if self.y == self.rows - 1:
                self._cells = [*self._cells[1:], [_BLANK] * self.columns]
            else:
                self.y += 1
        elif character == "\r":
            self.x = 0
        elif character == "\b":
            self.x = max(0, self.x - 1)

    def _put(self, character: str) -> None:
        width = cell_len(character)
        row = self._cells[self.y]
        if width == 0:
            if self.x:
                before = next(x for x in range(self.x - 1, -1, -1) if row[x][0])
                row[before] = (row[before][0] + character, row[before][1])
            return
        if self.x + width > self.columns and 7 in self.modes:
            self.x = 0
            self._control("\n")
            row = self._cells[self.y]
        self.x = min(self.x, self.columns - width)
        # Half of a wide character does not stay behind.
        if row[self.x][0] == "" and self.x:
            row[self.x - 1] = (" ", row[self.x - 1][1])
        row[self.x] = (character, self._look)
        if width == 2:
            row[self.x + 1] = ("", self._look)
        self.x += width
        if self.x < self.columns and row[self.x][0] == "":
            row[self.x] = (" ", row[self.x][1])

    def _sequence(self, match: re.Match[str]) -> None:
        final, private = match["final"], match["private"]
        numbers = (
            [int(number or 0) for number in re.split("[;:]", match["numbers"])] if match["numbers"] else []
        )
        if private == "?" and final in "hl":
            self._switch(numbers, on=final == "h")
        elif private or match["middle"] or final in "cntu":
            # Questions to the terminal, its title, its keyboard: nothing that shows.
            return
        elif final == "m":
            self._look = self._look.changed(numbers)
        else:
            self._move_or_erase(final, [*numbers, 0, 0])

    def _switch(self, numbers: list[int], *, on: bool) -> None:
        for number in numbers:
            (self.modes.add if on else self.modes.discard)(number)
            if number == 1049:
                self._clear()

    def _move_or_erase(self, final: str, numbers: list[int]) -> None:
        first, second = max(numbers[0], 1), max(numbers[1], 1)
        if final == "H":
            self.y, self.x = first - 1, second - 1
        elif final == "d":
            self.y = first - 1
        elif final == "G":
            self.x = first - 1
        elif final in "ABCD":
            self.y += {"A": -first, "B": first}.get(final, 0)
            self.x += {"C": first, "D": -first}.get(final, 0)
        elif final == "X":
            self._blank(self.y, self.x, self.x + first)
        elif final == "K":
            start, end = ((self.x, self.columns), (0, self.x + 1), (0, self.columns))[numbers[0]]
            self._blank(self.y, start, end)
        elif final == "J" and numbers[0] == 2:
            self._clear()
        else:
            raise ValueError(f"an unknown sequence: {final!r} {numbers}")
        self.x, self.y = min(max(self.x, 0), self.columns - 1), min(max(self.y, 0), self.rows - 1)

    def _blank(self, y: int, start: int, end: int) -> None:
        for x in range(start, min(end, self.columns)):
            self._cells[y][x] = (" ", Look(ground=self._look.ground))

    def _clear(self) -> None:
        self._cells = [[_BLANK] * self.columns for _ in range(self.rows)]

"""Numbers as a drawing of dots, in cells of two by four dots each (braille): a line, or the area under it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Point = tuple[int, float]
"""The number of a message, and what it says."""

DOTS_ACROSS, DOTS_DOWN = 2, 4
"""Dots of a cell."""

BRAILLE: Final = 0x2800

_BITS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a cell, by row and column."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What a drawing covers: numbers of messages, and what they say."""

    first: int
    last: int
    low: float
    high: float

    def share(self, value: float) -> float:
        """How far up a value stands, from 0 to 1; all of them in the middle where they are the same."""
        span = self.high - self.low
        if not math.isfinite(span):
            return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return (value - self.low) / span if span else 0.5


def extent(points: Sequence[Point]) -> Extent:
    """What a drawing of these points covers. There must be one point at least."""
    values = [value for _, value in points]
    return Extent(points[0][0], points[-1][0], min(values), max(values))


def drawing(points: Sequence[Point], width: int, height: int) -> list[str]:
    """Points, in the order of their numbers, as a line in `height` rows of `width` cells."""
    if not points or width <= 0 or height <= 0:
        return [" " * max(width, 0)] * max(height, 0)
    cells = [[0] * width for _ in range(height)]
    for x, y in _dots(points, width * DOTS_ACROSS, height * DOTS_DOWN):
        cells[y // DOTS_DOWN][x // DOTS_ACROSS] |= _BITS[y % DOTS_DOWN][x % DOTS_ACROSS]
    return ["".join(chr(BRAILLE + bits) if bits else " " for bits in row) for row in cells]


def area(amounts: Sequence[float], height: int) -> list[str]:
    """Amounts from 0 up, two side by side in each cell, as an area in `height` rows; the highest reaches the top."""
    peak, rows = max(amounts, default=0), height * DOTS_DOWN
    cells = [[0] * -(-len(amounts) // DOTS_ACROSS) for _ in range(height)]
    for x, amount in enumerate(amounts):
        # The lowest dot is always there: a floor to stand on.
        for y in range(rows - max(math.ceil(amount / peak * rows) if peak else 0, 1), rows):
            cells[y // DOTS_DOWN][x // DOTS_ACROSS] |= _BITS[y % DOTS_DOWN][x % DOTS_ACROSS]
    return ["".join(chr(BRAILLE + bits) if bits else " " for bits in row) for row in cells]


def _dots(points: Sequence[Point], width: int, height: int) -> Iterator[tuple[int, int]]:
    """The dots of the line, from the upper left. Of points in one column only the ends and the extremes matter."""
    covers = extent(points)
    span = max(covers.last - covers.first, 1)
    before: tuple[int, int] | None = None
    for x, column in groupby(points, key=lambda point: (point[0] - covers.first) * (width - 1) // span):
        rows = [round((1 - covers.share(value)) * (height - 1)) for _, value in column]
        yield from ((x, y) for y in range(min(rows), max(rows) + 1))
        if before is not None:
            yield from _between(before, (x, rows[0]))
        before = x, rows[-1]


def _between(start: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    (x, y), (to_x, to_y) = start, end
    steps = max(to_x - x, abs(to_y - y))
    for step in range(1, steps):
        yield x + (to_x - x) * step // steps, y + round((to_y - y) * step / steps)


def number_words(value: float) -> str:
    """A number in at most ten cells or so: `0.0312`, `1,200`, `1.2e+09`."""
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value):,}"
    return f"{value:.4g}"

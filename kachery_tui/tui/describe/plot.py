"""A drawing with what it needs to be read: lowest and highest value, first and last message, the newest value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.tui.cells import Cell, Line, Tone, joined, width_of
from kachery_tui.tui.plot import drawing, extent, number_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kachery_tui.tui.plot import Point

AXES: Final = 3
"""Lines that are not the drawing: the values in words above it, the axis and its ends below."""

LABEL: Final = 9
"""Cells of the values beside the drawing at the least: as they change, it stays where it is."""

LEAST_WIDTH: Final = 12


def plot_lines(points: Sequence[Point], width: int, height: int) -> list[Line]:
    """Points in `height` lines of `width` cells."""
    if not points:
        return [(Cell("No message here has a number there yet.", Tone.MUTED),)]
    covers = extent(points)
    high, low = number_words(covers.high), number_words(covers.low)
    head = _in_words(points, width)
    side = max(len(high), len(low), LABEL) + 1
    across, down = width - side - 1, height - AXES
    if across < LEAST_WIDTH or down < 1:
        return [head][:height]
    lines: list[Line] = [head]
    labels = {0: high, down - 1: low} if covers.low != covers.high else {(down - 1) // 2: high}
    for number, row in enumerate(drawing(points, across, down)):
        label = labels.get(number, "").rjust(side - 1)
        lines.append((Cell(f"{label} ", Tone.MUTED), Cell("│", Tone.MUTED), Cell(row, Tone.BUSY)))
    first, last = f"{covers.first:,}", f"{covers.last:,}"
    between = " " * max(across - len(first) - len(last), 1)
    ends = f"{first}{between}{last}" if covers.first != covers.last else first
    lines.append((Cell(f"{' ' * side}└{'─' * across}", Tone.MUTED),))
    lines.append((Cell(f"{' ' * (side + 1)}{ends}", Tone.MUTED),))
    return lines


def _in_words(points: Sequence[Point], width: int) -> Line:
    """The newest value, and the least and the greatest with their messages where there is room for that."""
    number, value = points[-1]
    least, most = min(points, key=lambda point: point[1]), max(points, key=lambda point: point[1])
    newest: Line = (
        Cell("last ", Tone.MUTED),
        Cell(number_words(value), Tone.STRONG),
        Cell(f" at {number:,}", Tone.MUTED),
    )
    line = joined((newest, _at("min", least), _at("max", most)), "   ")
    if width_of(line) <= width:
        return line
    return joined((newest, (Cell(f"min {number_words(least[1])}"),), (Cell(f"max {number_words(most[1])}"),)))


def _at(word: str, point: Point) -> Line:
    number, value = point
    return (Cell(f"{word} ", Tone.MUTED), Cell(number_words(value)), Cell(f" at {number:,}", Tone.MUTED))

"""How a list's columns share the width that there is, and how a row is laid out in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kachery_tui.tui.cells import BLANK, Cell, Line, Row, fit, fit_line, parts_of, text_of, width_of

GAP: Final = 1
"""Cells between two columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list.

    `width` is in cells, the least where `share` is over 0: what is left over is dealt out by `share`. Where the
    columns do not fit, the one with the highest `drop` goes first; 0 stays. What is too long for a column that `spills`
    runs on over those after it that are empty in that row.
    """

    title: str
    width: int
    share: int = 0
    right: bool = False
    drop: int = 0
    spills: bool = False


def column_at(laid_out: Sequence[tuple[Column, int]], x: int) -> Column | None:
    """The column, of some with their widths, that stands at the cell `x`; None between two and beside them."""
    for column, width in laid_out:
        if width:
            if 0 <= x < width:
                return column
            x -= width + GAP
    return None


def widths(columns: Sequence[Column], available: int) -> tuple[int, ...]:
    """Each column's width in cells, 0 for those that are dropped."""
    kept = list(columns)

    def needed() -> int:
        return sum(column.width for column in kept) + GAP * max(len(kept) - 1, 0)

    while needed() > available and (droppable := [column for column in kept if column.drop]):
        kept.remove(max(droppable, key=lambda column: column.drop))
    left, shares = max(available - needed(), 0), sum(column.share for column in kept)
    result: list[int] = []
    for column in columns:
        if column not in kept:
            result.append(0)
            continue
        extra = left * column.share // shares if shares else 0
        left, shares = left - extra, shares - column.share
        result.append(column.width + extra)
    return tuple(result)


def aligned(laid_out: Sequence[tuple[Column, int]], mark: str, cells: Row, width: int) -> Line:
    """A row in `width` cells: `mark`, then what stands in each column that has room; columns without a cell are blank."""
    line = [Cell(mark)]
    given = [*cells, *[BLANK] * (len(laid_out) - len(cells))]
    shown = [(column, space, cell) for (column, space), cell in zip(laid_out, given, strict=False) if space]
    at = 0
    while at < len(shown):
        column, space, cell = shown[at]
        at += 1
        if column.spills:
            taken = width_of(parts_of(cell))
            while taken > space and at < len(shown) and not text_of(shown[at][2]):
                space += GAP + shown[at][1]
                at += 1
        if len(line) > 1:
            line.append(Cell(" " * GAP))
        if isinstance(cell, Cell):
            line.append(Cell(fit(cell.text, space, right=column.right), cell.tone))
        else:
            line.extend(fit_line(cell, space))
    return fit_line(line, width)

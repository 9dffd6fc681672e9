"""How a list's columns share the width that there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

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

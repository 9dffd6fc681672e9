"""What this node received and sent during the last minutes, as two drawings side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone, fit_line
from kachery_tui.tui.plot import DOTS_ACROSS, area

if TYPE_CHECKING:
    from kachery_tui.node.rates import RateMeter

LINES: Final = 4
"""A line of words over the drawing."""

DOT_SECONDS: Final = 4
"""Seconds that stand in one column of dots: the drawing moves on that often."""

MOST_DOTS: Final = 150
"""Columns of dots of one drawing: ten minutes are what a meter remembers."""

_GAP: Final = 2


def traffic_lines(received: RateMeter, sent: RateMeter, now: float, width: int) -> tuple[Line, ...]:
    """The two drawings in lines of `width` cells."""
    room = (width - _GAP) // 2
    left = _half("↓ received", received, now, room)
    right = _half("↑ sent", sent, now, room)
    return tuple((*one, Cell(" " * _GAP), *other) for one, other in zip(left, right, strict=True))


def traffic_version(received: RateMeter, sent: RateMeter, now: float) -> tuple[int, int, int]:
    """Differs whenever the drawings do. They move on only while there is something on them."""
    last = max(received.last_at or 0.0, sent.last_at or 0.0)
    moves = int(now) // DOT_SECONDS if now - last < MOST_DOTS * DOT_SECONDS else 0
    return received.total, sent.total, moves


def _half(words: str, meter: RateMeter, now: float, width: int) -> list[Line]:
    dots = min(width * DOTS_ACROSS, MOST_DOTS)
    amounts = _by_dot(meter, now, dots)
    peak = max(amounts, default=0) / DOT_SECONDS
    said = f"peak {present.byte_rate(peak)} in {round(dots * DOT_SECONDS / 60)} min" if peak else "nothing"
    head = (Cell(words, Tone.STRONG), Cell(f"  {said}", Tone.MUTED))
    tone = Tone.BUSY if peak else Tone.MUTED
    drawn = [(Cell(row, tone),) for row in area(amounts, LINES - 1)]
    return [fit_line(line, width) for line in (head, *drawn)]


def _by_dot(meter: RateMeter, now: float, dots: int) -> list[int]:
    """Amounts of the newest periods, the oldest first. Each period's seconds stay its own, so that nothing flickers."""
    end = (int(now) // DOT_SECONDS + 1) * DOT_SECONDS - 1
    seconds = meter.history(end, dots * DOT_SECONDS)
    return [sum(seconds[at : at + DOT_SECONDS]) for at in range(0, len(seconds), DOT_SECONDS)]

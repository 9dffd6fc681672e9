"""Which panes show together, and how large: from the size of the terminal alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kachery_tui.tui.here import PaneName

if TYPE_CHECKING:
    from collections.abc import Mapping

SEVERAL_FROM_WIDTH: Final = 120
"""Columns from which on several panes show together."""

LEAST_WIDTH, LEAST_HEIGHT = 60, 15
"""Columns and lines that the screen needs to be of use."""

FRAME: Final = 4
"""Lines of header, footer, and what may stand between them and the panes."""

LEAST_PANE: Final = 8
"""Lines of a pane that is worth showing: its frame, its columns' titles, and some rows."""

LARGE, SMALL, LEAST = 4, 2, 1
"""Shares of a column's height: of the pane with the keys, of others, and of one that says least."""

LEFT: Final = (PaneName.CHANNELS, PaneName.STREAMS)
RIGHT: Final = (PaneName.REQUESTS, PaneName.CACHE, PaneName.FEEDS, PaneName.TASKS, PaneName.LOG)

_SHARING: Final = (PaneName.FEEDS, PaneName.TASKS, PaneName.LOG)
"""Panes that share a place: the current one has it, else the first."""

_GIVES_WAY: Final = (*reversed(_SHARING), PaneName.CACHE, PaneName.REQUESTS, PaneName.CHANNELS)
"""Which pane goes first where a column has no room for all."""


@dataclass(frozen=True, slots=True)
class Layout:
    """`shares` has the panes that show, with each one's share of its column's height."""

    several: bool
    shares: Mapping[PaneName, int]


def too_small(width: int, height: int) -> bool:
    """Whether the terminal has no room for anything but a word about that."""
    return width < LEAST_WIDTH or height < LEAST_HEIGHT


def arrange(width: int, height: int, current: PaneName, *, zoomed: bool) -> Layout:
    """The panes that show in a terminal of that size while `current` has the keys."""
    if width < SEVERAL_FROM_WIDTH or zoomed:
        return Layout(several=False, shares={current: LARGE})
    shown = [*_fitting(LEFT, height - FRAME, current), *_fitting(RIGHT, height - FRAME, current)]
    return Layout(several=True, shares={name: _share(name, current) for name in shown})


def _share(name: PaneName, current: PaneName) -> int:
    if name is current:
        return LARGE
    return LEAST if name is PaneName.FEEDS else SMALL


def _fitting(column: tuple[PaneName, ...], height: int, current: PaneName) -> list[PaneName]:
    """The panes of a column that it has room for."""
    in_place = current if current in _SHARING else _SHARING[0]
    kept = [name for name in column if name not in _SHARING or name is in_place]
    for name in _GIVES_WAY:
        if len(kept) * LEAST_PANE <= height:
            break
        if name in kept and name is not current:
            kept.remove(name)
    return kept

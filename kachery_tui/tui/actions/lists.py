"""What can be done with any list: filter, sort, mark, hold still."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from kachery_tui.tui.actions.action import AVAILABLE, Action
from kachery_tui.tui.here import PaneName

if TYPE_CHECKING:
    from kachery_tui.tui.here import Here
    from kachery_tui.tui.screen import MainScreen


_MARKABLE: Final = frozenset({PaneName.REQUESTS, PaneName.CACHE})


def _filter(screen: MainScreen, _here: Here) -> None:
    screen.ask_for_filter()


def _filter_unavailable(here: Here) -> str:
    return AVAILABLE if here.can.filters else "this list has no filter"


def _failures(screen: MainScreen, here: Here) -> None:
    screen.set_filter("" if here.can.filter_text == here.can.failures else here.can.failures)


def _failures_unavailable(here: Here) -> str:
    return AVAILABLE if here.can.failures else "nothing fails in this list"


def _failures_label(here: Here) -> str:
    return "All" if here.can.failures and here.can.filter_text == here.can.failures else "Only faults"


def _sort(screen: MainScreen, _here: Here, *, by: int) -> None:
    screen.pane.sort_by_next(by)


def _invert(screen: MainScreen, _here: Here) -> None:
    screen.pane.invert_order()


def _sort_unavailable(here: Here) -> str:
    return AVAILABLE if here.can.sorts else "this list has one order"


def _mark(screen: MainScreen, _here: Here) -> None:
    screen.pane.mark()


def _mark_range(screen: MainScreen, _here: Here) -> None:
    screen.pane.mark_range()


def _mark_all(screen: MainScreen, _here: Here) -> None:
    screen.pane.mark_all()


def _mark_unavailable(here: Here) -> str:
    return AVAILABLE if here.can.marks else "rows of this list cannot be marked"


def _marked_label(here: Here) -> str:
    return "Unmark all" if here.marked else "Mark all"


def _hold(screen: MainScreen, _here: Here) -> None:
    screen.toggle_hold()


def _hold_label(here: Here) -> str:
    return "Go on" if here.held else "Hold still"


ACTIONS: Final = (
    Action(
        "filter", "/", "Filter", "Show only rows like…: words, name:x, size>1G, !state:done", _filter,
        _filter_unavailable,
    ),
    Action(
        "failures", "e", "Only faults", "Show only what went wrong; again, show all", _failures,
        _failures_unavailable, label_here=_failures_label,
    ),
    Action(
        "mark", "space", "Mark", "Mark the row; marked rows are acted on together", _mark,
        _mark_unavailable, panes=_MARKABLE,
    ),
    Action(
        "mark-range", "v", "Mark range", "Mark from the last marked row to this one", _mark_range,
        _mark_unavailable, panes=_MARKABLE, footer=False,
    ),
    Action(
        "mark-all", "a", "Mark all", "Mark every row that the filter leaves, or unmark all", _mark_all,
        _mark_unavailable, panes=_MARKABLE, label_here=_marked_label, footer=False,
    ),
    Action(
        "sort-next", "right", "Sort by next", "Sort by the next column", partial(_sort, by=1),
        _sort_unavailable, footer=False,
    ),
    Action(
        "sort-previous", "left", "Sort by previous", "Sort by the previous column", partial(_sort, by=-1),
        _sort_unavailable, footer=False,
    ),
    Action("invert", "i", "Invert", "Turn the order round", _invert, _sort_unavailable, footer=False),
    Action(
        "hold", "f", "Hold still", "Hold the screen still, counting what comes; again, go on", _hold,
        label_here=_hold_label, footer=False,
    ),
)  # fmt: skip

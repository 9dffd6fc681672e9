"""What can be done with any list: filter, sort, mark, hold still, export."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from kachery_tui.node.threads import in_thread
from kachery_tui.tui import present
from kachery_tui.tui.actions.action import AVAILABLE, Action
from kachery_tui.tui.dialogs.ask import Ask
from kachery_tui.tui.dialogs.confirm import Confirm
from kachery_tui.tui.dialogs.paths import PathSuggester
from kachery_tui.tui.export import name_problem, place_problem, target, write_table
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.prompts import ask_for_filter

if TYPE_CHECKING:
    from pathlib import Path

    from kachery_tui.tui.desk import Desk
    from kachery_tui.tui.here import Here
    from kachery_tui.tui.panes.pane import Pane


_MARKABLE: Final = frozenset({PaneName.REQUESTS, PaneName.CACHE, PaneName.FEEDS, PaneName.TASKS})


def _filter(desk: Desk, _here: Here) -> None:
    ask_for_filter(desk)


def _filter_unavailable(here: Here) -> str:
    return AVAILABLE if here.can.filters else "this list has no filter"


def _failures(desk: Desk, here: Here) -> None:
    desk.set_filter("" if here.can.filter_text == here.can.failures else here.can.failures)


def _failures_unavailable(here: Here) -> str:
    return AVAILABLE if here.can.failures else "nothing fails in this list"


def _failures_label(here: Here) -> str:
    return "All" if here.can.failures and here.can.filter_text == here.can.failures else "Errors only"


def _sort(desk: Desk, _here: Here, *, by: int) -> None:
    desk.pane.sort_by_next(by)


def _invert(desk: Desk, _here: Here) -> None:
    desk.pane.invert_order()


def _sort_unavailable(here: Here) -> str:
    return AVAILABLE if here.can.sorts else "this list cannot be sorted"


def _mark(desk: Desk, _here: Here) -> None:
    desk.pane.mark()


def _mark_range(desk: Desk, _here: Here) -> None:
    desk.pane.mark_range()


def _mark_all(desk: Desk, _here: Here) -> None:
    desk.pane.mark_all()


def _invert_marks(desk: Desk, _here: Here) -> None:
    desk.pane.invert_marks()


def _mark_unavailable(here: Here) -> str:
    return AVAILABLE if here.can.marks else "rows of this list cannot be marked"


def _marked_label(here: Here) -> str:
    return "Unmark all" if here.marked else "Mark all"


def _hold(desk: Desk, _here: Here) -> None:
    desk.toggle_hold()


def _hold_label(here: Here) -> str:
    return "Resume" if here.held else "Freeze"


def _export(desk: Desk, _here: Here) -> None:
    pane, folder = desk.pane, desk.program.shown_on.folder

    def go_on(text: str | None) -> None:
        if text is not None:
            desk.run_work(_export_to(desk, pane, target(text, folder)), "screen: export")

    desk.app.push_screen(
        Ask(
            f"Export the rows of {pane.NAME}",
            about=f"as CSV or JSON, by the ending .csv or .json; ~ and Tab work; relative to {folder}",
            value=f"{pane.NAME}.csv",
            takes="Export",
            check=name_problem,
            admit=lambda text: in_thread(lambda: place_problem(text, folder)),
            suggester=PathSuggester(folder),
        ),
        go_on,
    )


async def _export_to(desk: Desk, pane: Pane, path: Path) -> None:
    if not await in_thread(path.exists):
        await _write(desk, pane, path)
        return

    def go_on(yes: bool | None) -> None:
        if yes:
            desk.run_work(_write(desk, pane, path), "screen: export")

    desk.app.push_screen(Confirm(f"{path} is there already. Overwrite it?"), go_on)


async def _write(desk: Desk, pane: Pane, path: Path) -> None:
    table = await pane.table()
    await in_thread(lambda: write_table(path, table))
    desk.tell(str(path), title=f"{present.count(len(table[1]), 'row')} exported")


ACTIONS: Final = (
    Action(
        "filter", "/", "Filter", "Show only matching rows: words, name:x, size>1G, !state:done", _filter,
        _filter_unavailable,
    ),
    Action(
        "failures", "e", "Errors only", "Show only errors; again, show everything", _failures,
        _failures_unavailable, label_here=_failures_label,
    ),
    Action(
        "mark", "space", "Mark", "Mark the row; marked rows are acted on together", _mark,
        _mark_unavailable, panes=_MARKABLE,
    ),
    Action(
        "mark-range", "v", "Mark range", "Mark from the last marked row to this one", _mark_range,
        _mark_unavailable, panes=_MARKABLE,
    ),
    Action(
        "mark-all", "a", "Mark all", "Mark every row shown, or unmark all", _mark_all,
        _mark_unavailable, panes=_MARKABLE, label_here=_marked_label,
    ),
    Action(
        "mark-invert", "*", "Invert marks", "Mark the rows that are not marked, and unmark the others",
        _invert_marks, _mark_unavailable, panes=_MARKABLE,
    ),
    Action(
        "sort-next", "right", "Sort by next", "Sort by the next column", partial(_sort, by=1),
        _sort_unavailable,
    ),
    Action(
        "sort-previous", "left", "Sort by previous", "Sort by the previous column", partial(_sort, by=-1),
        _sort_unavailable,
    ),
    Action("invert", "i", "Reverse", "Reverse the sort order", _invert, _sort_unavailable),
    Action(
        "hold", "f", "Freeze", "Freeze the screen and count what arrives; again, resume", _hold,
        label_here=_hold_label,
    ),
    Action(
        "export", "X", "Export rows", "Write the rows that are shown to a CSV or JSON file", _export,
        writes=True,
    ),
)  # fmt: skip

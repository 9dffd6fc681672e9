"""Going from pane to pane."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from kachery_tui.tui.actions.action import Action, Group
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.prompts import ask_for_jump

if TYPE_CHECKING:
    from kachery_tui.tui.desk import Desk
    from kachery_tui.tui.here import Here


def _go(desk: Desk, _here: Here, *, name: PaneName) -> None:
    desk.go(name)


def _last(desk: Desk, _here: Here) -> None:
    desk.go_back()


def _jump(desk: Desk, _here: Here) -> None:
    ask_for_jump(desk)


def _zoom(desk: Desk, _here: Here) -> None:
    desk.toggle_zoom()


def _pane(number: int, name: PaneName) -> Action:
    return Action(
        f"pane-{name}", str(number), name.capitalize(), f"Go to the {name} pane", partial(_go, name=name),
        group=Group.PANES,
    )  # fmt: skip


ACTIONS: Final = (
    *(_pane(number, name) for number, name in enumerate(PaneName, 1)),
    Action(
        "last-pane", "-", "Last pane", "Back to the previous pane", _last, group=Group.PANES
    ),
    Action(
        "jump", ":", "Jump", "Go to a pane, a channel, or a request by its number", _jump,
        group=Group.PANES,
    ),
    Action("zoom", "z", "Zoom", "Show this pane alone, or several together", _zoom, group=Group.PANES),
)  # fmt: skip

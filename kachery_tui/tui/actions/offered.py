"""Which keys the footer shows: in each pane always the same ones in the same order, so that each stays where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.tui.actions import BY_ID
from kachery_tui.tui.here import PaneName, RegisterRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kachery_tui.tui.actions.action import Action
    from kachery_tui.tui.here import Here

Places = tuple[str, ...]
"""Ids of actions by their place in the footer; of several at one place, `cancel|retry`, the first that can be done shows,
and the first of all where none can."""

IN_PANE: Final[Mapping[PaneName, Places]] = {
    PaneName.CHANNELS: (
        "role", "provide-mode", "join", "leave", "why", "open", "members", "invite", "next-channel", "copy", "zoom",
    ),
    PaneName.STREAMS: ("open", "why", "filter", "failures", "hold", "next-channel", "request", "copy", "zoom"),
    PaneName.REQUESTS: (
        "request", "provide", "decline", "cancel|retry", "why", "copy", "open", "filter", "failures", "mark", "push",
        "store", "link", "zoom",
    ),
    PaneName.CACHE: (
        "request", "empty-trash|store", "push", "pin", "trash", "bucket-view", "path", "filter", "verify", "trash-view",
        "horizon", "copy", "why", "open", "mark", "link", "zoom",
    ),
    PaneName.FEEDS: (
        "follow", "create", "append|cancel|retry", "plot", "decline|why", "open", "copy", "delete-feed", "filter",
        "mark", "zoom",
    ),
    PaneName.TASKS: (
        "request", "provide", "decline", "cancel|retry", "why", "copy", "open", "filter", "failures", "zoom",
    ),
    PaneName.LOG: ("filter", "failures", "open", "hold", "export", "copy", "zoom"),
}  # fmt: skip
"""The actions of each pane, those that matter most first: a narrow screen has room for some."""

AMONG_MEMBERS: Final[Places] = ("role", "throw-out", "invite", "members", "filter", "copy", "open", "zoom")
"""The actions where the members of a channel stand in the place of this node's roles."""

AT_THE_END: Final = ("help", "quit")
"""The actions that are offered everywhere, at the right."""


def offered(here: Here) -> tuple[list[Action], list[Action]]:
    """The actions for the footer's left and right; there also what can be undone or stopped, while there is anything."""
    places = AMONG_MEMBERS if isinstance(here.selection, RegisterRow) else IN_PANE[here.pane]
    first = [_one_of(place, here) for place in places]
    passing = [BY_ID["cancel"]] if here.doing and BY_ID["cancel"] not in first else []
    if here.undoes and not BY_ID["undo"].reason(here):
        passing.append(BY_ID["undo"])
    return first, [*passing, *(BY_ID[id_] for id_ in AT_THE_END)]


def _one_of(place: str, here: Here) -> Action:
    actions = [BY_ID[id_] for id_ in place.split("|")]
    return next((action for action in actions if not action.reason(here)), actions[0])

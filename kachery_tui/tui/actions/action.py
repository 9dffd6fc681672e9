"""What an action is: one thing that a person can do, with its key, its words, and why it cannot be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from kachery_tui.tui.here import Here, PaneName

if TYPE_CHECKING:
    from kachery_tui.tui.desk import Desk

AVAILABLE: Final = ""

EVERYWHERE: Final = frozenset(PaneName)

Act = Callable[["Desk", Here], None]


class Group(StrEnum):
    """What an action is about; help and palette show them together."""

    REQUESTS = "Requests"
    STORAGE = "Storage"
    FEEDS = "Feeds"
    TASKS = "Tasks"
    CHANNELS = "Channels"
    LOOKING = "Looking"
    PANES = "Panes"
    PROGRAM = "Program"


READ_ONLY: Final = "this screen is read-only"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person can do.

    `key` is what is pressed unless the person has remapped it: a printable character as it is, else Textual's name of
    the key; none where only the palette offers it. `about` says in a sentence what it does. `unavailable` gives the
    reason why it cannot be done here and now, or nothing. `changes` says whether it changes anything but the screen,
    which read-only mode refuses, `writes` whether it writes files as the node's user, `needs_node` whether it must wait
    for the node to have started. `also` is a second key, as long as the first was not remapped.
    """

    id: str
    key: str
    label: str
    about: str
    act: Act
    unavailable: Callable[[Here], str] = lambda _: AVAILABLE
    group: Group = Group.LOOKING
    panes: frozenset[PaneName] = EVERYWHERE
    changes: bool = False
    needs_node: bool = False
    writes: bool = False
    label_here: Callable[[Here], str] | None = None
    also: str = ""

    def label_at(self, here: Here) -> str:
        """What the footer calls it here."""
        return self.label_here(here) if self.label_here else self.label

    def reason(self, here: Here) -> str:
        """Why it cannot be done here and now; empty if it can."""
        if here.pane not in self.panes:
            places = " or ".join(f"{name} ({here.key_of(f'pane-{name}')})" for name in sorted(self.panes))
            return f"switch to {places} first"
        if self.changes and here.read_only:
            return READ_ONLY
        if self.writes and here.is_guest:
            return "this node is another user's, whose files these would be"
        if self.needs_node and not here.node.is_started:
            return "the node is still starting"
        return self.unavailable(here)

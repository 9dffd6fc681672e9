"""The footer: the keys that do something here and now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.message import Message

from kachery_tui.tui import present
from kachery_tui.tui.actions import BY_ID, available
from kachery_tui.tui.cells import Cell, width_of
from kachery_tui.tui.widgets.cell_line import CellLine

if TYPE_CHECKING:
    from textual import events

    from kachery_tui.tui.here import Here

LAST: Final = ("help", "quit")
"""Always offered, and at the end."""

_GAP: Final = Cell("  ")


class Footer(CellLine):
    """One line of keys; where they do not all fit, `?` has the rest. Each can be clicked."""

    DEFAULT_CSS = """
    Footer { background: $panel; }
    """

    class Clicked(Message):
        """The key of an action was clicked."""

        def __init__(self, action_id: str) -> None:
            super().__init__()
            self.action_id = action_id

    def __init__(self) -> None:
        super().__init__(id="footer")
        self._spans: list[tuple[range, str]] = []

    def offer(self, here: Here) -> None:
        """Show what can be done here."""
        last = [BY_ID[id_] for id_ in LAST]
        keys = [
            (action.id, present.key_hint(here.key_of(action.id), action.label_at(here))) for action in last
        ]
        room = self.size.width - 1 - sum(width_of(hint) + 2 for _, hint in keys)
        fitting = []
        for action in available(here):
            hint = present.key_hint(here.key_of(action.id), action.label_at(here))
            if action.id not in LAST and width_of(hint) + 2 <= room:
                room -= width_of(hint) + 2
                fitting.append((action.id, hint))
        line, at = [Cell(" ")], 1
        self._spans = []
        for id_, hint in fitting + keys:
            self._spans.append((range(at, at + width_of(hint)), id_))
            line.extend((*hint, _GAP))
            at += width_of(hint) + 2
        self.show(tuple(line))

    def on_click(self, event: events.Click) -> None:
        """Do what was clicked."""
        for span, action_id in self._spans:
            if event.x in span:
                self.post_message(self.Clicked(action_id))

"""The footer: the keys that do something here and now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from textual.message import Message

from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, width_of
from kachery_tui.tui.widgets.cell_line import CellLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

_GAP: Final = Cell("  ")


@dataclass(frozen=True, slots=True)
class Offer:
    """A key that does something here: which action it stands for, how the key is printed, what it does in a word."""

    action_id: str
    key: str
    label: str


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

    def offer(self, offers: Sequence[Offer], last: Sequence[Offer]) -> None:
        """Show what can be done, as far as there is room; `last` in any case, at the end."""
        keys = [(offer.action_id, present.key_hint(offer.key, offer.label)) for offer in last]
        room = self.size.width - 1 - sum(width_of(hint) + 2 for _, hint in keys)
        fitting = []
        for offer in offers:
            hint = present.key_hint(offer.key, offer.label)
            if width_of(hint) + 2 <= room:
                room -= width_of(hint) + 2
                fitting.append((offer.action_id, hint))
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

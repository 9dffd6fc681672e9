"""The footer: the keys of the pane at the left, those of the program at the right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from textual.message import Message

from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, width_of
from kachery_tui.tui.widgets.cell_line import CellLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

_GAP: Final = Cell("  ")


@dataclass(frozen=True, slots=True)
class Offer:
    """A key: which action it stands for, how it is printed, what it does in a word, and whether that can be done now."""

    action_id: str
    key: str
    label: str
    can: bool = True

    @property
    def hint(self) -> Line:
        """How it is shown."""
        return present.key_hint(self.key, self.label, can=self.can)


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
        """Show the keys, as far as there is room; `last` in any case, at the right."""
        room = self.size.width - 1 - sum(width_of(offer.hint) + len(_GAP.text) for offer in last)
        fitting = []
        for offer in offers:
            if (taken := width_of(offer.hint) + len(_GAP.text)) <= room:
                room -= taken
                fitting.append(offer)
        line: list[Cell] = []
        self._spans = []
        self._add(line, Cell(" "), fitting)
        self._add(line, Cell(" " * max(room, 0)), last)
        self.show(tuple(line))

    def _add(self, line: list[Cell], before: Cell, offers: Sequence[Offer]) -> None:
        line.append(before)
        at = width_of(line)
        for offer in offers:
            width = width_of(offer.hint)
            self._spans.append((range(at, at + width), offer.action_id))
            line.extend((*offer.hint, _GAP))
            at += width + len(_GAP.text)

    def on_click(self, event: events.Click) -> None:
        """Do what was clicked."""
        for span, action_id in self._spans:
            if event.x in span:
                self.post_message(self.Clicked(action_id))

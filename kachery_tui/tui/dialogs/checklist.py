"""A dialog in which some of a few things are ticked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from kachery_tui.tui.cells import BLANK, Cell, Line, Tone
from kachery_tui.tui.dialogs.popup import Popup
from kachery_tui.tui.dialogs.text_view import CellText
from kachery_tui.tui.present import key_hint
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import ListedRows, RowList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from textual.widget import Widget


@dataclass(frozen=True, slots=True)
class Choice:
    """One of them: its name, and what it means."""

    name: str
    about: str = ""


class Checklist(Popup[frozenset[str] | None]):
    """Ends with the names that are ticked, or with nothing.

    `head` stands over the names, `check` says what is wrong with those that are ticked; nothing: they will do.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", "Tick"),
        Binding("a", "tick_all", "All or none"),
        Binding("enter", "take", "Take"),
        Binding("escape,q", "dismiss(None)", "Close"),
    ]

    DEFAULT_CSS = """
    Checklist {
        & > .popup--box { padding: 0 2; width: 78; }
        & RowList { margin: 1 0 0 0; }
        & #verdict { margin: 0 0 1 0; }
    }
    """

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice],
        *,
        about: str = "",
        ticked: frozenset[str] = frozenset(),
        head: str = "",
        takes: str = "Take",
        check: Callable[[frozenset[str]], str] = lambda _: "",
    ) -> None:
        super().__init__()
        self._heading = title
        self._about = about
        self._choices = choices
        self._ticked = set(ticked)
        self._head = head
        self._takes = takes
        self._check = check

    def contents(self) -> Iterator[Widget]:
        """Title and list."""
        yield CellText(id="about")
        widest = max(len(choice.name) for choice in self._choices)
        yield RowList((Column("", 3), Column(self._head, widest), Column("", 10, share=1)), id="choices")
        yield CellText(id="verdict")

    def on_mount(self) -> None:
        """Show the words, and begin in the list."""
        about = ((Cell(self._about, Tone.MUTED),),) if self._about else ()
        self.query_one("#about", CellText).show(((Cell(self._heading, Tone.STRONG),), *about))
        self.offer(
            key_hint("Space", "Tick"),
            key_hint("a", "All or none"),
            key_hint("Enter", self._takes),
            key_hint("Esc", "Close"),
        )
        # A line more for the titles of columns.
        self._list.styles.height = len(self._choices) + 1
        self._list.focus()
        self._show()

    @property
    def _list(self) -> RowList:
        return self.query_one("#choices", RowList)

    def _show(self) -> None:
        self._list.show(ListedRows(self._choices, key=lambda choice: choice.name, cells=self._cells))
        problem = self._check(frozenset(self._ticked))
        self.query_one("#verdict", CellText).show(
            ((Cell(f"✗ {problem}", Tone.WARN),),) if problem else ((BLANK,),)
        )

    def _cells(self, choice: Choice) -> Line:
        is_ticked = choice.name in self._ticked
        return (
            Cell("[x]" if is_ticked else "[ ]", Tone.GOOD if is_ticked else Tone.MUTED),
            Cell(choice.name, Tone.STRONG if is_ticked else Tone.NORMAL),
            Cell(choice.about, Tone.MUTED),
        )

    def action_tick(self) -> None:
        """Tick the one under the cursor, or take its tick away."""
        name = self._list.cursor_key
        if isinstance(name, str):
            self._ticked ^= {name}
            self._show()

    def action_tick_all(self) -> None:
        """Tick all; if all are ticked, none."""
        names = {choice.name for choice in self._choices}
        self._ticked = set() if self._ticked == names else names
        self._show()

    def action_take(self) -> None:
        """Close with what is ticked, unless something is wrong with it."""
        ticked = frozenset(self._ticked)
        if not self._check(ticked):
            self.dismiss(ticked)

    def on_row_list_opened(self) -> None:
        """A row was clicked twice."""
        self.action_tick()

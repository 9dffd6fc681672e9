"""The first start: a short conversation that ends in a running node."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Button, Input

from kachery_tui.errors import KacheryError
from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.tui.describe.requests import failure_lines
from kachery_tui.tui.dialogs.paths import PathSuggester, complete
from kachery_tui.tui.dialogs.text_view import CellText
from kachery_tui.tui.present import key_hint
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import ListedRows, RowList
from kachery_tui.tui.widgets.typing_in_order import TypedInput

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from kachery_tui.node.node import Node


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the conversation begins with. `storage_found` says that the folder is there, from an older program."""

    label: str
    storage: Path
    storage_found: bool = False
    hub_offered: bool = True


@dataclass(frozen=True, slots=True)
class Answers:
    """What the person said. `channel_file` is the one to join; `start_hub` asks for a hub on this machine."""

    label: str
    storage: Path
    channel_file: Path | None
    start_hub: bool


Finish = Callable[[Answers], Awaitable["Node"]]
"""Does what the answers ask for and gives the configured, unstarted node; raises `KacheryError` for what cannot be."""

HUB, JOIN = "hub", "join"

CHOICES: Final = {
    HUB: "Start a hub on this machine: nothing to sign up for",
    JOIN: "Join with a channel file I was given",
    "neither": "Neither for now",
}


class FirstStart(Screen["Node | None"]):
    """Asks for a label, a storage folder, and a channel. What fails is said, and can be mended on the spot."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Quit"),
        Binding("enter", "next", "Next", show=False),
        Binding("tab", "complete_or_next", "Complete", show=False, priority=True),
    ]

    DEFAULT_CSS = """
    FirstStart {
        align: center middle;
        & #talk { width: 84; max-width: 100%; height: auto; max-height: 100%; padding: 0 2; }
        & Input { padding: 0 1; background: $boost; margin-bottom: 1; }
        & Input:focus { background: $primary-muted; }
        & #choice { height: 4; }
        & #channel-file { display: none; margin-bottom: 0; }
        & #channel-file.-asked { display: block; }
        & Button { margin: 1 0; min-width: 12; }
        & #trouble { height: auto; }
    }
    """

    def __init__(self, suggestion: Suggestion, finish: Finish) -> None:
        super().__init__()
        self._suggestion = suggestion
        self._finish = finish
        self._busy = False

    def compose(self) -> ComposeResult:
        """The questions, in order."""
        with VerticalScroll(id="talk"), Vertical():
            yield CellText(id="welcome")
            yield CellText(id="label-about")
            yield TypedInput(
                self._suggestion.label, compact=True, id="label", max_length=64, select_on_focus=False
            )
            yield CellText(id="storage-about")
            yield TypedInput(
                str(self._suggestion.storage),
                compact=True,
                id="storage",
                suggester=PathSuggester(),
                select_on_focus=False,
            )
            yield CellText(id="channel-about")
            yield RowList((Column("↑ ↓ choose", 40, share=1),), id="choice")
            yield TypedInput(
                "",
                placeholder="path of the channel file",
                compact=True,
                id="channel-file",
                suggester=PathSuggester(),
            )
            yield Button("Start", variant="primary", id="start", compact=True)
            yield CellText(id="trouble")

    def on_mount(self) -> None:
        """Say what is asked."""
        found = self._suggestion.storage_found
        storage = "already exists, used as it is" if found else "created if it does not exist"
        self._say("#welcome", ((Cell("Welcome to kachery-tui", Tone.STRONG),), *_KEYS, ()))
        self._say("#label-about", (_question("1  What should others call this node?", "a name for people"),))
        self._say("#storage-about", (_question("2  Where does it keep files?", storage),))
        self._say(
            "#channel-about", (_question("3  With whom does it share them?", "a channel; more can follow"),)
        )
        for line in self.query(Input):
            line.cursor_blink = False
        self._show_choices()
        self.query_one("#label").focus()

    def _say(self, selector: str, lines: tuple[Line, ...]) -> None:
        self.query_one(selector, CellText).show(lines)

    @property
    def _choice(self) -> str:
        return str(self.query_one(RowList).cursor_key)

    def _show_choices(self) -> None:
        choices = self.query_one(RowList)
        offered = [one for one in CHOICES if one != HUB or self._suggestion.hub_offered]
        chosen = choices.cursor_key or offered[0]

        def cells(choice: str) -> Line:
            return (Cell(f"{'(•)' if choice == chosen else '( )'} {CHOICES[choice]}"),)

        choices.show(ListedRows(offered, key=str, cells=cells))

    def on_row_list_moved(self) -> None:
        """The row under the cursor is the answer. Ask for the channel file only of those who have one."""
        self._show_choices()
        self._say("#trouble", ())
        self.query_one("#channel-file", Input).set_class(self._choice == JOIN, "-asked")

    def on_input_changed(self) -> None:
        """What was wrong may be mended now."""
        if not self._busy:
            self._say("#trouble", ())

    def action_next(self) -> None:
        """Go on to the next question."""
        self.focus_next()

    async def action_complete_or_next(self) -> None:
        """In a path that is not whole yet, go on to its next name; else to the next question."""
        line = self.focused
        if not (isinstance(line, Input) and line.suggester and line.value != str(self._suggestion.storage)):
            self.focus_next()
            return
        value = line.value
        completed = await asyncio.to_thread(_completed, value)
        if completed is None:
            self.focus_next()
        elif line.value == value:
            line.value = completed
            line.cursor_position = len(completed)

    def on_input_submitted(self) -> None:
        """Enter goes on to the next question."""
        self.focus_next()

    def on_button_pressed(self) -> None:
        """Try to start with what was said."""
        if not self._busy:
            self.run_worker(self._try(), exclusive=True)

    async def _try(self) -> None:
        self._busy = True
        self._say("#trouble", ((Cell("starting…", Tone.BUSY),),))
        try:
            node = await self._finish(self._answers())
        except KacheryError as error:
            self._say("#trouble", tuple(failure_lines(error)))
        else:
            self.dismiss(node)
        finally:
            self._busy = False

    def _answers(self) -> Answers:
        label = self.query_one("#label", Input).value.strip()
        storage = self.query_one("#storage", Input).value.strip()
        file = self.query_one("#channel-file", Input).value.strip()
        if not label:
            raise KacheryError(
                "the label is empty", "others could not tell this node from the rest", "Type a name"
            )
        if not storage:
            raise KacheryError("no storage folder is given", "", "Type the path of a folder")
        if self._choice == JOIN and not file:
            raise KacheryError(
                "no channel file is given", "", "Type its path, or choose another answer above"
            )
        try:
            return Answers(
                label,
                Path(storage).expanduser(),
                Path(file).expanduser() if self._choice == JOIN else None,
                self._choice == HUB,
            )
        except RuntimeError as error:
            raise KacheryError("the path cannot be understood", str(error)) from None


def _completed(text: str) -> str | None:
    """A longer path; none for what is there already, unless it is meant as the start of one."""
    try:
        is_whole = not text.endswith("/") and Path(text).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return None
    return None if is_whole else complete(text)


_KEYS: tuple[Line, ...] = (
    (
        *key_hint("Enter", "next   "),
        *key_hint("Tab", "next field, or the rest of a path   "),
        *key_hint("Esc", "quit"),
    ),
)


def _question(text: str, about: str) -> Line:
    return (Cell(text, Tone.STRONG), Cell(f"  {about}", Tone.MUTED))

"""The first start: a short conversation that ends in a running node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Button, Input, RadioButton, RadioSet

from kachery_tui.errors import KacheryError
from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.tui.describe import failure_lines
from kachery_tui.tui.dialogs.paths import PathSuggester
from kachery_tui.tui.dialogs.text_view import CellText
from kachery_tui.tui.present import key_hint

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

JOIN, HUB, NEITHER = "join", "hub", "neither"


class FirstStart(Screen["Node | None"]):
    """Asks for a label, a storage folder, and a channel. What fails is said, and can be mended on the spot."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Quit"),
    ]

    DEFAULT_CSS = """
    FirstStart {
        align: center middle;
        & #talk { width: 84; max-width: 100%; height: auto; max-height: 100%; padding: 0 2; }
        & Input { border: none; height: 1; padding: 0 1; background: $boost; margin-bottom: 1; }
        & Input:focus { border: none; background: $primary-muted; }
        & RadioSet { border: none; padding: 0; background: transparent; width: 1fr; }
        & #channel-file { display: none; margin-bottom: 0; }
        & #channel-file.-asked { display: block; }
        & Button { margin-top: 1; height: 1; min-width: 12; border: none; }
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
            yield Input(self._suggestion.label, id="label", max_length=64, select_on_focus=False)
            yield CellText(id="storage-about")
            yield Input(
                str(self._suggestion.storage), id="storage", suggester=PathSuggester(), select_on_focus=False
            )
            yield CellText(id="channel-about")
            with RadioSet(id="choice"):
                if self._suggestion.hub_offered:
                    yield RadioButton(
                        "Start a hub on this machine: nothing to sign up for", value=True, id=HUB
                    )
                yield RadioButton("Join by a channel file that I was given", id=JOIN)
                yield RadioButton("Neither now", value=not self._suggestion.hub_offered, id=NEITHER)
            yield Input(
                "", placeholder="path of the channel file", id="channel-file", suggester=PathSuggester()
            )
            yield Button("Start", variant="primary", id="start")
            yield CellText(id="trouble")

    def on_mount(self) -> None:
        """Say what is asked."""
        found = self._suggestion.storage_found
        storage = "this one is there already: it is used as it is" if found else "it is made if it is missing"
        self._say("#welcome", ((Cell("Welcome to kachery-tui", Tone.STRONG),), *_KEYS, ()))
        self._say("#label-about", (_question("1  What should others call this node?", "a name for people"),))
        self._say("#storage-about", (_question("2  Where does it keep files?", storage),))
        self._say(
            "#channel-about", (_question("3  With whom does it share them?", "a channel; more can follow"),)
        )
        for line in self.query(Input):
            line.cursor_blink = False
        self.query_one("#label").focus()

    def _say(self, selector: str, lines: tuple[Line, ...]) -> None:
        self.query_one(selector, CellText).show(lines)

    @property
    def _choice(self) -> str:
        pressed = self.query_one(RadioSet).pressed_button
        return (pressed.id if pressed else None) or NEITHER

    def on_radio_set_changed(self) -> None:
        """Ask for the channel file only of those who have one."""
        asked = self._choice == JOIN
        line = self.query_one("#channel-file", Input)
        line.set_class(asked, "-asked")
        if asked:
            self.call_after_refresh(line.focus)

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


_KEYS: tuple[Line, ...] = (
    (*key_hint("Enter", "next   "), *key_hint("Tab", "next field   "), *key_hint("Esc", "quit")),
)


def _question(text: str, about: str) -> Line:
    return (Cell(text, Tone.STRONG), Cell(f"  {about}", Tone.MUTED))

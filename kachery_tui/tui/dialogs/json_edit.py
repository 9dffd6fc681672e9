"""A JSON object to be written over several lines, judged as it is typed, and in a line above it where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Input

from kachery_tui.printable import printable_json
from kachery_tui.protocol.strict_json import parse_given
from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.tui.describe.json_text import object_problem
from kachery_tui.tui.dialogs.popup import Popup
from kachery_tui.tui.dialogs.text_view import CellText
from kachery_tui.tui.present import key_hint
from kachery_tui.tui.widgets.typed_area import TypedArea
from kachery_tui.tui.widgets.typing_in_order import TypedInput

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from textual.widget import Widget

    from kachery_tui.protocol.canonical import JsonObject

LONGEST: Final = 200_000
"""Characters that are judged as they are typed; nobody types more, and judging takes its time."""

FRAME: Final = 12
"""Lines of the terminal that are not the editor: border, title, subfeed, verdict, keys, and the covered footer."""

LEAST, MOST = 3, 16
"""Lines of the editor."""

_TAB: Final = " " * 4


@dataclass(frozen=True, slots=True)
class JsonWords:
    """What an editor says: of what is written there, and of the line above it."""

    about: str
    """What is written, and what the line above it is for."""
    takes: str
    """What the key is called that takes it."""
    line: str
    """What the line above holds, in a word."""
    no_line: str
    """What is wrong where it is empty."""
    good: str
    """What is written there, once nothing is wrong with it."""
    too_long: str
    """Where what is too long for the editor goes instead."""


class JsonArea(TypedArea):
    """An editor in which everything shows: of what is pasted, characters that a terminal would not show become escapes,
    which mean the same in JSON."""

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        lines = event.text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", _TAB)
        await super()._on_paste(events.Paste(printable_json(lines)))


class JsonEdit(Popup[bool]):
    """Asks for a JSON object and, in a line above it, where it goes.

    `admit` gets both once they are entered, may take its time, and says why they are not taken; while something is wrong
    the editor stays open, with what was typed. What it closes with says whether they were taken.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "take", "Append", priority=True),
        Binding("escape", "give_up", "Close"),
    ]

    DEFAULT_CSS = """
    JsonEdit {
        & > .popup--box { padding: 0 2; }
        & Input { padding: 0 1; background: $boost; }
        & TextArea { margin: 1 0 0 0; padding: 0 1; border: none; background: $boost; &:focus { border: none; } }
        & #verdict { height: 2; }
    }
    """

    def __init__(
        self,
        title: str,
        *,
        line: str,
        words: JsonWords,
        admit: Callable[[str, JsonObject], Awaitable[str]],
        text: str = "",
    ) -> None:
        super().__init__()
        self._heading = title
        self._line = line
        self._text = text
        self._words = words
        self._admit = admit
        self._gives_up = False
        self._is_taking = False

    def contents(self) -> Iterator[Widget]:
        """Title, line, editor, verdict."""
        yield CellText(id="about")
        yield TypedInput(self._line, compact=True, select_on_focus=False)
        yield JsonArea(self._text, placeholder='{"key": 1.5}', highlight_cursor_line=False)
        yield CellText(id="verdict")

    def on_mount(self) -> None:
        """Show the words, and begin in the editor, or in the line if that is empty."""
        self.query_one("#about", CellText).show(
            ((Cell(self._heading, Tone.STRONG),), (Cell(self._words.about, Tone.MUTED),))
        )
        self.query_one(Input).cursor_blink = False
        self._area.cursor_blink = False
        self.offer(
            key_hint("Ctrl+O", self._words.takes), key_hint("Tab", self._words.line), key_hint("Esc", "Close")
        )
        self._judge()
        (self._area if self._line else self.query_one(Input)).focus()

    def on_resize(self) -> None:
        """Leave room for the rest."""
        self._area.styles.height = min(max(self.size.height - FRAME, LEAST), MOST)

    @property
    def _area(self) -> JsonArea:
        return self.query_one(JsonArea)

    @property
    def _problem(self) -> str:
        if not self.query_one(Input).value.strip():
            return self._words.no_line
        text = self._area.text
        if len(text) > LONGEST:
            return f"{len(text):,} characters, and {LONGEST:,} can be typed: {self._words.too_long}"
        return object_problem(text)

    def on_text_area_changed(self) -> None:
        """Judge what stands there now."""
        self._judge()

    def on_input_changed(self) -> None:
        """Judge what stands there now."""
        self._judge()

    def on_input_submitted(self) -> None:
        """Go on from the line to the editor."""
        self._area.focus()

    def _judge(self) -> None:
        self._gives_up = False
        if not self._area.text.strip():
            self._say(())
        elif problem := self._problem:
            self._say((Cell(f"✗ {problem}", Tone.BAD),))
        else:
            self._say((Cell(f"✓ {self._words.good}", Tone.GOOD),))

    def _say(self, line: Line) -> None:
        self.query_one("#verdict", CellText).show((line,) if line else ())

    def action_take(self) -> None:
        """Take it, unless something is wrong with it, or it is being taken: what is signed cannot be taken back."""
        if self._is_taking:
            return
        if problem := self._problem:
            self._say((Cell(f"✗ {problem}", Tone.BAD),))
        else:
            self._is_taking = True
            self.run_worker(self._take(self.query_one(Input).value.strip(), self._area.text), exclusive=True)

    async def _take(self, line: str, text: str) -> None:
        try:
            problem = await self._admit(line, parse_given(text))
        finally:
            self._is_taking = False
        if problem:
            self._say((Cell(f"✗ {problem}", Tone.BAD),))
        else:
            self.dismiss(True)

    def action_give_up(self) -> None:
        """Close; what was typed is thrown away only by the second Esc."""
        if self._gives_up or not self._area.text.strip():
            self.dismiss(False)
        else:
            self._gives_up = True
            self._say((Cell("! Esc again throws away what was typed", Tone.WARN),))

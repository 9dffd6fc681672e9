"""Keys in text fields act in the order in which they were typed."""

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.events import Key
from textual.widgets import Input, TextArea

from kachery_tui.tui.widgets.typed_area import TypedArea
from kachery_tui.tui.widgets.typing_in_order import TypedInput


class Field(App[None]):
    """A field alone."""

    def __init__(self, field: Input | TextArea) -> None:
        super().__init__()
        self.field = field

    def compose(self) -> ComposeResult:
        yield self.field


def text_of(field: Input | TextArea) -> str:
    return field.value if isinstance(field, Input) else field.text


@pytest.mark.parametrize("kind", [TypedInput, TypedArea])
async def test_what_is_typed_ahead_acts_in_order(kind: Any) -> None:
    app = Field(kind())
    async with app.run_test() as pilot:
        app.field.focus()
        await pilot.pause()
        # All at once, as a terminal hands over what was typed while the program was busy.
        for key in "abcdef":
            app.post_message(Key(key, key))
        for _ in range(6):
            app.post_message(Key("backspace", None))
        app.post_message(Key("X", "X"))
        app.post_message(Key("Y", "Y"))
        app.post_message(Key("left", None))
        app.post_message(Key("Z", "Z"))
        await pilot.pause()
        await pilot.pause()
        assert text_of(app.field) == "XZY"

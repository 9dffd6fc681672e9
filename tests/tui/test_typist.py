"""Keys that come together act one after the other."""

import asyncio

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.widgets import Input

from kachery_tui.tui.terminal.typist import MOST_WAITING, Typist


class OpensALine(App[None]):
    """A slash opens a line, into which the rest is typed."""

    def __init__(self) -> None:
        super().__init__()
        self.stray: list[str] = []

    def compose(self) -> ComposeResult:
        """A line that cannot be focused yet."""
        yield Input(disabled=True)

    def on_key(self, event: events.Key) -> None:
        """What no line has taken."""
        if event.character == "/":
            line = self.query_one(Input)
            line.disabled = False
            line.focus()
        else:
            self.stray.append(str(event.character))


def key(character: str) -> events.Key:
    return events.Key(character, character)


@pytest.mark.parametrize("eager", [False, True])
async def test_what_is_typed_goes_to_what_the_key_before_has_opened(*, eager: bool) -> None:
    if eager:
        # Textual asks for it where Python has it, from 3.12 on.
        factory = getattr(asyncio, "eager_task_factory", None)
        if factory is None:
            pytest.skip("this Python has no eager tasks")
        asyncio.get_running_loop().set_task_factory(factory)
    app = OpensALine()
    async with app.run_test() as pilot:
        typist = Typist(app)
        for character in "a/lab":
            typist.take(key(character))
        while len(typist):
            await asyncio.sleep(0.01)
        await pilot.pause()
        assert app.query_one(Input).value == "lab"
        assert app.stray == ["a"]
        typist.take(key("!"))
        await pilot.pause()
        assert app.query_one(Input).value == "lab!"


async def test_it_goes_on_after_a_stop_and_takes_no_more_than_people_type() -> None:
    app = OpensALine()
    async with app.run_test() as pilot:
        typist = Typist(app)
        typist.take(key("a"))
        typist.stop()
        typist.take(key("b"))
        await asyncio.sleep(0)
        await pilot.pause()
        assert app.stray == ["b"]
        for _ in range(MOST_WAITING + 50):
            typist.take(key("c"))
        assert len(typist) <= MOST_WAITING
        typist.stop()
        assert not len(typist)

"""Lines that are painted only where they changed: what stands there is what was given last, whatever went on."""

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical

from kachery_tui.tui.cells import Cell, Line
from kachery_tui.tui.widgets.cell_line import CellLine, CellLines
from tests.nodes import until


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        with Vertical(id="pane"):
            yield CellLine(id="one")
            yield CellLines(id="more")

    def text(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]


def lines(*texts: str) -> tuple[Line, ...]:
    return tuple((Cell(text),) for text in texts)


async def shows(app: Shown, wanted: list[str]) -> None:
    await until(lambda: app.text() == wanted)


@pytest.mark.parametrize("hidden", ["pane", "more", "one"])
async def test_what_changes_while_nothing_shows_is_there_when_it_shows(hidden: str) -> None:
    app = Shown()
    async with app.run_test(size=(20, 6)) as pilot:
        one, more, away = app.query_one(CellLine), app.query_one(CellLines), app.query_one(f"#{hidden}")
        one.show((Cell("first"),))
        more.show(lines("a", "b", "c", "d"))
        await pilot.pause()
        assert app.text() == ["first", "a", "b", "c", "d", ""]
        for texts in (("a", "x", "c"), ("y",), (), ("a", "b", "c", "d", "e")):
            away.display = False
            await pilot.pause()
            one.show((Cell(f"now {len(texts)}"),))
            more.show(lines(*texts))
            await pilot.pause()
            away.display = True
            wanted = [f"now {len(texts)}", *texts, *[""] * (5 - len(texts))]
            await shows(app, wanted)
            # The same while it goes away and comes back within one frame.
            away.display = False
            more.show(lines("q", *texts[1:]))
            away.display = True
            wanted[1] = "q"
            await shows(app, wanted)

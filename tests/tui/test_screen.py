"""The frame: what shows before the node has started, at which size, and what is told when something is wrong."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.events import Key
from textual.screen import Screen

from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.uris import FileUri
from kachery_tui.tui.app import KacheryApp
from kachery_tui.tui.cells import Tone
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.screen import MainScreen
from kachery_tui.tui.widgets.cell_line import CellLine
from kachery_tui.tui.widgets.footer import Footer, Offer
from tests.nodes import until
from tests.tui.screens import NARROW, WIDE, Person, at_the_screen, unstarted_node


async def test_the_frame_comes_before_the_node_has_started(tmp_path: Path) -> None:
    node = unstarted_node(tmp_path / "me", None)
    go = asyncio.Event()
    start = node.start

    async def held_start() -> None:
        await go.wait()
        await start()

    node.start = held_start  # type: ignore[method-assign]
    async with at_the_screen(node, NARROW, wait=False) as me:
        await me.reads("me@", "◌ starting…", "3 Requests", "q Quit")
        await me.press("r")
        await me.reads("still starting")
        go.set()
        await me.reads("on no channel")


async def test_a_node_that_cannot_start_says_so_and_the_screen_stays(tmp_path: Path) -> None:
    node = unstarted_node(tmp_path / "me", None)

    async def fail() -> None:
        raise UsageError("the storage folder is in use", "process 7 has it", "End that one first")

    node.start = fail  # type: ignore[method-assign]
    async with at_the_screen(node, WIDE, wait=False) as me:
        await me.reads("✗ the storage folder is in use: process 7 has it. End that one first", "not started")
        await me.press("escape")
        await until(lambda: "process 7" not in me.text())


async def test_a_defect_is_told_until_it_is_dismissed(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), WIDE) as me:

        async def break_down() -> None:
            raise ZeroDivisionError("by [bold]zero[/]\x1b[2J")

        me.node.supervisor.spawn(break_down(), "some task")
        await me.reads("✗ a defect of this program: some task", "by [bold]zero[/]")
        assert "\x1b" not in me.text()
        await me.press("escape")
        await until(lambda: "a defect" not in me.text())
        me.node.supervisor.failures.clear()


URI = FileUri("ab" * 20, "spikes.dat")
TOGETHER = set(PaneName) - {PaneName.TASKS, PaneName.LOG}


def visible(me: Person) -> set[PaneName]:
    return {
        pane.NAME for pane in me.main._panes.values() if pane.display and pane.parent and pane.parent.display
    }


async def test_panes_by_size_and_zoom(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), WIDE) as me:
        assert visible(me) == TOGETHER
        await me.press("4")
        sizes = {name: pane.size for name, pane in me.main._panes.items()}
        assert sizes[PaneName.CACHE].height > sizes[PaneName.REQUESTS].height
        await me.press("z")
        assert visible(me) == {PaneName.CACHE}
        await me.press("1")
        assert visible(me) == {PaneName.CHANNELS}
        await me.press("escape")
        assert visible(me) == TOGETHER
        await me.pilot.resize_terminal(*NARROW)
        await me.pilot.pause()
        for key, name in zip("1234567", PaneName, strict=True):
            await me.press(key)
            assert visible(me) == {name}
            assert f"▶{key} {name.capitalize()}" in me.text()
        await me.pilot.resize_terminal(20, 6)
        await me.reads("20×6 is too")
        await me.pilot.resize_terminal(*WIDE)
        await until(lambda: visible(me) == set(PaneName) - {PaneName.FEEDS, PaneName.TASKS})


async def test_the_mouse_reaches_panes_rows_and_keys(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), WIDE) as me:
        await me.pilot.click("#pane-cache")
        await me.pilot.click("#entries")
        assert me.main._current is PaneName.CACHE
        footer = me.main.query_one("#footer", CellLine)
        at = "".join(cell.text for cell in footer.line).index("s Store")
        await me.pilot.click("#footer", offset=(at, 0))
        await me.reads("Store a file")


async def test_the_mouse_reaches_tabs_and_titles(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        at = me.text().splitlines()[1].index("5 Feeds")
        await me.pilot.click("#tabs", offset=(at + 2, 0))
        assert visible(me) == {PaneName.FEEDS}
        await me.pilot.resize_terminal(*WIDE)
        await until(lambda: visible(me) == TOGETHER)
        await me.pilot.click("#pane-channels > .pane--title")
        assert me.main._current is PaneName.CHANNELS


async def test_keys_typed_ahead_act_in_their_order(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), WIDE) as me:
        for number in range(5):
            uri = FileUri(f"{number}" * 40, f"file-{number}.dat")
            row = me.node.ledger.open(Side.MINE, "", FileSubject(uri), Step.STORAGE)
            me.node.ledger.end(row, Step.FAILED)
        await me.reads("file-4.dat")
        for key in "4311343jjjY":
            me.app.post_message(events.Key(key, key))
        await me.reads("URI, to select by mouse", f"sha1://{'1' * 40}/file-1.dat")


async def test_pace_and_hold_and_jump_and_what_does_nothing(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        await me.press("f")
        await me.reads("‖ frozen, 0 new (f resumes)")
        row = me.node.ledger.open(Side.MINE, "", FileSubject(URI), Step.STORAGE)
        await me.reads("frozen, 1 new")
        assert "spikes.dat" not in me.text()
        await me.press("f")
        await me.reads("spikes.dat")
        me.node.ledger.end(row, Step.FAILED)
        await me.press("colon")
        await me.reads("jump :")
        await me.press(*"nowhere")
        await me.reads("no pane or channel nowhere")
        await me.press("escape")
        await me.press("4", "colon", "1", "enter")
        assert visible(me) == {PaneName.REQUESTS}
        await me.press("minus")
        assert visible(me) == {PaneName.CACHE}
        await me.press("greater_than_sign")
        await me.reads("16 updates/s")
        await me.press("K")
        await me.reads("K does nothing here")


async def test_the_log_holds_what_is_logged_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    node = unstarted_node(tmp_path / "me", None)
    logger = logging.getLogger("some.library")
    logger.addHandler(node.log)
    try:
        async with at_the_screen(node, NARROW) as me:
            await me.press("7")
            logger.warning("first line \x1b[2J\nsecond line")
            await me.reads("! warning", "some.library", "first line \ufffd[2J")
            await me.press("enter")
            await me.reads("Log line", "second line")
            await me.press("escape")
    finally:
        logger.removeHandler(node.log)
    assert capfd.readouterr().out == ""


async def test_help_and_palette_and_quit(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        await me.press("question_mark")
        await me.reads("Keys in requests", "not now: this node is on no channel yet")
        await me.press("escape", "1", "question_mark")
        await me.reads("Keys in channels")
        await me.press("escape", "ctrl+p")
        await me.reads("Cache (4)", "Go to the cache pane")
        await me.press("escape", "ctrl+c")
        await until(lambda: not me.app.is_running)


async def test_idle_paints_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), WIDE) as me:
        await me.reads("0 files")
        await me.node.wait_idle()
        await me.pilot.pause(0.3)
        painted: list[object] = []
        looks: list[float] = []
        display, look = me.app._display, me.main.pane.look

        def counted_display(screen: Screen[Any], renderable: Any) -> None:
            painted.append(renderable)
            display(screen, renderable)

        def counted_look(now: float) -> None:
            looks.append(now)
            look(now)

        monkeypatch.setattr(me.app, "_display", counted_display)
        monkeypatch.setattr(me.main.pane, "look", counted_look)
        for _ in range(10):
            # What had still to come, on a busy machine, is painted once; then nothing is.
            painted.clear()
            looks.clear()
            await until(lambda: len(looks) > 8)
            if not painted:
                break
        assert painted == []


async def test_without_a_node_there_is_the_first_start() -> None:
    app = KacheryApp()
    async with app.run_test() as pilot:
        await pilot.press("q")
        assert not any(isinstance(screen, MainScreen) for screen in app.screen_stack)


async def test_each_key_is_followed_by_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    offer = Footer.offer

    def count(self: Footer, *offers: Sequence[Offer]) -> None:
        looks.append("look")
        offer(self, *offers)

    node = unstarted_node(tmp_path / "me", None)
    async with at_the_screen(node, NARROW, wait=False) as me:
        await until(lambda: node.is_started)
        monkeypatch.setattr(Footer, "offer", count)
        for key in "345612z-":
            looks.clear()
            action = me.main._keymap.action_at(Key(key, key), me.main.pane.NAME)
            assert action is not None
            me.main.action_act(action.id)
            assert looks == ["look"], key


async def test_another_theme_gives_every_tone_another_colour(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "one", None), NARROW, wait=False) as me:
        await me.reads("no channel")
        header = me.main.query_one("#header", CellLine)
        dark = [header.tone_style(tone) for tone in Tone]
        me.app.theme = "textual-light"
        await until(lambda: [header.tone_style(tone) for tone in Tone] != dark)
        await me.pilot.pause()
        light = [header.tone_style(tone) for tone in Tone]
    async with at_the_screen(unstarted_node(tmp_path / "two", None), NARROW, wait=False) as me:
        me.app.theme = "textual-light"
        await me.reads("no channel")
        assert [me.main.query_one("#header", CellLine).tone_style(tone) for tone in Tone] == light


async def test_a_node_is_closed_whatever_can_be_told_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> None:
        raise KacheryError("the index cannot be read")

    async with at_the_screen(unstarted_node(tmp_path / "me", None), WIDE) as me:
        await until(lambda: me.node.is_started)
        closed = asyncio.Event()
        close = me.node.close

        async def noted() -> None:
            await close()
            closed.set()

        monkeypatch.setattr(me.node, "close", noted)
        monkeypatch.setattr("kachery_tui.tui.app.standing", unreadable)
        await me.press("q")
        await until(closed.is_set)
    assert (tmp_path / "me" / "screen.json").exists()

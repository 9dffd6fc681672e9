"""Popups: what each shows, which keys it says, and what they do."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.widgets import Input

from kachery_tui.tui.actions.storing import path_of
from kachery_tui.tui.cells import Cell
from kachery_tui.tui.dialogs.ask import Ask
from kachery_tui.tui.dialogs.confirm import Confirm
from kachery_tui.tui.dialogs.popup import Popup
from kachery_tui.tui.dialogs.text_view import TextView, wrapped
from kachery_tui.tui.terminal.lending import pager_command
from tests.nodes import put_file, until
from tests.tui.screens import NARROW, WIDE, at_the_screen, unstarted_node

POPUPS: tuple[Callable[[], Popup[Any]], ...] = (
    lambda: Ask("Store a file", about="a path"),
    lambda: Confirm("Sure?", about="Think twice."),
    lambda: TextView("A text", lambda: ((Cell("words"),),)),
    lambda: TextView("A long text", lambda: ((Cell(f"line {number}"),) for number in range(200))),
)


def lines_of(app: App[None]) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips()]


@pytest.mark.parametrize("popup", POPUPS)
@pytest.mark.parametrize("size", [WIDE, NARROW, (60, 15)], ids=["140x45", "80x24", "60x15"])
async def test_a_popup_is_framed_ends_in_its_keys_and_covers_the_footer(
    popup: Callable[[], Popup[Any]], size: tuple[int, int]
) -> None:
    app = App[None]()
    async with app.run_test(size=size) as pilot:
        app.push_screen(popup())
        await pilot.pause()
        await until(lambda: any("Esc" in line for line in lines_of(app)))
        lines = lines_of(app)
        top = next(y for y, line in enumerate(lines) if "╭" in line)
        bottom = next(y for y, line in enumerate(lines) if "╰" in line)
        left, right = lines[top].index("╭"), lines[top].index("╮")
        assert "Esc" in lines[bottom - 1]
        assert all(line[left] == line[right] == "│" for line in lines[top + 1 : bottom])
        assert lines[-1].strip() == ""


async def test_a_bare_text_has_nothing_at_its_sides() -> None:
    app = App[None]()
    async with app.run_test(size=(60, 15)) as pilot:
        app.push_screen(TextView("URI", lambda: ((Cell("sha1://" + "ab" * 20),),), bare=True))
        await pilot.pause()
        assert any(line.startswith("sha1://abab") for line in lines_of(app))


async def test_a_long_text_says_that_it_scrolls() -> None:
    app = App[None]()
    async with app.run_test(size=(60, 15)) as pilot:
        app.push_screen(TextView("Text", lambda: ((Cell(f"line {number}"),) for number in range(99))))
        await until(lambda: any("Scroll" in line for line in lines_of(app)))
        await pilot.press("end")
        await until(lambda: any("line 98" in line for line in lines_of(app)))
        await pilot.press("escape")
        app.push_screen(TextView("Text", lambda: ((Cell("line"),),)))
        await until(lambda: any("Esc" in line for line in lines_of(app)))
        assert not any("Scroll" in line for line in lines_of(app))


def test_what_stands_in_columns_hangs_under_its_last_column() -> None:
    lines = [(Cell("head  "), Cell("one two three")), (Cell("plain words that wrap"),)]
    broken = ["".join(cell.text for cell in line).rstrip() for line in wrapped(lines, 14)]
    assert broken == ["head  one two", "      three", "plain words", "that wrap"]


@pytest.mark.parametrize(("key", "answer"), [("y", True), ("n", False), ("enter", False), ("escape", False)])
async def test_everything_but_y_is_no(key: str, answer: bool) -> None:
    app = App[None]()
    answers: list[bool | None] = []
    async with app.run_test() as pilot:
        app.push_screen(Confirm("Remove all?", grave=True), answers.append)
        await pilot.pause()
        await pilot.press(key)
        await until(lambda: bool(answers))
    assert answers == [answer]


async def ask(admit: Callable[[str], Awaitable[str]]) -> list[str | None]:
    """Type two answers, one after the other; what was taken."""
    app = App[None]()
    taken: list[str | None] = []
    async with app.run_test() as pilot:
        app.push_screen(Ask("Store", value="proposal", admit=admit), taken.append)
        await pilot.pause()
        await pilot.press("b", "a", "d", "enter")
        await until(lambda: any("✗ bad is not there" in line for line in lines_of(app)))
        assert app.screen.query_one(Input).value == "bad"
        await pilot.press("backspace")
        await until(lambda: not any("✗" in line for line in lines_of(app)))
        await pilot.press("enter")
        await until(lambda: bool(taken))
    return taken


async def test_typing_replaces_what_was_proposed_and_what_is_wrong_stays_to_be_mended() -> None:
    async def admit(text: str) -> str:
        await asyncio.sleep(0)
        return "" if text == "ba" else f"{text} is not there"

    assert await ask(admit) == ["ba"]


def test_paths_as_terminals_quote_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put_file(tmp_path, "two words.dat", b"")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in (
        str(path),
        f"'{path}'",
        str(path).replace(" ", "\\ "),
        "two words.dat",
        "~/two words.dat",
        "'~/two words.dat'",
    ):
        assert path_of(text, tmp_path) == path
    assert path_of("no'such", tmp_path) == tmp_path / "no'such"
    assert path_of("a b", tmp_path) == tmp_path / "a b"


async def test_what_cannot_be_stored_is_said_in_the_dialog(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        await me.press("s")
        for name, problem in (
            ("missing.dat", "no such file"),
            ("pipe", "not a regular file"),
            (".", "not a regular file"),
            ("~nobody-of-that-name/x", "home"),
        ):
            await me.type(str(tmp_path / name) if not name.startswith("~") else name)
            await me.press("enter")
            await me.reads("✗ ", problem)
        await me.type(str(put_file(tmp_path, "table.csv", b"1,2")))
        await me.press("enter")
        await me.reads("table.csv is in storage")


def test_the_pager_that_is_there() -> None:
    path = os.environ["PATH"]
    assert pager_command({"PAGER": "cat -v", "PATH": path}) == ["cat", "-v"]
    assert pager_command({"PAGER": "no-such-pager", "PATH": ""}) == []
    assert pager_command({"PAGER": "an 'odd quote", "PATH": ""}) == []

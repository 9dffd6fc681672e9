"""What is known of a terminal before anything is painted on it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kachery_tui.tui.terminal.abilities import is_dumb, takes_utf8
from tests.cli.commands import Shell
from tests.terminal import Terminal


@pytest.mark.parametrize(
    ("environment", "few", "none"),
    [
        ({"TERM": "xterm-256color"}, False, False),
        ({"TERM": "screen"}, True, False),
        ({"TERM": "screen", "COLORTERM": "truecolor"}, False, False),
        ({"TERM": "linux"}, True, False),
        ({"TERM": "vt100"}, False, True),
        ({"TERM": "no-such-terminal"}, False, False),
        ({}, False, False),
    ],
)
def test_colours(environment: dict[str, str], few: bool, none: bool) -> None:
    # In a process of its own: what a terminal can is read once.
    program = (
        "from kachery_tui.tui.terminal.abilities import *; from kachery_tui.tui.display import Display;"
        "print(Display(colours=colours()).has_few_colours, colours() == 0)"
    )
    bare = {name: value for name, value in os.environ.items() if name not in ("TERM", "COLORTERM")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=bare | environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(few), str(none)]


@pytest.mark.parametrize(("term", "dumb"), [("dumb", True), ("", True), ("xterm", False), ("vt100", False)])
def test_a_terminal_without_a_cursor(term: str, dumb: bool) -> None:
    assert is_dumb({"TERM": term}) is dumb


@pytest.mark.parametrize(
    ("environment", "utf8"),
    [
        ({}, True),
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "de_DE.utf8@euro"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LC_ALL": "en_US.ISO-8859-1", "LANG": "en_US.UTF-8"}, False),
        ({"LC_CTYPE": "de_DE.ISO-8859-15@euro"}, False),
        ({"LANG": "POSIX"}, False),
        ({"LANG": "C.UTF-8"}, True),
        ({"LC_ALL": "", "LANG": "C.UTF-8"}, True),
    ],
)
def test_characters(environment: dict[str, str], utf8: bool) -> None:
    assert takes_utf8(environment) is utf8


@pytest.mark.parametrize("term", ["dumb", ""])
def test_no_screen_is_painted_on_a_dumb_terminal(tmp_path: Path, term: str) -> None:
    shell = Shell(tmp_path)
    shell.ok("init", "--label", "ana")
    with Terminal(environment=shell.environment, term=term) as terminal:
        assert terminal.end() == 2
    assert b"this terminal cannot show the screen" in terminal.painted
    assert b"\x1b[" not in terminal.painted


def test_a_locale_that_is_not_utf8_gets_ascii_and_few_colours_get_the_terminal_s_own(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.ok("init", "--label", "ana")
    with Terminal(environment=shell.environment | {"LC_ALL": "C"}, term="screen") as terminal:
        terminal.wait_for("q Quit")
        terminal.press("q")
        assert terminal.end() == 0
    assert all(byte < 128 for byte in terminal.painted)
    assert b"38;2;" not in terminal.painted
    assert b"\x1b[" in terminal.painted

"""How the screen is to be: config.toml says it, and options say it for once."""

import re
from pathlib import Path

import pytest

from kachery_tui.cli.parser import parse
from kachery_tui.cli.running import need_theme, with_options
from kachery_tui.config import ScreenConfig
from kachery_tui.errors import UsageError
from tests.cli.commands import Shell
from tests.terminal import Terminal

MOUSE_ON = b"\x1b[?1000h"
COLOUR = re.compile(rb"[34]8;2;(\d+);(\d+);(\d+)")


@pytest.fixture
def settings(shell: Shell) -> Path:
    """The config.toml of a node that is on no channel."""
    shell.ok("init", "--label", "ana")
    return shell.config / "config.toml"


def painted(shell: Shell, *arguments: str, until: str = "on no channel", **environment: str) -> bytes:
    """What one run of the screen paints; it is left once a text is there."""
    variables = {name: value for name, value in shell.environment.items() if name != "NO_COLOR"}
    with Terminal(*arguments, environment=variables | environment) as terminal:
        terminal.wait_for(until)
        terminal.press("q")
        assert terminal.end() == 0
    return terminal.painted


def refusal(shell: Shell, *arguments: str) -> str:
    """What the screen says that does not open for wrong words or settings."""
    with Terminal(*arguments, environment=shell.environment) as terminal:
        assert terminal.end() == 2
    return terminal.text()


def colours(data: bytes) -> set[tuple[bytes, ...]]:
    return {match.groups() for match in COLOUR.finditer(data)}


@pytest.mark.parametrize(
    ("line", "screen", "expected"),
    [
        ("", ScreenConfig(), ScreenConfig()),
        ("", ScreenConfig("nord", read_only=True), ScreenConfig("nord", read_only=True)),
        ("--theme dracula", ScreenConfig("nord"), ScreenConfig("dracula")),
        ("--read-only", ScreenConfig("nord"), ScreenConfig("nord", read_only=True)),
        ("--no-mouse", ScreenConfig(bell=True, fps=5), ScreenConfig(mouse=False, bell=True, fps=5)),
        ("demo --ascii", ScreenConfig(), ScreenConfig(ascii=True)),
    ],
)
def test_options_come_before_settings(line: str, screen: ScreenConfig, expected: ScreenConfig) -> None:
    assert with_options(parse(line.split()), screen) == expected


def test_a_theme_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean `nord`"):
        need_theme(parse(["--theme", "nrod"]).theme)
    with pytest.raises(UsageError, match="ansi-dark, ansi-light"):
        need_theme(parse(["--theme", "zzz"]).theme)


def test_the_screen_asks_for_the_mouse_unless_told_otherwise(shell: Shell, settings: Path) -> None:
    assert MOUSE_ON in painted(shell)
    assert MOUSE_ON not in painted(shell, "--no-mouse")
    settings.write_text("[screen]\nmouse = false\n")
    assert MOUSE_ON not in painted(shell)


def test_read_only_is_said_at_the_top(shell: Shell, settings: Path) -> None:
    painted(shell, "--read-only", until="  read-only")
    settings.write_text("[screen]\nread_only = true\n")
    painted(shell, until="  read-only")


def test_ascii_is_all_that_is_drawn(shell: Shell, settings: Path) -> None:
    assert not painted(shell).isascii()
    assert painted(shell, "--ascii").isascii()
    settings.write_text("[screen]\nascii = true\n")
    assert painted(shell).isascii()


def test_no_color_leaves_shades_of_grey(shell: Shell, settings: Path) -> None:
    assert settings.exists()
    plain = painted(shell, COLORTERM="truecolor", NO_COLOR="1")
    colourful = painted(shell, COLORTERM="truecolor")
    assert any(len(set(colour)) > 1 for colour in colours(colourful))
    assert [colour for colour in colours(plain) if len(set(colour)) > 1] == []


def test_a_setting_of_the_screen_that_makes_no_sense_is_named(shell: Shell, settings: Path) -> None:
    settings.write_text('[screen]\ntheme = "drakula"\n')
    said = refusal(shell)
    assert f"{settings}: `screen.theme`: found 'drakula'" in said
    assert "Did you mean `dracula`?" in said
    settings.write_text('[keys]\nquit = "ctrl+s"\n')
    assert "quit cannot have the key ctrl+s" in refusal(shell)

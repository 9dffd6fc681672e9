"""Running a screen: how it is to be this time, and from its first frame to its exit code."""

import os
import signal
import sys
from argparse import Namespace
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kachery_tui.config import ConfigError, ScreenConfig
from kachery_tui.config.reading import nearest
from kachery_tui.errors import UsageError
from kachery_tui.tui.display import Display
from kachery_tui.tui.terminal import abilities

if TYPE_CHECKING:
    from kachery_tui.tui.app import KacheryApp


HANG_UP_SECONDS: Final = 1.0
"""Seconds between two looks at whether the terminal is there still."""


def with_options(args: Namespace, screen: ScreenConfig) -> ScreenConfig:
    """The settings of the screen, with what the command line says in their place."""
    return replace(
        screen,
        theme=args.theme or screen.theme,
        read_only=args.read_only or screen.read_only,
        mouse=args.mouse and screen.mouse,
        ascii=args.ascii or screen.ascii or not abilities.takes_utf8(),
    )


def need_theme(name: str | None) -> None:
    """Raise UsageError for a theme that there is not; None is for the default."""
    if name is not None and (instead := _theme_instead_of(name)):
        raise UsageError(f"there is no theme {name!r}", "", instead)


def theme_problem(file: Path, theme: str | None) -> ConfigError | None:
    """What is wrong with the theme that a settings file names, if anything."""
    if theme is None or not (instead := _theme_instead_of(theme)):
        return None
    return ConfigError(file, "screen.theme", f"{theme!r}, which is no theme", instead)


def _theme_instead_of(name: str) -> str:
    """What would do in the place of a theme; empty if there is that theme."""
    # Settles how Textual paints, which Textual reads once, when it is imported itself.
    import_module("kachery_tui.tui")
    from textual.theme import BUILTIN_THEMES

    if name in BUILTIN_THEMES:
        return ""
    return nearest(name, BUILTIN_THEMES) or f"One of these would do: {', '.join(sorted(BUILTIN_THEMES))}"


def own_display(screen: ScreenConfig) -> Display:
    """The terminal of this process."""
    return Display(screen, os.environ, abilities.colours())


def run_screen(app: "KacheryApp") -> int:
    """Run the screen to its end. SIGINT, SIGTERM and SIGHUP leave it as the quit key does."""
    import asyncio

    from kachery_tui.cli.loops import end_on_signals
    from kachery_tui.tui.terminal.output_capture import caught_output

    async def main() -> int:
        arrived: list[signal.Signals] = []

        def leave(number: signal.Signals) -> None:
            arrived.append(number)
            app.leave()

        end_on_signals(leave)
        watching = asyncio.create_task(_wait_for_hang_up())
        watching.add_done_callback(lambda done: None if done.cancelled() else leave(signal.SIGHUP))
        await app.run_async(mouse=app.shown_on.settings.mouse)
        watching.cancel()
        return 128 + arrived[0] if arrived else app.return_code or 0

    with caught_output(app):
        return asyncio.run(main())


async def _wait_for_hang_up() -> None:
    """Wait until the terminal has gone. Its signal may be ignored (nohup, some shells), and Textual takes the end of the
    input for input that is to be read, for ever."""
    import asyncio

    while True:
        await asyncio.sleep(HANG_UP_SECONDS)
        try:
            # Of stdin: what goes to stderr is caught meanwhile.
            os.get_terminal_size(sys.stdin.fileno())
        except (OSError, ValueError):
            return


def need_terminal() -> None:
    """Raise UsageError where there is none: Textual reads stdin and paints on stderr, so that stdout stays free."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("the screen needs a terminal", "", "Without one, `kachery-tui node` runs the node")
    if abilities.is_dumb():
        kind = os.environ.get("TERM", "")
        raise UsageError(
            "this terminal cannot show the screen",
            f"TERM is {kind!r}" if kind else "TERM is not set",
            "Use another one; `kachery-tui node` runs the node without a screen",
        )
    if not abilities.colours():
        # Textual reads it when it is imported.
        os.environ.setdefault("NO_COLOR", "1")

"""A screen of a running node on this terminal: keys go to the node, and what it paints comes.

It imports next to nothing: the screen is there as soon as the node has painted it.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from kachery_tui.cli.guarded import guarded
from kachery_tui.cli.output import complain, say
from kachery_tui.cli.raw_terminal import RawTerminal
from kachery_tui.cli.terminal_side import SIGNALS, Opened, TerminalSide
from kachery_tui.config import ScreenConfig
from kachery_tui.errors import KacheryError
from kachery_tui.service.client import NodeClient
from kachery_tui.service.finding import node_named
from kachery_tui.service.screen_frames import LARGEST_SIDE, LONGEST_VARIABLE, UPGRADE, VARIABLES
from kachery_tui.tui.terminal import abilities


def attach(client: NodeClient, settings: ScreenConfig) -> int:
    """Show a screen of the node until the person leaves, or the node ends; the exit code. Raises `KacheryError`."""
    terminal = RawTerminal(sys.stdin.fileno(), sys.stderr.fileno(), mouse=settings.mouse)
    opened = _opened(client, settings, terminal)
    return guarded(lambda guard: _show(opened, settings, terminal, guard), terminal.mend)


def _opened(client: NodeClient, settings: ScreenConfig, terminal: RawTerminal) -> Opened:
    columns, rows = terminal.size
    variables = {name: value for name in VARIABLES if (value := os.environ.get(name)) is not None}
    body = {
        "columns": min(columns, LARGEST_SIDE),
        "rows": min(rows, LARGEST_SIDE),
        "colours": abilities.colours(),
        "environment": {name: value for name, value in variables.items() if len(value) <= LONGEST_VARIABLE},
        "theme": settings.theme,
        "read_only": settings.read_only,
        "mouse": settings.mouse,
        "ascii": settings.ascii,
        "bell": settings.bell,
        "fps": settings.fps or 0,
    }
    return Opened(client, *client.open_line("/v1/screen", UPGRADE, body))


def _show(opened: Opened, settings: ScreenConfig, terminal: RawTerminal, guard: int) -> int:
    """Show this screen, and those of other nodes that the person goes to from there."""

    def open_node(name: str) -> Opened:
        # How the other screen is to look is the same person's wish.
        return _opened(node_named(name).client, settings, terminal)

    with _signals_noted() as signals:
        following: Opened | None = opened
        try:
            terminal.take()
            while following is not None:
                opened = following
                side = TerminalSide(
                    opened.line, terminal, guard, signals, open_node, is_ours=opened.client.is_ours
                )
                try:
                    ending = side.run(opened.begun)
                finally:
                    opened.line.close()
                following = ending.following
        except KacheryError as error:
            terminal.give_back()
            complain(error)
            return error.exit_code
        finally:
            terminal.give_back()
    if ending.text:
        say(ending.text)
    if ending.text and ending.runs and opened.client.is_ours:
        say("To attach again: kachery-tui. To stop the node: kachery-tui stop")
    return ending.code


@contextmanager
def _signals_noted() -> Iterator[int]:
    """Have the numbers of signals come to a file descriptor, a byte each, to be heeded between two steps.

    Signals that are ignored stay so.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    old = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def noted(_number: int, _frame: FrameType | None) -> None:
        """The number has been written by now."""

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, noted)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(old)
        for number in before:
            # What comes now comes too late: the process ends.
            signal.signal(number, signal.SIG_IGN)
        os.close(reading)
        os.close(writing)

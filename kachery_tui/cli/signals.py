"""What ends a command from outside becomes an exception, so that what the command holds is cleaned up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command as Ctrl-C does: what it holds is cleaned up."""


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP arrived. A KeyboardInterrupt, so that everything that cleans up after Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.signal = number


@contextmanager
def signals_raised() -> Iterator[None]:
    """Raise `Terminated` for SIGTERM and SIGHUP; what the caller ignores (nohup) stays ignored."""

    def arrived(number: int, _frame: FrameType | None) -> None:
        raise Terminated(number)

    before = {number: signal.getsignal(number) for number in ENDING}
    changed = [number for number, handler in before.items() if handler is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, arrived)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)

"""Running a loop until its work is done, or until a signal or the end of stdin says that it should end."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final, TypeVar

from kachery_tui.cli.signals import ENDING, Terminated

T = TypeVar("T")

LAST_GRACE: Final = 15.0
"""Seconds that a service gets to end once its stdin has closed. Whoever held the other end may be dead, and
nobody else would end it."""


def stop_on_signals(stop: Callable[[], object]) -> None:
    """Call `stop` on the running loop at SIGINT, SIGTERM, SIGHUP."""
    end_on_signals(lambda _: stop())


def end_on_signals(react: Callable[[signal.Signals], object]) -> None:
    """Call `react` with the signal on the running loop at SIGINT, SIGTERM, SIGHUP."""
    _on_signals((signal.SIGINT, *ENDING), react)


def stop_with_stdin(stop: Callable[[], object]) -> None:
    """Call `stop` on the running loop once stdin reaches its end, and end the process if that does not.

    A parent that holds the other end of a pipe keeps its child alive by that alone: when the parent goes, by
    whatever way, the kernel closes its end.
    """
    loop = asyncio.get_running_loop()

    def watch() -> None:
        descriptor = sys.stdin.fileno()
        while os.read(descriptor, 4096):
            pass
        # A closed loop means that the process is on its way out already.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stop)
        time.sleep(LAST_GRACE)
        os._exit(1)

    threading.Thread(target=watch, name="stdin", daemon=True).start()


def run_cancellable(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a loop of its own. SIGTERM and SIGHUP cancel it as SIGINT does, so that it lets go of everything.

    Raises `Terminated` for the two, KeyboardInterrupt for SIGINT.
    """

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        arrived: list[signal.Signals] = []

        def cancel(number: signal.Signals) -> None:
            arrived.append(number)
            task.cancel()

        _on_signals(ENDING, cancel)
        try:
            return await work
        except asyncio.CancelledError:
            if arrived:
                raise Terminated(arrived[0]) from None
            raise

    return asyncio.run(main())


def _on_signals(numbers: Iterable[signal.Signals], react: Callable[[signal.Signals], object]) -> None:
    """Call `react` on the running loop; a signal that the caller had ignored (nohup) stays ignored."""
    loop = asyncio.get_running_loop()
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, react, number)

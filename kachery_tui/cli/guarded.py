"""Two processes for one screen, so that a terminal is put in order whichever of them is killed.

The first one, which the shell knows, does nothing but wait. The second one does the work; it sees the first one's end
by a pipe, of which only the first one holds the other end.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final

from kachery_tui.cli.output import say
from kachery_tui.tui.terminal.stopping import stop_with_group

_FORWARDED: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGTSTP)


def guarded(work: Callable[[int], int], mend: Callable[[], object]) -> int:
    """Do `work` in a child; its exit code. `mend` is called if the child was killed.

    `work` is given a file descriptor that can be read once the first process has gone, and has to end then.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        os.close(writing)
        os._exit(_code(work, reading))
    os.close(reading)

    def forward(number: int, _frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    forwarded = [number for number in _FORWARDED if signal.getsignal(number) is not signal.SIG_IGN]
    for number in forwarded:
        signal.signal(number, forward)
    status = _ended(child)
    for number in forwarded:
        # Whoever is impatient now is served at once.
        signal.signal(number, signal.SIG_IGN)
    os.close(writing)
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code
    mend()
    say(f"the screen was ended by {signal.Signals(-code).name}; the node runs on")
    return 128 - code


def _ended(child: int) -> int:
    """Wait for the child's end; the status that `waitpid` tells. While the child is stopped, all of this is."""
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return status
        if os.WSTOPSIG(status) in (signal.SIGTTOU, signal.SIGTTIN):
            # In the background: this process has been stopped with it, and continued.
            continue
        if signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN:
            stop_with_group()
        # The shell has done so if there is one.
        os.kill(child, signal.SIGCONT)


def _code(work: Callable[[int], int], guard: int) -> int:
    try:
        code = work(guard)
    except BaseException:  # noqa: BLE001 - there is nobody above in this process
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code

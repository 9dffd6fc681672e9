"""Two processes for one screen, so that a terminal is put in order whichever of them is killed.

The first one, which the shell knows, does nothing but wait. The second one does the work; it sees the first one's end
by a pipe, of which only the first one holds the other end.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Final

from kachery_tui.cli.output import say

_FORWARDED: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


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
        # A process that has lost the terminal may still put it in order.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os._exit(_code(work, reading))
    os.close(reading)

    def forward(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)

    for number in _FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, forward)
    _, status = os.waitpid(child, 0)
    os.close(writing)
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code
    mend()
    say(f"the screen was ended by {signal.Signals(-code).name}; the node runs on")
    return 128 - code


def _code(work: Callable[[int], int], guard: int) -> int:
    try:
        code = work(guard)
    except BaseException:  # noqa: BLE001 - there is nobody above in this process
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code

"""Stopping with all that the shell takes for this program, as Ctrl+Z does."""

import os
import signal
import time
from typing import Final

STOPPING_SECONDS: Final = 0.05
"""How long it may take until a signal that stops the process has done so."""


def stop_with_group() -> None:
    """Stop until the shell has this program go on. Where no shell waits, the system stops nothing.

    The program may have been begun by another one (`uv run`, `sudo`, a script), which has to stop, too, for the shell to
    come back.
    """
    ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(0, signal.SIGTSTP)
    # Another thread may be the one that is stopped, or the signal come a moment later; nothing runs ahead of it.
    time.sleep(STOPPING_SECONDS)
    signal.signal(signal.SIGTSTP, ours)

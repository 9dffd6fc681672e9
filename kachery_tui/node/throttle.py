"""Holding sending threads up, so that together they send no more than so many bytes a second."""

import threading
import time
from typing import Final

AT_ONCE: Final = 0.1
"""Seconds' worth of bytes that may go out without waiting: what is shorter cannot be slept with any precision."""


class Throttle:
    """Shared by all that send. Safe from any thread."""

    def __init__(self, per_second: int) -> None:
        """`per_second` is in bytes; 0 is for no limit."""
        self._per_second = per_second
        self._lock = threading.Lock()
        self._free_at = 0.0

    def sent(self, amount: int) -> None:
        """Count bytes that this thread has sent, and hold it up for as long as they have to be waited for."""
        if not self._per_second or amount <= 0:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + amount / self._per_second
            pause = self._free_at - now - AT_ONCE
        if pause > 0:
            time.sleep(pause)

"""How long those who send have to wait, so that together they send no more than so many bytes a second."""

import threading
import time
from typing import Final

AT_ONCE: Final = 0.1
"""Seconds' worth of bytes that may go out without waiting: what is shorter cannot be slept with any precision."""

LEAST_PIECE: Final = 1024


class Throttle:
    """Shared by all that send to one bucket. Safe from any thread."""

    def __init__(self, per_second: int) -> None:
        """`per_second` is in bytes; 0 is for no limit."""
        self._per_second = per_second
        self._lock = threading.Lock()
        self._free_at = 0.0

    def piece(self, most: int) -> int:
        """Bytes to send at a go, `most` at the most: as few as keep something going out all the time."""
        if not self._per_second:
            return most
        return min(most, max(int(self._per_second * AT_ONCE), LEAST_PIECE))

    def pause_after(self, amount: int) -> float:
        """Count bytes that were sent; seconds to wait before more are."""
        if not self._per_second:
            return 0.0
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + amount / self._per_second
            return max(self._free_at - now - AT_ONCE, 0.0)

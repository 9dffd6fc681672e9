"""Counting what flows, by the second."""

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 60
"""How far back a meter remembers, in whole seconds: what a sparkline shows."""


class RateMeter:
    """A running total and how much of it came in each of the last `WINDOW_SECONDS` seconds.

    Times are seconds on any one clock that does not run backwards; the caller brings them, so that a meter
    is a value and tests need no waiting.
    """

    __slots__ = ("_buckets", "last_at", "total")

    def __init__(self) -> None:
        self.total = 0
        self.last_at: float | None = None
        self._buckets: deque[tuple[int, int]] = deque(maxlen=WINDOW_SECONDS)

    def add(self, amount: int, now: float) -> None:
        """Count `amount` at time `now`."""
        self.total += amount
        self.last_at = now
        second = int(now)
        if self._buckets and self._buckets[-1][0] == second:
            self._buckets[-1] = (second, self._buckets[-1][1] + amount)
        else:
            self._buckets.append((second, amount))

    def rate(self, now: float, seconds: int = 5) -> float:
        """Amount a second, averaged over the last `seconds` (the current, unfinished second included)."""
        since = now - seconds
        return sum(amount for second, amount in self._buckets if second > since - 1) / seconds

    def history(self, now: float, seconds: int = WINDOW_SECONDS) -> list[int]:
        """Amounts of the last `seconds` whole seconds, oldest first."""
        amounts = dict(self._buckets)
        current = int(now)
        return [amounts.get(second, 0) for second in range(current - seconds + 1, current + 1)]

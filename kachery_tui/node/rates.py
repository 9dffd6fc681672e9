"""Counting what flows, by the second."""

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 60
"""How far back a meter remembers, in whole seconds: what a sparkline shows."""

PAUSE_SECONDS: Final = 10.0
"""After so long without anything a meter takes what comes next for a new beginning."""


class RateMeter:
    """A running total and how much of it came in each of the last `WINDOW_SECONDS` seconds.

    Times are seconds on any one clock that does not run backwards; the caller brings them, so that a meter
    is a value and tests need no waiting.
    """

    __slots__ = ("_began", "_buckets", "last_at", "total")

    def __init__(self) -> None:
        self.total = 0
        self.last_at: float | None = None
        self._began = 0.0
        self._buckets: deque[tuple[int, int]] = deque(maxlen=WINDOW_SECONDS)

    def add(self, amount: int, now: float) -> None:
        """Count `amount` at time `now`."""
        if self.last_at is None or now - self.last_at > PAUSE_SECONDS:
            self._began = now
        self.total += amount
        self.last_at = now
        second = int(now)
        if self._buckets and self._buckets[-1][0] == second:
            self._buckets[-1] = (second, self._buckets[-1][1] + amount)
        else:
            self._buckets.append((second, amount))

    def rate(self, now: float, seconds: int = 5) -> float:
        """Amount a second over the last `seconds`, or since it began to flow where that is less long ago.

        The current, unfinished second is included.
        """
        since = now - seconds
        span = min(float(seconds), max(now - self._began, 1.0))
        return sum(amount for second, amount in self._buckets if second > since - 1) / span

    def history(self, now: float, seconds: int = WINDOW_SECONDS) -> list[int]:
        """Amounts of the last `seconds` whole seconds, oldest first."""
        amounts = dict(self._buckets)
        current = int(now)
        return [amounts.get(second, 0) for second in range(current - seconds + 1, current + 1)]

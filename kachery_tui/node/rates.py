"""Counting what flows, by the second."""

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 60
"""How far back a meter remembers unless told otherwise, in whole seconds: what a sparkline shows."""

LONG_WINDOW_SECONDS: Final = 600
"""How far back those meters remember that show what a node sends and receives."""

PAUSE_SECONDS: Final = 10.0
"""After so long without anything a meter takes what comes next for a new beginning."""


SET_BACK: Final = 1.5
"""Seconds by which a clock may seem to run backwards between two threads that read it."""


class RateMeter:
    """A running total and how much of it came in each of the last `window` seconds.

    Times are seconds on any one clock; the caller brings them, so that a meter is a value and tests need no waiting. A
    clock that is set back makes a new beginning.
    """

    __slots__ = ("_began", "_buckets", "last_at", "total")

    def __init__(self, window: int = WINDOW_SECONDS) -> None:
        self.total = 0
        self.last_at: float | None = None
        self._began = 0.0
        self._buckets: deque[tuple[int, int]] = deque(maxlen=window)

    def add(self, amount: int, now: float) -> None:
        """Count `amount` at time `now`."""
        if self.last_at is not None and now < self.last_at - SET_BACK:
            # What was counted by the clock as it went before would seem to flow still.
            self._buckets.clear()
            self.last_at = None
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
        if self.last_at is not None and now < self.last_at - SET_BACK:
            return 0.0
        since = now - seconds
        span = min(float(seconds), max(now - self._began, 1.0))
        return sum(amount for second, amount in self._buckets if second > since - 1) / span

    def history(self, now: float, seconds: int = WINDOW_SECONDS) -> list[int]:
        """Amounts of the last `seconds` whole seconds, oldest first."""
        amounts = dict(self._buckets)
        current = int(now)
        return [amounts.get(second, 0) for second in range(current - seconds + 1, current + 1)]

"""How much and how often: bytes a day, and requests a second, of each member; wrong codes a minute of each address."""

import time
from collections import OrderedDict
from typing import Final

DAY: Final = 86_400.0
MOST_KNOWN: Final = 20_000
"""Members, or addresses, that are remembered; the one not heard of for longest goes first."""


class Allowance:
    """So many a second for each, after a burst of so many."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str, *, now: float | None = None) -> bool:
        """Take one; False where none is left. `now` is a monotonic time in seconds."""
        left = self._now_left(who, time.monotonic() if now is None else now)
        if left < 1:
            return False
        self._left[who] = (left - 1, self._left[who][1])
        return True

    def has(self, who: str, *, now: float | None = None) -> bool:
        """Whether one is left."""
        return self._now_left(who, time.monotonic() if now is None else now) >= 1

    def _now_left(self, who: str, now: float) -> float:
        left, at = self._left.get(who, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - at) * self._rate)
        self._left[who] = (left, now)
        self._left.move_to_end(who)
        if len(self._left) > MOST_KNOWN:
            self._left.popitem(last=False)
        return left


class DailyBytes:
    """Bytes granted today (UTC), by channel and node."""

    def __init__(self) -> None:
        self._day = 0
        self._spent: dict[tuple[str, str], int] = {}

    def spent(self, channel: str, node_id: str, now: float) -> int | None:
        """Bytes so far, None where that has to be looked up."""
        if int(now // DAY) != self._day:
            self._day, self._spent = int(now // DAY), {}
        return self._spent.get((channel, node_id))

    def note(self, channel: str, node_id: str, total: int) -> None:
        """What was looked up, or what it has become."""
        self._spent[channel, node_id] = total

    @staticmethod
    def day_start(now: float) -> float:
        """When the day of a Unix time began."""
        return now // DAY * DAY

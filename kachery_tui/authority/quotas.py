"""How many bytes each member uploads in a day."""

from typing import Final

DAY: Final = 86_400.0


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

"""How much the screen may send: frames a second and, over a slow line, bytes a second."""

from typing import Final

BYTES_PER_SECOND: Final = 4_500.0
"""What looks that come by themselves may cost over SSH: 270 KB a minute, so that a slow line stays free for keys."""

BURST_BYTES: Final = 24_000
"""What may be sent at once before looks are spaced: some switches of panes on a wide monitor."""


class OutputBudget:
    """Spaces what is painted. Keys are answered whatever was spent; looks that come by themselves wait.

    At most `frames` are painted in any second: a few at once, then evenly. `rate` are the bytes a second that looks may
    go on to cost, None for as many as they like. Times are seconds on any one clock that does not run backwards.
    """

    def __init__(self, frames: int, rate: float | None = None) -> None:
        self._burst = max(frames // 3, 1)
        self._frame_rate = float(frames - self._burst + 1)
        self._frames = float(self._burst)
        self._at_leisure = min(2, self._burst)
        self._rate = rate
        self._bytes = float(BURST_BYTES)
        self._at = 0.0

    def wrote(self, count: int, now: float) -> None:
        """A frame of so many bytes was sent."""
        self._refill(now)
        self._frames -= 1
        self._bytes -= count

    def pause(self, now: float, *, for_key: bool = False) -> float:
        """Seconds until the next frame may be sent. One of the frames is kept for the answer to a key."""
        self._refill(now)
        wanted = 1 if for_key else self._at_leisure
        return max(0.0, (wanted - self._frames) / self._frame_rate)

    def may_look(self, now: float) -> bool:
        """Whether a look that comes by itself may be taken: not while its frame would have to wait, or costs too much."""
        self._refill(now)
        return self._frames >= self._at_leisure and (self._rate is None or self._bytes > 0)

    def _refill(self, now: float) -> None:
        passed, self._at = max(0.0, now - self._at), max(now, self._at)
        self._frames = min(float(self._burst), self._frames + passed * self._frame_rate)
        if self._rate is not None:
            self._bytes = min(float(BURST_BYTES), self._bytes + passed * self._rate)

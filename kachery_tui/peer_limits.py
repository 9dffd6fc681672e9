"""How much any one peer may ask: token buckets, one a peer."""

from collections import OrderedDict
from typing import Final

PEERS_REMEMBERED: Final = 4_096
"""Buckets kept; the peer not heard of for the longest goes first and would start with a full bucket again."""


class PeerLimit:
    """Lets each peer through at `rate` messages a second, with bursts of up to `burst` messages.

    A message that weighs more than one is let through as well, and its peer then waits for longer; one that weighs
    nothing only tells. `remembered` buckets are kept.
    """

    def __init__(self, rate: float, burst: float, *, remembered: int = PEERS_REMEMBERED) -> None:
        self._rate = rate
        self._burst = burst
        self._remembered = remembered
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, peer: str, now: float, weight: float = 1.0) -> bool:
        """Take what a message weighs from the bucket of `peer`; whether there was one's worth. `now` is in seconds."""
        level, at = self._buckets.pop(peer, (self._burst, now))
        level = min(self._burst, level + (now - at) * self._rate)
        allowed = level >= 1
        self._buckets[peer] = (level - weight if allowed else level, now)
        if len(self._buckets) > self._remembered:
            self._buckets.popitem(last=False)
        return allowed

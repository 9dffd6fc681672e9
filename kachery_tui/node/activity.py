"""What went over a channel's six streams: counters and a bounded ring of recent messages, for people to look at."""

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import Final

from kachery_tui.node.rates import RateMeter
from kachery_tui.protocol.roles import Stream

_log = logging.getLogger(__name__)

SAY_AGAIN: Final = 60.0
"""Seconds between two lines of the log that say the same of one stream."""

MOST_REASONS: Final = 100
"""Reasons of which it is remembered when they were last said."""

RECENT_MESSAGES: Final = 500
"""Messages kept a stream. At most about 4 KB each, so 6 streams of one channel hold at most some 12 MB."""


class Direction(StrEnum):
    """Which way a message went."""

    IN = "in"
    OUT = "out"


class Verdict(StrEnum):
    """What the node made of a message."""

    SENT = "sent"
    VERIFIED = "verified"
    PASSED_OVER = "passed over"
    """Of a type that this node does not know: left for newer nodes, as the protocol asks."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One message as it was seen on a stream.

    `number` counts from 1 on each stream; `at` is Unix time in seconds; `raw` is the envelope's JSON text,
    clipped; `reason` says why it was refused; `request` is the ledger number of the row it belongs to.
    """

    number: int
    at: float
    direction: Direction
    verdict: Verdict
    type: str
    summary: str
    from_node_id: str
    raw: str
    reason: str = ""
    request: int | None = None


@dataclass(slots=True)
class StreamActivity:
    """One stream of one channel: what is in force there, and what went over it.

    `version` grows with every change, so that a reader can tell at a glance whether to look again.
    """

    stream: Stream
    subscribed: bool = False
    may_publish: bool = False
    problem: str = ""
    messages: deque[StreamMessage] = field(default_factory=lambda: deque(maxlen=RECENT_MESSAGES))
    received: RateMeter = field(default_factory=RateMeter)
    sent: RateMeter = field(default_factory=RateMeter)
    bytes: RateMeter = field(default_factory=RateMeter)
    refused: int = 0
    passed_over: int = 0
    last_refusal: str = ""
    version: int = 0
    _count: int = 0
    _said: dict[str, float] = field(default_factory=dict)

    def record(
        self,
        *,
        at: float,
        direction: Direction,
        verdict: Verdict,
        type: str,  # noqa: A002 - the protocol's own word
        summary: str,
        from_node_id: str,
        raw: str,
        reason: str = "",
        request: int | None = None,
    ) -> int:
        """Count a message and keep it among the recent ones; its number."""
        self._count += 1
        self.messages.append(
            StreamMessage(
                self._count, at, direction, verdict, type, summary, from_node_id, raw, reason, request
            )
        )
        (self.sent if direction is Direction.OUT else self.received).add(1, at)
        self.bytes.add(len(raw), at)
        if verdict is Verdict.REFUSED:
            self.refused += 1
            self.last_refusal = reason
        elif verdict is Verdict.PASSED_OVER:
            self.passed_over += 1
        self.version += 1
        return self._count

    def count_refused(self, reason: str, count: int = 1) -> None:
        """Count what was refused because it is too much, without keeping it: what a flood is met with.

        `reason` is this program's own word; for each, a line goes to the log now and then.
        """
        self.refused += count
        self.last_refusal = reason
        self.version += 1
        now = time.monotonic()
        if now - self._said.get(reason, -SAY_AGAIN) >= SAY_AGAIN:
            if len(self._said) >= MOST_REASONS:
                self._said.clear()
            self._said[reason] = now
            _log.warning("%s: refused: %s", self.stream, reason)

    def belongs_to(self, number: int, request: int) -> None:
        """Say which row of the ledger message `number` led to, if it is still kept."""
        place = len(self.messages) - 1 - (self._count - number)
        if 0 <= place < len(self.messages):
            self.messages[place] = replace(self.messages[place], request=request)
            self.version += 1

    def since(self, number: int) -> Sequence[StreamMessage]:
        """The kept messages whose number is over `number`, oldest first."""
        newer = min(self._count - number, len(self.messages))
        return list(islice(reversed(self.messages), max(newer, 0)))[::-1]

    @property
    def count(self) -> int:
        """How many messages were ever recorded, which is the newest one's number."""
        return self._count

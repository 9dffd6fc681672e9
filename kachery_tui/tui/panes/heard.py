"""The messages of several streams as the rows of one list: filtered once, and merged by time only as far as is seen.

A stream carries thousands of messages a second, a list shows some tens of them.
"""

from __future__ import annotations

from bisect import bisect_left
from heapq import merge
from typing import TYPE_CHECKING

from kachery_tui.protocol.roles import Stream
from kachery_tui.tui.widgets.row_list import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from kachery_tui.node.activity import StreamActivity, StreamMessage
    from kachery_tui.tui.cells import Line

Placed = tuple[Stream, "StreamMessage"]
"""A message and the stream that it went over."""

_ORDER = {stream: place for place, stream in enumerate(Stream)}


class Sieve:
    """Which of a stream's kept messages a filter leaves.

    Each is judged once, and again only where the node put another in its place.
    """

    def __init__(self) -> None:
        self.passed = 0
        """How many messages it has left so far, those included that the stream has let go of since."""
        self._judged: list[StreamMessage] = []
        self._left: list[bool] = []

    def sift(self, activity: StreamActivity, judge: Callable[[Placed], bool]) -> list[StreamMessage]:
        """The messages that `judge` leaves, oldest first."""
        ring = list(activity.messages)
        ahead = ring[0].number - self._judged[0].number if ring and self._judged else 0
        left = []
        for place, message in enumerate(ring, start=ahead):
            known = 0 <= place < len(self._judged) and self._judged[place] is message
            left.append(self._left[place] if known else judge((activity.stream, message)))
            self.passed += left[-1] and place >= len(self._judged)
        self._judged, self._left = ring, left
        return [message for message, stays in zip(ring, left, strict=True) if stays]


class MergedRows(Rows):
    """Messages of several streams, oldest first. Only those from the newest back to what is asked for get merged."""

    def __init__(
        self, messages: Mapping[Stream, Sequence[StreamMessage]], cells: Callable[[Placed], Line]
    ) -> None:
        self._messages = messages
        self._cells = cells
        self._count = sum(len(kept) for kept in messages.values())
        self._newest_first: list[Placed] = []
        self._older: Iterator[Placed] = merge(
            *(_backwards(stream, kept) for stream, kept in messages.items()), key=_moment, reverse=True
        )

    def __len__(self) -> int:
        return self._count

    def item(self, index: int) -> Placed | None:
        """The message there, with its stream."""
        if not 0 <= index < self._count:
            return None
        back = self._count - 1 - index
        while len(self._newest_first) <= back:
            self._newest_first.append(next(self._older))
        return self._newest_first[back]

    def key(self, index: int) -> Hashable | None:
        """Its stream and number."""
        placed = self.item(index)
        return None if placed is None else (placed[0], placed[1].number)

    def cells(self, index: int) -> Line | None:
        """Its cells."""
        placed = self.item(index)
        return None if placed is None else self._cells(placed)

    def index(self, key: Hashable) -> int | None:
        """Where the message of that stream and number stands."""
        if not isinstance(key, tuple):
            return None
        stream, number = key
        kept = self._messages.get(stream, ())
        place = bisect_left(kept, number, key=lambda message: message.number)
        if place == len(kept) or kept[place].number != number:
            return None
        moment = _moment((stream, kept[place]))
        others = ((on, kept) for on, kept in self._messages.items() if on is not stream)
        return place + sum(_before(moment, on, kept) for on, kept in others)


def _backwards(stream: Stream, kept: Sequence[StreamMessage]) -> Iterator[Placed]:
    return ((stream, message) for message in reversed(kept))


def _before(moment: tuple[float, int, int], stream: Stream, kept: Sequence[StreamMessage]) -> int:
    """How many of a stream's messages are older."""
    return bisect_left(kept, moment, key=lambda message: _moment((stream, message)))


def _moment(placed: Placed) -> tuple[float, int, int]:
    """What a message is sorted by; no two have the same."""
    stream, message = placed
    return message.at, _ORDER[stream], message.number

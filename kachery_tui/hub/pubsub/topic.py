"""What a hub keeps of a pub-sub channel: who is attached, who is present, and what was said lately."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from kachery_tui.hub.pubsub.frames import Encoded, Format, Frame, encode

if TYPE_CHECKING:
    from kachery_tui.hub.pubsub.limits import Limits
    from kachery_tui.hub.pubsub.session import Session

MemberKey: TypeAlias = tuple[str, str]
"""Connection id and client id."""


class Outgoing:
    """A frame for many clients, written once in each format that one of them has."""

    __slots__ = ("_encoded", "_frame")

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._encoded: dict[Format, Encoded] = {}

    def encoded(self, form: Format) -> Encoded:
        """The frame as a client of this format gets it."""
        found = self._encoded.get(form)
        if found is None:
            found = self._encoded[form] = encode(self._frame, form)
        return found


@dataclass(slots=True)
class Said:
    """One MESSAGE frame that was sent to a channel, kept for those who come back."""

    number: int
    at: float
    topic: str
    connection_id: str
    size: int
    outgoing: Outgoing


@dataclass(slots=True)
class Topic:
    """One pub-sub channel. `lost` is the number of the last message that is not kept any more."""

    name: str
    lost: int
    said: deque[Said] = field(default_factory=deque)
    attached: dict[str, "Session"] = field(default_factory=dict)
    members: dict[MemberKey, Frame] = field(default_factory=dict)

    def since(self, number: int) -> Iterator[Said]:
        """What was said after message `number`."""
        return (said for said in self.said if said.number > number)

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be lost by forgetting this channel."""
        return not (self.said or self.attached or self.members)


class History:
    """What was said lately on all channels. The oldest goes first, by count, bytes and age."""

    def __init__(self, limits: "Limits") -> None:
        self._limits = limits
        self._said: deque[Said] = deque()
        self._bytes = 0
        self.newest = 0
        self.lost = 0

    def add(self, topics: dict[str, Topic], topic: Topic, said: Said) -> None:
        """Keep one more."""
        self._said.append(said)
        self._bytes += said.size
        topic.said.append(said)
        self.newest = said.number
        self.trim(topics, said.at)

    def trim(self, topics: dict[str, Topic], now: float) -> None:
        """Forget what is over the limits."""
        limits = self._limits
        while self._said and (
            len(self._said) > limits.history_messages
            or self._bytes > limits.history_bytes
            or self._said[0].at < now - limits.history_seconds
        ):
            oldest = self._said.popleft()
            self._bytes -= oldest.size
            self.lost = oldest.number
            topic = topics[oldest.topic]
            topic.said.popleft()
            topic.lost = oldest.number
            if topic.is_empty:
                del topics[topic.name]

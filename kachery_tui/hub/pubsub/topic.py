"""What a hub keeps of a pub-sub channel: who is attached, who is present, and what was said lately."""

from collections import deque
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TypeAlias

from kachery_tui.hub.pubsub.frames import Flag, Frame
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.hub.pubsub.session import Outgoing, Session

MemberKey: TypeAlias = tuple[str, str]
"""Connection id and client id."""


@dataclass(frozen=True, slots=True)
class Now:
    """The time of a call: a monotonic clock for durations, and Unix seconds for tokens and timestamps."""

    monotonic: float
    unix: float

    @property
    def ms(self) -> int:
        """Unix milliseconds, as frames have it."""
        return int(self.unix * 1000)


@dataclass(frozen=True, slots=True)
class Said:
    """One MESSAGE frame that was sent to a channel, kept for those who come back. `at` is a monotonic time."""

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
    attached: dict[str, Session] = field(default_factory=dict)
    members: dict[MemberKey, Frame] = field(default_factory=dict)

    def since(self, number: int) -> list[Said]:
        """What was said after message `number`, in order."""
        return list(takewhile(lambda said: said.number > number, reversed(self.said)))[::-1]

    def listeners(self, mode: Flag) -> list[Session]:
        """Who is attached with this mode."""
        return [session for session in self.attached.values() if session.modes[self.name] & mode]

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be lost by forgetting this channel."""
        return not (self.said or self.attached or self.members)


class Topics:
    """All channels, and what was said on them lately. The oldest goes first, by count, bytes and age."""

    def __init__(self, limits: Limits) -> None:
        self.newest = 0
        """The number of the last message on any channel."""
        self._limits = limits
        self._topics: dict[str, Topic] = {}
        self._said: deque[Said] = deque()
        self._bytes = 0
        self._lost = 0

    def __len__(self) -> int:
        return len(self._topics)

    def get(self, name: str) -> Topic | None:
        """The channel of this name, if there is anything to it."""
        return self._topics.get(name)

    def make(self, name: str) -> Topic:
        """The channel of this name."""
        topic = self._topics.get(name)
        if topic is None:
            # What had been said on it, had it been there before, is gone as far as anything is gone.
            topic = self._topics[name] = Topic(name, self._lost)
        return topic

    def drop_if_empty(self, topic: Topic) -> None:
        """Forget a channel that nobody uses."""
        if topic.is_empty:
            self._topics.pop(topic.name, None)

    def say(self, topic: Topic, said: Said) -> None:
        """Keep one more message."""
        self._said.append(said)
        self._bytes += said.size
        topic.said.append(said)
        self.newest = said.number
        self.trim(said.at)

    def trim(self, now: float) -> None:
        """Forget what is over the limits."""
        limits = self._limits
        while self._said and (
            len(self._said) > limits.history_messages
            or self._bytes > limits.history_bytes
            or self._said[0].at < now - limits.history_seconds
        ):
            oldest = self._said.popleft()
            self._bytes -= oldest.size
            self._lost = oldest.number
            topic = self._topics[oldest.topic]
            topic.said.popleft()
            topic.lost = oldest.number
            self.drop_if_empty(topic)

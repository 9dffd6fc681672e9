"""What is known of each subfeed at this moment: plain state, written by the exchange, looked at by whoever wants to."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.ledger import Request
from kachery_tui.node.rates import RateMeter
from kachery_tui.protocol.feeds import BadMessage
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri

MOST_LISTENERS: Final = 1_000
"""Nodes that may listen to one subfeed on one channel."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A node that listens to an own subfeed over a channel."""

    channel: str
    node_id: str


@dataclass(slots=True, eq=False)
class SubfeedState:
    """A subfeed that is here, is followed, or is listened to; numbers are of messages, times Unix time in seconds.

    A feed without any subfeed yet is one, too, whose hash is empty. The exchange writes it; everybody else only reads.
    """

    key: SubfeedKey
    name: str = ""
    """The subfeed's name; empty where only its hash is known."""
    feed_name: str = ""
    own: bool = False
    """Whether the feed's private key is here."""
    here: int = 0
    """How many messages this node's disk has."""
    in_bucket: dict[str, int] = field(default_factory=dict)
    """By channel, how many the bucket was seen to have."""
    announced: int = 0
    """How many messages nodes have spoken of; nobody has verified that they exist."""
    listeners: dict[Listener, float] = field(default_factory=dict)
    """Who listens to it here, until when they are waited for."""
    row: Request | None = None
    """The row of the ledger by which it is followed, of the last time if that has ended."""
    follows: bool = False
    """Whether it is followed, also over a restart of the program."""
    last_at: float | None = None
    """When the last message came, or was appended, as far as this run of the program saw it."""
    heard_at: float | None = None
    """When the owner's node was last heard to speak of it."""
    silent_since: float | None = None
    """Since when the owner's node has not answered; None while it does, or was not asked."""
    behind_since: float | None = None
    """Since when there have been messages elsewhere that are not here."""
    missing_since: float | None = None
    """Since when nodes have spoken of messages that are nowhere to be had; for a moment, that is so of every new one."""
    fault: BadMessage | None = None
    """What is wrong with the next message, where it was refused."""
    trouble: KacheryError | None = None
    """Why messages that came cannot be stored; None once some were."""
    promised: int = 0
    """How many messages nodes have spoken of where no bucket had as many when it was looked at."""
    meter: RateMeter = field(default_factory=RateMeter)
    """Messages that came, or were appended."""
    version: int = 0

    @property
    def uri(self) -> SubfeedUri:
        """What to call it outside; one whose name is not known by its hash."""
        if not self.key.subfeed_hash:
            return SubfeedUri(self.key.feed_id)
        return SubfeedUri(self.key.feed_id, self.name or f"~{self.key.subfeed_hash}")

    @property
    def exists(self) -> int:
        """How many messages there are anywhere, as far as is known."""
        return max(self.here, self.announced, *self.in_bucket.values(), 0)

    @property
    def missing(self) -> int:
        """How many messages nodes have spoken of that are nowhere to be had."""
        return max(self.promised - self.exists, 0)

    @property
    def lag(self) -> int:
        """How many messages are elsewhere and not here."""
        return self.exists - self.here


class SubfeedStates:
    """The states of all subfeeds. `version` grows with every change of any."""

    def __init__(self) -> None:
        self.version = 0
        self._changed = asyncio.Event()
        self._states: dict[SubfeedKey, SubfeedState] = {}

    def __iter__(self) -> Iterator[SubfeedState]:
        return iter(list(self._states.values()))

    def find(self, key: SubfeedKey) -> SubfeedState | None:
        """What is known of a subfeed, None if nothing is."""
        return self._states.get(key)

    def state(self, key: SubfeedKey) -> SubfeedState:
        """What is known of a subfeed, from now on."""
        if key not in self._states:
            self._states[key] = SubfeedState(key)
            self._count_change()
        return self._states[key]

    def drop(self, key: SubfeedKey) -> None:
        """Know of it no more."""
        if self._states.pop(key, None) is not None:
            self._count_change()

    def touch(self, state: SubfeedState) -> None:
        """Say that a state changed; whether it is behind, or lacks anything, follows from its numbers."""
        if state.lag <= 0:
            state.behind_since = None
        elif state.behind_since is None:
            state.behind_since = time.time()
        if not state.missing:
            state.missing_since = None
        elif state.missing_since is None:
            state.missing_since = time.time()
        state.version += 1
        self._count_change()

    async def wait_changed(self, version: int) -> None:
        """Wait until `version` is not that of the states any more."""
        while self.version == version:
            await self._changed.wait()

    def _count_change(self) -> None:
        self.version += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def has(self, state: SubfeedState, here: int, came: int = 0) -> None:
        """Take over how many messages are here, of which `came` are new."""
        if here == state.here and not came:
            return
        if here > state.here:
            state.trouble = None
        state.here = here
        if came:
            state.last_at = time.time()
            state.meter.add(came, state.last_at)
        self.touch(state)

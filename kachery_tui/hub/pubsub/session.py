"""One connection as the hub keeps it, and the end of the WebSocket that carries it at the moment.

A connection outlives its transport: when that is lost, the client comes back with the connection's key, and finds
its presence and the acknowledgements of what it had sent.
"""

import hashlib
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from kachery_tui.hub.pubsub.auth import Identity
from kachery_tui.hub.pubsub.frames import Encoded, Fault, Flag, Format, Frame, encode
from kachery_tui.hub.pubsub.limits import Limits

_REMEMBERED: Final = 1_000
"""Acknowledgements kept in case the client did not get them. One sends few before it waits."""

Digest: TypeAlias = bytes


class Link:
    """The hub's end of one WebSocket: frames wait here until they are taken and sent."""

    def __init__(self, form: Format, limits: Limits, opened: float) -> None:
        self.form = form
        self.outgoing: deque[Encoded] = deque()
        self.closing: str | None = None
        """Why it is to be closed once `outgoing` is sent; None while it stays open."""
        self.session: Session | None = None
        self.spoke = opened
        """When something was last sent."""
        self._limits = limits
        self._waiting = 0

    def send(self, frame: Frame, now: float) -> None:
        """Queue a frame."""
        self.send_encoded(encode(frame, self.form), now)

    def send_encoded(self, encoded: Encoded, now: float) -> None:
        """Queue a frame that is encoded already. A client that has too much waiting is cut off."""
        if self.closing is not None:
            return
        self._waiting += len(encoded)
        if self._waiting > self._limits.outgoing_bytes:
            self.outgoing.clear()
            self._waiting = 0
            self.closing = "reads too slowly"
            return
        self.outgoing.append(encoded)
        self.spoke = now

    def take(self) -> Encoded | None:
        """The next frame to send, if there is one."""
        if not self.outgoing:
            return None
        encoded = self.outgoing.popleft()
        self._waiting -= len(encoded)
        return encoded

    def close(self, reason: str) -> None:
        """Send what waits, and no more."""
        if self.closing is None:
            self.closing = reason


@dataclass(slots=True)
class Outcome:
    """How a published frame was answered: by an ACK with these serials, or by a NACK."""

    digest: Digest
    serials: tuple[str, ...] = ()
    fault: Fault | None = None


@dataclass(slots=True)
class Session:
    """One connection. Times are monotonic seconds."""

    id: str
    key: str
    identity: Identity
    echo: bool
    heartbeats: bool
    link: Link | None = None
    modes: dict[str, Flag] = field(default_factory=dict)
    """The channels it is attached to, and what it does there."""

    members: set[tuple[str, str]] = field(default_factory=set)
    """Channel and client id of its presence members."""

    frames: int = 0
    """Counts what it said, for ids that grow even if the client's own serials begin anew."""

    token_expires: float | None = None
    renewal_due: float | None = None
    lost_at: float | None = None
    resent: bool = False
    """Whether what comes may be a repetition: so after a resume, until something new comes."""

    outcomes: OrderedDict[int, Outcome] = field(default_factory=OrderedDict)

    def answered(self, serial: int, digest: Digest) -> Outcome | None:
        """The outcome of a frame that was answered before the transport was lost."""
        if not self.resent:
            return None
        outcome = self.outcomes.get(serial)
        if outcome is not None and outcome.digest == digest:
            return outcome
        self.resent = False
        return None

    def remember(self, serial: int, outcome: Outcome) -> None:
        """Keep how a frame was answered, in case the client asks again."""
        self.outcomes[serial] = outcome
        self.outcomes.move_to_end(serial)
        while len(self.outcomes) > _REMEMBERED:
            self.outcomes.popitem(last=False)


def digest_of(raw: Encoded) -> Digest:
    """What tells one frame from another."""
    return hashlib.blake2b(raw.encode() if isinstance(raw, str) else raw, digest_size=16).digest()

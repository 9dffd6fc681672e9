"""One connection as the hub keeps it, and the end of the WebSocket that carries it at the moment.

A connection outlives its transport: when that is lost, the client comes back with the connection's key, and finds
its presence and the acknowledgements of what it had sent.
"""

import hashlib
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from kachery_tui.hub.pubsub.auth import Identity
from kachery_tui.hub.pubsub.frames import Action, Encoded, Fault, Flag, Format, Frame, encode, unpack
from kachery_tui.hub.pubsub.limits import Limits

_REMEMBERED: Final = 1_000
"""Acknowledgements kept in case the client did not get them. A client has fewer messages than that under way."""

Digest: TypeAlias = bytes


class Outgoing:
    """A frame for many clients, written once in each format that one of them has.

    `pack` brings it into the form in which it is kept: bytes, whose length is what it takes, however many small parts
    the frame is made of.
    """

    __slots__ = ("_encoded", "_frame", "_packed")

    def __init__(self, frame: Frame) -> None:
        self._frame: Frame | None = frame
        self._encoded: dict[Format, Encoded] = {}
        self._packed = b""

    def encoded(self, form: Format) -> Encoded:
        """The frame as a client of this format gets it."""
        if self._frame is None:
            return self._packed if form is Format.MSGPACK else encode(unpack(self._packed), form)
        found = self._encoded.get(form)
        if found is None:
            found = self._encoded[form] = encode(self._frame, form)
        return found

    def pack(self) -> int:
        """Keep nothing but the bytes from now on; how many they are."""
        if self._frame is not None:
            packed = self.encoded(Format.MSGPACK)
            assert isinstance(packed, bytes)
            self._packed, self._frame, self._encoded = packed, None, {}
        return len(self._packed)


class Link:
    """The hub's end of one WebSocket: frames wait here until they are taken and sent.

    `changed` is where the link puts itself when there is something to do for it.
    """

    def __init__(self, form: Format, limits: Limits, opened: float, changed: "set[Link]") -> None:
        self.form = form
        self.session: Session | None = None
        self.closing: str | None = None
        """Why it is to be closed once all is sent; None while it stays open."""
        self.is_cut = False
        """Whether it is to be dropped at once, without sending what waits."""
        self.spoke = opened
        """When something was last sent, in monotonic seconds."""
        self._waiting: deque[Encoded] = deque()
        self._waiting_bytes = 0
        self._limits = limits
        self._changed = changed

    def send(self, encoded: Encoded, now: float) -> None:
        """Queue a frame. A client that has too much waiting is cut off."""
        if self.closing is not None:
            return
        if self._waiting_bytes + len(encoded) > self._limits.outgoing_bytes:
            self.cut("reads too slowly")
            return
        self._waiting.append(encoded)
        self._waiting_bytes += len(encoded)
        self.spoke = now
        self._changed.add(self)

    def next_frame(self) -> Encoded | None:
        """The next frame to send, if there is one."""
        if not self._waiting:
            return None
        encoded = self._waiting.popleft()
        self._waiting_bytes -= len(encoded)
        return encoded

    def close(self, reason: str) -> None:
        """Send what waits, and no more."""
        if self.closing is None:
            self.closing = reason
            self._changed.add(self)

    def cut(self, reason: str) -> None:
        """Send nothing any more."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self.is_cut = True
        self.close(reason)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a frame was answered: by an ACK for its messages, or by a NACK. `digest` tells the frame from others.

    A `Fault` itself would bring along, as its traceback, all that was at hand when it was raised.
    """

    digest: Digest
    serial: str = ""
    """Of the frame's messages: each one's is this and its place."""
    messages: int = 0
    error: Frame | None = None

    @property
    def serials(self) -> list[str]:
        """The serial of each message."""
        return [f"{self.serial}:{index}" for index in range(self.messages)]


@dataclass(slots=True)
class Session:
    """One connection. Times are monotonic seconds."""

    id: str
    key: str = field(repr=False)
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
    may_repeat: bool = False
    """Whether what comes may have come before: so after a resume, until something new comes."""

    outcomes: OrderedDict[int, Outcome] = field(default_factory=OrderedDict)

    def send(self, frame: Frame, now: float) -> None:
        """Send a frame, if the client is there."""
        if self.link is not None:
            self.link.send(encode(frame, self.link.form), now)

    def send_shared(self, outgoing: Outgoing, now: float) -> None:
        """Send a frame that others get, too."""
        if self.link is not None:
            self.link.send(outgoing.encoded(self.link.form), now)

    def fail_channel(self, channel: str, fault: Fault, now: float) -> None:
        """Tell the client that a channel of its is not to be had."""
        self.send({"action": Action.ERROR, "channel": channel, "error": fault.to_wire()}, now)

    def outcome(self, serial: int, digest: Digest) -> Outcome | None:
        """How this frame was answered before the transport was lost, if it was."""
        if not self.may_repeat:
            return None
        outcome = self.outcomes.get(serial)
        if outcome is not None and outcome.digest == digest:
            return outcome
        self.may_repeat = False
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

"""The channels as connections see them: attached, published to, caught up on, and taken away with a right.

A message's place on its channel is its `channelSerial`: the hub's life and a number that grows over all channels.
A client that attaches with the serial it got last is sent what was said since, as long as all of that is kept.
"""

from collections.abc import Callable
from typing import Final

from kachery_tui.hub.pubsub.frames import MODES, Action, Attach, Code, Fault, Flag, Frame, Publish
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.hub.pubsub.presence import Presence
from kachery_tui.hub.pubsub.session import Outgoing, Session
from kachery_tui.hub.pubsub.topic import Now, Said, Topic, Topics

_NOT_PERMITTED: Final = "operation not permitted with provided capability"
_OVERHEAD: Final = 512
"""Bytes that a kept frame takes beside its own: the objects that hold it, and its places in two queues."""


class Channels:
    """All channels of a hub. `new_id` gives unguessable texts of letters and digits."""

    def __init__(self, limits: Limits, new_id: Callable[[], str]) -> None:
        self.topics = Topics(limits)
        self.presence = Presence(self.topics, limits, new_id)
        self._limits = limits
        self._epoch = new_id()

    def attach(self, session: Session, wish: Attach, now: Now) -> None:
        """Attach a connection, or tell it why not."""
        name = wish.channel
        modes = session.identity.capability.modes(name) & (wish.modes or MODES)
        if not modes:
            self.detach(session, name, now)
            session.fail_channel(name, Fault(Code.NOT_PERMITTED, _NOT_PERMITTED), now.monotonic)
            return
        # One that is attached has been sent everything already.
        is_attached = name in session.modes
        if not is_attached and len(session.modes) >= self._limits.channels_per_connection:
            fault = Fault(Code.TOO_MANY_CHANNELS, "too many channels for one connection")
            session.fail_channel(name, fault, now.monotonic)
            return
        topic = self.topics.make(name)
        missed = [] if is_attached else self._missed(topic, wish.serial)
        session.modes[name] = modes
        topic.attached[session.id] = session
        self._confirm(session, topic, wish, missed, now)

    def _confirm(
        self, session: Session, topic: Topic, wish: Attach, missed: list[Said] | None, now: Now
    ) -> None:
        modes = session.modes[topic.name]
        has_members = bool(topic.members) and bool(modes & Flag.PRESENCE_SUBSCRIBE)
        flags = modes
        if missed is not None:
            flags |= Flag.RESUMED
        if has_members:
            flags |= Flag.HAS_PRESENCE
        # Where something was missed the position is still the old one: the link may break before it is sent.
        serial = wish.serial if missed else self._serial(self.topics.newest)
        frame = {
            "action": Action.ATTACHED,
            "channel": topic.name,
            "channelSerial": serial,
            "flags": int(flags),
        }
        session.send(frame, now.monotonic)
        if missed and modes & Flag.SUBSCRIBE:
            for said in missed:
                self._deliver(session, said.connection_id, said.outgoing, now)
        if has_members:
            self.presence.sync(session, topic, now)

    def detach(self, session: Session, name: str, now: Now) -> None:
        """Detach a connection for good: its members there leave."""
        self._part(session, name)
        self.presence.leave_channel(session, name, now)

    def part(self, session: Session) -> None:
        """A transport is gone: its client attaches anew, from the serial that it got last. Its members stay."""
        for name in list(session.modes):
            self._part(session, name)

    def narrow(self, session: Session, now: Now) -> None:
        """Take away what a connection's capability does not allow any more."""
        for name, modes in list(session.modes.items()):
            allowed = session.identity.capability.modes(name)
            if not allowed & modes:
                self.detach(session, name, now)
                session.fail_channel(name, Fault(Code.NOT_PERMITTED, _NOT_PERMITTED), now.monotonic)
                continue
            session.modes[name] = modes & allowed
            if not allowed & Flag.PRESENCE:
                self.presence.leave_channel(session, name, now)

    def publish(self, session: Session, publish: Publish, now: Now) -> tuple[str, int]:
        """Say something on a channel; the serial of the messages, and how many they are. Raises `Fault`."""
        if not session.identity.capability.modes(publish.channel) & Flag.PUBLISH:
            raise Fault(Code.NOT_PERMITTED, _NOT_PERMITTED)
        messages = []
        for message in publish.messages:
            client_id = session.identity.assume(message.get("clientId"))
            messages.append(message if client_id is None else {**message, "clientId": client_id})
        session.frames += 1
        number = self.topics.newest + 1
        serial = self._serial(number)
        frame: Frame = {
            "action": Action.MESSAGE,
            "id": f"{session.id}:{session.frames}",
            "channel": publish.channel,
            "channelSerial": serial,
            "connectionId": session.id,
            "timestamp": now.ms,
            "messages": messages,
        }
        topic = self.topics.make(publish.channel)
        outgoing = Outgoing(frame)
        for listener in topic.listeners(Flag.SUBSCRIBE):
            self._deliver(listener, session.id, outgoing, now)
        size = outgoing.pack() + _OVERHEAD
        self.topics.say(topic, Said(number, now.monotonic, topic.name, session.id, size, outgoing))
        return serial, len(messages)

    def _deliver(self, session: Session, from_connection: str, outgoing: Outgoing, now: Now) -> None:
        if session.echo or from_connection != session.id:
            session.send_shared(outgoing, now.monotonic)

    def _part(self, session: Session, name: str) -> None:
        session.modes.pop(name, None)
        topic = self.topics.get(name)
        if topic is not None:
            topic.attached.pop(session.id, None)
            self.topics.drop_if_empty(topic)

    def _serial(self, number: int) -> str:
        return f"{self._epoch}@{number}"

    def _missed(self, topic: Topic, serial: str | None) -> list[Said] | None:
        """What was said since `serial`; None if that is not known, or more than a client is sent at once."""
        epoch, _, digits = (serial or "").partition("@")
        if epoch != self._epoch or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
            return None
        number = int(digits)
        if not topic.lost <= number <= self.topics.newest:
            return None
        missed = topic.since(number)
        if sum(said.size for said in missed) > self._limits.outgoing_bytes // 4:
            return None
        return missed

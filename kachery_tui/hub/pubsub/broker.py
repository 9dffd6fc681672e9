"""The pub-sub service itself: frames and time in, frames out. No clock, no sockets, no randomness of its own.

The front calls `open`, `receive`, `lost` and `tick`, then sends what waits in the links that `changed` names.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from kachery_tui.hub.pubsub.auth import Identity, Key, by_key, by_token
from kachery_tui.hub.pubsub.frames import (
    MODES,
    Acknowledged,
    Action,
    Attach,
    Auth,
    Close,
    Code,
    Detach,
    Encoded,
    Fault,
    Faulty,
    Flag,
    Format,
    Frame,
    Heartbeat,
    Incoming,
    PresenceAction,
    PresenceChange,
    PresenceItem,
    Publish,
)
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.hub.pubsub.reading import decode
from kachery_tui.hub.pubsub.session import Digest, Link, Outcome, Session, digest_of
from kachery_tui.hub.pubsub.topic import History, Outgoing, Said, Topic

_ALLOWED: Final = "operation not permitted with provided capability"


@dataclass(frozen=True, slots=True)
class Now:
    """The time of a call: a monotonic clock for durations, and Unix seconds for tokens and timestamps."""

    monotonic: float
    unix: float

    @property
    def ms(self) -> int:
        """Unix milliseconds, as frames have it."""
        return int(self.unix * 1000)


@dataclass(slots=True)
class Counts:
    """What a broker has done so far."""

    published: int = 0
    delivered: int = 0
    refused: int = 0
    resumed: int = 0
    faults: int = 0


@dataclass(slots=True)
class Broker:
    """Connections, channels and what passes between them. `new_id` gives unguessable texts of letters and digits."""

    key: Key
    new_id: Callable[[], str]
    limits: Limits = field(default_factory=Limits)
    counts: Counts = field(default_factory=Counts)
    sessions: dict[str, Session] = field(default_factory=dict)
    topics: dict[str, Topic] = field(default_factory=dict)
    _history: History = field(init=False)
    _epoch: str = field(init=False)
    _changed: set[Link] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._history = History(self.limits)
        self._epoch = self.new_id()

    # ── the front's side ────────────────────────────────────────────────────────────────────────────────────

    def open(self, query: Mapping[str, str], now: Now) -> Link:
        """A WebSocket was opened with these query parameters. The link may be closing already: it was refused."""
        form = Format.MSGPACK if query.get("format") == Format.MSGPACK else Format.JSON
        link = Link(form, self.limits, now.monotonic)
        self._changed.add(link)
        try:
            identity = self._identify(query, now)
            session, fault = self._resume(query.get("resume"), identity)
            if session is None:
                session = self._new_session(query, identity)
        except Fault as refusal:
            self.counts.refused += 1
            # A refusal for want of room passes; any other is final.
            passing = refusal.code == Code.TOO_MANY_CONNECTIONS
            action = Action.DISCONNECTED if passing else Action.ERROR
            link.send({"action": action, "error": refusal.to_wire()}, now.monotonic)
            link.close(refusal.message)
            return link
        self._bind(session, link, identity, now)
        self._send(session, self._connected(session, fault), now)
        return link

    def receive(self, link: Link, raw: Encoded, now: Now) -> None:
        """A WebSocket message came in."""
        session = link.session
        if session is None or link.closing is not None:
            return
        try:
            self._handle(session, decode(raw, self.limits), raw, now)
        except Fault as fault:
            self.counts.faults += 1
            self._end(session, fault, now)

    def lost(self, link: Link, now: Now) -> None:
        """A WebSocket is gone. Its connection waits for the client to come back."""
        session = link.session
        self._changed.discard(link)
        if session is None or session.link is not link:
            return
        self._unbind(session, now)

    def tick(self, now: Now) -> None:
        """Do what is due: heartbeats, tokens that expire, connections and messages that are too old."""
        limits = self.limits
        for session in list(self.sessions.values()):
            if session.link is not None:
                self._tick_linked(session, session.link, now)
            elif session.lost_at is not None:
                gone = now.monotonic - session.lost_at
                if session.members and gone >= limits.presence_grace:
                    self._leave_all(session, now)
                if gone >= limits.connection_state_ttl:
                    self._forget(session, now)
        self._history.trim(self.topics, now.monotonic)

    def changed(self) -> Iterable[Link]:
        """The links in which something waits, or that are to be closed, since this was last asked."""
        links, self._changed = self._changed, set()
        return links

    # ── connections ─────────────────────────────────────────────────────────────────────────────────────────

    def _identify(self, query: Mapping[str, str], now: Now) -> Identity:
        client_id = query.get("clientId")
        if client_id is not None and not 0 < len(client_id) <= self.limits.name_length:
            raise Fault(Code.INVALID_CLIENT_ID, "a client id that is empty or too long")
        token = query.get("accessToken") or query.get("access_token")
        if token:
            identity = self._by_token(token, now)
            if client_id is not None and identity.client_id not in (client_id, "*"):
                raise Fault(Code.INCOMPATIBLE_CREDENTIALS, "a client id that is not the token's")
            if client_id is not None and client_id != identity.client_id:
                identity = Identity(client_id, identity.capability, identity.issued, identity.expires)
            return identity
        if "key" in query:
            return by_key(query["key"], client_id, self.key)
        raise Fault(Code.INVALID_CREDENTIALS, "no credentials")

    def _by_token(self, token: str, now: Now) -> Identity:
        if len(token) > self.limits.token_bytes:
            raise Fault(Code.INVALID_TOKEN, "a token that is too long")
        return by_token(token, self.key, now.unix)

    def _resume(self, key: str | None, identity: Identity) -> tuple[Session | None, Fault | None]:
        if not key:
            return None, None
        session = self.sessions.get(key.partition("!")[0])
        if session is None or session.key != key:
            return None, Fault(Code.INVALID_CONNECTION, "a connection that is not known here any more")
        if session.identity.client_id != identity.client_id:
            raise Fault(Code.INCOMPATIBLE_CREDENTIALS, "a connection of another client")
        self.counts.resumed += 1
        return session, None

    def _new_session(self, query: Mapping[str, str], identity: Identity) -> Session:
        if len(self.sessions) >= self.limits.connections:
            raise Fault(Code.TOO_MANY_CONNECTIONS, "too many connections")
        connection_id = self.new_id()
        session = Session(
            connection_id,
            f"{connection_id}!{self.new_id()}",
            identity,
            echo=query.get("echo") != "false",
            heartbeats=query.get("heartbeats") != "false",
        )
        self.sessions[connection_id] = session
        return session

    def _bind(self, session: Session, link: Link, identity: Identity, now: Now) -> None:
        if session.link is not None:
            old = session.link
            self._unbind(session, now)
            old.close("resumed elsewhere")
            self._changed.add(old)
        session.link, session.lost_at = link, None
        session.resent = bool(session.outcomes)
        link.session = session
        self._accept(session, identity, now)

    def _unbind(self, session: Session, now: Now) -> None:
        """Part a connection from its link. The client attaches anew, from the serial that it got last."""
        if session.link is not None:
            session.link.session = None
        session.link, session.lost_at = None, now.monotonic
        for channel in list(session.modes):
            self._detach(session, channel)

    def _accept(self, session: Session, identity: Identity, now: Now) -> None:
        session.identity = identity
        session.token_expires = session.renewal_due = None
        if identity.expires is None:
            return
        left = identity.expires - now.unix
        life = identity.expires - (identity.issued or now.unix)
        session.token_expires = now.monotonic + left
        session.renewal_due = session.token_expires - min(self.limits.renewal_notice, life / 2)

    def _connected(self, session: Session, fault: Fault | None) -> Frame:
        limits = self.limits
        details: Frame = {
            "connectionKey": session.key,
            "maxMessageSize": limits.message_bytes,
            "maxFrameSize": limits.frame_bytes,
            "connectionStateTtl": int(limits.connection_state_ttl * 1000),
            "maxIdleInterval": int(limits.max_idle_interval * 1000),
            "serverId": "hub",
        }
        if session.identity.client_id is not None and session.identity.client_id != "*":
            details["clientId"] = session.identity.client_id
        frame: Frame = {
            "action": Action.CONNECTED,
            "connectionId": session.id,
            "connectionDetails": details,
        }
        if fault is not None:
            frame["error"] = fault.to_wire()
        return frame

    def _tick_linked(self, session: Session, link: Link, now: Now) -> None:
        if session.token_expires is not None and now.monotonic >= session.token_expires:
            fault = Fault(Code.TOKEN_EXPIRED, "token expired")
            self._send(session, {"action": Action.DISCONNECTED, "error": fault.to_wire()}, now)
            self._unbind(session, now)
            link.close(fault.message)
            return
        if session.renewal_due is not None and now.monotonic >= session.renewal_due:
            session.renewal_due = None
            self._send(session, {"action": Action.AUTH}, now)
        # Two thirds of the interval leaves the network some time.
        if session.heartbeats and now.monotonic - link.spoke >= self.limits.max_idle_interval * 2 / 3:
            self._send(session, {"action": Action.HEARTBEAT}, now)

    def _end(self, session: Session, fault: Fault, now: Now) -> None:
        """Tell a client that its connection failed for good."""
        link = session.link
        self._send(session, {"action": Action.ERROR, "error": fault.to_wire()}, now)
        self._forget(session, now)
        if link is not None:
            link.close(fault.message)

    def _forget(self, session: Session, now: Now) -> None:
        self._unbind(session, now)
        self._leave_all(session, now)
        self.sessions.pop(session.id, None)

    # ── what clients send ───────────────────────────────────────────────────────────────────────────────────

    def _handle(self, session: Session, incoming: Incoming | None, raw: Encoded, now: Now) -> None:
        match incoming:
            case Publish() | PresenceChange() | Faulty():
                self._acknowledge(session, incoming, digest_of(raw), now)
            case Attach():
                self._attach(session, incoming, now)
            case Detach(channel):
                self._detach(session, channel)
                self._leave_channel(session, channel, now)
                self._send(session, {"action": Action.DETACHED, "channel": channel}, now)
            case Heartbeat(id_):
                if id_ is not None:
                    self._send(session, {"action": Action.HEARTBEAT, "id": id_}, now)
            case Auth(token):
                self._renew(session, token, now)
            case Close():
                link = session.link
                self._send(session, {"action": Action.CLOSED}, now)
                self._forget(session, now)
                if link is not None:
                    link.close("closed by the client")
            case None:
                pass

    def _acknowledge(
        self,
        session: Session,
        incoming: Acknowledged,
        digest: Digest,
        now: Now,
    ) -> None:
        outcome = session.answered(incoming.serial, digest)
        if outcome is None:
            try:
                outcome = Outcome(digest, self._perform(session, incoming, now))
            except Fault as fault:
                self.counts.refused += 1
                outcome = Outcome(digest, fault=fault)
            session.remember(incoming.serial, outcome)
        frame: Frame = {"msgSerial": incoming.serial, "count": 1}
        if outcome.fault is not None:
            self._send(session, {"action": Action.NACK, **frame, "error": outcome.fault.to_wire()}, now)
        else:
            self._send(
                session, {"action": Action.ACK, **frame, "res": [{"serials": list(outcome.serials)}]}, now
            )

    def _perform(self, session: Session, incoming: Acknowledged, now: Now) -> tuple[str, ...]:
        match incoming:
            case Publish():
                return self._publish(session, incoming, now)
            case PresenceChange():
                self._change_presence(session, incoming, now)
                return ()
            case Faulty():
                raise incoming.fault

    def _renew(self, session: Session, token: str, now: Now) -> None:
        identity = self._by_token(token, now)
        held = session.identity.client_id
        if identity.client_id == "*" and held is not None:
            identity = Identity(held, identity.capability, identity.issued, identity.expires)
        if identity.client_id != held and held != "*":
            raise Fault(Code.INCOMPATIBLE_CREDENTIALS, "a token of another client")
        self._accept(session, identity, now)
        self._send(session, self._connected(session, None), now)
        for channel, modes in list(session.modes.items()):
            allowed = identity.capability.modes(channel)
            if not allowed & modes:
                self._detach(session, channel)
                self._leave_channel(session, channel, now)
                self._refuse_channel(session, channel, Fault(Code.NOT_PERMITTED, _ALLOWED), now)
                continue
            session.modes[channel] = modes & allowed
            if not allowed & Flag.PRESENCE:
                self._leave_channel(session, channel, now)

    # ── channels ────────────────────────────────────────────────────────────────────────────────────────────

    def _attach(self, session: Session, wish: Attach, now: Now) -> None:
        allowed = session.identity.capability.modes(wish.channel)
        modes = allowed & (wish.modes or MODES)
        try:
            if not modes:
                raise Fault(Code.NOT_PERMITTED, _ALLOWED)
            if (
                wish.channel not in session.modes
                and len(session.modes) >= self.limits.channels_per_connection
            ):
                raise Fault(Code.TOO_MANY_CHANNELS, "too many channels for one connection")
        except Fault as fault:
            self.counts.refused += 1
            self._detach(session, wish.channel)
            self._refuse_channel(session, wish.channel, fault, now)
            return
        # One that is attached has been sent everything already.
        continuous = wish.channel in session.modes
        topic = self._topic(wish.channel)
        number = self._history.newest if continuous else self._number(topic, wish.serial)
        session.modes[wish.channel] = modes
        topic.attached[session.id] = session
        members = bool(topic.members) and bool(modes & Flag.PRESENCE_SUBSCRIBE)
        flags = modes | (Flag.RESUMED if number is not None else Flag.NONE)
        frame = {
            "action": Action.ATTACHED,
            "channel": wish.channel,
            # Of a channel that is caught up on, the position is still the old one: the link may break in between.
            "channelSerial": self._serial(self._history.newest if number is None else number),
            "flags": int(flags | (Flag.HAS_PRESENCE if members else Flag.NONE)),
        }
        self._send(session, frame, now)
        if number is not None and modes & Flag.SUBSCRIBE and not continuous:
            for said in topic.since(number):
                self._deliver(session, said, now)
        if members:
            self._sync(session, topic, now)

    def _refuse_channel(self, session: Session, channel: str, fault: Fault, now: Now) -> None:
        self._send(session, {"action": Action.ERROR, "channel": channel, "error": fault.to_wire()}, now)

    def _detach(self, session: Session, channel: str) -> None:
        session.modes.pop(channel, None)
        topic = self.topics.get(channel)
        if topic is not None:
            topic.attached.pop(session.id, None)
            self._drop_if_empty(topic)

    def _topic(self, name: str) -> Topic:
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name, self._history.lost)
        return topic

    def _drop_if_empty(self, topic: Topic) -> None:
        if topic.is_empty:
            self.topics.pop(topic.name, None)

    def _serial(self, number: int) -> str:
        return f"{self._epoch}@{number}"

    def _number(self, topic: Topic, serial: str | None) -> int | None:
        """The position that a serial means, if everything since is still there."""
        epoch, _, digits = (serial or "").partition("@")
        if epoch != self._epoch or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
            return None
        number = int(digits)
        return number if topic.lost <= number <= self._history.newest else None

    def _publish(self, session: Session, publish: Publish, now: Now) -> tuple[str, ...]:
        if not session.identity.capability.modes(publish.channel) & Flag.PUBLISH:
            raise Fault(Code.NOT_PERMITTED, _ALLOWED)
        messages = []
        for message in publish.messages:
            client_id = session.identity.assume(message.get("clientId"))
            messages.append({**message, "clientId": client_id} if client_id is not None else message)
        session.frames += 1
        number = self._history.newest + 1
        frame: Frame = {
            "action": Action.MESSAGE,
            "id": f"{session.id}:{session.frames}",
            "channel": publish.channel,
            "channelSerial": self._serial(number),
            "connectionId": session.id,
            "timestamp": now.ms,
            "messages": messages,
        }
        topic = self._topic(publish.channel)
        said = Said(number, now.monotonic, topic.name, session.id, publish.size + 256, Outgoing(frame))
        self._history.add(self.topics, topic, said)
        self.counts.published += len(messages)
        for listener in topic.attached.values():
            if session.identity is not None and listener.modes[topic.name] & Flag.SUBSCRIBE:
                self._deliver(listener, said, now)
        return tuple(f"{self._serial(number)}:{index}" for index in range(len(messages)))

    def _deliver(self, session: Session, said: Said, now: Now) -> None:
        if session.link is None or (not session.echo and said.connection_id == session.id):
            return
        self.counts.delivered += 1
        session.link.send_encoded(said.outgoing.encoded(session.link.form), now.monotonic)
        self._changed.add(session.link)

    def _send(self, session: Session, frame: Frame, now: Now) -> None:
        if session.link is not None:
            session.link.send(frame, now.monotonic)
            self._changed.add(session.link)

    # ── presence ────────────────────────────────────────────────────────────────────────────────────────────

    def _change_presence(self, session: Session, change: PresenceChange, now: Now) -> None:
        modes = session.modes.get(change.channel)
        if modes is None:
            raise Fault(Code.PRESENCE_NOT_ATTACHED, "presence on a channel that is not attached")
        if not modes & Flag.PRESENCE:
            raise Fault(Code.NOT_PERMITTED, _ALLOWED)
        topic = self._topic(change.channel)
        changes: list[tuple[str, PresenceItem]] = []
        for item in change.items:
            client_id = session.identity.assume(item.client_id)
            if client_id is None:
                raise Fault(Code.NO_CLIENT_ID, "presence needs a client id")
            changes.append((client_id, item))
        self._check_room(session, topic, {client_id for client_id, _ in changes})
        session.frames += 1
        sent = []
        for index, (client_id, item) in enumerate(changes):
            member = {
                "action": int(item.action),
                "id": f"{session.id}:{session.frames}:{index}",
                "clientId": client_id,
                "connectionId": session.id,
                "timestamp": now.ms,
                **item.payload,
            }
            if self._apply(session, topic, member, item):
                sent.append(member)
        self._tell(topic, session, sent, now)

    def _check_room(self, session: Session, topic: Topic, client_ids: set[str]) -> None:
        new = sum((session.id, client_id) not in topic.members for client_id in client_ids)
        limits = self.limits
        if (
            len(topic.members) + new > limits.members_per_channel
            or len(session.members) + new > limits.members_per_connection
        ):
            raise Fault(Code.TOO_MANY_MEMBERS, "too many presence members")

    def _apply(self, session: Session, topic: Topic, member: Frame, item: PresenceItem) -> bool:
        """Keep a change of presence; whether others have to hear of it."""
        key = (session.id, member["clientId"])
        held = topic.members.get(key)
        if item.action is PresenceAction.LEAVE:
            session.members.discard((topic.name, key[1]))
            return topic.members.pop(key, None) is not None
        if held is not None and item.repeats == held["id"] and held.get("data") == member.get("data"):
            return False
        topic.members[key] = {**member, "action": int(PresenceAction.PRESENT)}
        session.members.add((topic.name, key[1]))
        return True

    def _tell(self, topic: Topic, session: Session, members: list[Frame], now: Now) -> None:
        if not members:
            return
        outgoing = Outgoing(
            {
                "action": Action.PRESENCE,
                "id": f"{session.id}:{session.frames}",
                "channel": topic.name,
                "connectionId": session.id,
                "timestamp": now.ms,
                "presence": members,
            }
        )
        for listener in topic.attached.values():
            # A client hears of its own members in any case: it keeps them to enter them anew.
            if listener.link is not None and (
                listener is session or listener.modes[topic.name] & Flag.PRESENCE_SUBSCRIBE
            ):
                listener.link.send_encoded(outgoing.encoded(listener.link.form), now.monotonic)
                self._changed.add(listener.link)

    def _sync(self, session: Session, topic: Topic, now: Now) -> None:
        members = list(topic.members.values())
        sequence = self.new_id()
        size = self.limits.sync_page
        for start in range(0, len(members), size):
            cursor = str(start + size) if start + size < len(members) else ""
            frame = {
                "action": Action.SYNC,
                "channel": topic.name,
                "channelSerial": f"{sequence}:{cursor}",
                "presence": members[start : start + size],
            }
            self._send(session, frame, now)

    def _leave_channel(self, session: Session, channel: str, now: Now) -> None:
        self._leave(session, {item for item in session.members if item[0] == channel}, now)

    def _leave_all(self, session: Session, now: Now) -> None:
        self._leave(session, set(session.members), now)

    def _leave(self, session: Session, members: set[tuple[str, str]], now: Now) -> None:
        """Take members out that did not say so themselves."""
        for channel, client_id in sorted(members):
            session.members.discard((channel, client_id))
            topic = self.topics.get(channel)
            member = topic.members.pop((session.id, client_id), None) if topic is not None else None
            if topic is None or member is None:
                continue
            leave = {
                **member,
                "action": int(PresenceAction.LEAVE),
                # An id that is not the connection's makes clients compare it by its time.
                "id": f"hub-{self.new_id()}:0:0",
                "timestamp": now.ms,
            }
            self._tell(topic, session, [leave], now)
            self._drop_if_empty(topic)

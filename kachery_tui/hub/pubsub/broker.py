"""The pub-sub service itself: frames and time in, frames out. No clock, no sockets, no randomness of its own.

The front calls `open`, `receive`, `lost` and `tick`, and then sends what waits in the links that `changed` names.

Theory of operation. A *session* is a client's connection as the client sees it: it outlives the socket for a while,
so that a client that comes back with its resume key goes on where it was. A *link* is the socket that the session has
at the moment, as a queue of encoded frames; a session without one collects nothing, and gets what it missed from the
topics.

A *topic* is a channel of the service: who is attached, who is present, and the last messages, bounded by bytes. A
message is encoded once, whoever hears it. Each has a serial, which clients keep: on a resume they name the last one
that they have, and what came after it is sent again, or the client is told that continuity is lost.

Every frame is read against `Limits`, and every fault is answered in the service's own terms (`Code`), to the frame or
to the channel it is about; a client that does not read is cut off when its link holds too much.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from kachery_tui.hub.pubsub.auth import Capability, Identity, Keys, by_key, by_token
from kachery_tui.hub.pubsub.channels import Channels
from kachery_tui.hub.pubsub.frames import (
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
    Format,
    Frame,
    Heartbeat,
    Incoming,
    PresenceChange,
    Publish,
    encode,
)
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.hub.pubsub.reading import decode
from kachery_tui.hub.pubsub.session import Digest, Link, Outcome, Session, digest_of
from kachery_tui.hub.pubsub.topic import Now


class Broker:
    """Connections, channels and what passes between them. `new_id` gives unguessable texts of letters and digits."""

    def __init__(self, keys: Keys, new_id: Callable[[], str], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.channels = Channels(self.limits, new_id)
        self.sessions: dict[str, Session] = {}
        self._keys = keys
        self._generations: dict[tuple[str, str], int] = {}
        self._new_id = new_id
        self._changed: set[Link] = set()

    # The front's side

    def open(self, query: Mapping[str, str], now: Now) -> Link:
        """A WebSocket was opened with these query parameters. The link may be closing already: it was refused."""
        form = Format.MSGPACK if query.get("format") == Format.MSGPACK else Format.JSON
        link = Link(form, self.limits, now.monotonic, self._changed)
        try:
            identity = self._identify(query, now)
            session, fault = self._resumed(query.get("resume"), identity)
            if session is None:
                session = self._new_session(query, identity, now)
        except Fault as refusal:
            # Want of room passes; any other reason is final.
            passes = refusal.code == Code.TOO_MANY_CONNECTIONS
            action = Action.DISCONNECTED if passes else Action.ERROR
            link.send(encode({"action": action, "error": refusal.to_wire()}, form), now.monotonic)
            link.close(refusal.message)
            return link
        self._bind(session, link, now)
        self._accept(session, identity, now)
        session.send(self._connected(session, fault), now.monotonic)
        return link

    def receive(self, link: Link, raw: Encoded, now: Now) -> None:
        """A WebSocket message came in."""
        session = link.session
        if session is None:
            return
        try:
            incoming = decode(raw, self.limits)
            if incoming is None:
                return
            if isinstance(incoming, Publish | PresenceChange | Faulty):
                self._acknowledge(session, incoming, raw, now)
            else:
                self._handle(session, incoming, now)
        except Fault as fault:
            session.send({"action": Action.ERROR, "error": fault.to_wire()}, now.monotonic)
            self._end(session, fault.message, now)

    def lost(self, link: Link, now: Now) -> None:
        """A WebSocket is gone. Its connection waits for the client to come back."""
        if link.session is not None:
            self._unbind(link.session, now)

    def tick(self, now: Now) -> None:
        """Do what is due: heartbeats, tokens that expire, connections and messages that are too old."""
        for session in list(self.sessions.values()):
            if session.link is not None:
                self._tick_linked(session, session.link, now)
            elif session.lost_at is not None:
                gone = now.monotonic - session.lost_at
                if gone >= self.limits.presence_grace:
                    self.channels.presence.leave_all(session, now)
                if gone >= self.limits.connection_state_ttl:
                    self._end(session, "not resumed", now)
        self.channels.topics.trim(now.monotonic)

    def changed(self) -> Iterable[Link]:
        """The links in which something waits, or that are to be closed, since this was last asked."""
        links = list(self._changed)
        self._changed.clear()
        return links

    def set_generation(self, key: str, client_id: str, generation: int) -> None:
        """Take no token of a key for a client any more that was made before this generation of its roles."""
        self._generations[key, client_id] = generation

    def restrict(self, key: str, client_id: str, capability: Capability | None, now: Now) -> None:
        """Let the open connections of a client have no more than that, and have it get a new token; None ends them."""
        for session in list(self.sessions.values()):
            identity = session.identity
            if identity.key != key or identity.client_id != client_id:
                continue
            if capability is None:
                fault = Fault(Code.TOKEN_REVOKED, "token revoked")
                session.send({"action": Action.ERROR, "error": fault.to_wire()}, now.monotonic)
                self._end(session, fault.message, now)
                continue
            session.identity = replace(identity, capability=replace(capability, within=identity.capability))
            self.channels.narrow(session, now)
            session.send({"action": Action.AUTH}, now.monotonic)

    # Connections

    def _identify(self, query: Mapping[str, str], now: Now) -> Identity:
        client_id = query.get("clientId")
        if client_id is not None and not 0 < len(client_id) <= self.limits.name_length:
            raise Fault(Code.INVALID_CLIENT_ID, "a client id that is empty or too long")
        token = query.get("accessToken") or query.get("access_token")
        if token:
            identity = self._by_token(token, now)
            if client_id is None or client_id == identity.client_id:
                return identity
            if identity.client_id != "*":
                raise Fault(Code.INCOMPATIBLE_CREDENTIALS, "a client id that is not the token's")
            return replace(identity, client_id=client_id)
        if "key" in query:
            return by_key(query["key"], client_id, self._keys)
        raise Fault(Code.INVALID_CREDENTIALS, "no credentials")

    def _by_token(self, token: str, now: Now) -> Identity:
        if len(token) > self.limits.token_bytes:
            raise Fault(Code.INVALID_TOKEN, "a token that is too long")
        identity = by_token(token, self._keys, now.unix)
        needed = self._generations.get((identity.key, identity.client_id or ""), 0)
        if identity.generation is not None and identity.generation < needed:
            raise Fault(Code.TOKEN_REVOKED, "token revoked: the roles have changed")
        return identity

    def _resumed(self, key: str | None, identity: Identity) -> tuple[Session | None, Fault | None]:
        if not key:
            return None, None
        session = self.sessions.get(key.partition("!")[0])
        if session is None or not hmac.compare_digest(session.key.encode(), key.encode("utf-8", "replace")):
            return None, Fault(
                Code.CONNECTION_EXPIRED, "unable to recover connection: it is not known any more"
            )
        before = session.identity
        if (before.client_id, before.key) != (identity.client_id, identity.key):
            raise Fault(Code.INCOMPATIBLE_CREDENTIALS, "a connection of another client")
        return session, None

    def _new_session(self, query: Mapping[str, str], identity: Identity, now: Now) -> Session:
        if len(self.sessions) >= self.limits.connections:
            self._make_room(now)
        connection_id = self._new_id()
        session = Session(
            connection_id,
            f"{connection_id}!{self._new_id()}",
            identity,
            echo=query.get("echo") != "false",
            heartbeats=query.get("heartbeats") != "false",
        )
        self.sessions[connection_id] = session
        return session

    def _make_room(self, now: Now) -> None:
        """Give up the connection that has been without a transport for longest."""
        waiting = [session for session in self.sessions.values() if session.lost_at is not None]
        if not waiting:
            raise Fault(Code.TOO_MANY_CONNECTIONS, "too many connections")
        self._end(min(waiting, key=lambda session: session.lost_at or 0.0), "no room", now)

    def _bind(self, session: Session, link: Link, now: Now) -> None:
        old = session.link
        if old is not None:
            self._unbind(session, now)
            old.cut("resumed elsewhere")
        session.link, session.lost_at = link, None
        session.may_repeat = bool(session.outcomes)
        link.session = session

    def _unbind(self, session: Session, now: Now) -> None:
        if session.link is not None:
            session.link.session = None
            session.link, session.lost_at = None, now.monotonic
        self.channels.part(session)

    def _end(self, session: Session, reason: str, now: Now) -> None:
        """Forget a connection; its members leave."""
        link = session.link
        self._unbind(session, now)
        self.channels.presence.leave_all(session, now)
        self.sessions.pop(session.id, None)
        if link is not None:
            link.close(reason)

    def _accept(self, session: Session, identity: Identity, now: Now) -> None:
        session.identity = identity
        session.token_expires = session.renewal_due = None
        if identity.expires is not None:
            left = identity.expires - now.unix
            session.token_expires = now.monotonic + left
            session.renewal_due = session.token_expires - min(self.limits.renewal_notice, left / 2)

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
        if session.identity.client_id not in (None, "*"):
            details["clientId"] = session.identity.client_id
        frame: Frame = {"action": Action.CONNECTED, "connectionId": session.id, "connectionDetails": details}
        if fault is not None:
            frame["error"] = fault.to_wire()
        return frame

    def _tick_linked(self, session: Session, link: Link, now: Now) -> None:
        if session.token_expires is not None and now.monotonic >= session.token_expires:
            fault = Fault(Code.TOKEN_EXPIRED, "token expired")
            session.send({"action": Action.DISCONNECTED, "error": fault.to_wire()}, now.monotonic)
            self._unbind(session, now)
            link.close(fault.message)
            return
        if session.renewal_due is not None and now.monotonic >= session.renewal_due:
            session.renewal_due = None
            session.send({"action": Action.AUTH}, now.monotonic)
        # Two thirds of the interval leave the network some time.
        if session.heartbeats and now.monotonic - link.spoke >= self.limits.max_idle_interval * 2 / 3:
            session.send({"action": Action.HEARTBEAT}, now.monotonic)

    # What clients send

    def _handle(self, session: Session, incoming: Incoming, now: Now) -> None:
        match incoming:
            case Attach():
                self.channels.attach(session, incoming, now)
            case Detach(channel):
                self.channels.detach(session, channel, now)
                session.send({"action": Action.DETACHED, "channel": channel}, now.monotonic)
            case Heartbeat(id_):
                if id_ is not None:
                    session.send({"action": Action.HEARTBEAT, "id": id_}, now.monotonic)
            case Auth(token):
                self._renew(session, token, now)
            case Close():
                session.send({"action": Action.CLOSED}, now.monotonic)
                self._end(session, "closed by the client", now)

    def _acknowledge(self, session: Session, incoming: Acknowledged, raw: Encoded, now: Now) -> None:
        digest = digest_of(raw)
        outcome = session.outcome(incoming.serial, digest)
        if outcome is None:
            outcome = self._outcome(session, incoming, digest, now)
            session.remember(incoming.serial, outcome)
        answer: Frame = {"action": Action.ACK, "msgSerial": incoming.serial, "count": 1}
        if outcome.error is not None:
            answer |= {"action": Action.NACK, "error": outcome.error}
        else:
            answer["res"] = [{"serials": outcome.serials}]
        session.send(answer, now.monotonic)

    def _outcome(self, session: Session, incoming: Acknowledged, digest: Digest, now: Now) -> Outcome:
        """Do what a frame says."""
        try:
            match incoming:
                case Publish():
                    return Outcome(digest, *self.channels.publish(session, incoming, now))
                case PresenceChange():
                    self.channels.presence.change(session, incoming, now)
                    return Outcome(digest)
                case Faulty(_, fault):
                    return Outcome(digest, error=fault.to_wire())
        except Fault as fault:
            return Outcome(digest, error=fault.to_wire())

    def _renew(self, session: Session, token: str, now: Now) -> None:
        identity = self._by_token(token, now)
        held = session.identity.client_id
        if identity.client_id == "*" and held is not None:
            identity = replace(identity, client_id=held)
        if (identity.client_id, identity.key) != (held, session.identity.key):
            raise Fault(Code.INCOMPATIBLE_CREDENTIALS, "a token of another client")
        self._accept(session, identity, now)
        session.send(self._connected(session, None), now.monotonic)
        self.channels.narrow(session, now)

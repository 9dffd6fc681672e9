"""The hub's pub-sub without its sockets: who is connected, and which channels there are.

Sans-I/O: texts, bytes and times come in, what goes out waits in each connection's `Outbox`. Identifiers come from
the `new_id` given, the time with each call, in Unix seconds.
"""

import hmac
from collections.abc import Callable, Mapping

from kachery_tui.hub.auth import Grant, Keyring
from kachery_tui.hub.channels import Channel
from kachery_tui.hub.faults import (
    CONNECTION_EXPIRED,
    CONNECTION_LIMIT,
    INVALID_CONNECTION_KEY,
    RESUMED_BY_ANOTHER,
    ErrorInfo,
    Malformed,
    Refused,
)
from kachery_tui.hub.frames import Action, Frame, decode
from kachery_tui.hub.history import Log
from kachery_tui.hub.limits import Limits
from kachery_tui.hub.outbox import Ending, Outbox
from kachery_tui.hub.session import Session


class Broker:
    """Connections and channels of one hub. Used by one thread.

    `new_id` makes unguessable texts of letters, digits, `-` and `_`.
    """

    def __init__(self, keyring: Keyring, *, new_id: Callable[[], str], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._keyring = keyring
        self._new_id = new_id
        self._log = Log(new_id(), self.limits)
        self._channels: dict[str, Channel] = {}
        self._sessions: dict[str, Session] = {}

    @property
    def connections(self) -> int:
        """How many are connected, or may come back."""
        return len(self._sessions)

    def connect(self, params: Mapping[str, str], outbox: Outbox, now: float) -> Session | None:
        """A WebSocket opened with this query. None where it is refused; `outbox` then says why, and ends."""
        try:
            grant = self._keyring.grant(params, now)
        except Refused as refused:
            outbox.put(Frame.error(refused.info))
            outbox.end(Ending(1008, "refused"))
            return None
        session, error = self._resumed(params, grant)
        if session is None:
            if len(self._sessions) >= self.limits.connections:
                info = ErrorInfo(CONNECTION_LIMIT, f"the hub has its {self.limits.connections} connections")
                outbox.put(Frame(Action.DISCONNECTED, {"error": info.to_wire()}))
                outbox.end(Ending(1013, "too many connections"))
                return None
            echo = params.get("echo", "true") != "false"
            id_ = self._new_id()
            session = Session(self, id_=id_, key=f"{id_}!{self._new_id()}", grant=grant, echo=echo)
            self._sessions[id_] = session
        session.connected(outbox, grant, error, now)
        return session

    def receive(self, session: Session, outbox: Outbox, raw: str | bytes, now: float) -> None:
        """A message came over a WebSocket. What is no frame ends the connection."""
        if session.outbox is not outbox or outbox.ending is not None:
            return
        try:
            frame = decode(raw, outbox.form, max_items=self.limits.messages_per_frame)
        except Malformed as malformed:
            outbox.put(Frame.error(malformed.info))
            outbox.end(Ending(1007, "malformed frame"))
            self.forget(session, now)
            return
        session.receive(frame, now)

    def disconnect(self, session: Session, outbox: Outbox, now: float) -> None:
        """A WebSocket is gone, for whatever reason."""
        if session.outbox is outbox:
            session.dropped(now)

    def tick(self, now: float) -> None:
        """Do what is due. To be called at least once a second."""
        for session in list(self._sessions.values()):
            session.tick(now)
        self._log.trim(now)
        for channel in [channel for channel in self._channels.values() if channel.idle]:
            del self._channels[channel.name]

    def channel(self, name: str) -> Channel:
        """See `Place`."""
        found = self._channels.get(name)
        if found is None:
            found = self._channels[name] = Channel(name, self._log)
        return found

    def renew(self, token: str, now: float) -> Grant:
        """See `Place`."""
        return self._keyring.by_token(token, None, now)

    def forget(self, session: Session, now: float) -> None:
        """See `Place`."""
        if self._sessions.pop(session.id, None) is not None:
            session.ended(now)

    def _resumed(self, params: Mapping[str, str], grant: Grant) -> tuple[Session | None, ErrorInfo | None]:
        """The connection that the client wants back, or why it gets a new one."""
        key = params.get("resume") or params.get("recover")
        if not key:
            return None, None
        id_, separator, _ = key.partition("!")
        if not separator:
            return None, ErrorInfo(INVALID_CONNECTION_KEY, "not a connection's key")
        session = self._sessions.get(id_)
        if session is None or not hmac.compare_digest(session.key.encode(), key.encode("utf-8", "replace")):
            return None, ErrorInfo(CONNECTION_EXPIRED, "the connection to be resumed is not known any more")
        if (session.grant.key, session.grant.client_id) != (grant.key, grant.client_id):
            return None, ErrorInfo(RESUMED_BY_ANOTHER, "the connection to be resumed is another client's")
        return session, None

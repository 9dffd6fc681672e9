"""One client's connection: what its frames do. It outlives the WebSocket under it, for a while.

Frames and times come in, frames go to an `Outbox`; nothing here waits, knows a clock or a socket.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Protocol

from kachery_tui.hub.auth import Grant
from kachery_tui.hub.channels import Attachment, Channel, Member
from kachery_tui.hub.faults import (
    BAD_REQUEST,
    INCOMPATIBLE_CREDENTIALS,
    INVALID_CLIENT_ID,
    NOT_PERMITTED,
    PRESENCE_NOT_ATTACHED,
    TOO_LARGE,
    TOO_MANY_CHANNELS,
    TOO_MANY_MEMBERS,
    ErrorInfo,
    Refused,
)
from kachery_tui.hub.frames import (
    Action,
    Attach,
    Authorize,
    Close,
    Detach,
    Disconnect,
    Flag,
    Frame,
    Heartbeat,
    Inbound,
    Item,
    PresenceAction,
    Present,
    Publish,
    Unsupported,
)
from kachery_tui.hub.limits import Limits
from kachery_tui.hub.outbox import Ending, Outbox

REMEMBERED: Final = 1000
"""Frames whose answer is remembered: a client that resumes sends again what it got no answer to."""


class Place(Protocol):
    """What a session needs of the hub around it."""

    limits: Limits

    def channel(self, name: str) -> Channel:
        """A channel, made if it does not exist."""

    def renew(self, token: str, now: float) -> Grant:
        """What a token gives. Raises `Refused`."""

    def forget(self, session: "Session", now: float) -> None:
        """The session is over for good."""


class Session:
    """A connection, by `id` to others and by `key` to its owner alone."""

    def __init__(self, place: Place, *, id_: str, key: str, grant: Grant, echo: bool) -> None:
        self.id = id_
        self.key = key
        self.grant = grant
        self.echo = echo
        self.dropped_at: float | None = None
        self.outbox: Outbox | None = None
        self._place = place
        self._limits = place.limits
        self._attachments: dict[str, Attachment] = {}
        self._answers: OrderedDict[tuple[int, int], Frame] = OrderedDict()
        self._answers_before: dict[tuple[int, int], Frame] = {}
        self._asked_for_token = False
        self._beat_at = 0.0
        self._puts_at_beat = 0

    def connected(self, outbox: Outbox, grant: Grant, error: ErrorInfo | None, now: float) -> None:
        """A WebSocket is there: the first, or another after a drop. An older one that is still open ends."""
        if self.outbox is not None:
            self.outbox.end(Ending(1000, "another WebSocket has taken over", at_once=True))
        self.outbox = outbox
        self.dropped_at = None
        self._answers_before = dict(self._answers)
        self._beat_at = now + self._limits.idle_interval / 2
        self._puts_at_beat = 0
        for attachment in self._attachments.values():
            attachment.send = None
        self._take_grant(grant, now)
        self._say_connected(error)

    def dropped(self, now: float) -> None:
        """The WebSocket is gone; the client may come back."""
        self.outbox = None
        self.dropped_at = now
        for attachment in self._attachments.values():
            attachment.send = None

    def ended(self, now: float) -> None:
        """Nobody comes back: everything that is held is let go of."""
        for name in list(self._attachments):
            self._let_go(name, now)
        self.outbox = None

    def send(self, frame: Frame) -> None:
        """Queue a frame, as long as there is a WebSocket."""
        if self.outbox is not None:
            self.outbox.put(frame)

    def receive(self, frame: Inbound, now: float) -> None:
        """Do what a frame asks for."""
        match frame:
            case Heartbeat():
                self.send(Frame(Action.HEARTBEAT, {"id": frame.id} if frame.id is not None else {}))
            case Attach():
                self._attach(frame, now)
            case Detach():
                self._let_go(frame.channel, now)
                self.send(Frame(Action.DETACHED, {"channel": frame.channel}))
            case Publish():
                self._answer(frame, self._publish, now)
            case Present():
                self._answer(frame, self._present, now)
            case Unsupported():
                info = ErrorInfo(BAD_REQUEST, f"this hub has no {frame.what}s")
                self.send(_nack(frame.serial, info))
            case Authorize():
                self._authorize(frame, now)
            case Close():
                self.send(Frame(Action.CLOSED))
                self._end_socket("closed by the client")
                self._place.forget(self, now)
            case Disconnect():
                self._end_socket("disconnected by the client")
            case _:
                pass

    def tick(self, now: float) -> None:
        """Do what is due: heartbeat, asking for a new token, the end of an old one."""
        if self.outbox is None:
            self._tick_dropped(now)
            return
        expires, issued = self.grant.expires, self.grant.issued
        if expires is not None:
            notice = min(self._limits.token_notice, (expires - issued) / 3)
            if now >= expires:
                info = ErrorInfo(40142, "the token has expired")
                self.send(Frame(Action.DISCONNECTED, {"error": info.to_wire()}))
                self._end_socket("the token has expired")
                return
            if now >= expires - notice and not self._asked_for_token:
                self._asked_for_token = True
                self.send(Frame(Action.AUTH))
        if now >= self._beat_at:
            if self.outbox.puts == self._puts_at_beat:
                self.send(Frame(Action.HEARTBEAT))
            self._puts_at_beat = self.outbox.puts
            self._beat_at = now + self._limits.idle_interval / 2

    def _tick_dropped(self, now: float) -> None:
        if self.dropped_at is None:
            return
        if now >= self.dropped_at + self._limits.connection_ttl:
            self._place.forget(self, now)
        elif now >= self.dropped_at + self._limits.presence_grace:
            for name in self._attachments:
                self._place.channel(name).leave_all(self.id, now)

    def _end_socket(self, reason: str) -> None:
        if self.outbox is not None:
            self.outbox.end(Ending(1000, reason))

    def _say_connected(self, error: ErrorInfo | None = None) -> None:
        limits = self._limits
        details: dict[str, Any] = {
            "connectionKey": self.key,
            "maxMessageSize": limits.message_size,
            "maxFrameSize": limits.frame_size,
            "connectionStateTtl": int(limits.connection_ttl * 1000),
            "maxIdleInterval": int(limits.idle_interval * 1000),
            "serverId": "kachery-tui-hub",
        }
        if self.grant.client_id is not None:
            details["clientId"] = self.grant.client_id
        members: dict[str, Any] = {"connectionId": self.id, "connectionDetails": details}
        if error is not None:
            members["error"] = error.to_wire()
        self.send(Frame(Action.CONNECTED, members))

    def _authorize(self, frame: Authorize, now: float) -> None:
        """A new token, live: more rights come with the next ATTACH, which clients send after every CONNECTED."""
        try:
            grant = self._place.renew(frame.token, now)
            if (grant.key, grant.client_id) != (self.grant.key, self.grant.client_id):
                raise Refused(INCOMPATIBLE_CREDENTIALS, "the token is for another clientId or key")
        except Refused as refused:
            self.send(Frame.error(refused.info))
            self._end_socket("the new token is refused")
            return
        self._take_grant(grant, now)
        self._say_connected()

    def _take_grant(self, grant: Grant, now: float) -> None:
        """What the new grant does not allow ends; said before CONNECTED, so that clients do not ask for it again."""
        self.grant = grant
        self._asked_for_token = False
        for name, attachment in list(self._attachments.items()):
            attachment.modes = attachment.wanted & grant.modes(name)
            if not attachment.modes:
                told = attachment.send is not None
                self._let_go(name, now)
                if told:
                    self.send(Frame.error(_not_permitted("be attached to", name), name))
            elif not attachment.modes & Flag.PRESENCE:
                self._place.channel(name).leave_all(self.id, now)

    def _attach(self, frame: Attach, now: float) -> None:
        name = frame.channel
        modes = frame.modes & self.grant.modes(name)
        known = self._attachments.get(name)
        if not modes:
            self._let_go(name, now)
            self.send(Frame.error(_not_permitted("attach to", name), name))
            return
        if known is None and len(self._attachments) >= self._limits.channels_per_connection:
            most = self._limits.channels_per_connection
            self.send(
                Frame.error(ErrorInfo(TOO_MANY_CHANNELS, f"at most {most} channels a connection"), name)
            )
            return
        channel = self._place.channel(name)
        if known is not None and not modes & Flag.PRESENCE:
            channel.leave_all(self.id, now)
        attachment = Attachment(self.id, frame.modes, modes, self.echo, None)
        self._attachments[name] = attachment
        channel.attach(attachment, self.send, frame.serial)

    def _let_go(self, name: str, now: float) -> None:
        if self._attachments.pop(name, None) is not None:
            self._place.channel(name).detach(self.id, now)

    def _answer(self, frame: Publish | Present, act: Callable[[Any, float], Frame], now: float) -> None:
        """Act once, and answer; what was acted on before a drop is answered as it was then."""
        identity = (frame.serial, frame.digest)
        answer = self._answers_before.pop(identity, None)
        if answer is None:
            try:
                answer = act(frame, now)
            except Refused as refused:
                answer = _nack(frame.serial, refused.info)
        self._answers[identity] = answer
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        self.send(answer)

    def _modes(self, name: str) -> Flag:
        """What may be done on a channel: what the attachment gives, or without one, what the grant does."""
        attachment = self._attachments.get(name)
        return attachment.modes if attachment is not None else self.grant.modes(name)

    def _publish(self, frame: Publish, now: float) -> Frame:
        if not self._modes(frame.channel) & Flag.PUBLISH:
            raise Refused(NOT_PERMITTED, f"not permitted to publish on {frame.channel}")
        items = self._vouched(frame.items)
        size = self._check_size(items)
        base = {"id": f"{self.id}:{frame.serial}"}
        serials = self._place.channel(frame.channel).publish(items, base, self.id, size + 200, now)
        return _ack(frame.serial, {"res": [{"serials": serials}]})

    def _present(self, frame: Present, now: float) -> Frame:
        attachment = self._attachments.get(frame.channel)
        if not self.grant.modes(frame.channel) & Flag.PRESENCE:
            raise Refused(NOT_PERMITTED, f"not permitted to be present on {frame.channel}")
        if attachment is None or not attachment.modes & Flag.PRESENCE:
            raise Refused(PRESENCE_NOT_ATTACHED, f"not attached to {frame.channel} with presence")
        items = self._vouched(frame.items)
        self._check_size(items)
        channel = self._place.channel(frame.channel)
        for index, item in enumerate(items):
            if item.client_id is None or item.client_id == "*":
                raise Refused(INVALID_CLIENT_ID, "presence needs a clientId")
            self._move(channel, item, item.client_id, f"{self.id}:{frame.serial}:{index}", now)
        return _ack(frame.serial, {})

    def _move(self, channel: Channel, item: Item, client_id: str, id_: str, now: float) -> None:
        """One member enters, changes or leaves."""
        known = channel.member(self.id, client_id)
        if item.action is PresenceAction.LEAVE:
            said = {**item.fields, "id": id_, "timestamp": int(now * 1000)}
            channel.leave(self.id, client_id, said, now)
            return
        if known is not None and item.id == known.id:
            # A client says again, by its id, what is so already.
            return
        if known is None:
            mine = sum(self._place.channel(name).count_members(self.id) for name in self._attachments)
            if (
                channel.member_count >= self._limits.members_per_channel
                or mine >= self._limits.members_per_connection
            ):
                raise Refused(TOO_MANY_MEMBERS, "no more members fit")
        action = PresenceAction.ENTER if known is None else PresenceAction.UPDATE
        size = item.size
        channel.enter(Member(id_, self.id, client_id, item.fields, size, now), action)

    def _vouched(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """The items with the client id that the hub vouches for."""
        for item in items:
            if not self.grant.may_act_as(item.client_id):
                raise Refused(INVALID_CLIENT_ID, f"this connection is not {item.client_id!r}")
        own = self.grant.client_id
        if own is None:
            return items
        return tuple(replace(item, client_id=own) for item in items)

    def _check_size(self, items: tuple[Item, ...]) -> int:
        size = sum(item.size for item in items)
        most = self._limits.message_size
        if size > most:
            raise Refused(TOO_LARGE, f"{size} bytes in one message, and {most} are allowed")
        return size


def _ack(serial: int, more: dict[str, Any]) -> Frame:
    return Frame(Action.ACK, {"msgSerial": serial, "count": 1, **more})


def _nack(serial: int, info: ErrorInfo) -> Frame:
    return Frame(Action.NACK, {"msgSerial": serial, "count": 1, "error": info.to_wire()})


def _not_permitted(what: str, name: str) -> ErrorInfo:
    return ErrorInfo(NOT_PERMITTED, f"operation not permitted with provided capability: to {what} {name}")

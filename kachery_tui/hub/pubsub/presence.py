"""Who is present on a channel: what clients say of themselves, and what the hub says when they are gone."""

from collections.abc import Callable, Iterable

from kachery_tui.hub.pubsub.frames import (
    Action,
    Code,
    Fault,
    Flag,
    Frame,
    PresenceAction,
    PresenceChange,
    PresenceItem,
)
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.hub.pubsub.session import Outgoing, Session
from kachery_tui.hub.pubsub.topic import Now, Topic, Topics


class Presence:
    """The members of all channels. `new_id` gives unguessable texts of letters and digits."""

    def __init__(self, topics: Topics, limits: Limits, new_id: Callable[[], str]) -> None:
        self._topics = topics
        self._limits = limits
        self._new_id = new_id

    def change(self, session: Session, change: PresenceChange, now: Now) -> None:
        """Do what a client says of its members. Raises `Fault`, and then has done nothing."""
        modes = session.modes.get(change.channel)
        if modes is None:
            raise Fault(Code.PRESENCE_NOT_ATTACHED, "presence on a channel that is not attached")
        if not modes & Flag.PRESENCE:
            raise Fault(Code.NOT_PERMITTED, "operation not permitted with provided capability")
        named = [(self._client_id(session, item), item) for item in change.items]
        topic = self._topics.make(change.channel)
        self._check_room(session, topic, {client_id for client_id, _ in named})
        session.frames += 1
        told = []
        for index, (client_id, item) in enumerate(named):
            member = {
                "action": int(item.action),
                "id": f"{session.id}:{session.frames}:{index}",
                "clientId": client_id,
                "connectionId": session.id,
                "timestamp": now.ms,
                **item.payload,
            }
            if self._apply(session, topic, member, item):
                told.append(member)
        if told:
            self._tell(topic, session, told, now)

    def sync(self, session: Session, topic: Topic, now: Now) -> None:
        """Tell a client all members of a channel, in pages; the last has no cursor."""
        members = list(topic.members.values())
        sequence, size = self._new_id(), self._limits.sync_page
        for start in range(0, len(members), size):
            cursor = str(start + size) if start + size < len(members) else ""
            frame = {
                "action": Action.SYNC,
                "channel": topic.name,
                "channelSerial": f"{sequence}:{cursor}",
                "presence": members[start : start + size],
            }
            session.send(frame, now.monotonic)

    def leave_channel(self, session: Session, channel: str, now: Now) -> None:
        """Take out a client's members on one channel."""
        self._leave(session, [member for member in session.members if member[0] == channel], now)

    def leave_all(self, session: Session, now: Now) -> None:
        """Take out a client's members everywhere."""
        self._leave(session, list(session.members), now)

    def _client_id(self, session: Session, item: PresenceItem) -> str:
        client_id = session.identity.assume(item.client_id)
        if client_id is None:
            raise Fault(Code.NO_CLIENT_ID, "presence needs a client id")
        return client_id

    def _check_room(self, session: Session, topic: Topic, client_ids: set[str]) -> None:
        new = sum((session.id, client_id) not in topic.members for client_id in client_ids)
        limits = self._limits
        if (
            len(topic.members) + new > limits.members_per_channel
            or len(session.members) + new > limits.members_per_connection
        ):
            raise Fault(Code.TOO_MANY_MEMBERS, "too many presence members")

    def _apply(self, session: Session, topic: Topic, member: Frame, item: PresenceItem) -> bool:
        """Keep a change; whether others have to hear of it."""
        client_id = member["clientId"]
        key = (session.id, client_id)
        held = topic.members.get(key)
        if item.action is PresenceAction.LEAVE:
            session.members.discard((topic.name, client_id))
            return topic.members.pop(key, None) is not None
        # Clients enter their members anew whenever they attach; that alone is no news.
        if held is not None and item.repeats == held["id"] and held.get("data") == member.get("data"):
            return False
        topic.members[key] = {**member, "action": int(PresenceAction.PRESENT)}
        session.members.add((topic.name, client_id))
        return True

    def _tell(self, topic: Topic, session: Session, members: list[Frame], now: Now) -> None:
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
            if listener is session or listener.modes[topic.name] & Flag.PRESENCE_SUBSCRIBE:
                listener.send_shared(outgoing, now.monotonic)

    def _leave(self, session: Session, members: Iterable[tuple[str, str]], now: Now) -> None:
        for channel, client_id in sorted(members):
            session.members.discard((channel, client_id))
            topic = self._topics.get(channel)
            member = topic.members.pop((session.id, client_id), None) if topic is not None else None
            if topic is None or member is None:
                continue
            leave = {
                **member,
                "action": int(PresenceAction.LEAVE),
                # An id that is not the connection's own makes clients go by the time instead.
                "id": f"hub-{self._new_id()}:0:0",
                "timestamp": now.ms,
            }
            self._tell(topic, session, [leave], now)
            self._topics.drop_if_empty(topic)

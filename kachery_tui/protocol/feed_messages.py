"""Messages about feeds (PROTOCOL.md § Messages; § Feeds)."""

from dataclasses import dataclass, field
from typing import ClassVar, Self, TypeGuard

from kachery_tui.protocol.canonical import JsonObject, JsonValue
from kachery_tui.protocol.hashes import is_node_id, is_sha1, is_signature
from kachery_tui.protocol.members import Members, is_object
from kachery_tui.protocol.roles import Stream


@dataclass(frozen=True, slots=True)
class SubscribeToSubfeed:
    """Whoever owns the feed, tell of its messages from `position` on."""

    TYPE: ClassVar[str] = "subscribeToSubfeed"
    STREAM: ClassVar[Stream] = Stream.REQUEST_FEEDS
    feed_id: str
    subfeed_hash: str
    position: int

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {
            "type": self.TYPE,
            "feedId": self.feed_id,
            "subfeedHash": self.subfeed_hash,
            "position": self.position,
        }

    def summary(self) -> str:
        """What it says in a few words; parts that came from a peer are not cleaned for a terminal."""
        return f"{_short(self.feed_id, self.subfeed_hash)} from {self.position}"

    @classmethod
    def read(cls, value: JsonValue) -> Self:
        """Read the body from JSON. Raises `ProtocolError`."""
        members = Members(cls.TYPE, value, {"type", "feedId", "subfeedHash", "position"})
        return cls(
            members.text("feedId", is_node_id),
            members.text("subfeedHash", is_sha1),
            members.number("position"),
        )


@dataclass(frozen=True, slots=True)
class NewSubfeedMessages:
    """Messages appended to a subfeed, each signed by the feed's key. Their chain is not checked here."""

    TYPE: ClassVar[str] = "newSubfeedMessages"
    STREAM: ClassVar[Stream] = Stream.PROVIDE_FEEDS
    feed_id: str
    subfeed_hash: str
    messages: tuple[JsonObject, ...] = field(hash=False)

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {
            "type": self.TYPE,
            "feedId": self.feed_id,
            "subfeedHash": self.subfeed_hash,
            "messages": list(self.messages),
        }

    def summary(self) -> str:
        """What it says in a few words; parts that came from a peer are not cleaned for a terminal."""
        return f"{_short(self.feed_id, self.subfeed_hash)} {len(self.messages)} new"

    @classmethod
    def read(cls, value: JsonValue) -> Self:
        """Read the body from JSON. Raises `ProtocolError`."""
        members = Members(cls.TYPE, value, {"type", "feedId", "subfeedHash", "messages"})
        messages = members.list_of("messages", _is_signed_message)
        return cls(members.text("feedId", is_node_id), members.text("subfeedHash", is_sha1), messages)


@dataclass(frozen=True, slots=True)
class NumSubfeedMessagesUploaded:
    """How many of a subfeed's messages the bucket has."""

    TYPE: ClassVar[str] = "numSubfeedMessagesUploaded"
    STREAM: ClassVar[Stream] = Stream.PROVIDE_FEEDS
    feed_id: str
    subfeed_hash: str
    num_messages: int

    def to_json(self) -> JsonObject:
        """The body as a JSON object."""
        return {
            "type": self.TYPE,
            "feedId": self.feed_id,
            "subfeedHash": self.subfeed_hash,
            "numMessages": self.num_messages,
        }

    def summary(self) -> str:
        """What it says in a few words; parts that came from a peer are not cleaned for a terminal."""
        return f"{_short(self.feed_id, self.subfeed_hash)} {self.num_messages} in the bucket"

    @classmethod
    def read(cls, value: JsonValue) -> Self:
        """Read the body from JSON. Raises `ProtocolError`."""
        members = Members(cls.TYPE, value, {"type", "feedId", "subfeedHash", "numMessages"})
        return cls(
            members.text("feedId", is_node_id),
            members.text("subfeedHash", is_sha1),
            members.number("numMessages"),
        )


def _short(feed_id: str, subfeed_hash: str) -> str:
    return f"{feed_id[:8]}…/{subfeed_hash[:8]}…"


def _is_signed_message(value: object) -> TypeGuard[JsonObject]:
    return (
        is_object(value)
        and value.keys() == {"body", "signature"}
        and is_object(value["body"])
        and is_signature(value["signature"])
    )

"""A subfeed as the subject of a request: by which it is followed, or listened to."""

from typing import ClassVar

from kachery_tui.node.subject import Subject
from kachery_tui.protocol.roles import Kind
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri


class SubfeedSubject(Subject):
    """A subfeed. What is followed is remembered with the feeds, and goes on when the program is started again."""

    kind: ClassVar[Kind] = Kind.FEEDS
    noun: ClassVar[str] = "feed"
    wish: ClassVar[str] = "wants to follow"
    took: ClassVar[str] = "lasted"
    start_label: ClassVar[str] = "Follow"
    stop_label: ClassVar[str] = "Unfollow"
    stopped: ClassVar[str] = "stopped"
    ends_by_itself: ClassVar[bool] = False
    why_not_pushed: ClassVar[str] = "feeds come to the bucket by themselves, as soon as somebody listens"

    __slots__ = ("key", "messages", "uri")

    key: SubfeedKey
    uri: SubfeedUri
    messages: int

    def __init__(self, key: SubfeedKey, uri: SubfeedUri) -> None:
        self.key = key
        self.uri = uri
        self.messages = 0

    @property
    def hash(self) -> str:
        """The hash of the subfeed's name."""
        return self.key.subfeed_hash

    @property
    def known_name(self) -> str:
        """The start of the feed's id and the subfeed's name."""
        return f"{self.uri.feed_id[:8]}…/{self.uri.subfeed_name}"

    @property
    def short(self) -> str:
        """The starts of both hashes."""
        return f"{self.key.feed_id[:8]}…/{self.key.subfeed_hash[:8]}…"

    @property
    def sought(self) -> str:
        """Its name, and the whole URI."""
        return f"{self.known_name} {self.uri}"

    def start_anew(self) -> None:
        """Count messages from zero."""
        self.messages = 0

    def break_off(self) -> None:
        """What came is there."""

"""What a request is about: a value of its kind, which knows what a person and the history of requests need of it."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar, Protocol, Self

from kachery_tui.errors import UsageError
from kachery_tui.protocol.roles import Kind


class About(Protocol):
    """A row of the ledger, as far as its subject goes."""

    number: int

    @property
    def subject(self) -> "Subject":
        """What it is about."""


class Subject(ABC):
    """A file, a subfeed, or what else can be requested, with the progress that only its kind has.

    Two requests are about the same if kind and `key` are equal. Words are for people: on the screen, in the command
    line and in notices.
    """

    kind: ClassVar[Kind]
    noun: ClassVar[str]
    """What one is called, in one word."""
    wish: ClassVar[str]
    """What a node does that wants one: "asks for"."""
    took: ClassVar[str]
    """The verb for how long a request of it went on."""
    start_label: ClassVar[str]
    """What trying again is called, on a key."""
    stop_label: ClassVar[str]
    """What breaking off is called, on a key."""
    stopped: ClassVar[str]
    """What was done to a request that was broken off."""
    ends_by_itself: ClassVar[bool] = True
    """Whether a request of it comes to an end without a person: only then can be told how long that takes."""
    why_not_pushed: ClassVar[str] = ""
    """Why one cannot be put into the bucket at a person's wish; empty where it can."""
    is_kept: ClassVar[bool] = False
    """Whether the history keeps its requests; if not, they are remembered elsewhere or not at all."""

    @property
    @abstractmethod
    def key(self) -> Hashable:
        """What makes it this one."""

    @property
    @abstractmethod
    def uri(self) -> object:
        """What it is called outside; its text is the URI."""

    @property
    @abstractmethod
    def hash(self) -> str:
        """The hash that names it on the wire."""

    @property
    @abstractmethod
    def known_name(self) -> str:
        """Its name; empty where only the hash is known."""

    def is_same(self, other: "Subject") -> bool:
        """Whether both are the same file, subfeed, or whatever it is."""
        return self.kind is other.kind and self.key == other.key

    @property
    def name(self) -> str:
        """What to call it: its name, else the start of its hash."""
        return self.known_name or f"{self.hash[:12]}…"

    @property
    def short(self) -> str:
        """What to call it where there is little room: by hashes alone, as the summaries of its messages do."""
        return f"{self.hash[:12]}…"

    @property
    def sought(self) -> str:
        """The text in which a person's word is looked for."""
        return self.known_name

    @property
    def messages(self) -> int | None:
        """How many messages came, or were sent; None for a kind that has none."""
        return None

    @property
    def peer_done(self) -> int:
        """Bytes that peers say to have put into the bucket, and that are still to be fetched from there."""
        return 0

    @abstractmethod
    def start_anew(self) -> None:
        """Count progress from zero."""

    def to_json(self, *, brief: bool = False) -> dict[str, Any]:
        """What the history keeps of it; `brief` leaves out what may be long. May run in a thread while it changes."""
        return {}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What `to_json` made. Raises `ValueError`, `KeyError` or `TypeError` for what makes no sense."""
        raise ValueError(f"a {cls.noun} is not kept")

    @abstractmethod
    def break_off(self) -> None:
        """Correct progress that ended together with the program."""

    @classmethod
    def of(cls, row: About) -> Self:
        """The subject of a row that is about this kind. Raises `UsageError` for a row of another kind."""
        if isinstance(row.subject, cls):
            return row.subject
        raise UsageError(f"request {row.number} is about a {row.subject.noun}, not a {cls.noun}")

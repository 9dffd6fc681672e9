"""What the stage, a process of its own, tells the screen: one JSON object a line."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self


class CueKind(StrEnum):
    """What a cue is about."""

    PROGRESS = "progress"
    READY = "ready"
    RECEIVED = "received"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that a peer provides. `size` is in bytes."""

    uri: str
    name: str
    size: int
    peer: str


@dataclass(frozen=True, slots=True)
class Cue:
    """One message of the stage.

    `text` is for the person; `offers` and `feed`, the URI of a log that grows, are there once everything is READY.
    """

    kind: CueKind
    text: str = ""
    offers: tuple[Offer, ...] = ()
    feed: str = ""

    def encode(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, line: str) -> Self:
        """The cue that `encode` made this line of."""
        value = json.loads(line)
        offers = tuple(Offer(**offer) for offer in value["offers"])
        return cls(CueKind(value["kind"]), value["text"], offers, value["feed"])

"""What others want of this node's files: the bookkeeping beside the rows of the ledger, and its bounds.

Bounds are each asker's own, so that one who wants much does not stand in the way of another; what has ended makes room
for what comes, the oldest first.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.files.wanted import Wanted
from kachery_tui.node.ledger import Request
from kachery_tui.node.membership import Membership
from kachery_tui.protocol.messages import FileKey

if TYPE_CHECKING:
    import asyncio

MOST_OF_ONE: Final = 1_000
"""Files of which one asker may want something at a time. What asks for more is told so, and may ask again."""

MOST_IN_ALL: Final = 10_000
"""The same of all askers: beyond it, those who have more than their share are told so."""

MOST_HELD_OF_ONE: Final = 100
"""Files of one asker that may wait for a person's answer at a time."""

MOST_HELD: Final = 500
"""The same of all askers: more is no list that a person goes through."""

KEPT_ENDED: Final = 1_000
"""Ended ones that are kept, so that a chunk that comes late goes on in the same row."""

Place = tuple[str, str]
"""A channel, and the sha1 of a file."""


@dataclass(slots=True, eq=False)
class Serving:
    """What others want of one file, on one channel."""

    row: Request
    file: FileKey
    membership: Membership
    asker: str
    """Node id of who asked first, on whose account it goes."""
    consent_until: float = 0.0
    """Unix time; until then no person need be asked."""
    held: dict[str, Wanted] = field(default_factory=dict)
    """What waits for a person, by sha1."""
    under_way: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    again: dict[str, Wanted] = field(default_factory=dict)
    """What was asked for while it was being said that it is there, by sha1: it is said once more."""
    hold: "asyncio.Task[None] | None" = None
    look_up: "asyncio.Task[None] | None" = None
    """Finds out whether the file is still here, for another try."""
    shown: set[str] = field(default_factory=set)
    """Node ids of askers that were present at some time: of others it cannot be told whether they have gone."""
    failure: KacheryError | None = None


class Servings:
    """All of them, by place. A serving is active as long as its row is."""

    def __init__(self) -> None:
        self._all: dict[Place, Serving] = {}
        self._by_row: dict[int, Serving] = {}
        self._ended: OrderedDict[Place, None] = OrderedDict()
        self._active: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Serving]:
        return iter(list(self._all.values()))

    def get(self, place: Place) -> Serving | None:
        """The serving of a file on a channel."""
        return self._all.get(place)

    def of_row(self, number: int) -> Serving | None:
        """The serving of a row of the ledger."""
        return self._by_row.get(number)

    def why_not_begin(self, asker: str) -> str:
        """Why nothing more can be begun for an asker; empty if it can."""
        of_this = self._active[asker]
        if of_this >= MOST_OF_ONE:
            return f"{MOST_OF_ONE:,} files at a time are all that one node gets here: ask again later"
        total = self._active.total()
        if total >= MOST_IN_ALL and of_this >= total // max(len(self._active), 1):
            return f"{MOST_IN_ALL:,} files at a time are all that this node gives: ask again later"
        return ""

    def why_not_hold(self, asker: str) -> str:
        """Why no person can be asked about one more file of an asker; empty if that is possible."""
        held = [serving for serving in self._all.values() if serving.held]
        of_this = sum(1 for serving in held if serving.asker == asker)
        if of_this >= MOST_HELD_OF_ONE or len(held) >= MOST_HELD:
            return "more files wait for a person's yes here than can be answered: ask again later"
        return ""

    def begin(self, place: Place, serving: Serving) -> None:
        """Keep a new one, in place of an ended one of the same file."""
        earlier = self._all.get(place)
        if earlier is not None:
            self.forget(place)
        self._all[place] = serving
        self._by_row[serving.row.number] = serving
        self._active[serving.asker] += 1

    def resume(self, place: Place, asker: str) -> None:
        """An ended one goes on, for `asker`."""
        if place in self._ended:
            del self._ended[place]
            serving = self._all[place]
            serving.asker = asker
            self._active[asker] += 1

    def end(self, serving: Serving) -> None:
        """One has ended, for now."""
        place = _place_of(serving)
        if self._all.get(place) is not serving or place in self._ended:
            return
        self._ended[place] = None
        self._release(serving)
        while len(self._ended) > KEPT_ENDED:
            self.forget(next(iter(self._ended)))

    def forget(self, place: Place) -> None:
        """Keep nothing of one any more."""
        serving = self._all.pop(place)
        self._by_row.pop(serving.row.number, None)
        if place in self._ended:
            del self._ended[place]
        else:
            self._release(serving)

    def _release(self, serving: Serving) -> None:
        self._active[serving.asker] -= 1
        if not self._active[serving.asker]:
            del self._active[serving.asker]


def _place_of(serving: Serving) -> Place:
    return (serving.membership.name, serving.file.sha1)

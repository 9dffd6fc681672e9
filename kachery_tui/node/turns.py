"""A queue in which peers take turns, so that one who says much does not hold up one who says little."""

from collections import OrderedDict, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """At most `limit` things that wait, in turn from each peer, in order from any one of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._waiting: OrderedDict[str, deque[Item]] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    def put(self, peer: str, item: Item) -> Item | None:
        """Add what came from a peer. If that is one too many, the newest of the peer with most goes, and is returned."""
        self._waiting.setdefault(peer, deque()).append(item)
        self._count += 1
        if self._count <= self._limit:
            return None
        fullest = max(self._waiting, key=lambda one: len(self._waiting[one]))
        self._count -= 1
        gone = self._waiting[fullest].pop()
        if not self._waiting[fullest]:
            del self._waiting[fullest]
        return gone

    def take(self) -> Item:
        """The next in turn. Raises `IndexError` if there is none."""
        if not self._waiting:
            raise IndexError("nothing waits")
        peer, items = self._waiting.popitem(last=False)
        item = items.popleft()
        if items:
            self._waiting[peer] = items
        self._count -= 1
        return item

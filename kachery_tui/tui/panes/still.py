"""An order that changes by itself, kept for a while, so that rows can be read and hit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

Item = TypeVar("Item")

SETTLES: Final = 2.0
"""Seconds for which it stands still: after each change, and after the cursor moved."""


class StillOrder(Generic[Item]):
    """Places of rows, by `key`. Times are Unix time in seconds."""

    def __init__(self, key: Callable[[Item], Hashable]) -> None:
        self._key = key
        self._places: dict[Hashable, int] = {}
        self._by: Hashable = None
        self._version: Hashable = None
        self._until = 0.0

    def hold(self, now: float) -> None:
        """Let rows stand still for a while: the cursor moves."""
        self._until = max(self._until, now + SETTLES)

    def is_due(self, version: Hashable, now: float) -> bool:
        """Whether the state has another version than the one that was sorted, and may be sorted anew."""
        return self._by is not None and version != self._version and now >= self._until

    def forget(self) -> None:
        """The rows are shown in an order that stands still by itself."""
        self._by = None

    def sorted(
        self,
        items: Sequence[Item],
        by: Hashable,
        version: Hashable,
        now: float,
        sort: Callable[[], list[Item]],
    ) -> list[Item]:
        """The rows as `sort` has them, or for a while as they were: until `by` or the rows that there are change."""
        by = by, frozenset(self._key(item) for item in items)
        if by == self._by and now < self._until:
            return sorted(items, key=lambda item: self._places[self._key(item)])
        found = sort()
        self._places = {self._key(item): place for place, item in enumerate(found)}
        self._by, self._version, self._until = by, version, now + SETTLES
        return found

"""What a list shows: rows by their place, asked for only where they are in view."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from kachery_tui.tui.cells import Row

Item = TypeVar("Item")


class Rows(Protocol):
    """What a list shows. Asked only for rows that are in view."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> Hashable | None:
        """What names the row while others come and go; None while it is not loaded."""

    def cells(self, index: int) -> Row | None:
        """What stands in each column; None while it is not loaded."""

    def index(self, key: Hashable) -> int | None:
        """Where the row of that key stands now."""

    def item(self, index: int) -> Any:
        """What the row stands for; None while it is not loaded."""


class ListedRows(Rows, Generic[Item]):
    """Rows over a sequence that is in memory."""

    def __init__(
        self, items: Sequence[Item], key: Callable[[Item], Hashable], cells: Callable[[Item], Row]
    ) -> None:
        self._items = items
        self._keys = [key(item) for item in items]
        self._cells: Callable[[int], Row] = lambda index: cells(items[index])

    def __len__(self) -> int:
        return len(self._keys)

    def item(self, index: int) -> Item | None:
        """The item itself."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def key(self, index: int) -> Hashable:
        """The item's key."""
        return self._keys[index]

    def cells(self, index: int) -> Row:
        """The item's cells."""
        return self._cells(index)

    def index(self, key: Hashable) -> int | None:
        """Where the item with that key stands."""
        try:
            return self._keys.index(key)
        except ValueError:
            return None


NO_ROWS: ListedRows[Any] = ListedRows((), key=id, cells=lambda _: ())

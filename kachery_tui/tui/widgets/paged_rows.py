"""Rows of a collection too large to hold, or to wait for: they are fetched as they come into view."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from kachery_tui.tui.widgets.row_list import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from kachery_tui.tui.cells import Line

Item = TypeVar("Item")

PAGE: Final = 200
"""Rows in a page: some screens full."""

KEPT_PAGES: Final = 20


class PagedRows(Rows, Generic[Item]):
    """One state of a collection of known length, of which any page can be had.

    `want` is called for a page that a row in view lies in and that is not here; pages out of view are let go of.
    """

    def __init__(
        self,
        count: int,
        key: Callable[[Item], Hashable],
        cells: Callable[[Item], Line],
        want: Callable[[PagedRows[Item], int], None],
    ) -> None:
        self._count = count
        self._key = key
        self._cells = cells
        self._want = want
        self._pages: OrderedDict[int, Sequence[Item]] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    def put(self, page: int, items: Sequence[Item]) -> None:
        """Take in a page that was fetched."""
        self._pages[page] = items
        self._pages.move_to_end(page)
        while len(self._pages) > KEPT_PAGES:
            self._pages.popitem(last=False)

    def has(self, page: int) -> bool:
        """Whether a page is here."""
        return page in self._pages

    def item(self, index: int) -> Item | None:
        """The item, if its page is here."""
        page, place = divmod(index, PAGE)
        items = self._pages.get(page, ())
        return items[place] if 0 <= place < len(items) else None

    def key(self, index: int) -> Hashable | None:
        """The item's key, if its page is here."""
        item = self.item(index)
        return None if item is None else self._key(item)

    def cells(self, index: int) -> Line | None:
        """The item's cells; None while its page is on the way."""
        page = index // PAGE
        if page in self._pages:
            self._pages.move_to_end(page)
        else:
            self._want(self, page)
        item = self.item(index)
        return None if item is None else self._cells(item)

    def index(self, key: Hashable) -> int | None:
        """Where the item with that key stands, as far as it is on a page that is here."""
        for page, items in self._pages.items():
            for place, item in enumerate(items):
                if self._key(item) == key:
                    return page * PAGE + place
        return None


class GrowingRows(Rows, Generic[Item]):
    """A listing that can only be read from its start, part after part.

    While there is `more`, a last row stands for it, and `want` is called when that row comes into view.
    """

    def __init__(
        self, key: Callable[[Item], Hashable], cells: Callable[[Item], Line], want: Callable[[], None]
    ) -> None:
        self.more = True
        self._key = key
        self._cells = cells
        self._want = want
        self._items: list[Item] = []
        self._places: dict[Hashable, int] = {}

    def extend(self, items: Sequence[Item], *, more: bool) -> None:
        """Take in the next part. What is listed twice stays where it stood first."""
        self.more = more
        for item in items:
            key = self._key(item)
            if key not in self._places:
                self._places[key] = len(self._items)
                self._items.append(item)

    @property
    def items(self) -> Sequence[Item]:
        """What has been read so far."""
        return self._items

    def __len__(self) -> int:
        return len(self._items) + self.more

    def item(self, index: int) -> Item | None:
        """The item, if it has been read."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def key(self, index: int) -> Hashable | None:
        """The item's key, if it has been read."""
        item = self.item(index)
        return None if item is None else self._key(item)

    def cells(self, index: int) -> Line | None:
        """The item's cells; None for the row that stands for more."""
        item = self.item(index)
        if item is None:
            self._want()
            return None
        return self._cells(item)

    def index(self, key: Hashable) -> int | None:
        """Where the item with that key stands, if it has been read."""
        return self._places.get(key)

"""What the cache pane shows, read from the node in the background: the index page by page, the bucket part by part."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Generic, TypeVar

from kachery_tui.errors import KacheryError
from kachery_tui.filters import NO_FILTER, Filter
from kachery_tui.tui.widgets.paged_rows import KEPT_PAGES, PAGE, GrowingRows, PagedRows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kachery_tui.node.node import Node
    from kachery_tui.node.values import BucketFile, Entry, Order, Totals
    from kachery_tui.tui.cells import Line

Value = TypeVar("Value")

REST: Final = 10
"""After a read that took t seconds there is none for this many t: a list that changes all the time must not keep the
disk busy."""

LONGEST_REST: Final = 5.0
"""Seconds of such a rest at the most, unless the read took longer: on a busy machine a read takes long for once, and what
it showed must not stand for minutes."""

AGAIN_SECONDS: Final = 10.0
"""Time from a read that failed to the next."""

MOST_LISTED: Final = 100_000
"""Files of a bucket that are kept in memory; some 30 MB."""


MOST_DESCRIBED: Final = KEPT_PAGES * PAGE
"""Manifests whose files' names are kept: as many as there can be rows in memory."""


def cancelled_from_outside() -> bool:
    """Whether the running task itself is to end, and not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Reader:
    """Reads in the background, one read at a time, as long as somebody looks. `arrived` is called after each."""

    PAUSE: ClassVar[float] = 0.5
    """The least time between two reads in seconds, however fast things change."""

    def __init__(self, node: Node, arrived: Callable[[], None]) -> None:
        self.problem: KacheryError | None = None
        """Why the last read failed."""
        self._node = node
        self._arrived = arrived
        self._due = 0.0
        self._in_a_hurry = True
        self._task: asyncio.Task[None] | None = None

    def read_anew(self) -> None:
        """Begin to read, if what was read is out of date, and it is time."""
        is_time = self._in_a_hurry or time.monotonic() >= self._due
        if self._task is None and is_time and self._is_behind():
            self._in_a_hurry = False
            self._task = self._node.supervisor.spawn(self._run(), f"screen: {self._what()}")

    def read_at_once(self) -> None:
        """Do not wait out the pause after a read."""
        self._in_a_hurry = True

    @abstractmethod
    def _what(self) -> str:
        """What is read, for the log."""

    @abstractmethod
    def _is_behind(self) -> bool:
        """Whether there is something else to be read than what was read last."""

    @abstractmethod
    async def _read(self) -> None:
        """Read it."""

    async def _run(self) -> None:
        began = time.monotonic()
        pause = self.PAUSE
        try:
            await self._read()
            self.problem = None
        except KacheryError as error:
            self.problem, pause = error, AGAIN_SECONDS
        finally:
            ended = time.monotonic()
            took = ended - began
            self._due = ended + max(pause, min(REST * took, max(LONGEST_REST, took)))
            self._task = None
        self._arrived()


@dataclass(frozen=True, slots=True)
class Wish:
    """Which files are to be shown, in which order."""

    where: Filter = NO_FILTER
    order: Order = "added"
    descending: bool = True


class EntryPages(Reader):
    """The files of the storage as rows, of which only the pages in view are ever read.

    What is shown stays until the new wish has been read; the search for a wish that has changed meanwhile is given up.
    """

    def __init__(
        self,
        node: Node,
        cells: Callable[[Entry], Line],
        *,
        in_view: Callable[[], range],
        arrived: Callable[[], None],
    ) -> None:
        super().__init__(node, arrived)
        self.rows: PagedRows[Entry] | None = None
        self.totals: Totals | None = None
        self.shown: Wish | None = None
        self.wish = Wish()
        self.described: dict[str, str] = {}
        """Of manifests that were read, the name of the file that each is of."""
        self._cells = cells
        self._in_view = in_view
        self._version = -1
        self._search: asyncio.Task[bool] | None = None
        self._wanted: dict[int, None] = {}
        self._fetching = False

    def ask(self, wish: Wish) -> None:
        """Show this from now on."""
        if wish != self.wish:
            self.wish = wish
            self.read_at_once()
            if self._search is not None:
                self._search.cancel()

    @property
    def is_answered(self) -> bool:
        """Whether what is shown is what was asked for."""
        return self.shown == self.wish

    def _what(self) -> str:
        return "read the index"

    def _is_behind(self) -> bool:
        return self.shown != self.wish or self._version != self._node.storage_version

    async def _read(self) -> None:
        while True:
            wish = self.wish
            self._search = asyncio.ensure_future(self._answer(wish))
            try:
                if await self._search:
                    return
            except asyncio.CancelledError:
                if wish == self.wish or cancelled_from_outside():
                    raise
            finally:
                self._search = None

    async def _answer(self, wish: Wish) -> bool:
        """Read what a wish needs; whether it still is the wish."""
        version = self._node.storage_version
        pages: dict[int, list[Entry]] = {}
        for page in self._pages_in_view(len(self.rows or ())) if wish == self.shown else (0,):
            if wish != self.wish:
                return False
            pages[page] = await self._page(wish, page)
        # Counted last: the index has by then found what the filter leaves, and need not look for it a second time.
        count = await self._node.cache.count(wish.where)
        totals = await self._node.cache.totals()
        if wish != self.wish:
            return False
        rows: PagedRows[Entry] = PagedRows(
            count, key=lambda entry: entry.sha1, cells=self._cells, want=self._want
        )
        for page, entries in pages.items():
            rows.put(page, entries)
        self.rows, self.totals, self.shown, self._version = rows, totals, wish, version
        return True

    def _pages_in_view(self, count: int) -> range:
        view = self._in_view()
        last = max(min(view.stop, count) - 1, 0)
        return range(min(view.start, last) // PAGE, last // PAGE + 1)

    async def _page(self, wish: Wish, page: int) -> list[Entry]:
        entries = await self._node.cache.entries(
            order=wish.order, descending=wish.descending, where=wish.where, offset=page * PAGE, limit=PAGE
        )
        if len(self.described) > MOST_DESCRIBED:
            self.described.clear()
        self.described |= await self._node.cache.described([entry.sha1 for entry in entries])
        return entries

    # Pages that come into view

    def _want(self, rows: PagedRows[Entry], page: int) -> None:
        if rows is not self.rows:
            return
        self._wanted.pop(page, None)
        self._wanted[page] = None
        if not self._fetching:
            self._fetching = True
            self._node.supervisor.spawn(self._fetch(), "screen: read a page of the index")

    async def _fetch(self) -> None:
        """Read pages until those in view are here; what was passed by in the meantime is left out."""
        try:
            while self._wanted:
                page, _ = self._wanted.popitem()
                rows, wish = self.rows, self.shown
                if (
                    rows is None
                    or wish is None
                    or rows.has(page)
                    or page not in self._pages_in_view(len(rows))
                ):
                    continue
                items = await self._page(wish, page)
                if rows is self.rows:
                    rows.put(page, items)
                    self._arrived()
        except KacheryError as error:
            self.problem = error
            self._wanted.clear()
        finally:
            self._fetching = False


class Snapshot(Reader, Generic[Value]):
    """One value that is read anew when the storage has changed."""

    def __init__(
        self, node: Node, what: str, read: Callable[[], Awaitable[Value]], arrived: Callable[[], None]
    ) -> None:
        super().__init__(node, arrived)
        self.value: Value | None = None
        self._name = what
        self._read_value = read
        self._version = -1

    def _what(self) -> str:
        return f"read {self._name}"

    def _is_behind(self) -> bool:
        return self._version != self._node.storage_version

    async def _read(self) -> None:
        version = self._node.storage_version
        self.value = await self._read_value()
        self._version = version

    def outdate(self) -> None:
        """Read it anew at the next look."""
        self._version = -1
        self.read_at_once()


class BucketListing(Reader):
    """The files of a channel's bucket, read part by part as one scrolls down.

    It is listed anew, as far as it had been read, when the storage has changed: what was pushed or loaded shows.
    """

    PAUSE = 5.0

    def __init__(
        self, node: Node, cells: Callable[[BucketFile], Line], *, arrived: Callable[[], None]
    ) -> None:
        super().__init__(node, arrived)
        self.channel = ""
        self.rows: GrowingRows[BucketFile] | None = None
        self.others = 0
        self._cells = cells
        self._token: str | None = None
        self._listed: tuple[str, int] = ("", -1)
        self._wants_more = False

    def ask(self, channel: str) -> None:
        """Show the bucket of this channel from now on."""
        if channel != self.channel:
            self.channel = channel
            self.rows, self.problem = None, None
            self.read_at_once()

    def outdate(self) -> None:
        """List it anew at the next look."""
        self._listed = ("", -1)
        self.read_at_once()

    def _what(self) -> str:
        return "list the bucket"

    def _is_behind(self) -> bool:
        if not self.channel:
            return False
        return self._wants_more or self._listed != (self.channel, self._node.storage_version)

    async def _read(self) -> None:
        rows = self.rows
        if rows is not None and self._wants_more:
            self._wants_more = False
            await self._read_on(rows, self.channel)
            return
        await self._read_anew(self.channel, len(rows.items) if rows is not None else 0)

    async def _read_anew(self, channel: str, at_least: int) -> None:
        listed = (channel, self._node.storage_version)
        rows: GrowingRows[BucketFile] = GrowingRows(
            key=lambda file: file.sha1, cells=self._cells, want=self._want
        )
        self._token, self.others = None, 0
        await self._read_on(rows, channel)
        while rows.more and len(rows.items) < at_least and channel == self.channel:
            await self._read_on(rows, channel)
        if channel == self.channel:
            self.rows, self._listed, self._wants_more = rows, listed, False

    async def _read_on(self, rows: GrowingRows[BucketFile], channel: str) -> None:
        page = await self._node.cache.bucket_page(channel, token=self._token, limit=PAGE)
        if channel != self.channel:
            return
        self._token = page.next_token
        self.others += page.others
        rows.extend(
            page.files, more=page.next_token is not None and len(rows.items) + len(page.files) < MOST_LISTED
        )

    def _want(self) -> None:
        if not self._wants_more:
            self._wants_more = True
            if self.problem is None:
                self.read_at_once()
                self.read_anew()

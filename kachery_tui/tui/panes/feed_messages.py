"""The messages of one subfeed as the rows of a list: read from disk as they are looked at, a bounded number kept."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from kachery_tui.errors import KacheryError
from kachery_tui.filters import FieldKind, matches
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.feeds import BadMessage
from kachery_tui.tui.describe.feed_messages import Said, damaged, said, said_cells, said_facts
from kachery_tui.tui.feed_reading import Portions
from kachery_tui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable, Sequence
    from typing import Any

    from kachery_tui.filters import Filter
    from kachery_tui.node.feeds.states import SubfeedState
    from kachery_tui.tui.cells import Row
    from kachery_tui.tui.feed_reading import Read

    Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]

PAGE: Final = 100
"""Messages in a page: some screens full."""

WINDOW: Final = 1_000
"""The newest messages, which a filter looks through."""

KEPT_PAGES: Final = WINDOW // PAGE + 20

SLOW_SECONDS: Final = 0.5

RETRY_SECONDS: Final = 2.0
"""Time until a disk that could not be read is read again."""


class Messages:
    """The messages of a subfeed, as far as they were read. `version` grows with what is new to show.

    `count` is how many there are to show: those after it are not read yet, and before it any may be had.
    """

    def __init__(self, subfeed: SubfeedState, read: Read, spawn: Spawn) -> None:
        self.subfeed = subfeed
        self.count = 0
        self.version = 0
        self.problem = ""
        """Why the disk could not be read, for the moment."""
        self._portions = Portions(read)
        self._spawn = spawn
        self._pages: OrderedDict[int, list[Said]] = OrderedDict()
        self._wanted: list[int] = []
        self._goal = 0
        self._task: asyncio.Task[None] | None = None
        self._retry_at = 0.0
        self._since = time.time()
        self._judged_by: Filter | None = None
        self._judged: dict[int, bool] = {}

    # Reading

    def is_slow(self, now: float) -> bool:
        """Whether the first messages are being waited for, and have been for so long that a word is due."""
        return not self.count and now - self._since > SLOW_SECONDS

    def close(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()

    def read_more(self, now: float, *, all_of_window: bool = False) -> None:
        """Read what is new and what is wanted; with `all_of_window`, all that a filter looks through."""
        here = self.subfeed.here
        if here < self.count:
            # Somebody put another file in the place of the one that this was read from.
            self._pages.clear()
            self.count = 0
            self.version += 1
        self._goal = here
        if all_of_window:
            self._wanted = [page for page in self._window_pages() if not self._is_full(page)]
        if self._task is None and now >= self._retry_at and self._next() is not None:
            self._task = self._spawn(self._work(), "screen: read messages of a feed")
            self._task.add_done_callback(self._has_ended)

    async def read_window(self) -> None:
        """Read all that a filter looks through, and wait until that is done, or failed."""
        self._retry_at = 0.0
        self.read_more(time.time(), all_of_window=True)
        if self._task is not None:
            await asyncio.wait([self._task])

    def want(self, page: int) -> None:
        """Read a page, the one wanted last first, at the next look."""
        if page in self._wanted:
            self._wanted.remove(page)
        self._wanted.append(page)
        del self._wanted[:-KEPT_PAGES]

    def _has_ended(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self._task = None

    def _window_pages(self) -> range:
        return range(max(self._goal - WINDOW, 0) // PAGE, -(-self._goal // PAGE))

    def _is_full(self, page: int) -> bool:
        end = min((page + 1) * PAGE, self._goal)
        return page * PAGE + len(self._pages.get(page, ())) >= end

    def _next(self) -> int | None:
        """The page to be read next: what comes at the end goes before what somebody scrolls to."""
        if self.count < self._goal:
            last = (self._goal - 1) // PAGE
            # Without the page before it, a short last one would leave holes on the screen for a moment.
            if last and not self._pages and self._goal - last * PAGE < PAGE:
                return last - 1
            return last
        while self._wanted:
            page = self._wanted[-1]
            if not self._is_full(page):
                return page
            self._wanted.pop()
        return None

    async def _work(self) -> None:
        # What comes meanwhile is read after the next look: at most so often is there anything new to see.
        while (page := self._next()) is not None:
            try:
                await self._fill(page)
                self.problem = ""
            except KacheryError as error:
                self.problem, self._retry_at = str(error), time.time() + RETRY_SECONDS
                self.version += 1
                return

    async def _fill(self, page: int) -> None:
        goal = self._goal
        end = min((page + 1) * PAGE, goal)
        lines = self._pages.setdefault(page, [])
        self._pages.move_to_end(page)
        while (start := page * PAGE + len(lines)) < end:
            lines.extend(await self._read(start, end))
            if end == goal:
                self.count = page * PAGE + len(lines)
            self.version += 1
        self._let_go()

    async def _read(self, start: int, end: int) -> Sequence[Said]:
        """Some messages from `start` on, one at least. Raises `KacheryError`."""
        try:
            messages = await self._portions.read(start, end)
        except BadMessage as bad:
            if bad.number > start:
                return await self._read(start, bad.number)
            return [damaged(start, bad.line)]
        if not messages:
            raise KacheryError(f"message {start:,} is not on this disk any more")
        return await in_thread(lambda: [said(message) for message in messages])

    def _let_go(self) -> None:
        window = self._window_pages()
        for page in [page for page in self._pages if page not in window][: len(self._pages) - KEPT_PAGES]:
            del self._pages[page]

    # What there is

    def at(self, number: int) -> Said | None:
        """The message of that number, if it was read."""
        page, place = divmod(number, PAGE)
        lines = self._pages.get(page, ())
        return lines[place] if 0 <= place < len(lines) else None

    def newest(self, most: int) -> list[Said]:
        """The newest messages that were read, the newest first."""
        found = (self.at(number) for number in range(self.count - 1, max(self.count - 1 - most, -1), -1))
        return [message for message in found if message is not None]

    def filtered(self, wanted: Filter, now: float) -> list[Said]:
        """Those of the newest `WINDOW` messages that a filter leaves, as far as they were read; the oldest first."""
        ages = any(term.kind is FieldKind.TIME for term in wanted.terms)
        if ages or wanted is not self._judged_by or len(self._judged) > 2 * WINDOW:
            self._judged_by, self._judged = wanted, {}
        found = []
        for message in reversed(self.newest(WINDOW)):
            if message.number not in self._judged:
                self._judged[message.number] = matches(wanted, said_facts(message), now)
            if self._judged[message.number]:
                found.append(message)
        return found


class MessageRows(Rows):
    """All messages up to `count` as rows. What is not read yet is wanted as soon as it comes into view."""

    def __init__(self, messages: Messages, now: float) -> None:
        self._messages = messages
        self._count = messages.count
        self._now = now

    def __len__(self) -> int:
        return self._count

    def key(self, index: int) -> Hashable:
        """The message's number."""
        return index

    def index(self, key: Hashable) -> int | None:
        """Where the message of that number stands."""
        return key if isinstance(key, int) and 0 <= key < self._count else None

    def item(self, index: int) -> Said | None:
        """The message, if it was read."""
        return self._messages.at(index)

    def cells(self, index: int) -> Row | None:
        """The message's cells; None while it is on its way."""
        message = self._messages.at(index)
        if message is None:
            self._messages.want(index // PAGE)
            return None
        return said_cells(message, self._now)

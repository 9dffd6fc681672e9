"""Feeds: the signed logs that this node's storage folder holds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final

from kachery_tui.filters import FieldKind, matches
from kachery_tui.protocol.uris import SubfeedUri
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.panes.pane import Pane
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import ListedRows, RowList

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    from textual.app import ComposeResult

    from kachery_tui.filters import Fact
    from kachery_tui.node.node import Node
    from kachery_tui.node.values import FeedInfo

COLUMNS: Final = (
    Column("name", 16, share=1),
    Column("feed", 10, drop=2),
    Column("whose", 9),
    Column("subfeeds", 9, right=True, drop=3),
    Column("messages", 9, right=True),
    Column("last", 10, right=True, drop=1),
)

EMPTY: Final = (
    "The storage folder holds no feeds.",
    "Feeds that kachery programs make or load in this folder",
    "(`create_feed`, `load_feed`) show here by themselves.",
)
NOTHING_LEFT: Final = ("No feed is like that.", "Esc shows all again.")

ORDERS: Final[Mapping[str, Callable[[FeedInfo], float | str]]] = {
    "last": lambda feed: feed.last_at or 0.0,
    "name": lambda feed: feed.name.lower(),
    "messages": lambda feed: feed.messages,
    "subfeeds": lambda feed: feed.subfeeds,
}
"""What is compared for each column that the feeds can be sorted by."""

LOOK_SECONDS: Final = 10.0
"""Time between two looks into the folder, which other programs write to."""


class FeedsPane(Pane):
    """Own and others' feeds, as the storage folder has them."""

    NAME: ClassVar[PaneName] = PaneName.FEEDS
    FIELDS: ClassVar[Mapping[str, FieldKind]] = {
        "name": FieldKind.TEXT,
        "feed": FieldKind.TEXT,
        "own": FieldKind.FLAG,
        "messages": FieldKind.NUMBER,
        "subfeeds": FieldKind.NUMBER,
        "last": FieldKind.TIME,
    }
    SORTS: ClassVar[tuple[str, ...]] = tuple(ORDERS)
    MARKS: ClassVar[bool] = True

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._feeds: list[FeedInfo] | None = None
        self._looked_at = 0.0
        self._revision = 0

    def contents(self) -> ComposeResult:
        """The list."""
        yield RowList(COLUMNS, empty=EMPTY, id="feeds")

    @property
    def focus_target(self) -> RowList:
        """The list."""
        return self.query_one("#feeds", RowList)

    @property
    def selection(self) -> FeedInfo | None:
        """The feed under the cursor."""
        chosen: FeedInfo | None = self.focus_target.chosen
        return chosen

    def stamp(self, now: float) -> Hashable:
        """How often the folder was found changed."""
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self.node.supervisor.spawn(self._read(), "screen: read the feeds")
        return self._revision

    async def _read(self) -> None:
        feeds = await self.node.feeds()
        if feeds != self._feeds:
            self._feeds = feeds
            self._revision += 1

    def status(self, now: float) -> Line:
        """How many there are."""
        if self._feeds is None:
            return (Cell("reading…", Tone.MUTED),)
        if not self._feeds:
            return (Cell("none"),)
        feeds = present.count(len(self._feeds), "feed")
        if self.filter:
            return (Cell(f"{len(self.focus_target.rows):,} of {feeds}"),)
        own = sum(1 for feed in self._feeds if feed.own)
        return (Cell(f"{feeds}, {own:,} of this node"),)

    def paint(self, now: float) -> None:
        """Show the list."""
        shown = [feed for feed in self._feeds or [] if matches(self.filter, feed_facts(feed), now)]
        # By name where the rest is equal, so that rows keep their places.
        shown.sort(key=lambda feed: (feed.name.lower(), feed.feed_id))
        shown.sort(key=ORDERS[self.sort], reverse=self.descending)
        self.focus_target.empty = NOTHING_LEFT if self.filter else EMPTY
        self.focus_target.show(ListedRows(shown, key=lambda feed: feed.feed_id, cells=feed_cells))


def feed_uri(feed: FeedInfo) -> str:
    """The URI by which others know a feed."""
    return str(SubfeedUri(feed.feed_id))


def feed_cells(feed: FeedInfo) -> Line:
    """A feed as a row: name, id, whose, subfeeds, messages, last message."""
    return (
        Cell(feed.name or present.NOTHING, Tone.STRONG),
        Cell(present.short(feed.feed_id)),
        Cell("● own", Tone.GOOD) if feed.own else Cell("○ others'", Tone.MUTED),
        Cell(f"{feed.subfeeds:,}"),
        Cell(f"{feed.messages:,}"),
        Cell(present.clock(feed.last_at, time.time())),
    )


def feed_lines(feed: FeedInfo) -> Iterator[Line]:
    """Everything that is known of a feed."""
    yield (Cell(feed_uri(feed), Tone.STRONG),)
    own = (
        "this node: its private key is here"
        if feed.own
        else "others: this node can read it, and not add to it"
    )
    for head, text in (
        ("name", feed.name or "none is known here"),
        ("written by", own),
        ("subfeeds", f"{feed.subfeeds:,}"),
        ("messages", f"{feed.messages:,} in this folder"),
        ("last", present.moment(feed.last_at) if feed.last_at is not None else "no message has a time"),
    ):
        yield (Cell(head.ljust(12), Tone.MUTED), Cell(text))


def feed_facts(feed: FeedInfo) -> Mapping[str, Fact]:
    """A feed for a filter."""
    return {
        "name": feed.name,
        "feed": feed.feed_id,
        "own": feed.own,
        "messages": feed.messages,
        "subfeeds": feed.subfeeds,
        "last": feed.last_at,
    }

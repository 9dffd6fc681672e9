"""Feeds: the signed logs that this node's storage folder holds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final

from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.panes.pane import Pane
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import ListedRows, RowList

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.app import ComposeResult

    from kachery_tui.node.node import Node
    from kachery_tui.node.values import FeedInfo

COLUMNS: Final = (
    Column("name", 16, share=1),
    Column("feed", 10, drop=2),
    Column("whose", 6),
    Column("subfeeds", 8, right=True, drop=3),
    Column("messages", 8, right=True),
    Column("last", 10, right=True, drop=1),
)

LOOK_SECONDS: Final = 10.0
"""Time between two looks into the folder, which other programs write to."""


class FeedsPane(Pane):
    """Own and others' feeds, as the storage folder has them."""

    NAME: ClassVar[PaneName] = PaneName.FEEDS

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._feeds: list[FeedInfo] | None = None
        self._looked_at = 0.0
        self._revision = 0

    def contents(self) -> ComposeResult:
        """The list."""
        yield RowList(COLUMNS, empty=("The storage folder holds no feeds.",), id="feeds")

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
        own = sum(1 for feed in self._feeds if feed.own)
        return (
            Cell(f"{present.count(len(self._feeds), 'feed')}, {own} of this node" if self._feeds else "none"),
        )

    def paint(self, now: float) -> None:
        """Show the list."""
        rows = ListedRows(self._feeds or [], key=lambda feed: feed.feed_id, cells=feed_cells)
        self.focus_target.show(rows)


def feed_cells(feed: FeedInfo) -> Line:
    """A feed as a row: name, id, whose, subfeeds, messages, last message."""
    return (
        Cell(feed.name or present.NOTHING, Tone.STRONG),
        Cell(present.short(feed.feed_id)),
        Cell("own" if feed.own else "others'"),
        Cell(f"{feed.subfeeds:,}"),
        Cell(f"{feed.messages:,}"),
        Cell(present.clock(feed.last_at, time.time())),
    )

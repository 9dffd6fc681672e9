"""Feeds: the subfeeds that are here, are followed, or are listened to, and the messages of the chosen one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final

from kachery_tui.filters import NO_FILTER, FieldKind
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone, joined
from kachery_tui.tui.describe.feed_messages import Said, message_fields, said_cells
from kachery_tui.tui.describe.feed_table import MESSAGE_TITLES, TITLES, message_texts, subfeed_texts
from kachery_tui.tui.describe.feeds import (
    ORDERS,
    SUBFEED_FIELDS,
    about_lines,
    is_followed,
    serving,
    subfeed_cells,
    title,
)
from kachery_tui.tui.feed_reading import reader
from kachery_tui.tui.here import Abilities, FeedMessage, PaneName
from kachery_tui.tui.on_display import display_of
from kachery_tui.tui.panes.feed_messages import WINDOW, MessageRows, Messages
from kachery_tui.tui.panes.feed_rows import (
    COLUMNS,
    EMPTY,
    NOTHING_LEFT,
    SubfeedOrder,
    message_columns,
    subfeeds,
)
from kachery_tui.tui.panes.pane import tick
from kachery_tui.tui.panes.two_lists import BUSY_RATE, MessagesPane
from kachery_tui.tui.widgets.cell_line import CellLine
from kachery_tui.tui.widgets.row_list import ListedRows, RowList, Rows
from kachery_tui.tui.widgets.tail_list import TailList

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from textual.app import ComposeResult

    from kachery_tui.filters import Filter
    from kachery_tui.node.feeds.states import SubfeedState
    from kachery_tui.node.ledger import Request
    from kachery_tui.node.node import Node
    from kachery_tui.protocol.uris import SubfeedKey
    from kachery_tui.tui.memory import PaneMemory

LIST_SHARE: Final = 0.4
"""Of the pane's height, for the list of subfeeds above their messages."""

LEAST_LIST: Final = 5
"""Lines of that list at the least: its titles and some rows."""


class FeedsPane(MessagesPane):
    """The subfeeds above, the chosen one's messages below or, where room is short, in their place.

    There are two filters, one of subfeeds and one of messages: that of the list in which the person is, or was last.
    """

    NAME: ClassVar[PaneName] = PaneName.FEEDS
    UPPER: ClassVar[str] = "feeds"
    LOWER: ClassVar[str] = "feed-messages"
    FIELDS: ClassVar[Mapping[str, FieldKind]] = SUBFEED_FIELDS
    SORTS: ClassVar[tuple[str, ...]] = tuple(ORDERS)
    FAILURES: ClassVar[str] = "fault"
    ASCENDING: ClassVar[frozenset[str]] = frozenset({"name", "whose"})
    MARKS: ClassVar[bool] = True

    def __init__(self, node: Node, key_of: Callable[[str], str]) -> None:
        super().__init__(node, key_of)
        self.descending = False
        self._other_filter = NO_FILTER
        self._order = SubfeedOrder(node)
        self._messages: Messages | None = None

    def contents(self) -> ComposeResult:
        """The list, two lines about the chosen subfeed, its messages."""
        yield RowList(COLUMNS, empty=self.with_keys(EMPTY), id=self.UPPER)
        yield CellLine(id="standing", classes="about")
        yield CellLine(id="uri", classes="about")
        yield TailList(message_columns(0), id=self.LOWER)

    @property
    def feeds(self) -> RowList:
        """The list of subfeeds."""
        return self.upper

    def upper_height(self, height: int) -> int:
        """A share of the pane."""
        return max(int(height * LIST_SHARE), LEAST_LIST)

    @property
    def body(self) -> RowList:
        """The list of subfeeds: order and marks are about them."""
        return self.feeds

    @property
    def subfeed(self) -> SubfeedState | None:
        """The subfeed under the cursor of the list."""
        chosen: SubfeedState | None = self.feeds.chosen
        return chosen

    @property
    def selection(self) -> SubfeedState | FeedMessage | None:
        """The message under the cursor while the person is among the messages, else the subfeed."""
        state = self.subfeed
        if state is None or not self._reading:
            return state
        message = self.messages.rows.item(self.messages.cursor)
        return FeedMessage(state, message.number) if isinstance(message, Said) else None

    def choose(self, key: SubfeedKey, now: float) -> None:
        """Go to a subfeed in the list; a filter that hides it is taken away."""
        if self._reading:
            self.read(False)
            self.feeds.focus()
        self.paint(now)
        if not self.feeds.choose(key) and self.filter:
            self.set_filter("")
            self.paint(now)
            self.feeds.choose(key)
        self.look_again()

    # Between the two lists

    def step_back(self) -> bool:
        """Let go of the filter of messages, then go from them to the list."""
        if self.messages.has_focus and self.filter:
            self.set_filter("")
            return True
        return super().step_back()

    def turned(self) -> None:
        """Each list has its own filter."""
        self.filter, self._other_filter = self._other_filter, self.filter

    # Filter and order

    @property
    def list_filter(self) -> Filter:
        """The filter of subfeeds."""
        return self._other_filter if self._reading else self.filter

    @property
    def message_filter(self) -> Filter:
        """The filter of messages."""
        return self.filter if self._reading else self._other_filter

    @property
    def fields(self) -> Mapping[str, FieldKind]:
        """Of messages, the keys in the newest ones, too."""
        if not self._reading:
            return self.FIELDS
        return message_fields(self._messages.newest(20) if self._messages else ())

    @property
    def can(self) -> Abilities:
        """Messages have one order, and are not acted on together."""
        return Abilities(True, filter_text=self.filter.text) if self._reading else super().can

    @property
    def marked(self) -> tuple[SubfeedState, ...]:
        """The marked subfeeds, while the person is among them."""
        return () if self._reading else tuple(self.feeds.marked.values())

    def hand_over(self, left: PaneMemory) -> None:
        """Write down filter and order of the list."""
        left.filter, left.sort, left.descending = self.list_filter.text, self.sort, self.descending

    # Looking

    def stamp(self, now: float) -> Hashable:
        """Versions of what is known of subfeeds and of what was read; what is busy only now and then."""
        states = self.node.feeds.states
        self._look_for_messages(now)
        messages = self._messages
        rate = max((state.meter.rate(now, 2) for state in states if state.meter.last_at), default=0.0)
        waited = (since for state in states for since in (state.behind_since, state.missing_since) if since)
        late = max(waited, default=None)
        terms = (*self.filter.terms, *self._other_filter.terms)
        versions = (states.version, self.node.ledger.version, messages.version if messages else 0)
        return (
            self.channel,
            self.feeds.cursor_key,
            self.messages.following,
            int(now / display_of(self).busy_pause) if rate > BUSY_RATE else versions,
            self._order.is_due(now),
            tick(late, now),
            present.quarter(now),
            int(now) if any(term.kind is FieldKind.TIME for term in terms) else 0,
            messages is not None and messages.is_slow(now),
        )

    def _look_for_messages(self, now: float) -> None:
        """Have the chosen subfeed's messages read, as far as they show."""
        state = self.subfeed
        if self._messages is not None and self._messages.subfeed is not state:
            self._messages.close()
            self._messages = None
        if state is None or not state.key.subfeed_hash or not self.messages.display:
            return
        if self._messages is None:
            self._messages = Messages(state, reader(self.node, state.key), self.node.supervisor.spawn)
        self._messages.read_more(now, all_of_window=bool(self.message_filter))

    def status(self, now: float) -> Line:
        """How many there are, how to get to the messages, what a held list has not shown."""
        parts: list[Line] = []
        if not self.feeds.display:
            subfeed = title(self.subfeed) if self.subfeed else ""
            parts.append((Cell(subfeed, Tone.STRONG), Cell("  Esc: feeds", Tone.MUTED)))
        if self._reading and self.filter and self._messages is not None:
            looked_through = present.count(min(self._messages.count, WINDOW), "message")
            parts.append((Cell(f"{len(self.messages.rows):,} of the newest {looked_through}"),))
        elif self.feeds.display:
            parts.append(self._count_words())
        if self._is_current and not self.messages.display and self.subfeed is not None:
            parts.append((Cell(f"{self.key_of('open')}: messages", Tone.MUTED),))
        if unseen := self.messages.unseen:
            parts.append((Cell(f"+{unseen:,} new (End follows)", Tone.WARN),))
        return joined(parts)

    def _count_words(self) -> Line:
        states = subfeeds(self.node)
        if not states:
            return (Cell("none"),)
        feeds = present.count(len(states), "subfeed")
        if self.list_filter:
            return (Cell(f"{len(self.feeds.rows):,} of {feeds}"),)
        own = sum(1 for state in states if state.own)
        followed = sum(1 for state in states if is_followed(state))
        return (Cell(f"{feeds}: {own:,} own, {followed:,} followed"),)

    def paint(self, now: float) -> None:
        """Show list and messages."""
        served = serving(self.node.ledger)
        self.feeds.empty = NOTHING_LEFT if self.list_filter else self.with_keys(EMPTY)
        if self.feeds.display or self.subfeed is None:
            self.feeds.show(
                ListedRows(
                    self._order.shown(
                        self.list_filter, (self.sort, self.descending), served, self.channel, now
                    ),
                    key=lambda state: state.key,
                    cells=lambda state: subfeed_cells(state, served.get(state.key), self.channel, now),
                )
            )
        self._show_about(served, now)
        if self.messages.display:
            self._show_messages(now)

    def _show_about(self, served: Mapping[SubfeedKey, Request], now: float) -> None:
        state = self.subfeed
        lines: tuple[Line, Line] = ((), ())
        if state is not None:
            lines = about_lines(state, served.get(state.key), self.node.label_of, now, self.inside.width)
        for id_, line in zip(("standing", "uri"), lines, strict=True):
            self.query_one(f"#{id_}", CellLine).show(line)

    def _show_messages(self, now: float) -> None:
        state, messages, wanted = self.subfeed, self._messages, self.message_filter
        self.messages.empty = self._empty_words()
        if state is None or messages is None or messages.subfeed is not state:
            self.messages.forget()
            return
        self.messages.set_columns(message_columns(messages.count))

        def newer_than(number: int) -> int:
            return sum(1 for message in messages.filtered(wanted, now) if message.number >= number)

        def rows() -> Rows:
            if not wanted:
                return MessageRows(messages, now)
            return ListedRows(
                messages.filtered(wanted, now),
                key=lambda message: message.number,
                cells=lambda message: said_cells(message, now),
            )

        self.messages.feed(
            (state.key, wanted.text),
            newest=messages.count,
            rows=rows,
            newer_than=newer_than if wanted else None,
        )
        # A list that is held shows what it has asked for as soon as that was read.
        self.messages.repaint()

    def _empty_words(self) -> tuple[str, ...]:
        """What stands where no message does."""
        state, messages = self.subfeed, self._messages
        if state is None:
            return ()
        if messages is not None and messages.problem:
            return (f"✗ {messages.problem}",)
        if state.here and (messages is None or not messages.count):
            # A word that stands there for an eyeblink would only flicker.
            return ("Reading…",) if messages is not None and messages.is_slow(time.time()) else ()
        if state.here and self.message_filter:
            return (f"None of the newest {WINDOW:,} messages matches.", "Esc clears the filter.")
        if state.own:
            return ("No message yet.", f"{self.key_of('append')} appends one.")
        return ("No message is here yet.",)

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        """Another subfeed has other messages; while the cursor moves, rows stand still."""
        if event.row_list is self.feeds:
            self._order.hold(time.time())
            self._other_filter = NO_FILTER
            self.look_again()

    # Export

    async def table(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """The subfeeds that are shown; among messages the newest ones, as far as the filter leaves them."""
        if not self._reading or self._messages is None:
            states = [self.feeds.rows.item(index) for index in range(len(self.feeds.rows))]
            return TITLES, [subfeed_texts(state) for state in states]
        messages, wanted = self._messages, self.message_filter
        await messages.read_window()
        found = messages.filtered(wanted, time.time())
        return MESSAGE_TITLES, [message_texts(message) for message in found]

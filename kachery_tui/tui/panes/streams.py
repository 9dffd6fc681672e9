"""Streams: the six lanes of a channel, and what goes over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kachery_tui.node.activity import StreamActivity, StreamMessage
from kachery_tui.protocol.roles import Stream
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.tui.describe.streams import message_cells, stream_cells
from kachery_tui.tui.here import Lane, PaneName
from kachery_tui.tui.panes.pane import Pane, tick
from kachery_tui.tui.widgets.cell_line import CellLine
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import NO_ROWS, ListedRows, RowList
from kachery_tui.tui.widgets.tail_list import TailList

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.app import ComposeResult

    from kachery_tui.node.membership import Membership

ALL = "all six"
"""The lane that shows the messages of every stream, by time."""

LANES = (
    Column("stream", 13),
    Column("listens", 7),
    Column("publishes", 9),
    Column("rate", 7, right=True),
    Column("last", 10, right=True, drop=2),
    Column("refused", 7, right=True),
    Column("present", 8, share=1, drop=1),
)

MESSAGES = (
    Column("time", 8),
    Column("stream", 13, drop=4),
    Column("verdict", 12),
    Column("type", 18),
    Column("from", 14, drop=2),
    Column("what", 8, share=1),
)

ROOM_FOR_MESSAGES = 14
"""Lines that the pane needs before messages show under the lanes."""

Placed = tuple[Stream, StreamMessage]


class StreamsPane(Pane):
    """The chosen channel's streams above, the chosen stream's messages below."""

    NAME: ClassVar[PaneName] = PaneName.STREAMS

    DEFAULT_CSS = """
    StreamsPane {
        & > #lanes { height: 8; }
        & > .streams--about { background: $boost; }
        &.-short > #lanes { height: 1fr; }
        &.-short > #messages, &.-short > .streams--about { display: none; }
    }
    """

    def contents(self) -> ComposeResult:
        """Lanes, two lines about the chosen one, its messages."""
        yield RowList(LANES, empty=("No channel.",), id="lanes")
        yield CellLine(id="there", classes="streams--about")
        yield TailList(MESSAGES, empty=("Nothing was said here yet.",), id="messages")

    def on_resize(self) -> None:
        """Leave the messages out where there is no room for them."""
        super().on_resize()
        self.set_class(self.size.height < ROOM_FOR_MESSAGES, "-short")

    @property
    def lanes(self) -> RowList:
        """The list of streams."""
        return self.query_one("#lanes", RowList)

    @property
    def messages(self) -> TailList:
        """The list of messages."""
        return self.query_one("#messages", TailList)

    @property
    def focus_target(self) -> RowList:
        """The lanes."""
        return self.lanes

    @property
    def position(self) -> str:
        """Where the cursor stands among the messages."""
        return self.messages.position if self.messages.display else ""

    @property
    def placed(self) -> Placed | None:
        """The message under the cursor and its stream, while the reader is among the messages."""
        chosen: Placed | None = self.messages.chosen if self.messages.has_focus else None
        return chosen

    @property
    def stream_of_message(self) -> Stream | None:
        """The stream of the message under the cursor."""
        return self.placed[0] if self.placed else None

    @property
    def selection(self) -> StreamMessage | Lane | None:
        """The message under the cursor while the reader is among the messages, else the lane."""
        if self.messages.has_focus:
            placed = self.placed
            return placed[1] if placed else None
        key = self.lanes.cursor_key
        return None if key is None else Lane(None if key == ALL else Stream(str(key)))

    def enter_messages(self) -> bool:
        """Go from the lanes to the messages; whether there is room for them."""
        if self.messages.display and not self.has_class("-short"):
            self.messages.focus()
            return True
        return False

    def stamp(self, now: float) -> Hashable:
        """Versions of the streams, of who is present, and which stream is looked at."""
        membership = self.node.memberships.get(self.channel)
        if membership is None:
            return ""
        activity = membership.activity.values()
        return (
            self.channel,
            membership.version,
            self.lanes.cursor_key,
            self.messages.following,
            tuple(
                (one.version, tick(one.received.last_at, now), tick(one.sent.last_at, now))
                for one in activity
            ),
        )

    def status(self, now: float) -> Line:
        """The channel, and what a held list has not shown yet."""
        unseen = self.messages.unseen
        new = (Cell(f"  +{unseen:,} new (End follows)", Tone.WARN),) if unseen else ()
        return (Cell(self.channel or "no channel"), *new)

    def paint(self, now: float) -> None:
        """Show lanes and messages."""
        membership = self.node.memberships.get(self.channel)
        if membership is None:
            self.lanes.show(NO_ROWS)
            self.messages.forget()
            return
        self._show_lanes(membership, now)
        if not self.has_class("-short"):
            self._show_about(membership)
            self._show_messages(membership, now)

    def _show_lanes(self, membership: Membership, now: float) -> None:
        names = [ALL, *Stream]

        def cells(name: str) -> Line:
            streams = list(Stream) if name == ALL else [Stream(name)]
            there = {
                member.node_id: member.label for stream in streams for member in membership.members(stream)
            }
            activities = [membership.activity[stream] for stream in streams]
            return stream_cells(name, activities, _names(there), now)

        self.lanes.show(ListedRows(names, key=str, cells=cells))

    def _streams(self) -> list[Stream]:
        key = self.lanes.cursor_key
        return list(Stream) if key in (ALL, None) else [Stream(str(key))]

    def _show_about(self, membership: Membership) -> None:
        streams = self._streams()
        there = {member.node_id: member.label for stream in streams for member in membership.members(stream)}
        activities = [membership.activity[stream] for stream in streams]
        refused = [one for one in activities if one.refused]
        line: list[Cell] = [Cell(f" present: {_names(there) or 'nobody that this node hears of'}")]
        if refused:
            worst = max(refused, key=lambda one: one.received.last_at or 0)
            total = sum(one.refused for one in refused)
            line.append(Cell(f"  ✗ {total:,} refused, last: {worst.last_refusal}", Tone.BAD))
        passed_over = sum(one.passed_over for one in activities)
        if passed_over:
            line.append(Cell(f"  {passed_over:,} passed over", Tone.MUTED))
        line.extend(Cell(f"  ! {one.stream}: {one.problem}", Tone.WARN) for one in activities if one.problem)
        self.query_one("#there", CellLine).show(tuple(line))

    def _show_messages(self, membership: Membership, now: float) -> None:
        streams = self._streams()
        activities = [membership.activity[stream] for stream in streams]
        view = (self.channel, self.lanes.cursor_key)
        self.messages.feed(
            view,
            newest=sum(one.count for one in activities),
            rows=lambda: ListedRows(
                _by_time(activities),
                key=lambda placed: (placed[0], placed[1].number),
                cells=lambda placed: message_cells(*placed, self.node.label_of, now),
            ),
        )

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        """Another lane shows other messages."""
        if event.row_list is self.lanes:
            self.look_again()


def _by_time(activities: list[StreamActivity]) -> list[Placed]:
    placed = [(one.stream, message) for one in activities for message in one.messages]
    if len(activities) > 1:
        placed.sort(key=lambda one: one[1].at)
    return placed


def _names(there: dict[str, str]) -> str:
    return ", ".join(sorted(label or present.short(node_id) for node_id, label in there.items()))

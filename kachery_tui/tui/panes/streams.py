"""Streams: the six lanes of a channel, and what goes over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from kachery_tui.filters import matches
from kachery_tui.protocol.roles import Stream, role_to_subscribe
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone
from kachery_tui.tui.describe.streams import (
    FAULTS,
    MESSAGE_FIELDS,
    Rights,
    lane_about,
    lane_cells,
    last_at,
    message_cells,
    message_facts,
    names,
)
from kachery_tui.tui.here import Lane, PaneName
from kachery_tui.tui.on_display import display_of
from kachery_tui.tui.panes.heard import MergedRows, Placed, Sieve
from kachery_tui.tui.panes.pane import tick
from kachery_tui.tui.panes.two_lists import BUSY_RATE, MessagesPane
from kachery_tui.tui.widgets.cell_line import CellLine
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import NO_ROWS, ListedRows, RowList
from kachery_tui.tui.widgets.tail_list import TailList

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from textual.app import ComposeResult

    from kachery_tui.node.activity import StreamActivity, StreamMessage
    from kachery_tui.node.ledger import Request
    from kachery_tui.node.membership import Membership
    from kachery_tui.tui.describe import LabelOf

ALL: Final = "all six"
"""The lane that shows the messages of every stream, by time."""

MIDDLE_FROM, WIDE_FROM = 78, 96
"""Columns from which on the lanes tell everything, and from which on nothing of a message's type and verdict is cut."""

LANES_HEIGHT: Final = len(Stream) + 2
"""Lines of the lanes: their titles, all of them together, each by itself."""

_STREAM: Final = ("stream", Column("stream", 12))
_MAY: Final = ("may", Column("may", 9, spills=True))
_RATE: Final = ("rate", Column("rate", 7, right=True))
_REFUSED: Final = ("refused", Column("refused", 7, right=True))


def lane_columns(width: int, *, refused: bool) -> tuple[tuple[str, Column], ...]:
    """The lanes' columns in a pane of that width, with what each tells of.

    Where there is no room for both, the time of the last message makes way for what was `refused`, if anything was.
    """
    if width >= MIDDLE_FROM:
        cells = spark_cells(width)
        return (
            _STREAM,
            _MAY,
            _RATE,
            ("spark", Column("last minute" if cells > 10 else "minute", cells)),
            ("last", Column("last", 8, right=True)),
            _REFUSED,
            ("present", Column("present, or needs", 16, share=1)),
        )
    return (
        _STREAM,
        _MAY,
        _RATE,
        ("spark", Column("minute", spark_cells(width), drop=1)),
        _REFUSED if refused else ("hour", Column("last", 5, right=True)),
        ("present", Column("present, +role", 11, share=1)),
    )


def spark_cells(width: int) -> int:
    """Cells of a sparkline in a pane of that width."""
    if width >= WIDE_FROM:
        return 20
    return 10 if width >= MIDDLE_FROM else 6


def message_columns(width: int, *, one_stream: bool) -> tuple[Column, ...]:
    """The messages' columns in a pane of that width; which stream needs no word where it is the only one."""
    is_wide = width >= WIDE_FROM
    return (
        Column("time", 8, drop=1),
        *(() if one_stream else (Column("stream", 12, drop=4),)),
        Column("verdict", 13 if is_wide else 10),
        Column("type", 18 if is_wide else 16),
        Column("from", 8, share=1, drop=3),
        Column("what", 11, share=2),
    )


class StreamsPane(MessagesPane):
    """The chosen channel's streams above, the chosen stream's messages below or, where room is short, in their place."""

    NAME: ClassVar[PaneName] = PaneName.STREAMS
    UPPER: ClassVar[str] = "lanes"
    LOWER: ClassVar[str] = "messages"
    FIELDS = MESSAGE_FIELDS
    FAILURES: ClassVar[str] = FAULTS

    _heard_of: Hashable = None

    def contents(self) -> ComposeResult:
        """Lanes, two lines about the chosen one, its messages."""
        yield RowList(
            [column for _, column in lane_columns(0, refused=False)], empty=("No channel.",), id=self.UPPER
        )
        yield CellLine(id="rights", classes="about")
        yield CellLine(id="there", classes="about")
        yield TailList(message_columns(0, one_stream=False), id=self.LOWER)

    @property
    def lanes(self) -> RowList:
        """The list of streams."""
        return self.upper

    def upper_height(self, height: int) -> int:
        """All lanes."""
        return LANES_HEIGHT

    @property
    def body(self) -> RowList:
        """The messages."""
        return self.messages

    @property
    def position(self) -> str:
        """Where the cursor stands among the messages."""
        return self.messages.position if self.messages.display else ""

    @property
    def placed(self) -> Placed | None:
        """The message under the cursor and its stream, while the person is among the messages."""
        rows = self.messages.rows
        return rows.item(self.messages.cursor) if self._reading and isinstance(rows, MergedRows) else None

    @property
    def stream_of_message(self) -> Stream | None:
        """The stream of the message under the cursor."""
        return self.placed[0] if self.placed else None

    @property
    def selection(self) -> StreamMessage | Lane | None:
        """The message under the cursor while the person is among the messages, else the lane."""
        if self._reading:
            placed = self.placed
            return placed[1] if placed else None
        key = self.lanes.cursor_key
        return None if key is None else Lane(None if key == ALL else Stream(str(key)))

    def set_filter(self, text: str) -> None:
        """Show only the messages that a filter leaves, and go to them. Raises `FilterError`."""
        super().set_filter(text)
        if self.filter and self.is_attached:
            had_focus = self.lanes.has_focus
            self.read(True)
            if had_focus:
                self.messages.focus()

    def stamp(self, now: float) -> Hashable:
        """Versions of the streams, of who is present, and which stream is looked at; what is busy only now and then."""
        membership = self.node.memberships.get(self.channel)
        if membership is None:
            return ""
        activities = list(membership.activity.values())
        last = last_at(activities)
        rate = sum(one.received.rate(now, 2) + one.sent.rate(now, 2) for one in activities)
        return (
            self.channel,
            membership.version,
            self.lanes.cursor_key,
            self.messages.following,
            int(now / display_of(self).busy_pause)
            if rate > BUSY_RATE
            else tuple(one.version for one in activities),
            tick(last, now),
            _spark_tick(last, now),
            present.quarter(now),
        )

    def status(self, now: float) -> Line:
        """The channel, the lane where that cannot be seen, how to get to the messages, what a held list has not shown."""
        line = [Cell(self.channel or "no channel")]
        if not self.lanes.display:
            line.append(Cell(f"  {self.lanes.cursor_key}  Esc: lanes", Tone.MUTED))
        elif not self.messages.display and self.channel:
            line.append(Cell(f"  {self.key_of('open')}: messages", Tone.MUTED))
        if unseen := self.messages.unseen:
            line.append(Cell(f"  +{unseen:,} new (End follows)", Tone.WARN))
        return tuple(line)

    def paint(self, now: float) -> None:
        """Show lanes and messages."""
        membership = self.node.memberships.get(self.channel)
        if membership is None:
            self.lanes.show(NO_ROWS)
            self.messages.forget()
            return
        if self.lanes.display:
            self._show_lanes(membership, now)
        if self.messages.display:
            self._show_messages(membership, now)

    def _show_lanes(self, membership: Membership, now: float) -> None:
        members = {
            stream: {member.node_id: member.label for member in membership.members(stream)}
            for stream in Stream
        }
        rights = Rights(membership.asked, membership.granted)
        refused = any(activity.refused for activity in membership.activity.values())
        columns = lane_columns(self.inside.width, refused=refused)
        spark, needs = spark_cells(self.inside.width), "needs " if self.inside.width >= MIDDLE_FROM else "+"
        self.lanes.set_columns([column for _, column in columns])

        def present_on(streams: Sequence[Stream]) -> str:
            there = {id_: label for stream in streams for id_, label in members[stream].items()}
            return names(there, self.node.node_id)

        def lane(name: str) -> Line:
            streams = _streams(name)
            activities = [membership.activity[stream] for stream in streams]
            there = present_on(streams)
            cells = lane_cells(name, activities, rights, there, now, spark=spark, needs=needs)
            return tuple(cells.get(tells, BLANK) for tells, _ in columns)

        self.lanes.show(ListedRows([ALL, *Stream], key=str, cells=lane))
        streams = _streams(self.lanes.cursor_key)
        activities = [membership.activity[stream] for stream in streams]
        for id_, line in zip(
            ("rights", "there"), lane_about(activities, rights, present_on(streams)), strict=True
        ):
            self.query_one(f"#{id_}", CellLine).show((Cell(" "), *line))

    def _show_messages(self, membership: Membership, now: float) -> None:
        key = self.lanes.cursor_key
        streams = _streams(key)
        view = (self.channel, key, self.filter.text)
        if view != self._heard_of:
            self._heard_of = view
            self._sieves: Mapping[Stream, Sieve] = {stream: Sieve() for stream in streams}
            self.messages.set_columns(message_columns(self.inside.width, one_stream=len(streams) == 1))
        activities = {stream: membership.activity[stream] for stream in streams}
        labels: dict[str, str] = {}

        def label_of(node_id: str) -> str:
            if node_id not in labels:
                labels[node_id] = self.node.label_of(node_id)
            return labels[node_id]

        kept = {stream: self._kept(activity, label_of, now) for stream, activity in activities.items()}
        counts = (self._sieves[one].passed if self.filter else activities[one].count for one in streams)
        self.messages.empty = self._empty_words(list(activities.values()), membership)
        self.messages.feed(
            view,
            newest=sum(counts),
            rows=lambda: MergedRows(kept, lambda placed: self._cells(placed, label_of, now)),
        )

    def _empty_words(self, activities: Sequence[StreamActivity], membership: Membership) -> tuple[str, ...]:
        """What stands where no message does."""
        if self.filter and any(activity.messages for activity in activities):
            return ("None of the messages kept matches.", "Esc clears the filter.")
        if len(activities) == 1 and not activities[0].subscribed:
            role = role_to_subscribe(activities[0].stream)
            if role not in membership.asked:
                there = f"It needs the role {role}: {self.key_of('pane-channels')} goes to the channels."
                return "This node does not listen here.", there
        return ("No messages yet.",)

    def _kept(self, activity: StreamActivity, label_of: LabelOf, now: float) -> Sequence[StreamMessage]:
        """A stream's messages that the filter leaves."""
        if not self.filter:
            return list(activity.messages)
        return self._sieves[activity.stream].sift(
            activity,
            lambda placed: matches(self.filter, message_facts(*placed, label_of, self._row(placed[1])), now),
        )

    def _cells(self, placed: Placed, label_of: LabelOf, now: float) -> Line:
        line = message_cells(*placed, label_of, self._row(placed[1]), now)
        return line if len(self._sieves) > 1 else (line[0], *line[2:])

    def _row(self, message: StreamMessage) -> Request | None:
        return None if message.request is None else self.node.ledger.get(message.request)

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        """Another lane shows other messages."""
        if event.row_list is self.lanes:
            self.look_again()


def _streams(key: Hashable) -> list[Stream]:
    """The streams of a lane."""
    return list(Stream) if key in (ALL, None) else [Stream(str(key))]


def _spark_tick(last: float | None, now: float) -> int:
    """A part of a stamp for sparklines: it moves on with their cells until the last message has left them."""
    step = present.SPARK_SECONDS // spark_cells(WIDE_FROM)
    return int(now) // step if last is not None and now - last < present.SPARK_SECONDS + step else 0

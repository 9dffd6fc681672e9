"""Channels: how each is connected, and the matrix of its six roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from kachery_tui.filters import NO_FILTER, matches
from kachery_tui.node.values import ConnectionState
from kachery_tui.protocol.roles import Role
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Row, Tone
from kachery_tui.tui.describe.members import (
    FIELDS,
    entry_about,
    entry_cells,
    entry_facts,
    members_words,
    register_rows,
)
from kachery_tui.tui.describe.roles import channel_about, channel_cells, role_about, role_cells
from kachery_tui.tui.here import ChannelRow, PaneName, RegisterRow
from kachery_tui.tui.panes.pane import Pane
from kachery_tui.tui.widgets.cell_line import CellLines
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import ListedRows, RowList

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from textual.app import ComposeResult

    from kachery_tui.filters import FieldKind
    from kachery_tui.node.node import Node
    from kachery_tui.tui.owners import Owners


def matrix_columns(*, short: bool) -> tuple[Column, ...]:
    """The columns of the role matrix; `short` for a pane without room for long words."""
    return (
        Column("channel, role", 14),
        Column("asked", 6, spills=True),
        Column("granted", 7),
        Column("in force", 8),
        Column("↓ subs. ↑ publ." if short else "↓ subscribes ↑ publishes", 10, share=1),
    )


MEMBER_COLUMNS: Final = (
    Column("who", 13, share=1),
    Column("may", 22, share=5, spills=True),
    Column("seen", 8, right=True),
    Column("uploaded", 8, right=True, drop=1),
    Column("since", 7, right=True, drop=2),
)

NO_CHANNELS: Final = (
    "This node is on no channel.",
    "{join} joins one by an invitation; a channel file: kachery-tui channel join FILE",
)
NO_MEMBERS: Final = ("Nobody is a member yet.", "{invite} makes an invitation to send to somebody.")
NOTHING_LEFT: Final = ("No member matches.", "Esc clears the filter.")

WIDE_FROM: Final = 72
"""Columns from which on streams are called by their whole names."""

LEAST_ROWS: Final = 6
"""Lines that the pane has in any case, for the words about how to join a channel."""

ABOUT_HEIGHT: Final = 3
"""Lines about the chosen row. Always as many, so that nothing moves with the cursor."""

ROOM_FOR_ABOUT: Final = 10
"""Lines that the pane needs before it tells of the chosen row under the matrix."""


class ChannelsPane(Pane):
    """Every channel of this node, each with what was asked for, what is granted, and what is in force; or, in the place
    of that, the members of the channel that is looked at, where this node's owner owns it."""

    NAME: ClassVar[PaneName] = PaneName.CHANNELS

    DEFAULT_CSS = """
    ChannelsPane {
        & #role { height: 3; padding: 0 1; background: $boost; }
    }
    """

    def __init__(self, node: Node, key_of: Callable[[str], str], owners: Owners) -> None:
        super().__init__(node, key_of)
        self.shows_members = False
        self._owners = owners
        self.matrix = RowList(
            matrix_columns(short=False),
            empty=self.with_keys(NO_CHANNELS),
            id="matrix",
        )
        self._members = RowList(MEMBER_COLUMNS, empty=self.with_keys(NO_MEMBERS), id="members")

    def contents(self) -> ComposeResult:
        """Matrix and members, of which one shows, and lines about the chosen row."""
        self._members.display = False
        yield self.matrix
        yield self._members
        yield CellLines(id="role")

    def show_members(self, shown: bool) -> None:
        """Show the members in the place of the matrix, or the matrix again."""
        self.shows_members = shown
        self.matrix.display, self._members.display = not shown, shown
        self.filter = NO_FILTER
        self.look_again()

    def step_back(self) -> bool:
        """From the members to the matrix, once the filter is let go of."""
        if not self.shows_members or self.filter:
            return False
        self.show_members(False)
        self.focus_target.focus()
        return True

    @property
    def fields(self) -> Mapping[str, FieldKind]:
        """Members can be filtered."""
        return FIELDS if self.shows_members else {}

    def on_resize(self) -> None:
        """Leave the lines about the chosen row out where there is no room for them."""
        super().on_resize()
        self.about.display = self.inside.height >= ROOM_FOR_ABOUT

    @property
    def focus_target(self) -> RowList:
        """The list that shows."""
        return self._members if self.shows_members else self.matrix

    @property
    def about(self) -> CellLines:
        """The lines about the chosen row."""
        return self.query_one("#role", CellLines)

    @property
    def selection(self) -> ChannelRow | RegisterRow | None:
        """What is under the cursor: a channel, a role on one, a member."""
        chosen = self.focus_target.chosen
        return chosen if isinstance(chosen, ChannelRow | RegisterRow) else None

    def stamp(self, now: float) -> Hashable:
        """Memberships and their versions, what the streams' services say, and the cursor; or the register."""
        if self.shows_members:
            ages = int(now) if self.filter else present.quarter(now)
            return self._owners.version, self.channel, self.focus_target.cursor_key, ages
        return (
            self.node.version,
            self.focus_target.cursor_key,
            tuple((name, one.version, one.in_force) for name, one in self.node.memberships.items()),
        )

    def status(self, now: float) -> Line:
        """How many there are."""
        if self.shows_members:
            view = self._owners.views.get(self.channel)
            words = members_words(view, now) if view else ()
            back = (Cell("  Esc: own roles", Tone.MUTED),)
            return (Cell(f"{self.channel}  "), *words, *back)
        joined = self.node.memberships.values()
        if not joined:
            return (Cell("none", Tone.MUTED),)
        connected = sum(1 for one in joined if one.connection.state is ConnectionState.CONNECTED)
        return (Cell(f"{connected} of {present.count(len(joined), 'channel')} connected"),)

    def paint(self, now: float) -> None:
        """Show matrix or members, and the lines about the chosen row."""
        if self.shows_members:
            self._paint_members(now)
            return
        rows = [ChannelRow(name, role) for name in self.node.memberships for role in (None, *Role)]
        self._leave_room(len(rows))
        self.matrix.set_columns(matrix_columns(short=self._is_narrow))
        self.matrix.show(ListedRows(rows, key=lambda row: row, cells=self._cells))
        row = self.selection
        self.about.show((self._about(row),) if isinstance(row, ChannelRow) else ())

    def _leave_room(self, rows: int) -> None:
        # Beside the rows the frame, or a line at the top, and the columns' titles. The streams get what is left over.
        frame = self.size.height - self.inside.height + 1
        self.styles.max_height = max(rows, LEAST_ROWS) + frame + 1 + ABOUT_HEIGHT

    def _paint_members(self, now: float) -> None:
        view = self._owners.views.get(self.channel)
        rows = register_rows(self.channel, view, now) if view else []
        self._leave_room(len(rows))
        kept = [row for row in rows if not self.filter or matches(self.filter, entry_facts(row.entry), now)]
        self._members.empty = self._no_members(rows)
        self._members.show(ListedRows(kept, key=lambda row: row.key, cells=lambda row: entry_cells(row, now)))
        row = self.selection
        self.about.show((entry_about(row, self.key_of, now),) if isinstance(row, RegisterRow) else ())

    def _no_members(self, rows: Sequence[RegisterRow]) -> tuple[str, ...]:
        """What stands where no member does."""
        if rows:
            return NOTHING_LEFT
        if problem := self._owners.problems.get(self.channel):
            return (f"The register of {self.channel} cannot be read:", problem)
        if self.channel not in self._owners.wanted:
            return (f"{self.channel} has another owner.", "Only the owner's node sees the members.")
        return self.with_keys(NO_MEMBERS)

    @property
    def _is_narrow(self) -> bool:
        return self.inside.width < WIDE_FROM

    def _cells(self, row: ChannelRow) -> Row:
        membership = self.node.memberships.get(row.channel)
        if membership is None:
            return (Cell(row.channel),)
        if row.role is None:
            return channel_cells(membership)
        return role_cells(membership, row.role, short=self._is_narrow)

    def _about(self, row: ChannelRow) -> Line:
        membership = self.node.memberships.get(row.channel)
        if membership is None:
            return ()
        if row.role is None:
            return channel_about(membership, self.key_of("open"))
        return role_about(membership, row.role, self.key_of("role"))

    def on_row_list_moved(self, _event: RowList.Moved) -> None:
        """Another row is told of otherwise."""
        self.look_again()

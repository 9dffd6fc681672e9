"""Channels: how each is connected, and the matrix of its six roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from kachery_tui.node.values import ConnectionState
from kachery_tui.protocol.roles import Role
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line
from kachery_tui.tui.describe.roles import channel_about, channel_cells, role_about, role_cells
from kachery_tui.tui.here import ChannelRow, PaneName
from kachery_tui.tui.panes.pane import Pane
from kachery_tui.tui.widgets.cell_line import CellLines
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import ListedRows, RowList

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.app import ComposeResult

COLUMNS: Final = (
    Column("channel, role", 14),
    Column("asked", 6, spills=True),
    Column("granted", 7),
    Column("in force", 8),
    Column("↓ listens ↑ publish", 10, share=1),
)

WIDE_FROM: Final = 72
"""Columns from which on streams are called by their whole names."""

LEAST_ROWS: Final = 6
"""Lines that the pane has in any case, for the words about how to join a channel."""

ABOUT_HEIGHT: Final = 3
"""Lines about the chosen row. Always as many, so that nothing moves with the cursor."""

ROOM_FOR_ABOUT: Final = 10
"""Lines that the pane needs before it tells of the chosen row under the matrix."""


class ChannelsPane(Pane):
    """Every channel of this node, each with what was asked for, what is granted, and what is in force."""

    NAME: ClassVar[PaneName] = PaneName.CHANNELS

    DEFAULT_CSS = """
    ChannelsPane {
        & > #role { height: 3; padding: 0 1; background: $boost; }
    }
    """

    def contents(self) -> ComposeResult:
        """The matrix, and lines about the chosen row."""
        yield RowList(
            COLUMNS,
            empty=("This node is on no channel.", "Join one:  J, or kachery-tui channel join"),
            id="matrix",
        )
        yield CellLines(id="role")

    def on_resize(self) -> None:
        """Leave the lines about the chosen row out where there is no room for them."""
        super().on_resize()
        self.about.display = self.size.height >= ROOM_FOR_ABOUT

    @property
    def focus_target(self) -> RowList:
        """The matrix."""
        return self.query_one("#matrix", RowList)

    @property
    def about(self) -> CellLines:
        """The lines about the chosen row."""
        return self.query_one("#role", CellLines)

    @property
    def selection(self) -> ChannelRow | None:
        """The channel or role under the cursor."""
        key = self.focus_target.cursor_key
        return key if isinstance(key, ChannelRow) else None

    def stamp(self, now: float) -> Hashable:
        """Memberships and their versions, what the streams' services say, and the cursor."""
        return (
            self.node.version,
            self.focus_target.cursor_key,
            tuple((name, one.version, one.in_force) for name, one in self.node.memberships.items()),
        )

    def status(self, now: float) -> Line:
        """How many there are."""
        joined = self.node.memberships.values()
        connected = sum(1 for one in joined if one.connection.state is ConnectionState.CONNECTED)
        return (Cell(f"{connected} of {present.count(len(joined), 'channel')} connected"),)

    def paint(self, now: float) -> None:
        """Show the matrix and the lines about the chosen row."""
        rows = [ChannelRow(name, role) for name in self.node.memberships for role in (None, *Role)]
        # Two lines more than rows: the pane's title and the columns' titles. What is left over goes to the streams.
        self.styles.max_height = max(len(rows), LEAST_ROWS) + 2 + ABOUT_HEIGHT
        self.focus_target.show(ListedRows(rows, key=lambda row: row, cells=self._cells))
        row = self.selection
        self.about.show((self._about(row),) if row else ())

    def _cells(self, row: ChannelRow) -> Line:
        membership = self.node.memberships.get(row.channel)
        if membership is None:
            return (Cell(row.channel),)
        if row.role is None:
            return channel_cells(membership)
        return role_cells(membership, row.role, short=self.size.width < WIDE_FROM)

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

"""Channels: how each is connected, and the matrix of its six roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kachery_tui.node.values import ConnectionState
from kachery_tui.protocol.roles import ROLE_TABLE, Role
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone
from kachery_tui.tui.describe.roles import role_cells
from kachery_tui.tui.here import ChannelRow, PaneName
from kachery_tui.tui.panes.pane import Pane
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.row_list import ListedRows, RowList

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.app import ComposeResult

    from kachery_tui.node.membership import Membership

COLUMNS = (
    Column("channel, role", 16),
    Column("asked", 6),
    Column("granted", 7),
    Column("in force", 8),
    Column("↑ publishes ↓ listens", 20, share=1),
)

LEAST_ROWS = 6
"""Lines that the pane has in any case, for the words about how to join a channel."""


class ChannelsPane(Pane):
    """Every channel of this node, each with what was asked for, what is granted, and what is in force."""

    NAME: ClassVar[PaneName] = PaneName.CHANNELS

    def contents(self) -> ComposeResult:
        """The matrix."""
        yield RowList(
            COLUMNS,
            empty=("This node is on no channel.", "Join one:  kachery-tui channel join FILE"),
            id="matrix",
        )

    @property
    def focus_target(self) -> RowList:
        """The matrix."""
        return self.query_one("#matrix", RowList)

    @property
    def selection(self) -> ChannelRow | None:
        """The channel or role under the cursor."""
        key = self.focus_target.cursor_key
        return key if isinstance(key, ChannelRow) else None

    def stamp(self, now: float) -> Hashable:
        """Memberships and their versions."""
        return self.node.version, tuple((name, one.version) for name, one in self.node.memberships.items())

    def status(self, now: float) -> Line:
        """How many there are."""
        joined = self.node.memberships.values()
        connected = sum(1 for one in joined if one.connection.state is ConnectionState.CONNECTED)
        return (Cell(f"{connected} of {present.count(len(joined), 'channel')} connected"),)

    def paint(self, now: float) -> None:
        """Show the matrix."""
        rows = [ChannelRow(name, role) for name in self.node.memberships for role in (None, *Role)]
        # Two lines more than rows: the pane's title and the columns' titles. What is left over goes to the streams.
        self.styles.max_height = max(len(rows), LEAST_ROWS) + 2
        self.focus_target.show(ListedRows(rows, key=lambda row: row, cells=self._cells))

    def _cells(self, row: ChannelRow) -> Line:
        membership = self.node.memberships.get(row.channel)
        if membership is None:
            return (Cell(row.channel),)
        if row.role is None:
            return Cell(row.channel, Tone.STRONG), BLANK, BLANK, BLANK, _state_of(membership)
        return role_cells(
            row.role,
            asked=row.role in membership.asked,
            granted=row.role in membership.granted,
            in_force=row.role in membership.in_force,
            problem=_problem_of(membership, row.role),
        )


def _state_of(membership: Membership) -> Cell:
    state = present.connection(membership.connection)
    if membership.connection.state is ConnectionState.CONNECTED:
        answers = "by itself" if membership.config.provide == "auto" else "after your yes"
        return Cell(f"{state.text}; provides {answers}", state.tone)
    reason = membership.connection.reason
    return Cell(f"{state.text}: {reason}" if reason else state.text, state.tone)


def _problem_of(membership: Membership, role: Role) -> str:
    rights = ROLE_TABLE[role]
    return (
        membership.activity[rights.publishes].problem
        or membership.activity[rights.subscribes].problem
        or (
            "the service has not confirmed it yet"
            if membership.connection.state is ConnectionState.CONNECTED
            else ""
        )
    )

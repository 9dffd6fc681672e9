"""Channels: asking for roles and giving them up, and which channel is looked at."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from kachery_tui.tui.actions.action import AVAILABLE, Action, Group
from kachery_tui.tui.here import ChannelRow, Here, PaneName
from kachery_tui.tui.undo import Undo

if TYPE_CHECKING:
    from kachery_tui.protocol.roles import Role
    from kachery_tui.tui.screen import MainScreen


def _role(screen: MainScreen, here: Here) -> None:
    row = here.selection
    if isinstance(row, ChannelRow) and row.role is not None:
        asked = row.role not in screen.node.memberships[row.channel].asked
        screen.run(_set_role(screen, row.channel, row.role, asked=asked), "screen: set a role")


async def _set_role(screen: MainScreen, channel: str, role: Role, *, asked: bool) -> None:
    await screen.node.set_role(channel, role, asked=asked)
    done = f"{'asking for' if asked else 'dropping'} {role} on {channel}"
    screen.undo.push(Undo(done, partial(screen.node.set_role, channel, role, asked=not asked)))


def _role_unavailable(here: Here) -> str:
    if not isinstance(here.selection, ChannelRow):
        return f"choose a role in the channels pane ({here.key_of('pane-channels')})"
    return AVAILABLE if here.selection.role else "choose a role, not the channel"


def _role_label(here: Here) -> str:
    row = here.selection
    if isinstance(row, ChannelRow) and row.role and row.channel in here.node.memberships:
        return "Drop role" if row.role in here.node.memberships[row.channel].asked else "Ask for role"
    return "Ask/drop role"


def _next_channel(screen: MainScreen, here: Here) -> None:
    names = list(here.node.memberships)
    at = names.index(here.channel) if here.channel in names else -1
    screen.look_at_channel(names[(at + 1) % len(names)])


def _next_channel_unavailable(here: Here) -> str:
    number = len(here.node.memberships)
    return AVAILABLE if number > 1 else f"this node is on {'one channel' if number else 'no channel'}"


ACTIONS: Final = (
    Action(
        "role", "g", "Ask/drop role", "Ask for the role on this channel, or give it up", _role,
        _role_unavailable, Group.CHANNELS, panes=frozenset({PaneName.CHANNELS}), changes=True, needs_node=True,
        label_here=_role_label, also="space",
    ),
    Action(
        "next-channel", "c", "Next channel", "Look at the next channel's streams and bucket", _next_channel,
        _next_channel_unavailable, Group.CHANNELS,
    ),
)  # fmt: skip

"""Channels: asking for roles and giving them up, what there is to know of one, and which is looked at."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from kachery_tui.authority.values import IssuedCode
from kachery_tui.config import Provide
from kachery_tui.tui.actions.action import AVAILABLE, Action, Group
from kachery_tui.tui.actions.members import ask_for_roles, has_to_be_let_in
from kachery_tui.tui.describe.roles import channel_lines, meaning, role_lines, why_not
from kachery_tui.tui.here import ChannelRow, Here, PaneName, RegisterRow
from kachery_tui.tui.undo import Undo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kachery_tui.protocol.roles import Role
    from kachery_tui.tui.cells import Line
    from kachery_tui.tui.desk import Desk

PATIENCE: Final = 5.0
"""Seconds until a role that is not in force by then is told to be waiting; a service takes far less."""


def open_row(desk: Desk, row: ChannelRow) -> None:
    """Tell all about a channel, or about a role on it."""

    def lines() -> Iterator[Line]:
        membership = desk.node.memberships.get(row.channel)
        if membership is None:
            return iter(())
        return channel_lines(membership) if row.role is None else role_lines(membership, row.role)

    title = f"Channel {row.channel}" if row.role is None else f"The role {row.role} on {row.channel}"
    desk.view(title, lines, live=True)


def _role(desk: Desk, here: Here) -> None:
    row = here.selection
    if isinstance(row, RegisterRow):
        ask_for_roles(desk, row)
    if isinstance(row, ChannelRow) and row.role is not None:
        asked = row.role not in desk.node.memberships[row.channel].asked
        done = f"{'asking for' if asked else 'giving up'} {row.role} on {row.channel}"
        changing = _set_role(desk, row.channel, row.role, done, asked=asked)
        desk.undo.wait_for(done, desk.run_work(changing, "screen: set a role"))


_PROVIDES: Final = {Provide.AUTO: "Send automatically", Provide.ASK: "Ask first"}


async def _set_role(desk: Desk, channel: str, role: Role, done: str, *, asked: bool) -> None:
    await desk.node.set_role(channel, role, asked=asked)
    desk.undo.push(Undo(done, partial(desk.node.set_role, channel, role, asked=not asked)))
    membership = desk.node.memberships.get(channel)
    if membership is None:
        return
    if not asked:
        desk.tell(
            f"it no longer lets this node {meaning(channel, role).replace(' and ', ' or ')}",
            title=f"{role} given up",
        )
    elif role not in membership.granted or not await membership.wait_role(role, PATIENCE):
        desk.tell(why_not(membership, role), title=f"{role} is asked for, not in force")
    else:
        desk.tell(f"granted: this node may now {meaning(channel, role)}", title=f"{role} is in force")


def _role_unavailable(here: Here) -> str:
    row = here.selection
    if isinstance(row, RegisterRow):
        is_code = isinstance(row.entry, IssuedCode)
        return "an invitation cannot be changed: revoke it and make another" if is_code else AVAILABLE
    if not isinstance(row, ChannelRow):
        return f"select a role in the channels pane ({here.key_of('pane-channels')})"
    return AVAILABLE if row.role else "select a role, not the channel"


def _role_label(here: Here) -> str:
    row = here.selection
    if isinstance(row, RegisterRow) and not isinstance(row.entry, IssuedCode):
        return "Let in" if has_to_be_let_in(row.entry) else "Set its roles"
    if isinstance(row, ChannelRow) and row.role and row.channel in here.node.memberships:
        return "Give up role" if row.role in here.node.memberships[row.channel].asked else "Ask for role"
    return "Ask/give up role"


def _switch_provide(desk: Desk, here: Here) -> None:
    name = here.channel
    before = desk.node.memberships[name].config.provide
    then = Provide.ASK if before is Provide.AUTO else Provide.AUTO
    done = f"{_PROVIDES[then].lower()} on {name}"
    desk.undo.wait_for(
        done, desk.run_work(_set_provide(desk, name, before, then, done), "screen: set provide")
    )


async def _set_provide(desk: Desk, channel: str, before: Provide, then: Provide, done: str) -> None:
    await desk.node.set_provide(channel, then)
    desk.undo.push(Undo(done, partial(desk.node.set_provide, channel, before)))
    desk.tell("what others request waits for your key" if then is Provide.ASK else "what others request is sent at once",
              title=f"{channel}: {_PROVIDES[then].lower()}")  # fmt: skip


def _provide_unavailable(here: Here) -> str:
    return AVAILABLE if here.channel in here.node.memberships else "this node is on no channel"


def _provide_label(here: Here) -> str:
    membership = here.node.memberships.get(here.channel)
    asks = membership is not None and membership.config.provide is Provide.ASK
    return _PROVIDES[Provide.AUTO if asks else Provide.ASK]


def _next_channel(desk: Desk, here: Here) -> None:
    names = list(here.node.memberships)
    at = names.index(here.channel) if here.channel in names else -1
    desk.look_at_channel(names[(at + 1) % len(names)])


def _next_channel_unavailable(here: Here) -> str:
    number = len(here.node.memberships)
    return AVAILABLE if number > 1 else f"this node is on {'one channel' if number else 'no channel'}"


ACTIONS: Final = (
    Action(
        "role", "g", "Ask/give up role", "Ask for the role, or give it up; on a member, set its roles", _role,
        _role_unavailable, Group.CHANNELS, panes=frozenset({PaneName.CHANNELS}), changes=True, needs_node=True,
        label_here=_role_label, also="space",
    ),
    Action(
        "provide-mode", "a", "Ask first", "Ask you before what others request is sent, or send it automatically",
        _switch_provide, _provide_unavailable, Group.CHANNELS, panes=frozenset({PaneName.CHANNELS}), changes=True,
        needs_node=True, label_here=_provide_label,
    ),
    Action(
        "next-channel", "c", "Next channel", "Switch to the next channel's streams and bucket", _next_channel,
        _next_channel_unavailable, Group.CHANNELS,
    ),
)  # fmt: skip

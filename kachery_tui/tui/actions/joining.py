"""Channels: coming in by an invitation, and leaving."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from kachery_tui.errors import KacheryError
from kachery_tui.printable import printable
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.invitations import is_invitation, parse_invitation
from kachery_tui.tui.actions.action import AVAILABLE, Action, Group
from kachery_tui.tui.actions.requests import ask_for_pasted
from kachery_tui.tui.dialogs.ask import Ask
from kachery_tui.tui.dialogs.confirm import Confirm
from kachery_tui.tui.here import ChannelRow, Here, PaneName
from kachery_tui.tui.undo import Undo
from kachery_tui.words import moment

if TYPE_CHECKING:
    from kachery_tui.node.joining import Offer
    from kachery_tui.tui.desk import Desk


def ask_to_join(desk: Desk, value: str = "") -> None:
    """Ask by which invitation to join, then say what it brings and reaches, and join."""
    offers: list[Offer] = []

    async def admit(text: str) -> str:
        try:
            offers.append(await desk.node.read_offer(parse_invitation(text)))
        except KacheryError as error:
            return error.why or error.what
        return ""

    def go_on(text: str | None) -> None:
        if text is not None and offers:
            desk.call_later(_confirm, desk, offers[-1])

    desk.app.push_screen(
        Ask(
            "Join a channel",
            about="kachery://… as its owner gave it; without #code, its owner is asked",
            value=value,
            takes="Look",
            check=_problem,
            admit=admit,
        ),
        go_on,
    )


def _problem(text: str) -> str:
    try:
        parse_invitation(text)
    except ProtocolError as error:
        return error.what
    return ""


def _confirm(desk: Desk, offer: Offer) -> None:
    invitation = offer.invitation
    if offer.roles:
        until = f", until {moment(offer.expires)}" if offer.expires is not None else ""
        brings = f"It brings {', '.join(sorted(offer.roles))}{until}."
    else:
        brings = "Its owner will be asked to let this node in."
    crypt = (
        " The connection is not encrypted: others on the network can read it."
        if offer.can_be_overheard
        else ""
    )

    def go_on(yes: bool | None) -> None:
        if yes:
            desk.run_work(_join(desk, offer), "screen: join a channel")

    desk.app.push_screen(
        Confirm(
            f"Join {invitation.channel}?",
            about=f"This node will talk to {invitation.url}. {brings}{crypt}",
            usual=True,
        ),
        go_on,
    )


async def _join(desk: Desk, offer: Offer) -> None:
    joined = await desk.node.join_by(offer.invitation)
    name = offer.invitation.channel
    if joined.standing.is_member:
        roles = ", ".join(sorted(joined.standing.granted)) or "no role yet"
        desk.tell(f"this node is a member, with {roles}", title=f"joined {name}")
    else:
        desk.tell(
            "once the owner says yes, the roles come by themselves", title=f"{name}: its owner is asked"
        )
    desk.look_at_channel(name)


def _join_here(desk: Desk, _here: Here) -> None:
    ask_to_join(desk)


def _leave(desk: Desk, here: Here) -> None:
    row = here.selection
    if not isinstance(row, ChannelRow):
        return

    def go_on(yes: bool | None) -> None:
        if yes:
            done = f"leaving {row.channel}"
            desk.undo.wait_for(
                done, desk.run_work(_leave_now(desk, row.channel, done), "screen: leave a channel")
            )

    desk.app.push_screen(
        Confirm(
            f"Leave {row.channel}?",
            about="Transfers there are cancelled, and its channel file is removed; undo restores it",
        ),
        go_on,
    )


async def _leave_now(desk: Desk, channel: str, done: str) -> None:
    file, data = await desk.node.leave(channel)
    desk.undo.push(Undo(done, partial(desk.node.put_channel_file, file, data)))
    desk.tell("its file is removed; undo restores it", title=f"left {channel}")


def _leave_unavailable(here: Here) -> str:
    if isinstance(here.selection, ChannelRow):
        return AVAILABLE
    return f"select a channel in the channels pane ({here.key_of('pane-channels')})"


def take_paste(desk: Desk, text: str) -> None:
    """Do what a text that was pasted among the panes is for: join by an invitation, or ask for what it names."""
    words = text.split()
    if len(words) == 1 and is_invitation(words[0]) and printable(words[0]) == words[0]:
        ask_to_join(desk, words[0])
    else:
        ask_for_pasted(desk, text)


ACTIONS: Final = (
    Action(
        "join", "J", "Join", "Join a channel by its owner's invitation", _join_here,
        lambda _: AVAILABLE, Group.CHANNELS, panes=frozenset({PaneName.CHANNELS}), changes=True, needs_node=True,
    ),
    Action(
        "leave", "L", "Leave", "Leave the channel: its file is removed", _leave,
        _leave_unavailable, Group.CHANNELS, panes=frozenset({PaneName.CHANNELS}), changes=True, needs_node=True,
    ),
)  # fmt: skip

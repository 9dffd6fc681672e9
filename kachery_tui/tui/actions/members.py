"""What a channel's owner does: who is in, who asks, which roles they have; inviting, and throwing out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from kachery_tui.amounts import SIZE_EXAMPLES, SPAN_EXAMPLES
from kachery_tui.authority.values import Applicant, IssuedCode, Member, read_lifetime, read_quota
from kachery_tui.errors import UsageError
from kachery_tui.protocol.roles import Role
from kachery_tui.tui import present
from kachery_tui.tui.actions.action import AVAILABLE, EVERYWHERE, Action, Group
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone
from kachery_tui.tui.describe.members import entry_lines, name_of, roles_words
from kachery_tui.tui.describe.roles import ROLE_WORDS
from kachery_tui.tui.dialogs.ask import Ask
from kachery_tui.tui.dialogs.checklist import Checklist, Choice
from kachery_tui.tui.dialogs.confirm import Confirm
from kachery_tui.tui.here import Here, PaneName, RegisterRow
from kachery_tui.tui.panes.channels import ChannelsPane
from kachery_tui.tui.undo import Undo

if TYPE_CHECKING:
    from collections.abc import Callable

    from kachery_tui.authority.owner import NodeStanding, Owner
    from kachery_tui.protocol.invitations import Invitation
    from kachery_tui.tui.desk import Desk

_CHANNELS: Final = frozenset({PaneName.CHANNELS})

MOST_SHOWN_GRANTS: Final = 200
MOST_USES: Final = 10_000
USUAL_TERMS: Final = "1 7d"


# Looking


def _show_members(desk: Desk, here: Here) -> None:
    pane = desk.pane_of(PaneName.CHANNELS)
    assert isinstance(pane, ChannelsPane)
    if here.pane is PaneName.CHANNELS and pane.shows_members:
        pane.show_members(False)
    else:
        channel = _owned(here)
        asked = [name for name, view in desk.owners.views.items() if view.applicants]
        if asked and (here.pane is not PaneName.CHANNELS or not channel):
            channel = asked[0]
        desk.look_at_channel(channel or next(iter(desk.owners.wanted)))
        pane.show_members(True)
    desk.go(PaneName.CHANNELS)


def _members_unavailable(here: Here) -> str:
    if any(one.config.owner is not None for one in here.node.memberships.values()):
        return AVAILABLE
    return "this node owns no channel that has members: a hub's own channel file makes it the owner"


def _members_label(here: Here) -> str:
    return "Own roles" if isinstance(here.selection, RegisterRow) else "Members"


def _owned(here: Here) -> str:
    """The channel that is looked at, if this node owns it."""
    membership = here.node.memberships.get(here.channel)
    return here.channel if membership is not None and membership.config.owner is not None else ""


def open_entry(desk: Desk, row: RegisterRow) -> None:
    """Tell all about a member, with what it was granted last."""

    async def show() -> None:
        lines = []
        if not isinstance(row.entry, IssuedCode):
            node_id = row.entry.node_id
            lines = await desk.owners.act(
                row.channel, lambda owner: owner.lines(node_id, limit=MOST_SHOWN_GRANTS)
            )
        title = f"{name_of(row.entry)} on {row.channel}"
        desk.view(title, lambda: entry_lines(row.entry, lines), copies=getattr(row.entry, "node_id", ""))

    desk.run_work(show(), "screen: show a member")


# Roles


def ask_for_roles(desk: Desk, row: RegisterRow) -> None:
    """Ask which roles a node is to have, and give it these; one who waits, or was thrown out, is let in."""
    entry = row.entry
    if isinstance(entry, IssuedCode):
        return
    has = frozenset(_has(desk, row))
    lets_in = has_to_be_let_in(entry)

    def go_on(ticked: frozenset[str] | None) -> None:
        roles = frozenset(Role(name) for name in ticked or ())
        if ticked is None or (not lets_in and roles == has):
            return
        verb = "letting in" if lets_in else "changing the roles of"
        done = f"{verb} {name_of(entry)} on {row.channel}"
        said = f"{name_of(entry)} may {roles_words(roles)}" if roles else f"{name_of(entry)} has no role"
        _change(desk, row.channel, entry, lambda owner: owner.set_roles(entry, roles), done=done, said=said)

    title = f"Let {name_of(entry)} into" if lets_in else f"Roles of {name_of(entry)} on"
    desk.app.push_screen(
        Checklist(
            f"{title} {row.channel}",
            _choices(),
            head="role",
            about=f"node {entry.node_id}",
            ticked=frozenset(role.value for role in has | entry.roles),
            takes="Let in" if lets_in else "Set",
            check=lambda ticked: "without a role, it can do nothing" if lets_in and not ticked else "",
        ),
        go_on,
    )


def has_to_be_let_in(entry: Member | Applicant) -> bool:
    """Whether it is no member: it waits, or was thrown out."""
    return isinstance(entry, Applicant) or entry.removed is not None


def _has(desk: Desk, row: RegisterRow) -> frozenset[Role]:
    """The roles that a node has now: a member may ask for more, and wait for that."""
    view = desk.owners.views.get(row.channel)
    if view is None or isinstance(row.entry, IssuedCode):
        return frozenset()
    node_id = row.entry.node_id
    return next((member.may for member in view.members if member.node_id == node_id), frozenset())


def _choices() -> tuple[Choice, ...]:
    return tuple(Choice(role.value, ROLE_WORDS[role]) for role in Role)


def _change(
    desk: Desk,
    channel: str,
    entry: Member | Applicant,
    work: Callable[[Owner], object],
    *,
    done: str,
    said: str,
) -> None:
    """Change how a node stands, so that it can be taken back."""

    def change(owner: Owner) -> NodeStanding:
        before = owner.standing_of(entry.node_id)
        work(owner)
        return before

    async def act() -> None:
        before = await desk.owners.act(channel, change)
        desk.undo.push(Undo(done, partial(desk.owners.act, channel, lambda owner: owner.put_back(before))))
        desk.tell(f"{said}; in effect at once", title=channel)

    desk.undo.wait_for(done, desk.run_work(act(), "screen: change a member"))


# Throwing out, sending away, taking back


def _throw_out(desk: Desk, here: Here) -> None:
    row = here.selection
    if not isinstance(row, RegisterRow):
        return
    entry, channel = row.entry, row.channel
    if isinstance(entry, IssuedCode):
        _revoke(desk, channel, entry)
        return
    waits = isinstance(entry, Applicant)

    def go_on(yes: bool | None) -> None:
        if yes:
            done = f"{'turning away' if waits else 'removing'} {name_of(entry)}"
            said = f"{name_of(entry)} is {'turned away' if waits else 'no longer a member'}"
            _change(desk, channel, entry, lambda owner: owner.remove(entry), done=done, said=said)

    if waits:
        go_on(True)
        return
    about = "Its connections end; its tokens and grants become invalid. Undo lets it back in."
    desk.app.push_screen(Confirm(f"Remove {name_of(entry)} from {channel}?", about=about), go_on)


def _revoke(desk: Desk, channel: str, code: IssuedCode) -> None:
    """There is no way back: nothing keeps what its code was."""

    def go_on(yes: bool | None) -> None:
        if yes:
            desk.run_work(revoke(), "screen: take an invitation back")

    async def revoke() -> None:
        await desk.owners.act(channel, lambda owner: owner.revoke(code.number))
        desk.tell(f"{name_of(code)} lets nobody in any more", title=channel)

    about = "Its line lets nobody in any more. This cannot be undone; a new invitation can be made."
    desk.app.push_screen(Confirm(f"Revoke {name_of(code)}?", about=about), go_on)


def _throw_out_unavailable(here: Here) -> str:
    match here.selection:
        case RegisterRow(entry=Member(removed=float())):
            return f"already removed; {here.key_of('role')} lets it back in"
        case RegisterRow():
            return AVAILABLE
        case _:
            return f"choose a member ({here.key_of('members')} lists them)"


def _throw_out_label(here: Here) -> str:
    match here.selection:
        case RegisterRow(entry=Applicant()):
            return "Turn away"
        case RegisterRow(entry=IssuedCode()):
            return "Revoke"
        case _:
            return "Remove"


# Inviting


def _invite(desk: Desk, here: Here) -> None:
    channel = _owned(here)

    def ask_terms(ticked: frozenset[str] | None) -> None:
        if ticked is not None:
            desk.call_later(_ask_terms, desk, channel, frozenset(Role(name) for name in ticked))

    desk.app.push_screen(
        Checklist(
            f"Invite to {channel} as",
            _choices(),
            head="role",
            ticked=frozenset({Role.REQUEST_FILES.value}),
            takes="Go on",
            check=lambda ticked: "" if ticked else "without a role, a newcomer can do nothing",
        ),
        ask_terms,
    )


def _ask_terms(desk: Desk, channel: str, roles: frozenset[Role]) -> None:
    def go_on(text: str | None) -> None:
        if text is not None:
            desk.run_work(_make_invitation(desk, channel, roles, text), "screen: invite")

    desk.app.push_screen(
        Ask(
            "How many, and for how long?",
            about="nodes that it lets in, how long it is good, and, if you like, the bytes that each may upload a day",
            value=USUAL_TERMS,
            takes="Invite",
            check=_terms_problem,
        ),
        go_on,
    )


def read_terms(text: str) -> tuple[int, float, int | None]:
    """Uses, seconds, and bytes a day of an invitation, as `3 7d 10G`. Raises `UsageError`."""
    uses, span, size, *more = [*text.split(), "", "", ""]
    if not uses.isascii() or not uses.isdigit() or not 0 < int(uses[:9]) <= MOST_USES:
        raise UsageError(f"first, how many it lets in: 1 to {MOST_USES:,}")
    seconds = read_lifetime(span)
    if seconds is None:
        raise UsageError(f"then how long it is good: {SPAN_EXAMPLES}")
    quota = read_quota(size) if size else None
    if any(more) or (size and quota is None):
        raise UsageError(f"last, if at all, what each may upload a day: {SIZE_EXAMPLES}")
    return int(uses), seconds, quota


def _terms_problem(text: str) -> str:
    try:
        read_terms(text)
    except UsageError as error:
        return error.what
    return ""


async def _make_invitation(desk: Desk, channel: str, roles: frozenset[Role], terms: str) -> None:
    uses, seconds, quota = read_terms(terms)
    invitation = await desk.owners.act(
        channel, lambda owner: owner.invite(roles, uses=uses, seconds=seconds, quota=quota)
    )
    done = f"inviting to {channel}"
    desk.undo.push(
        Undo(done, partial(desk.owners.act, channel, lambda owner: owner.revoke_invitation(invitation)))
    )
    desk.view(
        "An invitation",
        lambda: _invitation_lines(invitation, roles, uses, seconds),
        copies=str(invitation),
    )


def _invitation_lines(
    invitation: Invitation, roles: frozenset[Role], uses: int, seconds: float
) -> tuple[Line, ...]:
    lets = f"It lets {present.count(uses, 'node')} in within {present.duration(seconds)}, to {roles_words(roles)}."
    return (
        (Cell(str(invitation), Tone.STRONG),),
        (BLANK,),
        (Cell(lets),),
        (Cell("Whoever has the line can use it. It is shown this once: copy it now.", Tone.WARN),),
        (Cell("There: kachery-tui channel join LINE, or pasted into the screen."),),
    )


def _invite_unavailable(here: Here) -> str:
    if _owned(here):
        return AVAILABLE
    if here.channel not in here.node.memberships:
        return "select a channel of your own"
    return f"only the owner of {here.channel} invites, on the machine of its hub"


THROWING_OUT: Final = (
    Action(
        "throw-out", "d", "Remove", "Remove a member, turn an applicant away, or revoke an invitation",
        _throw_out, _throw_out_unavailable, Group.CHANNELS, panes=_CHANNELS, changes=True, needs_node=True,
        label_here=_throw_out_label,
    ),
)  # fmt: skip

ACTIONS: Final = (
    Action(
        "members", "m", "Members", "Show who is in a channel of your own, and who asks to be; again, your roles",
        _show_members, _members_unavailable, Group.CHANNELS, panes=EVERYWHERE, needs_node=True,
        label_here=_members_label,
    ),
    Action(
        "invite", "I", "Invite", "Make a line by which somebody joins a channel of your own", _invite,
        _invite_unavailable, Group.CHANNELS, panes=_CHANNELS, changes=True, needs_node=True,
    ),
)  # fmt: skip

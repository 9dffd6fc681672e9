"""Coming into a channel by its owner's authority: what an invitation brings, and becoming a member by it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kachery_tui.channel.member_authority import MemberAuthority
from kachery_tui.config.channels import check_vacant, install_membership
from kachery_tui.errors import NotAllowed
from kachery_tui.loopback import is_loopback
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.authority import Standing, roles_of
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.invitations import Invitation
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.roles import Role


@dataclass(frozen=True, slots=True)
class Offer:
    """What a channel's authority says before one joins.

    `roles` are those of the invitation; without one, the owner has to be asked, and there are none.
    """

    invitation: Invitation
    roles: frozenset[Role] = frozenset()
    expires: float | None = None
    """Unix time in seconds until which the invitation lets somebody in."""

    @property
    def can_be_overheard(self) -> bool:
        """Whether somebody on the network can read what is said to the authority."""
        parts = urlsplit(self.invitation.url)
        return parts.scheme != "https" and not is_loopback(parts.hostname or "")


@dataclass(frozen=True, slots=True)
class Joined:
    """A channel that was joined, or asked to be let into: its file, and how this node stands there."""

    file: Path
    standing: Standing


async def read_offer(invitation: Invitation, key: PrivateKey, label: str) -> Offer:
    """What an invitation brings. Raises `NotAllowed` where it lets nobody in, `KacheryError` where nobody answers."""
    if not invitation.code:
        return Offer(invitation)
    async with _authority(invitation, key, label) as authority:
        answer = await authority.describe_code(invitation.code)
    try:
        roles = roles_of(answer.get("roles"))
    except ProtocolError:
        roles = frozenset()
    expires = answer.get("expires")
    return Offer(invitation, roles, float(expires) if isinstance(expires, int | float) else None)


async def join_by(
    invitation: Invitation, key: PrivateKey, label: str, folder: Path, roles: frozenset[Role]
) -> Joined:
    """Become a member, or ask the owner to be let in, and write the channel file with these roles asked for.

    `folder` is the settings folder. Without roles, those that are granted are asked for. Raises `UsageError` for a
    channel that is joined already, `NotAllowed` where the owner lets nobody in, `KacheryError` where nobody answers.
    """
    # Before anything is used up.
    await in_thread(lambda: check_vacant(folder, invitation.channel))
    async with _authority(invitation, key, label) as authority:
        if invitation.code:
            standing = await authority.join(invitation.code)
        else:
            standing = await authority.standing()
            if not standing.is_member:
                standing = await authority.apply(roles or {Role.REQUEST_FILES})
    if not standing.is_member and not standing.waiting:
        raise NotAllowed(f"channel {invitation.channel} lets this node not in", "", "ask its owner")
    asked = roles or standing.granted or frozenset({Role.REQUEST_FILES})
    file = await in_thread(lambda: install_membership(folder, invitation.channel, invitation.url, asked))
    return Joined(file, standing)


@asynccontextmanager
async def _authority(invitation: Invitation, key: PrivateKey, label: str) -> AsyncIterator[MemberAuthority]:
    authority = MemberAuthority(invitation.url, invitation.channel, key, label, on_change=lambda: None)
    try:
        yield authority
    finally:
        await authority.close()

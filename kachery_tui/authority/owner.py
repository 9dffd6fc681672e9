"""What a channel's owner does at the register, and can take back."""

import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from kachery_tui.authority.register import REGISTER_FILE, Register
from kachery_tui.authority.values import Applicant, IssuedCode, LedgerLine, Member, Newcomers, key_id
from kachery_tui.errors import UsageError
from kachery_tui.protocol.invitations import Invitation
from kachery_tui.protocol.roles import Role


@dataclass(frozen=True, slots=True)
class RegisterView:
    """What the register holds of one channel, the ledger apart. Times inside are Unix seconds."""

    members: tuple[Member, ...] = ()
    """Those who were thrown out come last; else by label."""
    applicants: tuple[Applicant, ...] = ()
    """The oldest first."""
    codes: tuple[IssuedCode, ...] = ()
    """The newest first, used up ones included."""
    newcomers: Newcomers = Newcomers.ASK


@dataclass(frozen=True, slots=True)
class NodeStanding:
    """How a node stands: as a member that was or is, as one who waits, as both, or as neither."""

    node_id: str
    member: Member | None
    applicant: Applicant | None


class Owner:
    """One channel at its owner's register. Every method blocks, may be called from any thread, and raises
    `KacheryError` where the register cannot be used."""

    def __init__(self, register: Register, channel: str, url: str) -> None:
        self.channel = channel
        self.url = url
        self._register = register

    @classmethod
    def at(cls, folder: Path, channel: str) -> "Owner":
        """The owner of a channel whose register is in `folder`. Where there is none, none is made.

        Raises `UsageError` where there is none, or none that has this channel.
        """
        try:
            found = (folder / REGISTER_FILE).stat()
        except OSError:
            found = None
        if found is None or not stat.S_ISREG(found.st_mode):
            raise UsageError(
                f"the register of {channel} is not here",
                f"there is none in {folder}",
                "Members are managed where the hub, or the authority, has its folder: --data DIR",
            )
        if found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise UsageError(
                f"the register in {folder} is not yours alone",
                "others own it, or may write to it",
                "chmod 600 it",
            )
        register = Register(folder, make=False)
        try:
            served = register.served()
            if channel not in served:
                has = f"it has {', '.join(served)}" if served else "it has none: start its hub once"
                raise UsageError(f"the register in {folder} has no channel {channel!r}", has)
        except BaseException:
            register.close()
            raise
        return cls(register, channel, served[channel])

    def close(self) -> None:
        """Let go of the register."""
        self._register.close()

    @property
    def version(self) -> int:
        """Grows when another process has changed something."""
        return self._register.version

    def read(self) -> RegisterView:
        """Everything that is known of the channel now."""
        members = sorted(
            (one for one in self._register.members(self.channel).values() if one.removed != 0),
            key=lambda one: (one.removed is not None, one.label.lower(), one.node_id),
        )
        return RegisterView(
            tuple(members),
            tuple(self._register.applicants(self.channel)),
            tuple(self._register.codes(self.channel)),
            self._register.rules(self.channel).newcomers,
        )

    def lines(self, node_id: str | None = None, *, limit: int = 1_000) -> list[LedgerLine]:
        """The newest lines of the ledger, newest first: of one node, or of all."""
        return self._register.lines(self.channel, limit=limit, node_id=node_id)

    def invite(self, roles: Iterable[Role], *, uses: int, seconds: float, quota: int | None) -> Invitation:
        """A new invitation; nothing keeps what its code is."""
        code = self._register.invite(self.channel, roles, uses=uses, seconds=seconds, quota=quota)
        return Invitation(self.url, self.channel, code)

    def make_key(self, roles: Iterable[Role], *, label: str, quota: int | None) -> str:
        """A new key for clients that are no nodes; nothing keeps what it is."""
        made = f"kachery-{secrets.token_urlsafe(24)}"
        self._register.put_member(self.channel, key_id(made), roles, label=label, quota=quota)
        return made

    def revoke(self, number: int) -> bool:
        """Take an invitation back; whether there was one."""
        return self._register.revoke(self.channel, number)

    def revoke_invitation(self, invitation: Invitation) -> bool:
        """The same, by the invitation itself."""
        found = self._register.code(self.channel, invitation.code)
        return found is not None and self.revoke(found.number)

    def set_newcomers(self, newcomers: Newcomers) -> None:
        """Change what somebody gets who comes without an invitation."""
        rules = self._register.rules(self.channel)
        self._register.set_rules(self.channel, replace(rules, newcomers=newcomers))

    def set_roles(
        self, one: Member | Applicant, roles: Iterable[Role], *, quota: int | None = None
    ) -> Member:
        """Give a node these roles and no others; one who waits, or was thrown out, is a member from then on."""
        return self._register.put_member(self.channel, one.node_id, roles, label=one.label, quota=quota)

    def remove(self, one: Member | Applicant) -> bool:
        """Throw a member out, or send one away who waits; whether there was one."""
        if isinstance(one, Applicant):
            return self._register.decline(self.channel, one.node_id)
        return self._register.remove_member(self.channel, one.node_id)

    def standing_of(self, node_id: str) -> "NodeStanding":
        """How a node stands now, to be put back later."""
        waiting = (one for one in self._register.applicants(self.channel) if one.node_id == node_id)
        return NodeStanding(node_id, self._register.member(self.channel, node_id), next(waiting, None))

    def put_back(self, before: "NodeStanding") -> None:
        """Make a node stand as it stood before it was let in, changed, thrown out, or sent away."""
        member, now = before.member, self._register.member(self.channel, before.node_id)
        if member is not None and member.removed is None:
            if now is None or now.may != member.may or now.removed is not None:
                self.set_roles(member, member.roles)
        elif member is not None and member.is_banned:
            self._register.remove_member(self.channel, before.node_id)
        else:
            self._register.withdraw_member(self.channel, before.node_id)
        if before.applicant is not None:
            self._register.apply(self.channel, before.node_id, before.applicant.label, before.applicant.roles)

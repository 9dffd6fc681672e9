"""`channel invite`, `members` and the like: what a channel's owner does, on the machine where its register is."""

import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kachery_tui.authority.owner import Owner, RegisterView
from kachery_tui.authority.values import Applicant, Member
from kachery_tui.cli.local_hub import default_data
from kachery_tui.cli.output import emit, say
from kachery_tui.config import config_folder, load_channels
from kachery_tui.errors import UsageError
from kachery_tui.protocol.hashes import is_node_id
from kachery_tui.protocol.roles import Role
from kachery_tui.words import count, duration, moment, size

SHOWN_ID = 16
"""Characters of a node's id that are shown beside its label."""


def invite(args: Namespace) -> int:
    """Print an invitation."""
    with _owner(args) as owner:
        link = str(owner.invite(args.roles, uses=args.uses, seconds=args.expires, quota=args.quota))
    roles = sorted(args.roles)
    emit(link, {"invitation": link, "roles": roles, "uses": args.uses}, as_json=args.as_json)
    say(
        f"It lets {count(args.uses, 'node')} in within {duration(args.expires)}, as {', '.join(roles)}. "
        "Whoever has the line can use it; it is shown this once."
    )
    say("There: kachery-tui channel join LINE")
    return 0


def key(args: Namespace) -> int:
    """Print a key by which clients that are no nodes read and upload files."""
    with _owner(args) as owner:
        made = owner.make_key(args.roles, label=args.label, quota=args.quota)
    value = {"key": made, "roles": sorted(args.roles), "url": owner.url, "zone": args.name}
    emit(made, value, as_json=args.as_json)
    say(f"It is shown this once. For the Python client `kachery`: export KACHERY_BASE_URL={owner.url}")
    say(f"  KACHERY_ZONE={args.name} KACHERY_API_KEY=that line")
    return 0


def members(args: Namespace) -> int:
    """Print who is a member, and who waits to be one."""
    with _owner(args) as owner:
        found = owner.read()
    for applicant in found.applicants:
        emit(_waits(applicant), _applicant_value(applicant), as_json=args.as_json)
    for member in found.members:
        if member.removed is None or args.all:
            emit(_line(member), _member_value(member), as_json=args.as_json)
    if not found.members and not found.applicants:
        say(f"nobody is a member of {args.name} yet: kachery-tui channel invite {args.name}")
    return 0


def grant(args: Namespace) -> int:
    """Change what a node may do; one that waits, or was thrown out, becomes a member."""
    with _owner(args) as owner:
        one = _find(owner.read(), args.name, args.node)
        roles = set(one.may if isinstance(one, Member) else ())
        if isinstance(one, Applicant) and not args.changes:
            roles |= one.roles
        for sign, role in args.changes:
            (roles.add if sign == "+" else roles.discard)(role)
        member = owner.set_roles(one, roles, quota=args.quota)
    emit(_line(member), _member_value(member), as_json=args.as_json)
    return 0


def remove(args: Namespace) -> int:
    """Throw a node out, or send one away who waits."""
    with _owner(args) as owner:
        one = _find(owner.read(), args.name, args.node)
        if not owner.remove(one):
            raise UsageError(f"{one.label or one.node_id} is no member of {args.name}, nor waits to be one")
    if isinstance(one, Applicant):
        say(f"{one.label or one.node_id} was rejected")
        return 0
    say(f"{one.label or one.node_id} is no longer a member of {args.name}; `channel grant` undoes that")
    return 0


def newcomers(args: Namespace) -> int:
    """Change, or print, what somebody gets who comes without an invitation."""
    with _owner(args) as owner:
        if args.what is not None:
            owner.set_newcomers(args.what)
        found = owner.read().newcomers
    emit(found.value, {"newcomers": found.value}, as_json=args.as_json)
    return 0


def ledger(args: Namespace) -> int:
    """Print the newest grants, the newest last."""
    with _owner(args) as owner:
        labels = {member.node_id: member.label for member in owner.read().members}
        lines = owner.lines(limit=args.lines)
    for line in reversed(lines):
        who = labels.get(line.node_id) or line.node_id[:SHOWN_ID]
        what = f"{line.object}\t{size(line.size)}" if line.object else ""
        value = {
            "at": line.at,
            "nodeId": line.node_id,
            "what": line.what.value,
            "object": line.object,
            "size": line.size,
        }
        emit(f"{moment(line.at)}\t{who}\t{line.what}\t{what}".rstrip(), value, as_json=args.as_json)
    return 0


@contextmanager
def _owner(args: Namespace) -> Iterator[Owner]:
    """The owner of the channel that is meant, at the register of its hub. Raises `UsageError` where there is none."""
    owner = Owner.at(args.data if args.data is not None else _usual_data(args), args.name)
    try:
        yield owner
    finally:
        owner.close()


def _usual_data(args: Namespace) -> Path:
    """Where the channel's own file says that its register is, else where a hub keeps its things."""
    for channel in load_channels(config_folder(args.config)).channels:
        if channel.name == args.name and channel.owner is not None:
            return channel.owner.register
    return default_data()


def _find(view: RegisterView, channel: str, text: str) -> Member | Applicant:
    """The node that a label, or the start of an id, names. Raises `UsageError`."""
    everybody: list[Member | Applicant] = [*view.applicants, *view.members]
    if is_node_id(text.lower()):
        # Whatever others call themselves: an id is nobody's label.
        known = (one for one in everybody if one.node_id == text.lower())
        return next(known, Applicant(text.lower(), "", frozenset(), time.time()))
    found = [
        one
        for one in everybody
        if one.label == text or (len(text) >= 4 and one.node_id.startswith(text.lower()))
    ]
    ids = {one.node_id for one in found}
    if len(ids) > 1:
        raise UsageError(f"{text!r} may be several nodes", ", ".join(sorted(ids)), "Give more of the id")
    if found:
        return found[0]
    raise UsageError(f"no node {text!r} is a member of {channel}, or waits to be one")


def _line(member: Member) -> str:
    roles = " ".join(sorted(member.may)) or ("thrown out" if member.removed is not None else "no role")
    seen = f"seen {moment(member.seen)}" if member.seen is not None else "not seen yet"
    return f"{member.label or '-'}\t{member.node_id[:SHOWN_ID]}\t{roles}\t{seen}\t{size(member.uploaded)} uploaded"


def _waits(applicant: Applicant) -> str:
    roles = " ".join(sorted(applicant.roles))
    return f"{applicant.label or '-'}\t{applicant.node_id[:SHOWN_ID]}\twaits, wants {roles}"


def _member_value(member: Member) -> dict[str, object]:
    return {
        "nodeId": member.node_id,
        "label": member.label,
        "roles": _names(member.may),
        "since": member.since,
        "seen": member.seen,
        "uploaded": member.uploaded,
        "quota": member.quota,
        "state": "member" if member.removed is None else "removed",
    }


def _applicant_value(applicant: Applicant) -> dict[str, object]:
    return {
        "nodeId": applicant.node_id,
        "label": applicant.label,
        "roles": _names(applicant.roles),
        "since": applicant.since,
        "state": "waiting",
    }


def _names(roles: frozenset[Role]) -> list[str]:
    return sorted(role.value for role in roles)

"""Why a role is in force, or is not: asked for, granted, connected, confirmed by the service."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from kachery_tui.node.values import ConnectionState
from kachery_tui.node.why.links import Link, bad, clip, note, ok, wait
from kachery_tui.protocol.roles import ROLE_TABLE, Role
from kachery_tui.words import duration

if TYPE_CHECKING:
    from kachery_tui.node.membership import Membership
    from kachery_tui.node.node import Node

ASK_FOR_ROLE: Final = "Ask for the role: it is one key in the table of roles"
ASK_OWNER: Final = "Ask the channel's owner to grant it"

_LONGEST_REASON: Final = 60


def why_role(node: Node, channel: str, role: Role) -> tuple[Link, ...]:
    """The chain from asking for `role` on `channel` to its being in force."""
    membership = node.memberships.get(channel)
    if membership is None:
        return (not_joined(channel),)
    return (*_asked(membership, role), *_in_force(membership, role), _meaning(membership, role))


def not_joined(channel: str) -> Link:
    """That this node has no part in a channel."""
    return bad(f"this node has not joined {channel}, or has left it", "Join the channel")


def role_link(membership: Membership, role: Role) -> Link:
    """The whole chain of a role in one link: that it is in force, or the first thing that is in the way."""
    links = [*_asked(membership, role), *_in_force(membership, role)]
    broken = next((link for link in links if link.mark not in ("ok", "note")), None)
    return broken or ok(f"{role} on {membership.name}: asked for, granted and in force")


def connection_link(membership: Membership, now: float) -> Link:
    """How the connection to the channel's pub-sub service stands."""
    name, connection = membership.name, membership.connection
    since = duration(now - connection.since)
    reason = f": {clip(connection.reason, _LONGEST_REASON)}" if connection.reason else ""
    match connection.state:
        case ConnectionState.CONNECTED:
            return ok(f"{name} has been connected for {since}")
        case ConnectionState.CONNECTING:
            return wait(f"{name} is being connected, for {since}{reason}")
        case ConnectionState.DISCONNECTED:
            return bad(
                f"{name} has been without connection for {since}{reason}",
                "Check the network and the channel's service; it is tried again by itself",
            )
        case ConnectionState.FAILED:
            return bad(
                f"the service of {name} refuses this node{reason}",
                "Check pubsub.key and pubsub.endpoint in the channel file",
            )
        case ConnectionState.CLOSED:
            return bad(f"{name} is not connected{reason}", "Ask for a role on it")


def _asked(membership: Membership, role: Role) -> list[Link]:
    name = membership.name
    if role not in membership.config.roles:
        missing = bad(f"this node does not ask for {role} on {name}", ASK_FOR_ROLE)
        return [missing] if role in membership.granted else [missing, _ungranted(name, role)]
    if role not in membership.asked:
        return [
            bad(f"the channel file asks for {role}, and this run of the program only requests", "Run a node")
        ]
    asked = ok(f"this node asks for {role} on {name}")
    if role not in membership.granted:
        return [asked, _ungranted(name, role)]
    return [asked, ok(f"{name} grants it")]


def _ungranted(channel: str, role: Role) -> Link:
    return bad(f"{channel} does not grant {role} to this node", ASK_OWNER)


def _in_force(membership: Membership, role: Role) -> list[Link]:
    if role not in membership.roles:
        return []
    connection = connection_link(membership, time.time())
    if not membership.is_connected:
        return [connection]
    if role in membership.in_force:
        return [connection, ok("the service has confirmed it: the role is in force")]
    rights, activity = ROLE_TABLE[role], membership.activity
    problem = activity[rights.publishes].problem or activity[rights.subscribes].problem
    if problem:
        return [
            connection,
            bad(f"the service: {problem}", "Check what pubsub.key allows in the channel file"),
        ]
    return [connection, wait("the service has not confirmed it yet")]


def _meaning(membership: Membership, role: Role) -> Link:
    rights = ROLE_TABLE[role]
    verb = "publishes" if role in membership.in_force else "would publish"
    then = "hears" if role in membership.in_force else "hear"
    return note(f"with it this node {verb} on {rights.publishes} and {then} {rights.subscribes}")

"""Why a stream is as it is: who may speak and listen there, and what went over it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from kachery_tui.node.why.links import Link, bad, clip, note, ok, several
from kachery_tui.node.why.roles import ASK_FOR_ROLE, ASK_OWNER, connection_link, not_joined
from kachery_tui.protocol.roles import Stream, role_to_publish, role_to_subscribe
from kachery_tui.words import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kachery_tui.node.activity import StreamActivity
    from kachery_tui.node.membership import Membership
    from kachery_tui.node.node import Node
    from kachery_tui.protocol.roles import Role

_LONGEST_REASON: Final = 60


def why_stream(node: Node, channel: str, stream: Stream) -> tuple[Link, ...]:
    """Whether this node listens and may publish on a stream, by which role, and what came of it."""
    membership = node.memberships.get(channel)
    if membership is None:
        return (not_joined(channel),)
    return tuple(_links(node, membership, stream, time.time()))


def _links(node: Node, membership: Membership, stream: Stream, now: float) -> Iterator[Link]:
    activity = membership.activity[stream]
    yield connection_link(membership, now)
    yield _right(membership, role_to_subscribe(stream), has=activity.subscribed, what=f"listens to {stream}")
    yield _right(
        membership, role_to_publish(stream), has=activity.may_publish, what=f"may publish on {stream}"
    )
    if activity.problem:
        yield bad(f"the service: {activity.problem}", "Check what pubsub.key allows in the channel file")
    if activity.subscribed:
        present = [node.label_of(member.node_id) for member in membership.members(stream)]
        verb = "is" if len(present) == 1 else "are"
        yield (
            ok(f"{several(present)} {verb} present there")
            if present
            else note("no node that shows itself is present there")
        )
    yield from _traffic(node, activity, now)


def _right(membership: Membership, role: Role, *, has: bool, what: str) -> Link:
    """Whether the node may do `what`, and by which role."""
    if has:
        return ok(f"this node {what}, by the role {role}")
    not_so = what.replace("listens to", "does not listen to").replace("may publish", "may not publish")
    if role not in membership.asked:
        return note(f"this node {not_so}: it does not ask for {role}", ASK_FOR_ROLE)
    if role not in membership.granted:
        return bad(f"this node {not_so}: {membership.name} does not grant {role}", ASK_OWNER)
    return bad(f"this node {not_so} yet: {role} is not in force")


def _traffic(node: Node, activity: StreamActivity, now: float) -> Iterator[Link]:
    if activity.messages:
        last = activity.messages[-1]
        who = node.label_of(last.from_node_id) if last.from_node_id else "somebody"
        yield note(
            f"the last message came {duration(now - last.at)} ago: {last.type or last.verdict} from {who}"
        )
    else:
        yield note("no message has gone over it since the node started")
    if activity.refused:
        yield bad(
            f"{activity.refused:,} refused, the last one: {clip(activity.last_refusal, _LONGEST_REASON)}",
            "Nothing: what is refused has no effect. Look at the message to see who sends it",
        )
    if activity.passed_over:
        yield note(f"{activity.passed_over:,} of types that this version does not know were passed over")

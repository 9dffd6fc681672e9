"""What came of the questions that went out for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.activity import Direction, Verdict
from kachery_tui.node.steps import Step
from kachery_tui.node.why.links import Link, Mark, bad, note, ok, pieces, several, wait
from kachery_tui.words import duration, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kachery_tui.node.ledger import Ask, Request
    from kachery_tui.node.membership import Membership
    from kachery_tui.node.node import Node

SHOWN_ANSWERS: Final = 4
"""Answers of one question that a chain shows, the newest."""


SHOWN_NODES: Final = 3
LATELY: Final = 600.0
"""Seconds for which a node that was heard is taken to be there still."""


def heard_lately(membership: Membership, at: float) -> list[str]:
    """The ids of nodes that said something on a channel around a time, the newest first: not all show themselves."""
    found: dict[str, float] = {}
    for activity in membership.activity.values():
        for message in activity.messages:
            is_heard = message.direction is Direction.IN and message.verdict is Verdict.VERIFIED
            if is_heard and abs(message.at - at) < LATELY:
                found[message.from_node_id] = max(message.at, found.get(message.from_node_id, 0.0))
    return sorted(found, key=lambda node_id: -found[node_id])


def question_links(
    node: Node, membership: Membership, row: Request, asks: Sequence[Ask], now: float
) -> Iterator[Link]:
    """The newest question on a channel: when, where, who was listening, what was said, which wait ended."""
    if not asks:
        if row.step is Step.RECONNECTING:
            yield wait("it is asked as soon as the connection is there")
        return
    if len(asks) > 1:
        yield note(f"it took {len(asks)} questions on {membership.name}; this is the newest")
    ask = asks[-1]
    yield _asked(ask, now)
    yield _listening(node, membership, ask)
    for text in ask.heard[-SHOWN_ANSWERS:]:
        yield from pieces(Mark.BAD if "could not send it" in text else Mark.NOTE, text)
    yield _ended(node, membership, row, ask, now)


def _asked(ask: Ask, now: float) -> Link:
    return ok(f"{ask.about} was asked for on {ask.stream} of {ask.channel} {duration(now - ask.at)} ago")


def _listening(node: Node, membership: Membership, ask: Ask) -> Link:
    if ask.present:
        return ok(f"{several(ask.listening, ask.present)} {'was' if ask.present == 1 else 'were'} listening")
    heard = heard_lately(membership, ask.at)
    if heard:
        who = several([node.label_of(node_id) for node_id in heard[:SHOWN_NODES]], len(heard))
        return note(
            f"no node that shows itself was listening, as old daemons never do; {who} spoke there lately"
        )
    return bad(
        "no node that shows itself was listening",
        "Ask the file's owner to start a node with the role provide-files there",
    )


def _ended(node: Node, membership: Membership, row: Request, ask: Ask, now: float) -> Link:
    limits = membership.config.limits
    if ask.ended_at is None:
        if row.step is Step.HELD:
            return wait("a person there is asked whether to send it", "Wait, or ask that person yourself")
        if row.step is Step.PEER_UPLOADS:
            who = node.label_of(row.answered_by) if row.answered_by else "a node"
            far = f", {size(row.subject.peer_done)} so far" if row.subject.peer_done else ""
            return wait(
                f"{who} puts it into the bucket{far}; {limits.progress_timeout:g} s of silence end the wait"
            )
        left = max(limits.answer_timeout - (now - ask.at), 0.0)
        return wait(f"no answer yet; it is waited for {duration(left)} more (answer_timeout)")
    after = duration(ask.ended_at - ask.at)
    how, _, waited = ask.ended.partition(" ")
    if ask.ended.startswith("answered by "):
        return ok(f"{ask.ended} after {after}: it is in the bucket")
    if how == "answer_timeout":
        return bad(
            f"nobody answered within {waited} (answer_timeout)",
            "A node that lacks a file stays silent: none of the listeners has it",
        )
    if how == "progress_timeout":
        return bad(
            f"who had answered said nothing more for {waited} (progress_timeout)",
            "Retry, or ask that node's owner",
        )
    return note(f"after {after}: {ask.ended}")

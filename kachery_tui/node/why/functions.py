"""Why a function is offered, and by whom, or is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kachery_tui.config import Provide
from kachery_tui.node.why.links import Link, Mark, bad, note, ok, pieces, wait
from kachery_tui.node.why.roles import not_joined, role_link
from kachery_tui.protocol.roles import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kachery_tui.node.node import Node
    from kachery_tui.node.tasks.offers import Offer


def why_function(node: Node, offer: Offer) -> tuple[Link, ...]:
    """What it takes to have a function run, as far as it is there."""
    membership = node.memberships.get(offer.channel)
    if membership is None:
        return (not_joined(offer.channel),)
    is_own = offer.node_id == node.node_id
    if not is_own:
        there = any(one.node_id == offer.node_id for one in node.tasks.offers.current(membership))
        label = node.label_of(offer.node_id)
        return (
            ok(f"{label} says on {offer.channel} that it offers it")
            if there
            else bad(f"{label} has gone, or offers it no more", "Wait for it to come back"),
            role_link(membership, Role.REQUEST_TASKS),
        )
    return tuple(_own(node, offer))


def _own(node: Node, offer: Offer) -> Iterator[Link]:
    membership = node.memberships[offer.channel]
    yield ok(f"config.toml of this node offers it on {offer.channel}")
    function = node.tasks.functions.get(offer.function_id)
    if function is None:
        return
    if not function.known.is_set():
        yield wait("it is being found out whether it can run")
    elif function.problem is not None:
        yield from pieces(Mark.BAD, function.problem.what)
        yield from pieces(Mark.NOTE, function.problem.why)
        yield bad("so it is not offered", "Mend it, and start the program anew")
    else:
        yield ok("it was tried at the start, and can run")
    yield role_link(membership, Role.PROVIDE_TASKS)
    if membership.config.provide is Provide.ASK:
        yield note("a person here is asked before each task (provide = ask)")

"""What is said of functions that nodes offer, and of tasks in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.tasks.offers import Offer
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Row, Tone, joined
from kachery_tui.tui.describe.json_text import compact
from kachery_tui.tui.describe.requests import peer, step_line
from kachery_tui.tui.describe.task_requests import hit_or_miss

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kachery_tui.node.ledger import Request
    from kachery_tui.node.node import Node
    from kachery_tui.node.tasks.functions import OwnFunction
    from kachery_tui.tui.describe import LabelOf

_SHOWN_RESULT: Final = 200
"""Characters of a result that a row has room for."""


def offers(node: Node) -> list[Offer]:
    """The functions of this node, also those that cannot run, then those that others offer, each by name."""
    own = [
        Offer(channel, node.node_id, function.config.function_id, function.config.type)
        for function in node.tasks.functions
        for channel in function.config.channels
    ]
    others = [
        offer
        for membership in node.memberships.values()
        for offer in node.tasks.offers.current(membership)
        if offer.node_id != node.node_id
    ]
    return [*sorted(own, key=_by_name), *sorted(others, key=_by_name)]


def _by_name(offer: Offer) -> tuple[str, str, str]:
    return offer.function_id, offer.channel, offer.node_id


def function_cells(node: Node, offer: Offer) -> Row:
    """A function as a row: name, type, channel, whose, how it stands."""
    own = own_function(node, offer)
    whose = "this node" if own is not None else node.label_of(offer.node_id)
    return (
        Cell(offer.function_id, Tone.STRONG),
        Cell(str(offer.type)),
        Cell(offer.channel),
        Cell(whose),
        _standing(node, offer, own),
    )


def own_function(node: Node, offer: Offer) -> OwnFunction | None:
    """The function itself, if it is one of this node's."""
    return node.tasks.functions.get(offer.function_id) if offer.node_id == node.node_id else None


def _standing(node: Node, offer: Offer, own: OwnFunction | None) -> Cell:
    if own is None:
        return Cell("offered")
    if own.problem is not None:
        return Cell("✗ cannot run", Tone.BAD)
    if not own.known.is_set():
        return Cell("… looked at", Tone.BUSY)
    if offer.channel not in node.memberships:
        return Cell("! not joined", Tone.WARN)
    turns = own.turnstile
    if turns.running:
        waiting = f", {turns.waiting} wait" if turns.waiting else ""
        return Cell(f"{turns.running} running{waiting}", Tone.BUSY)
    return Cell("offered")


def about_function(node: Node, offer: Offer, key: str) -> tuple[Line, Line]:
    """Two lines on a function: what it is, and what it is limited to or how it is requested."""
    own = own_function(node, offer)
    if own is None:
        who = node.label_of(offer.node_id)
        return (
            (Cell(f" {offer.function_id}, {offer.type}, by {who} on {offer.channel}"),),
            (Cell(f" {key} requests it", Tone.MUTED),),
        )
    config = own.config
    runs = config.function or " ".join(config.command)
    if own.problem is not None:
        return (Cell(f" {runs}"),), (Cell(f" ✗ {own.problem.line}", Tone.BAD),)
    limits = (
        f" {config.at_once} at once, {config.timeout:g} s, {present.size(config.memory)} of memory, "
        f"{present.size(config.max_result)} of result at most"
    )
    return (Cell(f" {runs}"),), (Cell(limits, Tone.MUTED),)


# Tasks


def task_cells(row: Request, label_of: LabelOf, now: float) -> Row:
    """A task as a row: number, whose, call, step with how long, cached or computed, result, peer, started."""
    task = TaskSubject.of(row)
    return (
        Cell(str(row.number), Tone.MUTED),
        Cell(present.side(row.side)),
        Cell(row.name, Tone.MUTED if row.earlier else Tone.STRONG),
        step_line(row, now),
        Cell(hit_or_miss(row)),
        _outcome(row, task),
        Cell(peer(row, label_of)),
        Cell(present.clock(row.started, now), Tone.MUTED),
    )


def _outcome(row: Request, task: TaskSubject) -> Cell:
    """The result, or what went wrong, as far as there is room."""
    if row.failure is not None:
        return Cell(row.failure.why or row.failure.what, Tone.BAD)
    if task.result is not None:
        return Cell(task.result[:_SHOWN_RESULT])
    return BLANK if row.size is None else Cell(present.size(row.size), Tone.MUTED)


def tasks_words(rows: Iterable[Request], functions: int) -> Line:
    """How many functions and tasks there are, and how many are under way."""
    tasks = list(rows)
    active = sum(1 for row in tasks if row.is_active)
    parts: list[Line] = [(Cell(present.count(functions, "function") if functions else "no functions"),)]
    if tasks:
        parts.append((Cell(present.count(len(tasks), "task")),))
    if active:
        parts.append((Cell(f"{active} under way", Tone.BUSY),))
    return joined(parts)


def call_text(task: TaskSubject, width: int) -> str:
    """The arguments of a call in one line."""
    try:
        return compact(task.arguments(), width)
    except ValueError:
        return "arguments that are not kept"

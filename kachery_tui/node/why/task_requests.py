"""Why a request of a task stands where it stands, or ended as it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.ledger import BROKEN_OFF, Origin, Request
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.node.why.consent import consent_link
from kachery_tui.node.why.links import Link, Mark, bad, note, ok, pieces, several, wait
from kachery_tui.node.why.roles import not_joined, role_link
from kachery_tui.protocol.messages import TaskFunctionType
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.words import duration, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kachery_tui.node.node import Node

SHOWN_NOTES: Final = 6
SHOWN_ASKS: Final = 4

_ORDER: Final = {
    TaskFunctionType.PURE_CALCULATION: "it is a pure calculation: its result is kept in the bucket for all",
    TaskFunctionType.QUERY: "it is a query: it is asked afresh, and a result in the bucket is for when nobody answers",
    TaskFunctionType.ACTION: "it is an action: it changes something there, and is never cached",
}


def why_task_request(node: Node, row: Request, now: float) -> tuple[Link, ...]:
    """The chain of a row of the ledger that is about a task. `now` is Unix time."""
    links = _theirs(node, row, now) if row.side is Side.THEIRS else _mine(node, row, now)
    return (*_earlier(row), note(_ORDER[TaskSubject.of(row).type]), *links)


def _earlier(row: Request) -> Iterator[Link]:
    if row.earlier:
        yield note("this is of an earlier run of the program; channels and roles are shown as they are now")


def _mine(node: Node, row: Request, now: float) -> Iterator[Link]:
    task = TaskSubject.of(row)
    if task.is_pure and row.step is Step.BUCKET:
        yield wait("the buckets of the channels are looked at for its result")
        return
    if row.step is Step.DONE and row.origins.get(Origin.BUCKET) and not row.asks:
        yield ok(f"the bucket of {row.channel} had the result: nobody needed to be asked")
        return
    if task.is_pure:
        yield note("no bucket had its result")
    yield from _channel(node, row, Role.REQUEST_TASKS)
    for ask in row.asks[-SHOWN_ASKS:]:
        who = several(ask.listening, ask.present) if ask.present else "nobody that shows itself"
        ago = duration(now - ask.at)
        yield ok(f"the task was requested on {ask.stream} of {ask.channel} {ago} ago; listening: {who}")
        for heard in ask.heard[-SHOWN_NOTES:]:
            yield from pieces(Mark.NOTE, heard)
        if ask.ended:
            yield note(ask.ended)
    yield from _notes(row)
    yield from _ending(node, row, now)


def _theirs(node: Node, row: Request, now: float) -> Iterator[Link]:
    who = several([node.label_of(asker) for asker in row.asked_by]) if row.asked_by else "somebody"
    yield ok(
        f"{who} asked for it on {Stream.REQUEST_TASKS} of {row.channel} {duration(now - row.started)} ago"
    )
    yield from _channel(node, row, Role.PROVIDE_TASKS)
    membership = node.memberships.get(row.channel)
    if membership is not None:
        yield consent_link(row, membership, now)
        function = node.tasks.functions.find(row.channel, TaskSubject.of(row).function_id)
        if function is None:
            yield note("this node does not offer the function any more")
        elif row.step is Step.QUEUED:
            yield wait(f"{function.config.at_once} of it run at a time (at_once): it waits its turn")
    yield from _notes(row)
    yield from _ending(node, row, now)


def _channel(node: Node, row: Request, role: Role) -> Iterator[Link]:
    name = row.channel or row.only_channel or ""
    membership = node.memberships.get(name)
    if membership is not None:
        yield role_link(membership, role)
    elif name:
        yield not_joined(name)
    elif not node.memberships:
        yield bad("this node has joined no channel, so there is nobody to ask", "Join a channel")


def _notes(row: Request) -> Iterator[Link]:
    for text in row.notes[-SHOWN_NOTES:]:
        yield from pieces(Mark.NOTE, text)


def _ending(node: Node, row: Request, now: float) -> Iterator[Link]:
    """How far it is, or how it ended."""
    took = duration((row.ended or now) - row.started)
    since = duration(now - row.steps[-1].at) if row.steps else took
    who = node.label_of(row.answered_by) if row.answered_by else "a node"
    match row.step:
        case Step.DONE:
            yield from _done(row, who, took)
        case Step.DECLINED:
            yield note(f"it was declined after {took}: the asker was told")
        case Step.CANCELLED:
            is_cut = row.failure is not None and row.failure.what == BROKEN_OFF
            again = "Retry" if row.side is Side.MINE else ""
            yield note(f"{BROKEN_OFF if is_cut else 'it was broken off'}, after {took}", again)
        case Step.FAILED:
            if row.failure is not None:
                yield from pieces(Mark.BAD, row.failure.what)
                yield from pieces(Mark.NOTE, row.failure.why)
            yield bad(f"it failed after {took}", row.failure.do if row.failure else "")
        case Step.RUNNING:
            where = "here" if row.side is Side.THEIRS else f"at {who}"
            yield wait(f"it has been running {where} for {since}", "Wait, or cancel it")
        case Step.QUEUED | Step.HELD if row.side is Side.MINE:
            yield wait(f"{who} has taken it and has had it wait for {since}", "Wait, or cancel it")
        case Step.RECONNECTING:
            yield wait(f"it has been waiting for the connection for {since}", "Wait, or cancel it")
        case _:
            return


def _done(row: Request, who: str, took: str) -> Iterator[Link]:
    result = f"its result of {size(row.size)}" if row.size is not None else "its result"
    if row.side is Side.THEIRS:
        if row.origins.get(Origin.BUCKET):
            yield ok(f"the bucket had {result} already: nothing was computed")
        elif TaskSubject.of(row).has_result:
            yield ok(f"{result} went into the bucket of {row.channel}")
        yield ok(f"that it is done was said on {Stream.PROVIDE_TASKS} of {row.channel}; it took {took}")
        return
    if row.origins.get(Origin.BUCKET):
        yield ok(f"{result} was in the bucket of {row.channel}")
    elif TaskSubject.of(row).has_result:
        yield ok(f"{who} computed it; {result} came by the bucket, and has no hash to be checked by")
    else:
        yield ok(f"{who} says that it is done")
    yield ok(f"done in {took}")

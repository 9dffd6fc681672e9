"""Having tasks run on behalf of a caller, and asking what is offered."""

import asyncio
from contextlib import aclosing, suppress
from typing import Any, Final

from kachery_tui.errors import KacheryError, NotAllowed
from kachery_tui.node.ledger import Origin
from kachery_tui.node.node import Node
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.canonical import JsonObject
from kachery_tui.protocol.messages import TaskFunctionType
from kachery_tui.protocol.roles import Role
from kachery_tui.service.work import THIS_COMMAND, Events, Work

OFFER_SECONDS: Final = 1.5
"""Seconds in which nodes say what they offer, to one who has just come."""

LAST_WORDS: Final = 2.0
"""Seconds for saying that a task is not wanted any more."""


async def run_task(
    work: Work,
    function_id: str,
    kwargs: JsonObject,
    kind: TaskFunctionType,
    channel: str | None = None,
    *,
    seconds: float | None = None,
    caller: str = THIS_COMMAND,
) -> Events:
    """Have a function run, for at most so many `seconds`.

    `done` has its result, whether that was cached, and else the id of the node that computed it.
    Raises what the request ends with.
    """
    node = work.node
    row = node.tasks.request(function_id, kwargs, kind, channel, timeout=seconds, caller=caller)
    try:
        async with aclosing(work.wait(row)) as events:
            async for event in events:
                yield event
    finally:
        if row.is_active:
            # Whoever computes it is told that nobody waits any more.
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS):
                    await row.finished.wait()
    result = await node.tasks.result(row)
    is_cached = bool(row.origins.get(Origin.BUCKET))
    yield {
        "event": "done",
        "function": function_id,
        "hash": TaskSubject.of(row).hash,
        "result": result,
        "cached": is_cached,
        "by": "" if is_cached else row.answered_by,
    }


async def list_offers(work: Work, channel: str | None = None, *, patience: float = OFFER_SECONDS) -> Events:
    """Ask what is offered; `done` has the offers. Raises `KacheryError` where no channel can be asked."""
    node = work.node
    for failure in await _probe(node, channel):
        yield {"event": "note", "text": failure.line}
    await asyncio.sleep(patience)
    yield {"event": "done", "offers": _offers(node, channel)}


def _offers(node: Node, channel: str | None) -> list[dict[str, Any]]:
    found = [
        {
            "function": offer.function_id,
            "type": offer.type.value,
            "channel": offer.channel,
            "nodeId": offer.node_id,
            "label": node.label_of(offer.node_id),
        }
        for membership in node.memberships.values()
        if channel in (None, membership.name)
        for offer in node.tasks.offers.current(membership)
    ]
    return sorted(found, key=lambda offer: (offer["function"], offer["channel"], offer["label"]))


async def _probe(node: Node, channel: str | None) -> list[KacheryError]:
    """Ask on every channel that can be asked on; what failed. Raises the first failure if all did."""
    if channel is not None:
        await node.tasks.probe(channel)
        return []
    names = [name for name, one in node.memberships.items() if Role.REQUEST_TASKS in one.roles]
    if not names:
        raise NotAllowed(
            f"no role {Role.REQUEST_TASKS} on any channel",
            "",
            "Ask for it: kachery-tui channel roles NAME +request-tasks",
        )
    probes = await asyncio.gather(*map(node.tasks.probe, names), return_exceptions=True)
    failures = [each for each in probes if isinstance(each, KacheryError)]
    if len(failures) == len(names):
        raise failures[0]
    return failures

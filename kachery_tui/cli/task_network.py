"""A node of the command line that requests a task, or asks what is offered."""

import asyncio
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from kachery_tui.cli.network import channels_for, quiet_log, watch
from kachery_tui.cli.output import Progress, say
from kachery_tui.cli.place import Place
from kachery_tui.cli.service import run_cancellable
from kachery_tui.errors import KacheryError, NotAllowed, UsageError
from kachery_tui.node.ledger import Origin, Request
from kachery_tui.node.node import Node
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.canonical import JsonObject, JsonValue
from kachery_tui.protocol.messages import TaskFunctionType
from kachery_tui.protocol.roles import Role
from kachery_tui.storage.storage import Storage

LIST_PATIENCE: Final = 1.5
"""Seconds in which nodes say what they offer."""

LAST_WORDS: Final = 2.0
"""Seconds for saying that a task is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a person wants run: on which channel, None for any, and within how many seconds."""

    function_id: str
    kwargs: JsonObject
    kind: TaskFunctionType
    channel: str | None
    timeout: float | None


@dataclass(frozen=True, slots=True)
class Done:
    """A task that was done: the id of the node that did it is empty where the result was in the bucket."""

    function: str
    hash: str
    result: JsonValue
    cached: bool
    by: str

    def value(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ListedOffer:
    """A function that a node offers, with what to call that node."""

    channel: str
    function_id: str
    type: TaskFunctionType
    node_id: str
    label: str

    def value(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "function": self.function_id,
            "type": self.type.value,
            "channel": self.channel,
            "nodeId": self.node_id,
            "label": self.label,
        }


def run_task(place: Place, call: Call, *, debug: bool) -> Done:
    """Have a function run, and wait for its result. Raises what the request ends with."""
    quiet_log(debug=debug)
    if call.channel is None and not place.channels():
        raise UsageError(
            "there is nobody to ask", "this node is on no channel", "Join one: kachery-tui channel join FILE"
        )
    return run_cancellable(_run(place, call))


def list_offers(place: Place, channel: str | None, *, debug: bool) -> list[ListedOffer]:
    """Ask what is offered. Raises `KacheryError` where no channel can be asked."""
    quiet_log(debug=debug)
    return run_cancellable(_list(place, channel))


async def _run(place: Place, call: Call) -> Done:
    node = Node(place.config, Storage.open(place.storage), channels_for(place, call.channel), provide=False)
    await node.start()
    try:
        row = node.tasks.request(call.function_id, call.kwargs, call.kind, call.channel, timeout=call.timeout)
        await _wait(node, row)
        result = await node.tasks.result(row)
        is_cached = bool(row.origins.get(Origin.BUCKET))
        by = "" if is_cached else row.answered_by
        return Done(call.function_id, TaskSubject.of(row).hash, result, is_cached, by)
    finally:
        await node.close()


async def _wait(node: Node, row: Request) -> None:
    """Wait for the end of a request, showing how it goes; whoever computes it is told when nobody waits any more."""
    progress = Progress()
    watching = asyncio.create_task(watch(node, row, progress))
    try:
        await asyncio.wait(
            {watching, asyncio.create_task(row.finished.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        if row.is_active:
            raise await watching
    finally:
        watching.cancel()
        progress.clear()
        for note in row.notes:
            say(note)
        if row.is_active:
            node.cancel(row)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await node.wait_idle()


async def _list(place: Place, channel: str | None) -> list[ListedOffer]:
    node = Node(place.config, Storage.open(place.storage), channels_for(place, channel), provide=False)
    await node.start()
    try:
        await _probe(node, channel)
        await asyncio.sleep(LIST_PATIENCE)
        return sorted(
            (
                ListedOffer(
                    offer.channel, offer.function_id, offer.type, offer.node_id, node.label_of(offer.node_id)
                )
                for membership in node.memberships.values()
                if channel in (None, membership.name)
                for offer in node.tasks.offers.current(membership)
            ),
            key=lambda offer: (offer.function_id, offer.channel, offer.label),
        )
    finally:
        await node.close()


async def _probe(node: Node, channel: str | None) -> None:
    """Ask on every channel that can be asked on. Raises the first failure if there is none."""
    if channel is not None:
        await node.tasks.probe(channel)
        return
    names = [name for name, one in node.memberships.items() if Role.REQUEST_TASKS in one.roles]
    if not names:
        raise NotAllowed(
            f"no role {Role.REQUEST_TASKS} on any channel",
            "",
            "Ask for it: kachery-tui channel roles NAME +request-tasks",
        )
    probes = await asyncio.gather(*map(node.tasks.probe, names), return_exceptions=True)
    failures = [each for each in probes if isinstance(each, KacheryError)]
    for failure in failures:
        say(failure.line)
    if len(failures) == len(names):
        raise failures[0]

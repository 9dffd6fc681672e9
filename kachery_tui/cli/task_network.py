"""Having a task run by a node of the network, or asking what is offered there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kachery_tui.cli.jobs import Event, Job
from kachery_tui.cli.node_work import do, running_node
from kachery_tui.cli.place import Place
from kachery_tui.errors import UsageError
from kachery_tui.protocol.canonical import JsonObject
from kachery_tui.protocol.task_messages import TaskFunctionType

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kachery_tui.service.work import Work


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants run: on which channel, None for any, and within how many seconds."""

    function_id: str
    kwargs: JsonObject
    kind: TaskFunctionType
    channel: str | None
    timeout: float | None


def run_task(place: Place, wish: Wish, *, debug: bool) -> Mapping[str, Any]:
    """Have a function run, and wait for its result.

    What it gives has `function`, `hash`, `result`, `cached`, and `by`, a node's id or empty. Raises what the request ends
    with.
    """
    if wish.channel is None and not place.channels():
        raise UsageError(
            "there is nobody to ask", "this node is on no channel", "Join one: kachery-tui channel join FILE"
        )

    def begin(work: "Work") -> "AsyncGenerator[Event, None]":
        from kachery_tui.service import tasks

        return tasks.run_task(
            work, wish.function_id, wish.kwargs, wish.kind, wish.channel, seconds=wish.timeout
        )

    body = {
        "function": wish.function_id,
        "kwargs": wish.kwargs,
        "type": wish.kind.value,
        "channel": wish.channel,
        "timeout": wish.timeout,
    }
    # What may have changed something is not done again unasked.
    repeats = wish.kind is not TaskFunctionType.ACTION
    job = Job("/v1/tasks/run", body, begin, wish.channel, may_repeat=repeats)
    done = do(place, running_node(place), job, debug=debug)
    return {name: done[name] for name in ("function", "hash", "result", "cached", "by")}


def list_offers(place: Place, channel: str | None, *, debug: bool) -> list[dict[str, str]]:
    """Ask what is offered: `function`, `type`, `channel`, `nodeId` and `label` of each.

    Raises `KacheryError` where no channel can be asked.
    """

    def begin(work: "Work") -> "AsyncGenerator[Event, None]":
        from kachery_tui.service import tasks

        return tasks.list_offers(work, channel)

    job = Job("/v1/tasks/offers", {"channel": channel}, begin, channel)
    offers: list[dict[str, str]] = do(place, running_node(place), job, debug=debug)["offers"]
    return offers

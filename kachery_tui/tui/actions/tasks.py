"""Tasks: having a function run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kachery_tui.errors import KacheryError
from kachery_tui.node.ledger import Request
from kachery_tui.node.tasks.offers import Offer
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.tui.describe.tasks import offers

if TYPE_CHECKING:
    from kachery_tui.node.node import Node
    from kachery_tui.protocol.canonical import JsonObject
    from kachery_tui.tui.desk import Desk
    from kachery_tui.tui.here import Here


def ask_for_task(desk: Desk, here: Here) -> None:
    """Ask which function to run, with which arguments."""
    # Where nothing is requested, nothing of the editor is loaded.
    from kachery_tui.tui.dialogs.json_edit import JsonEdit, JsonWords

    function_id, kwargs, channel = _proposal(here)
    requested: list[Request] = []

    async def admit(name: str, arguments: JsonObject) -> str:
        offer = _offer(desk.node, name, channel)
        if offer is None:
            return f"nobody offers {name}; `kachery-tui task run` waits for somebody who does"
        try:
            row = desk.node.tasks.request(name, arguments, offer.type, offer.channel)
        except KacheryError as error:
            return str(error)
        requested.append(row)
        return ""

    def go_on(taken: bool | None) -> None:
        if taken and requested:
            desk.show_task(requested[-1].number)

    desk.app.push_screen(
        JsonEdit(
            "Request a task",
            line=function_id,
            words=JsonWords(
                about="its arguments, a JSON object. The function that is to be run:",
                takes="Request",
                line="Function or arguments",
                no_line="no function is named",
                good="arguments",
                too_long="store a file, and pass its URI",
            ),
            admit=admit,
            text=desk.tour.arguments or kwargs,
        ),
        go_on,
    )


def _proposal(here: Here) -> tuple[str, str, str]:
    """Function, arguments and channel of what is chosen: a function, or a task to be requested with other arguments."""
    match here.selection:
        case Offer() as offer:
            return offer.function_id, "{}", offer.channel
        case Request(subject=TaskSubject() as task) as row:
            return task.function_id, task.kwargs or "{}", row.channel
        case _:
            return "", "{}", ""


def _offer(node: Node, function_id: str, channel: str) -> Offer | None:
    """Who offers a function: on the channel where it was chosen, else on any."""
    found = [offer for offer in offers(node) if offer.function_id == function_id]
    found = [offer for offer in found if offer.channel in node.memberships]
    return next((offer for offer in found if offer.channel == channel), found[0] if found else None)

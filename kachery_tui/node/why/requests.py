"""Why a request stands where it stands, or ended as it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.why.feeds import why_feed_request
from kachery_tui.node.why.file_requests import why_file_request
from kachery_tui.node.why.task_requests import why_task_request
from kachery_tui.protocol.roles import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kachery_tui.node.ledger import Request
    from kachery_tui.node.node import Node
    from kachery_tui.node.why.links import Link

_OF_KIND: Final[Mapping[Kind, Callable[[Node, Request, float], tuple[Link, ...]]]] = {
    Kind.FILES: why_file_request,
    Kind.FEEDS: why_feed_request,
    Kind.TASKS: why_task_request,
}


def why_request(node: Node, row: Request, now: float) -> tuple[Link, ...]:
    """The chain of a row, from what it began with to what to do next. `now` is Unix time."""
    return _OF_KIND[row.subject.kind](node, row, now)

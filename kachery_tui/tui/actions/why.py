"""Why what is chosen is as it is: the causal chain in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.activity import StreamMessage
from kachery_tui.node.feeds.states import SubfeedState
from kachery_tui.node.ledger import Request
from kachery_tui.node.steps import Step
from kachery_tui.node.tasks.offers import Offer
from kachery_tui.node.values import Entry
from kachery_tui.node.why import (
    Link,
    Mark,
    why_entry,
    why_function,
    why_message,
    why_request,
    why_role,
    why_stream,
    why_subfeed,
)
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.tui.actions.action import AVAILABLE, Action
from kachery_tui.tui.actions.streams import advice_keys, stream_under_cursor
from kachery_tui.tui.describe.feeds import title
from kachery_tui.tui.describe.why import why_groups, why_lines
from kachery_tui.tui.here import ChannelRow, FeedMessage, Here, Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kachery_tui.node.node import Node
    from kachery_tui.tui.desk import Desk

    Links = Sequence[Link]

_EXPLAINED: Final = (ChannelRow, Lane, StreamMessage, Request, Entry, SubfeedState, FeedMessage, Offer)

_STATE: Final = {
    Step.DONE: "succeeded",
    Step.FAILED: "failed",
    Step.CANCELLED: "was cancelled",
    Step.DECLINED: "was declined",
}


def _why(desk: Desk, here: Here) -> None:
    node, channel = desk.node, here.channel
    match here.selection:
        case Request() as row:
            title = (
                f"Why request #{row.number} {_STATE[row.step] if row.ended else 'is under way'}: {row.name}"
            )
            _view(desk, here, title, lambda: why_request(node, row, desk.now), live=row.is_active)
        case SubfeedState() as state:
            _why_subfeed(desk, here, state)
        case FeedMessage(subfeed=state):
            _why_subfeed(desk, here, state)
        case ChannelRow(channel=name, role=Role() as role):
            membership = node.memberships.get(name)
            is_so = membership is not None and role in membership.in_force
            title = f"Why {role} on {name} is {'' if is_so else 'not '}in force"
            _view(desk, here, title, lambda: why_role(node, name, role))
        case ChannelRow(channel=name):
            _view_groups(desk, here, f"Roles on {name}, explained", _channel_chains(node, name))
        case Lane(stream=Stream() as stream):
            title = f"Access to {channel}-{stream}"
            _view(desk, here, title, lambda: why_stream(node, channel, stream))
        case Lane():
            chains = [(str(stream), why_stream(node, channel, stream)) for stream in Stream]
            _view_groups(desk, here, f"Access to the streams of {channel}", chains)
        case StreamMessage() as message:
            on = stream_under_cursor(desk)
            if on is not None:
                title = "What this message did, and why"
                _view(desk, here, title, lambda: why_message(node, channel, on, message))
        case Offer() as offer:
            title = f"Why {offer.function_id} is offered, or not"
            _view(desk, here, title, lambda: why_function(node, offer))
        case Entry() as entry:
            desk.run_work(_why_entry(desk, here, entry), "screen: say why a file is here")


def _why_subfeed(desk: Desk, here: Here, state: SubfeedState) -> None:
    node = desk.node
    goes_on = bool(state.listeners) or (state.row is not None and state.row.is_active)

    def links() -> Links:
        return why_subfeed(node, state, desk.now)

    _view(desk, here, f"Why {title(state)} is in this state", links, live=goes_on)


def _channel_chains(node: Node, channel: str) -> list[tuple[str, Links]]:
    """The chain of each role that was asked for; of the others only that they were not."""
    membership = node.memberships.get(channel)
    asked = membership.config.roles if membership else frozenset[Role]()
    chains: list[tuple[str, Links]] = [
        (str(role), why_role(node, channel, role)) for role in Role if role in asked
    ]
    others = ", ".join(role for role in Role if role not in asked)
    if others:
        chains.append(("Not asked for", [Link(Mark.NOTE, others, "" if asked else "Ask for a role")]))
    return chains


async def _why_entry(desk: Desk, here: Here, entry: Entry) -> None:
    totals = await desk.node.cache.totals()
    title = f"Why {entry.name or 'this file'} is here, and for how long"
    _view(desk, here, title, lambda: why_entry(desk.node, entry, totals))


def _view(desk: Desk, here: Here, title: str, links: Callable[[], Links], *, live: bool = False) -> None:
    # How long something has been so grows by itself: only what is under way is asked for anew.
    first, keys = links(), advice_keys(here)
    desk.view(title, lambda: why_lines(links() if live else first, keys), live=live)


def _view_groups(desk: Desk, here: Here, title: str, chains: Sequence[tuple[str, Links]]) -> None:
    desk.view(title, lambda: why_groups(chains, advice_keys(here)))


def _why_unavailable(here: Here) -> str:
    if here.selection is None:
        return "nothing is selected"
    if not isinstance(here.selection, _EXPLAINED):
        return f"nothing more to explain; {here.key_of('open')} shows the details"
    return AVAILABLE


ACTIONS: Final = (
    Action(
        "why",
        "w",
        "Why",
        "Explain the state of what is selected, and what to do about it",
        _why,
        _why_unavailable,
    ),
)

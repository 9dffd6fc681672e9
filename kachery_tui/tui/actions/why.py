"""Why what is chosen is as it is: the causal chain in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.activity import StreamMessage
from kachery_tui.node.feeds.states import SubfeedState
from kachery_tui.node.ledger import Request
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


def _why(desk: Desk, here: Here) -> None:
    node, channel = desk.node, here.channel
    match here.selection:
        case Request() as row:
            title = f"Why request #{row.number} is as it is: {row.name}"
            _view(desk, here, title, lambda: why_request(node, row, desk.now), live=row.is_active)
        case SubfeedState() as state:
            _why_subfeed(desk, here, state)
        case FeedMessage(subfeed=state):
            _why_subfeed(desk, here, state)
        case ChannelRow(channel=name, role=Role() as role):
            _view(desk, here, f"Why {role} on {name} is as it is", lambda: why_role(node, name, role))
        case ChannelRow(channel=name):
            _view_groups(desk, here, f"Why {name} is as it is", _channel_chains(node, name))
        case Lane(stream=Stream() as stream):
            title = f"Why {channel}-{stream} is as it is"
            _view(desk, here, title, lambda: why_stream(node, channel, stream))
        case Lane():
            chains = [(str(stream), why_stream(node, channel, stream)) for stream in Stream]
            _view_groups(desk, here, f"Why the streams of {channel} are as they are", chains)
        case StreamMessage() as message:
            on = stream_under_cursor(desk)
            if on is not None:
                title = "Why this message had the effect that it had"
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

    _view(desk, here, f"Why {title(state)} is as it is", links, live=goes_on)


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
        return "nothing is chosen"
    if not isinstance(here.selection, _EXPLAINED):
        return f"there is no more to it than {here.key_of('open')} shows"
    return AVAILABLE


ACTIONS: Final = (
    Action(
        "why",
        "w",
        "Why",
        "Say why what is chosen is as it is, and what to do about it",
        _why,
        _why_unavailable,
    ),
)

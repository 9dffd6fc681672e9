"""Why a subfeed stands as it stands: whether it is followed, told to others, behind, silent, or at fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.why.consent import consent_link
from kachery_tui.node.why.links import Link, Mark, bad, note, ok, pieces, several, wait
from kachery_tui.node.why.roles import not_joined, role_link
from kachery_tui.protocol.roles import Role
from kachery_tui.words import count, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kachery_tui.node.feeds.states import SubfeedState
    from kachery_tui.node.ledger import Request
    from kachery_tui.node.membership import Membership
    from kachery_tui.node.node import Node

MOST_CHANNELS: Final = 6
"""Channels that a chain goes through."""

SHOWN_NOTES: Final = 6

FOLLOW: Final = "Follow it again"
RUN_A_NODE: Final = "Ask the feed's owner to run a node with the role provide-feeds there"


def why_subfeed(node: Node, state: SubfeedState, now: float) -> tuple[Link, ...]:
    """The chain of a subfeed, from whose it is to what to do next. `now` is Unix time."""
    if state.own:
        return tuple(_own(node, state, now))
    if state.row is not None:
        return (*_here(state), *_followed(node, state.row, state, now))
    return (
        *_here(state),
        *_fault(state),
        note("this node does not follow it: what is appended to it does not come here", FOLLOW),
    )


def why_feed_request(node: Node, row: Request, now: float) -> tuple[Link, ...]:
    """The chain of a row of the ledger that is about a subfeed. `now` is Unix time."""
    state = node.feeds.states.find(SubfeedSubject.of(row).key)
    if row.side is Side.THEIRS:
        return tuple(_told(node, row, now))
    return tuple(_followed(node, row, state if state is not None and state.row is row else None, now))


def _here(state: SubfeedState) -> Iterator[Link]:
    yield note("it is another's: its private key is not here, so this node cannot append to it")
    if state.here:
        yield ok(f"this disk has {count(state.here, 'message')} of it, each verified when it came")
    else:
        yield note("none of its messages is here")


def _fault(state: SubfeedState) -> Iterator[Link]:
    if state.fault is not None:
        yield from pieces(Mark.BAD, state.fault.what)
        yield from pieces(Mark.NOTE, state.fault.why)
        if state.fault.do:
            yield note("nothing after that message is kept", state.fault.do)


def _notes(row: Request) -> Iterator[Link]:
    for text in row.notes[-SHOWN_NOTES:]:
        yield from pieces(Mark.NOTE, text)


# Followed


def _followed(node: Node, row: Request, state: SubfeedState | None, now: float) -> Iterator[Link]:
    """What came of following; `state` is what is known of the subfeed, if this row is the newest of it."""
    over = f"over {row.only_channel}" if row.only_channel else "over every channel that this node is on"
    yield ok(f"this node began to follow it {duration(now - row.started)} ago, {over}")
    memberships = list(_over(node, row.only_channel))
    if not memberships:
        yield (
            not_joined(row.only_channel)
            if row.only_channel
            else bad("this node has joined no channel, so there is nobody to ask", "Join a channel")
        )
    for membership in memberships[:MOST_CHANNELS]:
        yield from _channel(row, membership, state, now)
    yield from _notes(row)
    if state is not None:
        yield from _fault(state)
    yield from _standing(node, row, state, now)


def _over(node: Node, only: str | None) -> Iterator[Membership]:
    for name, membership in node.memberships.items():
        if only in (None, name):
            yield membership


def _channel(row: Request, membership: Membership, state: SubfeedState | None, now: float) -> Iterator[Link]:
    """What one channel has to do with a subfeed that is followed."""
    name = membership.name
    if state is not None and name in state.in_bucket:
        in_bucket = state.in_bucket[name]
        yield note(f"the bucket of {name} says to have {count(in_bucket, 'message')} of it")
    if not row.is_active:
        return
    yield role_link(membership, Role.REQUEST_FEEDS)
    ask = next((ask for ask in reversed(row.asks) if ask.channel == name), None)
    if ask is None:
        return
    yield ok(f"{ask.about} were asked for on {ask.stream} of {name} {duration(now - ask.at)} ago")
    if not ask.present:
        yield note("no node that shows itself was listening then", RUN_A_NODE)
    elif not ask.heard:
        yield note(f"{several(ask.listening, ask.present)} heard it; only the owner's node answers")


def _standing(node: Node, row: Request, state: SubfeedState | None, now: float) -> Iterator[Link]:
    """How it goes, or how it ended."""
    if not row.is_active:
        yield from _ended(row, now)
        return
    who = node.label_of(row.answered_by) if row.answered_by else "the owner's node"
    since = duration(now - row.steps[-1].at) if row.steps else ""
    silent = state.silent_since if state is not None else None
    if state is not None and state.trouble is not None:
        yield bad(f"messages came and cannot be stored: {state.trouble.line}", state.trouble.do)
    if state is not None and state.missing:
        yield note(f"nodes speak of {count(state.missing, 'message')} more, which no bucket has")
    match row.step:
        case Step.LIVE:
            yield ok(f"{who} has told what is new for {since}: what is appended comes at once")
        case Step.RECONNECTING:
            yield wait(f"the connection has been waited for for {since}; then it goes on by itself")
        case _ if silent is not None:
            yield bad(f"the owner's node has not answered for {duration(now - silent)}", RUN_A_NODE)
            yield note("it is asked anew every half minute, and as soon as a node comes")
        case Step.ASKING:
            yield wait(f"the owner's node has been asked for news for {since}")
        case _:
            yield wait(f"what the buckets have has been read for {since}")
    if state is not None and state.lag > 0:
        behind = f" for {duration(now - state.behind_since)}" if state.behind_since else ""
        yield wait(f"there is more elsewhere, {count(state.lag, 'message')}, and has been{behind}")


def _ended(row: Request, now: float) -> Iterator[Link]:
    lasted = duration((row.ended or now) - row.started)
    if row.step is Step.FAILED and row.failure is not None:
        yield from pieces(Mark.BAD, row.failure.what)
        yield from pieces(Mark.NOTE, row.failure.why)
        yield bad(f"following it ended after {lasted}", row.failure.do or FOLLOW)
    else:
        yield note(f"it was followed for {lasted}, and is no more; what came stays", FOLLOW)


# Own ones


def _own(node: Node, state: SubfeedState, now: float) -> Iterator[Link]:
    yield ok("its private key is here: this node, and nobody else, appends to it")
    if not state.key.subfeed_hash:
        yield note("it has no message yet; the first one makes its first subfeed")
        return
    yield ok(f"this disk has {count(state.here, 'message')} of it")
    rows = [
        row
        for row in node.ledger
        if row.side is Side.THEIRS and row.is_active and row.subject.key == state.key
    ]
    yield from _fault(state)
    for row in rows[:MOST_CHANNELS]:
        yield from _told(node, row, now)
    if not rows:
        yield note("nobody listens to it; buckets get what is new as soon as somebody does")
        yield from _could_be_told(node)


def _could_be_told(node: Node) -> Iterator[Link]:
    """Whether anybody could listen: on which channels this node provides feeds."""
    memberships = list(node.memberships.values())
    if not memberships:
        yield bad("this node has joined no channel, so nobody can ask for it", "Join a channel")
        return
    asked = [one for one in memberships if Role.PROVIDE_FEEDS in one.config.roles]
    for membership in (asked or memberships)[:MOST_CHANNELS]:
        yield role_link(membership, Role.PROVIDE_FEEDS)


def _told(node: Node, row: Request, now: float) -> Iterator[Link]:
    """What comes of somebody's listening to an own subfeed."""
    who = _names(node, row.asked_by)
    verb = "listens" if len(row.asked_by) == 1 else "listen"
    if not row.is_active:
        verb = "listened"
    yield ok(f"{who} {verb} on {row.channel}, since {duration(now - row.started)} ago")
    membership = node.memberships.get(row.channel)
    if membership is None:
        yield not_joined(row.channel)
    elif row.is_active:
        yield role_link(membership, Role.PROVIDE_FEEDS)
        yield consent_link(row, membership, now)
    yield from _notes(row)
    if not row.is_active:
        yield from _told_no_more(row, now)
        return
    subject = SubfeedSubject.of(row)
    state = node.feeds.states.find(subject.key)
    if state is not None and row.step is not Step.WAITING:
        there = state.in_bucket.get(row.channel, 0)
        if there < state.here:
            yield wait(f"the bucket of {row.channel} gets what it lacks: it has {there:,} of {state.here:,}")
        else:
            yield ok(f"the bucket of {row.channel} has all of its {count(there, 'message')}")
    if subject.messages:
        yield ok(f"who listens was told {count(subject.messages, 'message')} as they were appended")


def _names(node: Node, node_ids: Iterable[str]) -> str:
    names = [node.label_of(node_id) for node_id in node_ids]
    return several(names) if names else "somebody"


def _told_no_more(row: Request, now: float) -> Iterator[Link]:
    lasted = duration((row.ended or now) - row.started)
    match row.step:
        case Step.DONE:
            yield note(f"after {lasted} nobody listened any more; who does asks again by itself")
        case Step.DECLINED:
            yield note("a person here said no; for ten minutes that holds for whoever asks again")
        case Step.FAILED if row.failure is not None:
            yield from pieces(Mark.BAD, row.failure.what)
            yield from pieces(Mark.NOTE, row.failure.why)
            yield bad(f"nobody is told of it since, after {lasted}", row.failure.do)
        case _:
            yield note(f"it ended after {lasted}: {row.failure.what if row.failure else row.step}")

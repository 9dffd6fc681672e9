"""Why a request of a file stands where it stands, or ended as it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.errors import NobodyHasIt, NotAllowed, TryAgain
from kachery_tui.node.files.pushing import ALREADY_THERE
from kachery_tui.node.ledger import BROKEN_OFF, Origin, Request
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.why.consent import consent_link
from kachery_tui.node.why.file_questions import question_links
from kachery_tui.node.why.links import Link, Mark, bad, note, ok, pieces, several, wait
from kachery_tui.node.why.roles import connection_link, not_joined, role_link
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.words import duration, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kachery_tui.node.membership import Membership
    from kachery_tui.node.node import Node

MOST_CHANNELS: Final = 6
"""Channels that a chain goes through; with more, the others are only counted."""

SHOWN_NOTES: Final = 6

_RETRY: Final = "Retry: chunks that were verified are kept"


def why_file_request(node: Node, row: Request, now: float) -> tuple[Link, ...]:
    """The chain of a row of the ledger that is about a file. `now` is Unix time."""
    match row.side:
        case Side.MINE:
            links = _mine(node, row, now)
        case Side.PUSH:
            links = _push(node, row, now)
        case Side.THEIRS:
            links = _theirs(node, row, now)
    return (*_earlier(row), *links)


def _earlier(row: Request) -> Iterator[Link]:
    if row.earlier:
        yield note("this is of an earlier run of the program; channels and roles are shown as they are now")


# Ours


def _mine(node: Node, row: Request, now: float) -> Iterator[Link]:
    if row.step is Step.DONE and set(row.origins) <= {Origin.DISK} and not row.asks:
        yield ok("the file was in this node's own storage already")
        return
    if row.step is Step.STORAGE:
        yield wait("this node looks into its own storage")
        return
    yield note("the file was not in this node's own storage")
    memberships = list(_candidates(node, row))
    if not memberships and row.only_channel is None:
        yield bad("this node has joined no channel, so there is nobody to ask", "Join a channel")
    if row.only_channel is not None and not memberships:
        yield not_joined(row.only_channel)
    told: list[Link] = []
    for membership in memberships[:MOST_CHANNELS]:
        told += _channel(node, row, membership, now)
    yield from told
    if len(memberships) > MOST_CHANNELS:
        yield note(f"and {len(memberships) - MOST_CHANNELS} more channels were looked at")
    yield from _notes(row, but=memberships)
    broken = [link for link in told if link.mark is Mark.BAD]
    if row.is_active:
        if all(ask.ended_at is not None for ask in row.asks):
            yield from _under_way(row, now)
    elif row.step is Step.DONE:
        yield from _done(node, row)
    else:
        yield from _undone(row, now, told_by=broken)
    yield from _hope(node, row, memberships)


def _candidates(node: Node, row: Request) -> Iterator[Membership]:
    settled = row.channel if row.step is Step.DONE else None
    wanted = row.only_channel or settled
    for name, membership in node.memberships.items():
        if wanted in (None, "", name):
            yield membership


def _channel(node: Node, row: Request, membership: Membership, now: float) -> Iterator[Link]:
    """What one channel had to do with a request."""
    asks = [ask for ask in row.asks if ask.channel == membership.name]
    yield _role(membership, then=bool(asks))
    notes = _notes_of(row, membership)
    for text in notes[-SHOWN_NOTES:]:
        yield from pieces(Mark.NOTE, text)
    if _got_from_bucket(row, membership):
        yield ok(f"the bucket of {membership.name} had it: nobody needed to be asked")
    elif row.step is Step.BUCKET and not asks:
        yield wait(f"the bucket of {membership.name} is looked at")
    elif not notes and row.step is not Step.CANCELLED:
        yield note(f"the bucket of {membership.name} did not have it")
    yield from question_links(node, membership, row, asks, now)


def _role(membership: Membership, *, then: bool) -> Link:
    """The role as it is now; `then` if it was in force once already, because a question went out by it."""
    link = role_link(membership, Role.REQUEST_FILES)
    return note(f"now: {link.text}", link.do) if then and link.mark is Mark.BAD else link


def _notes_of(row: Request, membership: Membership) -> list[str]:
    return [text for text in row.notes if text.startswith(f"the bucket of {membership.name}")]


def _got_from_bucket(row: Request, membership: Membership) -> bool:
    return row.channel == membership.name and bool(row.origins.get(Origin.BUCKET)) and not row.asks


def _hope(node: Node, row: Request, memberships: Iterable[Membership]) -> Iterator[Link]:
    """Who could be asked now that was not there when the question went out."""
    if row.step is not Step.FAILED:
        return
    for membership in memberships:
        asks = [ask for ask in row.asks if ask.channel == membership.name]
        if not asks:
            continue
        others = [
            node.label_of(member.node_id)
            for member in membership.members(Stream.PROVIDE_FILES)
            if member.node_id != node.node_id
        ]
        came = [label for label in others if label not in asks[-1].listening]
        if came:
            yield note(
                f"now {several(came)} on {membership.name} would hear it, too", "Retry: they are asked now"
            )


# What others want


def _theirs(node: Node, row: Request, now: float) -> Iterator[Link]:
    who = several([node.label_of(asker) for asker in row.asked_by]) if row.asked_by else "somebody"
    ago = duration(now - row.started)
    yield ok(f"{who} asked for it on {Stream.REQUEST_FILES} of {row.channel} {ago} ago")
    yield ok("the file is in this node's storage" if row.is_active else "the file was in this node's storage")
    membership = node.memberships.get(row.channel)
    if membership is None:
        yield not_joined(row.channel)
    else:
        yield role_link(membership, Role.PROVIDE_FILES)
        yield consent_link(row, membership, now)
        yield from _slots(row, membership)
    yield from _notes(row)
    yield from _sent(node, row, now)


def _slots(row: Request, membership: Membership) -> Iterator[Link]:
    if row.step is Step.QUEUED:
        most = membership.config.limits.uploads
        yield wait(f"{most} uploads on {membership.name} are under way (limits.uploads): it waits its turn")


# What is pushed


def _push(node: Node, row: Request, now: float) -> Iterator[Link]:
    membership = node.memberships.get(row.channel)
    if membership is None:
        yield not_joined(row.channel)
    else:
        role = role_link(membership, Role.PROVIDE_FILES)
        yield role
        if role.mark is Mark.OK:
            yield connection_link(membership, now)
        yield from _slots(row, membership)
    yield from _notes(row)
    yield from _sent(node, row, now)


def _sent(node: Node, row: Request, now: float) -> Iterator[Link]:
    """How far sending is, or how it ended."""
    if row.is_active:
        yield from _under_way(row, now)
    elif row.step is Step.DONE:
        yield from _done(node, row)
    else:
        yield from _undone(row, now, told_by=())


# How it stands, and how it ended


def _notes(row: Request, *, but: Iterable[Membership] = ()) -> Iterator[Link]:
    told = {text for membership in but for text in _notes_of(row, membership)}
    told.add(ALREADY_THERE)
    for text in [text for text in row.notes if text not in told][-SHOWN_NOTES:]:
        yield from pieces(Mark.NOTE, text)


def _done(node: Node, row: Request) -> Iterator[Link]:
    took = duration((row.ended or row.started) - row.started)
    disk, bucket, peer = (row.origins.get(origin, 0) for origin in (Origin.DISK, Origin.BUCKET, Origin.PEER))
    if row.side is not Side.MINE:
        if disk:
            yield ok(
                f"{size(disk)} were uploaded in {took}" + (f"; {size(bucket)} were there" if bucket else "")
            )
        else:
            yield ok("the bucket had all of it already: nothing was sent")
        yield ok(f"that it is in the bucket was said on {Stream.PROVIDE_FILES} of {row.channel}")
        return
    if disk:
        yield ok(f"{size(disk)} were on this machine already")
    if bucket:
        yield ok(f"{size(bucket)} came from the bucket")
    if peer:
        who = node.label_of(row.answered_by) if row.answered_by else "a node"
        yield ok(f"{size(peer)} were sent by {who} on this request")
    yield ok(f"its bytes have the hash that the URI says; done in {took}")


def _undone(row: Request, now: float, *, told_by: Sequence[Link]) -> Iterator[Link]:
    """How a row ended that brought nothing; `told_by` are the links that say so already."""
    took, failure = duration((row.ended or now) - row.started), row.failure
    again = _RETRY if row.side is Side.MINE else "Retry sends it all the same"
    if row.side is Side.THEIRS and row.earlier:
        again = "Push the file if it is still wanted"
    if row.step is Step.CANCELLED:
        is_cut = failure is not None and failure.what == BROKEN_OFF
        how = BROKEN_OFF if is_cut else "it was broken off"
        yield note(f"{how}, after {took}", again)
        return
    if row.step is Step.DECLINED:
        yield note(f"it was declined after {took}: the asker was told", again)
        return
    role_missing = (
        next((link.do for link in told_by if link.do), "") if isinstance(failure, NotAllowed) else ""
    )
    asked_in_vain = isinstance(failure, NobodyHasIt | TryAgain) and row.asks
    if failure is not None and not (told_by and (role_missing or asked_in_vain)):
        yield from pieces(Mark.BAD, failure.what)
        yield from pieces(Mark.NOTE, failure.why)
    yield bad(f"it failed after {took}", role_missing or (failure.do if failure else "") or again)


def _under_way(row: Request, now: float) -> Iterator[Link]:
    since = duration(now - row.steps[-1].at) if row.steps else duration(now - row.started)
    so_far = f"{size(row.done)} of {size(row.size)}" if row.size is not None else size(row.done)
    match row.step:
        case Step.DOWNLOADING:
            yield wait(f"it has been fetched from the bucket for {since}: {so_far}", "Wait, or cancel it")
        case Step.UPLOADING:
            yield wait(f"it has been sent to the bucket for {since}: {so_far}", "Wait, or cancel it")
        case Step.VERIFYING:
            yield wait(f"the whole file has been compared with its hash for {since}")
        case Step.CHECKING:
            yield wait(f"it has been read and compared with what the bucket has for {since}")
        case Step.RECONNECTING:
            yield wait(f"it has been waiting for the connection for {since}", "Wait, or cancel it")
        case _:
            return

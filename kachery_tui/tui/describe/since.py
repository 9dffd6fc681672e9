"""What went on at a node that ran on after its screen was left, in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.steps import Side, Step
from kachery_tui.tui import present
from kachery_tui.tui.memory import Left

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kachery_tui.node.ledger import Request
    from kachery_tui.node.node import Node
    from kachery_tui.node.values import Totals

MOST_FEEDS: Final = 3
"""Feeds that are named, those to which most was added."""

MOST_KEPT: Final = 1_000
"""Feeds of which it is remembered how long they were."""

LEAST_GROWTH: Final = 0.01
"""The share of the storage folder's limit, or of its size, from which on a change is worth a word."""


def standing(node: Node, totals: Totals, now: float) -> Left:
    """How the node stands when the screen is left."""
    states = sorted(node.feeds.states, key=lambda state: state.last_at or 0.0, reverse=True)
    feeds = {str(state.uri): state.here for state in states[:MOST_KEPT] if state.here}
    return Left(now, totals.bytes, feeds)


def since_words(node: Node, left: Left, totals: Totals, now: float) -> str:
    """What has happened since; empty if that is nothing."""
    parts = [*_requests(node, left), *_feeds(node, left), *_storage(left, totals)]
    return f"since {present.said_when(left.at, now)}: {', '.join(parts)}" if parts else ""


def _requests(node: Node, left: Left) -> Iterator[str]:
    rows = [row for row in node.ledger if row.ended is not None and row.ended > left.at]
    done = [row for row in rows if row.step is Step.DONE]
    for side, word in ((Side.THEIRS, "served"), (Side.MINE, "fetched"), (Side.PUSH, "pushed")):
        if of_side := [row for row in done if row.side is side]:
            amount = sum(row.size or 0 for row in of_side)
            yield f"{len(of_side):,} {word}" + (f" ({present.size(amount)})" if amount else "")
    failed = [row for row in rows if row.step is Step.FAILED]
    if failed:
        yield f"{len(failed):,} failed ({_why(failed)})"
    waiting = sum(1 for row in node.ledger if row.step is Step.WAITING and row.started > left.at)
    if waiting:
        yield f"{present.count(waiting, 'request')} came that wait{'s' if waiting == 1 else ''} for you"


def _why(failed: Sequence[Request]) -> str:
    """Of what failed last, as that is what can be looked at first."""
    last = max(failed, key=lambda row: row.ended or 0.0)
    error = last.failure
    return f"{last.name}: {error.why or error.what}" if error is not None else last.name


def _feeds(node: Node, left: Left) -> Iterator[str]:
    # Where there were too many to be remembered, nothing can be told of those that are not.
    all_kept = len(left.feeds) < MOST_KEPT
    known = [state for state in node.feeds.states if all_kept or str(state.uri) in left.feeds]
    grown = [(state.here - left.feeds.get(str(state.uri), 0), state) for state in known]
    grown = [(more, state) for more, state in grown if more > 0]
    grown.sort(key=lambda each: -each[0])
    for more, state in grown[:MOST_FEEDS]:
        yield f"feed {state.feed_name or state.name or present.short(state.key.feed_id)} +{more:,}"
    if len(grown) > MOST_FEEDS:
        yield f"{present.count(len(grown) - MOST_FEEDS, 'more feed')} grew"


def _storage(left: Left, totals: Totals) -> Iterator[str]:
    if totals.limit:
        before, now = (present.percent(amount, totals.limit) for amount in (left.stored, totals.bytes))
        if abs(totals.bytes - left.stored) >= LEAST_GROWTH * totals.limit and before != now:
            yield f"storage {before} → {now}"
    elif abs(totals.bytes - left.stored) > LEAST_GROWTH * max(left.stored, 1):
        yield f"storage {present.size(left.stored)} → {present.size(totals.bytes)}"

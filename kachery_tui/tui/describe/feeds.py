"""What is said of a subfeed: its row, two lines about it, and what it can be filtered and sorted by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kachery_tui.filters import FieldKind
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.feeds import Fault
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kachery_tui.filters import Fact
    from kachery_tui.node.feeds.states import SubfeedState
    from kachery_tui.node.ledger import Request
    from kachery_tui.protocol.uris import SubfeedKey
    from kachery_tui.tui.describe import LabelOf

SUBFEED_FIELDS: Final[Mapping[str, FieldKind]] = {
    "name": FieldKind.TEXT,
    "feed": FieldKind.TEXT,
    "own": FieldKind.FLAG,
    "followed": FieldKind.FLAG,
    "messages": FieldKind.NUMBER,
    "bucket": FieldKind.NUMBER,
    "lag": FieldKind.NUMBER,
    "listeners": FieldKind.NUMBER,
    "last": FieldKind.TIME,
    "state": FieldKind.TEXT,
    "fault": FieldKind.FLAG,
}
"""What subfeeds can be filtered by."""

MOST_NAMES: Final = 5
"""Listeners that are named; with more, the others are only counted."""

FAULTS: Final[Mapping[Fault, str]] = {
    Fault.FORM: "is no message",
    Fault.SIZE: "is too large",
    Fault.GAP: "is missing",
    Fault.FORK: "has a fork",
    Fault.CHAIN: "breaks the chain",
    Fault.SIGNATURE: "is not signed",
    Fault.MISSING: "is missing",
}
"""What is wrong with a message, in the few words that a column has room for."""

MISSING_SECONDS: Final = 5.0
"""Seconds for which messages may be spoken of that no bucket has before that is said: they are on their way at first."""

BEHIND_SECONDS: Final = 2.0
"""Seconds for which one that is live may be behind before that is said: with each message it is for a moment."""

_READING: Final = frozenset({Step.STORAGE, Step.BUCKET, Step.DOWNLOADING, Step.VERIFYING})


def serving(ledger: Iterable[Request]) -> dict[SubfeedKey, Request]:
    """Who is told of which own subfeed: the row of the ledger for each that somebody listens to, or wants to."""
    found: dict[SubfeedKey, Request] = {}
    for row in ledger:
        subject = row.subject
        if row.side is not Side.THEIRS or not row.is_active or not isinstance(subject, SubfeedSubject):
            continue
        # On several channels: one that waits for a person says more than one that goes by itself.
        if subject.key not in found or row.step is Step.WAITING:
            found[subject.key] = row
    return found


# Names


def feed_title(state: SubfeedState) -> str:
    """What to call a feed: its name, or the start of its id."""
    return state.feed_name or present.short(state.key.feed_id)


def subfeed_title(state: SubfeedState) -> str:
    """What to call a subfeed within its feed; empty for a feed that has none yet."""
    if not state.key.subfeed_hash:
        return ""
    return state.name or f"~{present.short(state.key.subfeed_hash)}"


def title(state: SubfeedState, feed: str = "") -> str:
    """What to call a subfeed: feed, by `feed` if that is given, and subfeed."""
    feed, subfeed = feed or feed_title(state), subfeed_title(state)
    return f"{feed}/{subfeed}" if subfeed else feed


# The row


def is_followed(state: SubfeedState) -> bool:
    """Whether it is followed at this moment, or will be when the program starts again."""
    return state.follows or (state.row is not None and state.row.is_active)


def subfeed_cells(state: SubfeedState, served: Request | None, channel: str, now: float) -> Line:
    """A subfeed as a row: name, whose, here, in the bucket, announced, lag, listeners, last, state."""
    bucket = in_bucket(state, channel)
    return (
        Cell(title(state), Tone.STRONG),
        whose_cell(state),
        Cell(f"{state.here:,}"),
        Cell("" if bucket is None else f"{bucket:,}"),
        Cell(f"{state.announced:,}" if state.announced else ""),
        Cell(f"{state.lag:,}", Tone.WARN) if state.lag > 0 else BLANK,
        Cell(f"{len(state.listeners):,}") if state.listeners else BLANK,
        Cell(present.last(state.last_at, now), Tone.MUTED),
        state_cell(state, served, now),
    )


def in_bucket(state: SubfeedState, channel: str) -> int | None:
    """How many messages the channel's bucket has; where nothing is known of that one, the bucket that has most."""
    return state.in_bucket.get(channel, max(state.in_bucket.values(), default=None))


def whose_cell(state: SubfeedState) -> Cell:
    """Who writes it, and whether it is followed."""
    if state.own:
        return Cell("● own")
    return Cell("↓ followed") if is_followed(state) else Cell("○ kept", Tone.MUTED)


def state_cell(state: SubfeedState, served: Request | None, now: float) -> Cell:
    """How it stands, in a few words."""
    if state.fault is not None:
        return Cell(f"✗ #{state.fault.number:,} {FAULTS[state.fault.fault]}", Tone.BAD)
    if state.trouble is not None:
        return Cell("✗ cannot store", Tone.BAD)
    if state.own:
        return Cell("· nobody listens", Tone.MUTED) if served is None else _served_cell(served)
    row = state.row
    if row is None:
        return Cell("○ not followed", Tone.MUTED)
    if not row.is_active:
        return Cell("○ stopped", Tone.MUTED)
    if row.step is Step.RECONNECTING:
        return Cell("~ reconnecting", Tone.WARN)
    if state.silent_since is not None:
        return Cell(f"! silent since {present.day(state.silent_since, now)}", Tone.WARN)
    is_behind = state.behind_since is not None and now - state.behind_since > BEHIND_SECONDS
    if row.step in _READING or (row.step is Step.LIVE and is_behind):
        return Cell("… reading", Tone.BUSY)
    if row.step is Step.LIVE and _lacks(state, now):
        return Cell(f"! {state.missing:,} nowhere", Tone.WARN)
    return present.step(row.step)


def _lacks(state: SubfeedState, now: float) -> bool:
    """Whether messages that nodes have spoken of have been nowhere to be had for a while."""
    return state.missing_since is not None and now - state.missing_since > MISSING_SECONDS


def _served_cell(row: Request) -> Cell:
    return Cell("! waits for you", Tone.WARN) if row.step is Step.WAITING else present.step(row.step)


# About the chosen one


def about_lines(
    state: SubfeedState, served: Request | None, label_of: LabelOf, now: float, width: int
) -> tuple[Line, Line]:
    """Two lines about the chosen subfeed: how it stands, and what it is called outside, in full where it fits."""
    uri = str(state.uri)
    if len(uri) > width:
        uri = f"feed://{title(state, present.short(state.key.feed_id))}"
    standing = joined((*_standing(state, served, label_of, now),))
    return (Cell(" "), *standing), (Cell(uri if len(uri) == width else f" {uri}", Tone.MUTED),)


def _standing(state: SubfeedState, served: Request | None, label_of: LabelOf, now: float) -> Iterable[Line]:
    if not state.key.subfeed_hash:
        yield (Cell("a feed without messages"),)
        return
    problem = state.fault or state.trouble
    if problem is not None:
        yield (Cell(f"✗ {problem.line}", Tone.BAD),)
    elif _lacks(state, now):
        yield (Cell(f"! nodes speak of {state.missing:,} more, which no bucket has", Tone.WARN),)
    else:
        yield (state_cell(state, served, now),)
    yield (Cell(present.count(state.here, "message")),)
    if state.lag > 0:
        since = f" since {present.day(state.behind_since, now)}" if state.behind_since else ""
        yield (Cell(f"{state.lag:,} not here yet{since}", Tone.WARN),)
    if state.listeners:
        waits = served is not None and served.step is Step.WAITING
        verb = "asked for by" if waits else "told to"
        yield (Cell(f"{verb} {listeners(state, label_of)}"),)


def listeners(state: SubfeedState, label_of: LabelOf) -> str:
    """Who listens to an own subfeed, by name, each once."""
    ids = list(dict.fromkeys(listener.node_id for listener in list(state.listeners)))
    shown = [label_of(node_id) for node_id in ids[:MOST_NAMES]]
    if len(ids) > len(shown):
        shown.append(f"{len(ids) - len(shown):,} more")
    return ", ".join(shown)


# Filter and order


def subfeed_facts(
    state: SubfeedState, served: Request | None, channel: str, now: float
) -> Mapping[str, Fact]:
    """A subfeed for a filter."""
    return {
        "name": title(state),
        "feed": f"{state.feed_name} {state.uri}",
        "own": state.own,
        "followed": is_followed(state),
        "messages": state.here,
        "bucket": in_bucket(state, channel),
        "lag": max(state.lag, 0),
        "listeners": len(state.listeners),
        "last": state.last_at,
        "state": state_cell(state, served, now).text,
        "fault": state.fault is not None,
    }


ORDERS: Final[Mapping[str, Callable[[SubfeedState], Any]]] = {
    "name": lambda state: (feed_title(state).casefold(), subfeed_title(state).casefold()),
    "whose": lambda state: whose_cell(state).text,
    "here": lambda state: state.here,
    "bucket": lambda state: max(state.in_bucket.values(), default=0),
    "lag": lambda state: state.lag,
    "listen": lambda state: len(state.listeners),
    "last": lambda state: state.last_at or 0.0,
}
"""What is compared for each column that subfeeds can be sorted by."""

MOVING_ORDERS: Final = frozenset({"here", "bucket", "lag", "listen", "last"})
"""Orders that change by themselves as messages come."""

"""Requests as a table: what they can be filtered and sorted by, and what a file of them holds."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from kachery_tui.filters import Fact, FieldKind
from kachery_tui.node.ledger import Origin, Request
from kachery_tui.node.steps import Side, Step
from kachery_tui.tui.describe import LabelOf
from kachery_tui.tui.describe.requests import peer, was_there

FIELDS: Final[Mapping[str, FieldKind]] = {
    "state": FieldKind.CHOICE,
    "step": FieldKind.TEXT,
    "side": FieldKind.CHOICE,
    "kind": FieldKind.CHOICE,
    "file": FieldKind.TEXT,
    "peer": FieldKind.TEXT,
    "channel": FieldKind.TEXT,
    "size": FieldKind.SIZE,
    "messages": FieldKind.NUMBER,
    "rate": FieldKind.SIZE,
    "started": FieldKind.TIME,
    "ended": FieldKind.TIME,
    "number": FieldKind.NUMBER,
    "sha1": FieldKind.TEXT,
    "why": FieldKind.TEXT,
    "earlier": FieldKind.FLAG,
}

SORTS: Final = ("#", "whose", "file", "step", "rate", "left", "size", "started", "channel", "peer")
"""Titles of the columns that requests can be sorted by."""

MOVING_SORTS: Final = frozenset({"step", "rate", "left"})
"""Orders that change by themselves while bytes flow."""

TITLES: Final = (
    "number", "side", "file", "sha1", "state", "step", "size", "messages", "done", "from disk", "from bucket",
    "from peer", "channel", "peer", "started", "ended", "earlier", "path", "what", "why", "do", "uri",
)  # fmt: skip
"""Titles of a file of requests."""

_STEPS: Final = {step: place for place, step in enumerate(Step)}


def state(row: Request) -> str:
    """Whether a request is under way, waits for a person here, or how it ended: one word to filter by."""
    if row.step is Step.WAITING:
        return "waiting"
    return "active" if row.is_active else str(row.step)


def request_facts(row: Request, label_of: LabelOf) -> Mapping[str, Fact]:
    """What a filter looks at."""
    return {
        "state": state(row),
        "step": "already there" if row.step is Step.DONE and was_there(row) else str(row.step),
        "side": str(row.side),
        "kind": row.subject.noun,
        "file": row.subject.sought,
        "peer": peer(row, label_of),
        "channel": row.channel,
        "size": row.size,
        "messages": row.subject.messages,
        "rate": row.rate(),
        "started": row.started,
        "ended": row.ended,
        "number": row.number,
        "sha1": row.subject.hash,
        "earlier": row.earlier,
        "why": f"{row.failure.what} {row.failure.why}" if row.failure else "",
    }


def in_order(rows: list[Request], by: str, label_of: LabelOf, *, descending: bool) -> list[Request]:
    """The rows sorted by a column; those with nothing there come last, and among equals the newest first."""
    key = _keys(label_of)[by]
    there = [row for row in rows if key(row) is not None]
    nothing = [row for row in rows if key(row) is None]
    there.sort(key=_newest_first)
    there.sort(key=key, reverse=descending)
    return [*there, *sorted(nothing, key=_newest_first)]


def _newest_first(row: Request) -> int:
    return -row.number


def _keys(label_of: LabelOf) -> Mapping[str, Callable[[Request], Any]]:
    return {
        "#": lambda row: row.number,
        "whose": lambda row: row.side,
        "file": lambda row: row.name.casefold(),
        "step": lambda row: _STEPS[row.step],
        "rate": lambda row: row.rate() or None,
        "left": lambda row: row.eta(),
        "size": lambda row: row.size,
        "started": lambda row: row.started,
        "channel": lambda row: row.channel or None,
        "peer": lambda row: peer(row, label_of).casefold() or None,
    }


def request_texts(row: Request, label_of: LabelOf) -> tuple[str, ...]:
    """A request as texts for a file: sizes in bytes, times by ISO 8601."""
    mine = row.side is Side.MINE
    return (
        str(row.number),
        str(row.side),
        row.subject.known_name,
        row.subject.hash,
        state(row),
        str(row.step),
        "" if row.size is None else str(row.size),
        "" if row.subject.messages is None else str(row.subject.messages),
        str(row.done),
        *(str(row.origins.get(origin, 0)) if mine else "" for origin in Origin),
        row.channel,
        peer(row, label_of),
        iso(row.started),
        iso(row.ended),
        "yes" if row.earlier else "no",
        str(row.path or ""),
        *((row.failure.what, row.failure.why, row.failure.do) if row.failure else ("", "", "")),
        str(row.uri),
    )


def iso(at: float | None) -> str:
    """A moment by ISO 8601, in local time with its offset; empty for none."""
    return "" if at is None else datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")

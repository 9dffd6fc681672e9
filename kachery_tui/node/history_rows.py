"""A row of the ledger as the text that is kept of it, and back.

The file lies where others may write, too, so whatever is read is typed and bounded, and what makes no sense is refused.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from kachery_tui.errors import KacheryError, NobodyHasIt, NotAllowed, TryAgain, UsageError
from kachery_tui.node import kept_values as read
from kachery_tui.node.kinds import SUBJECTS
from kachery_tui.node.ledger import (
    BROKEN_OFF,
    KEPT_ANSWERS,
    KEPT_NOTES,
    KEPT_STEPS,
    MOST_LISTENING,
    Ask,
    Cancelled,
    Origin,
    Request,
    StepTime,
    broken_off,
)
from kachery_tui.node.steps import ENDS, TRANSITIONS, Side, Step
from kachery_tui.protocol.roles import Kind, Stream
from kachery_tui.storage.history import LONGEST_DATA, Kept

MOST_ASKERS: Final = 50

MOST_ASKS: Final = 10
"""Questions kept of one row, the newest."""

_KINDS: Final[Mapping[int, type[KacheryError]]] = {
    kind.exit_code: kind for kind in (KacheryError, UsageError, NobodyHasIt, TryAgain, NotAllowed, Cancelled)
}

_WRONG: Final = (ValueError, KeyError, TypeError, OverflowError, RecursionError)


def kept(row: Request, now: float) -> Kept:
    """What is kept of a row. Safe in a thread while the row changes: a change that is missed makes it be saved anew."""
    asks = list(row.asks)[-MOST_ASKS:]
    data = json.dumps(_values(row, asks))
    while len(data) > LONGEST_DATA and asks:
        asks = asks[len(asks) // 2 + 1 :]
        data = json.dumps(_values(row, asks))
    if len(data) > LONGEST_DATA:
        brief = {"notes": [], "steps": _steps(row)[-10:], **row.subject.to_json(brief=True)}
        data = json.dumps(_values(row, asks) | brief)
    return Kept(row.number, row.ended, now, data)


def revived(saved: Kept) -> Request:
    """The row that was kept, ended in any case. Raises `ValueError` for what makes no sense."""
    try:
        row = _revived(saved.number, json.loads(saved.data))
        if row.step not in ENDS or row.ended is None:
            _break_off(row, read.time(saved.seen))
    except _WRONG as error:
        raise ValueError(f"request {saved.number}: {error!r}") from None
    row.earlier = True
    row.finished.set()
    return row


def _break_off(row: Request, at: float) -> None:
    row.step, row.ended, row.failure, row.path = Step.CANCELLED, at, broken_off(row.side), None
    row.steps.append(StepTime(Step.CANCELLED, at))
    row.subject.break_off()
    for ask in row.asks:
        if ask.ended_at is None:
            ask.ended, ask.ended_at = BROKEN_OFF, at


# Writing


def _values(row: Request, asks: list[Ask]) -> dict[str, Any]:
    failure = row.failure
    return {
        "side": row.side,
        "channel": row.channel,
        "only": row.only_channel,
        "kind": row.subject.kind,
        **row.subject.to_json(),
        "askedBy": list(row.asked_by)[:MOST_ASKERS],
        "step": row.step,
        "steps": _steps(row),
        "size": row.size,
        "done": row.done,
        "origins": dict(row.origins),
        "answeredBy": row.answered_by,
        "notes": [_short(text) for text in list(row.notes)],
        "asks": [_ask_values(ask) for ask in asks],
        "failure": failure and [_kind(failure), *map(_short, (failure.what, failure.why, failure.do))],
        "path": row.path and str(row.path),
        "started": row.started,
        "ended": row.ended,
    }


def _steps(row: Request) -> list[tuple[str, float]]:
    return [(step.step, step.at) for step in list(row.steps)]


def _ask_values(ask: Ask) -> dict[str, Any]:
    return {
        "channel": ask.channel,
        "stream": ask.stream,
        "about": ask.about,
        "at": ask.at,
        "listening": ask.listening,
        "present": ask.present,
        "heard": list(ask.heard),
        "ended": ask.ended,
        "endedAt": ask.ended_at,
    }


def _kind(failure: KacheryError) -> int:
    """The exit code of the nearest kind that every run of the program knows."""
    return failure.exit_code if failure.exit_code in _KINDS else KacheryError.exit_code


def _short(text: str) -> str:
    return text[: read.LONGEST_TEXT]


# Reading


def _revived(number: int, value: Any) -> Request:
    # Versions that kept only files wrote no kind.
    subject = SUBJECTS[Kind(value["kind"]) if "kind" in value else Kind.FILES].from_json(value)
    row = Request(number, Side(value["side"]), read.text(value["channel"]), subject)
    row.only_channel = read.perhaps(read.text, value["only"])
    row.asked_by = [read.node_id(each) for each in read.items(value["askedBy"], MOST_ASKERS)]
    row.step = Step(value["step"])
    if row.step not in TRANSITIONS[row.side]:
        raise ValueError(f"a step that {row.side} has none of")
    row.steps = [StepTime(Step(step), read.time(at)) for step, at in read.items(value["steps"], KEPT_STEPS)]
    row.size = read.perhaps(read.amount, value["size"])
    row.done = read.amount(value["done"])
    row.origins = {Origin(origin): read.amount(count) for origin, count in dict(value["origins"]).items()}
    row.answered_by = value["answeredBy"] and read.node_id(value["answeredBy"])
    row.notes = [read.text(each) for each in read.items(value["notes"], KEPT_NOTES)]
    row.asks = [_ask(each) for each in read.items(value["asks"], MOST_ASKS)]
    row.failure = read.perhaps(_failure, value["failure"])
    row.path = read.perhaps(read.path, value["path"])
    row.started = read.time(value["started"])
    row.ended = read.perhaps(read.time, value["ended"])
    if not row.steps or row.steps[-1].step is not row.step:
        row.steps.append(StepTime(row.step, row.ended or row.started))
    return row


def _ask(value: Any) -> Ask:
    return Ask(
        read.text(value["channel"]),
        Stream(value["stream"]),
        read.text(value["about"]),
        read.time(value["at"]),
        tuple(read.text(each) for each in read.items(value["listening"], MOST_LISTENING)),
        read.amount(value["present"]),
        [read.text(each) for each in read.items(value["heard"], KEPT_ANSWERS)],
        read.text(value["ended"]),
        read.perhaps(read.time, value["endedAt"]),
    )


def _failure(value: Any) -> KacheryError:
    kind, what, why, do = value
    return _KINDS[kind](read.text(what), read.text(why), read.text(do))

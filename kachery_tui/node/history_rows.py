"""A row of the ledger as the text that is kept of it, and back.

The file lies where others may write, too, so whatever is read is typed and bounded, and what makes no sense is refused.
"""

import json
from collections.abc import Callable, Mapping
from itertools import groupby
from math import isfinite
from pathlib import Path
from typing import Any, Final, TypeVar

from kachery_tui.errors import KacheryError, NobodyHasIt, NotAllowed, TryAgain, UsageError
from kachery_tui.node.ledger import (
    ENDS,
    KEPT_ANSWERS,
    KEPT_NOTES,
    KEPT_STEPS,
    MOST_LISTENING,
    Ask,
    Cancelled,
    ChunkState,
    Origin,
    Request,
    Side,
    Step,
    StepTime,
)
from kachery_tui.printable import printable_lines
from kachery_tui.protocol.hashes import is_node_id, is_sha1
from kachery_tui.protocol.roles import Stream
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.history import LONGEST_DATA, Kept

T = TypeVar("T")

LATEST: Final = 32_503_680_000.0
"""Unix time of the year 3000: what is later was not written by a clock, and no calendar need be able to show it."""

MOST_BYTES: Final = 2**63

MOST_CHUNKS: Final = 10_000
"""Chunks of a file of 200 GB; the map of a larger one is not kept."""

MOST_ASKERS: Final = 50

MOST_ASKS: Final = 10
"""Questions kept of one row, the newest."""

LONGEST_TEXT: Final = 4_096

BROKEN_OFF: Final = "the program ended before it was done"

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
        data = json.dumps(_values(row, asks) | {"notes": [], "steps": _steps(row)[-10:], "chunks": []})
    return Kept(row.number, row.ended, now, data)


def revived(saved: Kept) -> Request:
    """The row that was kept, ended in any case. Raises `ValueError` for what makes no sense."""
    try:
        row = _revived(saved.number, json.loads(saved.data))
        if row.step not in ENDS or row.ended is None:
            _break_off(row, _time(saved.seen))
    except _WRONG as error:
        raise ValueError(f"request {saved.number}: {error!r}") from None
    row.earlier = True
    row.finished.set()
    return row


def broken_off(side: Side) -> Cancelled:
    """Why a row was cancelled that was under way when the program ended."""
    again = "Retry goes on from the verified chunks" if side is Side.MINE else "Push the file"
    return Cancelled(BROKEN_OFF, "", "Retry" if side is Side.PUSH else again)


def _break_off(row: Request, at: float) -> None:
    row.step, row.ended, row.failure, row.path = Step.CANCELLED, at, broken_off(row.side), None
    row.steps.append(StepTime(Step.CANCELLED, at))
    done = ChunkState.DONE
    row.chunks = [state if state is done else ChunkState.MISSING for state in row.chunks]
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
        "sha1": row.file_uri.sha1,
        "name": row.file_uri.name,
        "manifest": row.file_uri.manifest_sha1,
        "askedBy": list(row.asked_by)[:MOST_ASKERS],
        "step": row.step,
        "steps": _steps(row),
        "size": row.size,
        "done": row.done,
        "origins": dict(row.origins),
        "chunks": _runs(list(row.chunks)),
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


def _runs(chunks: list[ChunkState]) -> list[tuple[str, int]]:
    """The chunks' states, equal neighbours together."""
    if len(chunks) > MOST_CHUNKS:
        return []
    return [(state, sum(1 for _ in run)) for state, run in groupby(chunks)]


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
    return text[:LONGEST_TEXT]


# Reading


def _revived(number: int, value: Any) -> Request:
    uri = _uri(value)
    row = Request(number, Side(value["side"]), _text(value["channel"]), uri.file_key, uri)
    row.only_channel = _perhaps(_text, value["only"])
    row.asked_by = [_node_id(each) for each in _list(value["askedBy"], MOST_ASKERS)]
    row.step = Step(value["step"])
    row.steps = [StepTime(Step(step), _time(at)) for step, at in _list(value["steps"], KEPT_STEPS)]
    row.size = _perhaps(_bytes, value["size"])
    row.done = _bytes(value["done"])
    row.origins = {Origin(origin): _bytes(count) for origin, count in dict(value["origins"]).items()}
    row.chunks = _chunks(value["chunks"])
    row.answered_by = value["answeredBy"] and _node_id(value["answeredBy"])
    row.notes = [_text(each) for each in _list(value["notes"], KEPT_NOTES)]
    row.asks = [_ask(each) for each in _list(value["asks"], MOST_ASKS)]
    row.failure = _perhaps(_failure, value["failure"])
    row.path = _perhaps(_path, value["path"])
    row.started = _time(value["started"])
    row.ended = _perhaps(_time, value["ended"])
    if not row.steps or row.steps[-1].step is not row.step:
        row.steps.append(StepTime(row.step, row.ended or row.started))
    return row


def _uri(value: Mapping[str, Any]) -> FileUri:
    sha1, manifest = value["sha1"], value["manifest"]
    if not is_sha1(sha1) or not (manifest is None or is_sha1(manifest)):
        raise ValueError("a hash that is none")
    return FileUri(sha1, _perhaps(_text, value["name"]), manifest)


def _ask(value: Any) -> Ask:
    return Ask(
        _text(value["channel"]),
        Stream(value["stream"]),
        _text(value["about"]),
        _time(value["at"]),
        tuple(_text(each) for each in _list(value["listening"], MOST_LISTENING)),
        _bytes(value["present"]),
        [_text(each) for each in _list(value["heard"], KEPT_ANSWERS)],
        _text(value["ended"]),
        _perhaps(_time, value["endedAt"]),
    )


def _failure(value: Any) -> KacheryError:
    kind, what, why, do = value
    return _KINDS[kind](_text(what), _text(why), _text(do))


def _chunks(value: Any) -> list[ChunkState]:
    runs = [(ChunkState(state), _bytes(count)) for state, count in _list(value, MOST_CHUNKS)]
    if sum(count for _, count in runs) > MOST_CHUNKS:
        raise ValueError("more chunks than are kept")
    return [state for state, count in runs for _ in range(count)]


def _perhaps(read: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else read(value)


def _list(value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError("no list, or too long a one")
    return value


def _text(value: Any) -> str:
    """A text for a terminal, where nothing in it may do more than be shown."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError("no text, or too long a one")
    return printable_lines(value)


def _path(value: Any) -> Path:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\0" in value:
        raise ValueError("no path")
    return Path(value)


def _node_id(value: Any) -> str:
    if not isinstance(value, str) or not is_node_id(value):
        raise ValueError("no node id")
    return value


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("no time")
    if not isfinite(value) or not 0 <= value <= LATEST:
        raise ValueError("no time that can be")
    return float(value)


def _bytes(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("no number")
    if not 0 <= value < MOST_BYTES:
        raise ValueError("no number that can be")
    return value

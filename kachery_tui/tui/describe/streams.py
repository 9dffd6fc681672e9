"""What is said of a stream and of a message on it."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from kachery_tui.node.activity import Direction, StreamActivity, StreamMessage, Verdict
from kachery_tui.protocol.roles import Stream
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone
from kachery_tui.tui.describe import LabelOf

_VERDICTS: Final[Mapping[Verdict, tuple[str, Tone]]] = {
    Verdict.SENT: ("✓", Tone.NORMAL),
    Verdict.VERIFIED: ("✓", Tone.GOOD),
    Verdict.PASSED_OVER: ("·", Tone.MUTED),
    Verdict.REFUSED: ("✗", Tone.BAD),
}


def stream_cells(name: str, activities: list[StreamActivity], present_there: str, now: float) -> Line:
    """A stream, or several together, as a lane: name, listens, may publish, rate, last, refused, present."""
    listens = sum(1 for activity in activities if activity.subscribed)
    publishes = sum(1 for activity in activities if activity.may_publish)
    last = max((at for activity in activities for at in _last(activity)), default=None)
    refused = sum(activity.refused for activity in activities)
    rate = sum(activity.received.rate(now) + activity.sent.rate(now) for activity in activities)
    one = len(activities) == 1
    return (
        Cell(name, Tone.STRONG),
        present.mark(listens > 0) if one else Cell(f"{listens} of {len(activities)}"),
        present.mark(publishes > 0) if one else Cell(f"{publishes} of {len(activities)}"),
        Cell(present.message_rate(rate), Tone.BUSY if rate else Tone.MUTED),
        Cell(present.clock(last, now), Tone.NORMAL if last else Tone.MUTED),
        Cell(f"✗ {refused:,}", Tone.BAD) if refused else Cell(present.NOTHING, Tone.MUTED),
        Cell(present_there),
    )


def _last(activity: StreamActivity) -> list[float]:
    return [at for at in (activity.received.last_at, activity.sent.last_at) if at is not None]


def message_cells(stream: Stream, message: StreamMessage, label_of: LabelOf, now: float) -> Line:
    """A message as a row: time, stream, way and verdict, type, from, what it says."""
    glyph, tone = _VERDICTS[message.verdict]
    says = message.reason if message.verdict is Verdict.REFUSED and message.reason else message.summary
    return (
        Cell(present.clock(message.at, now), Tone.MUTED),
        Cell(stream, Tone.MUTED),
        Cell(f"{_way(message)} {glyph} {message.verdict}", tone),
        Cell(message.type or "(no type)", Tone.STRONG),
        Cell(label_of(message.from_node_id) if message.from_node_id else present.NOTHING),
        Cell(says),
    )


def _way(message: StreamMessage) -> str:
    return "↓" if message.direction is Direction.IN else "↑"


def message_lines(stream: Stream, message: StreamMessage, label_of: LabelOf, now: float) -> Iterator[Line]:
    """A message with its raw envelope."""
    glyph, tone = _VERDICTS[message.verdict]
    way = "received" if message.direction is Direction.IN else "sent"
    yield (Cell(f"{way} on {stream} at {present.clock(message.at, now)}, message {message.number} there"),)
    yield (Cell(f"{glyph} {message.verdict}", tone), Cell(f"  {message.reason}" if message.reason else ""))
    if message.from_node_id:
        yield (Cell(f"from {label_of(message.from_node_id)}  "), Cell(message.from_node_id, Tone.MUTED))
    if message.request is not None:
        yield (Cell(f"belongs to request #{message.request}"),)
    yield (BLANK,)
    yield from ((Cell(line),) for line in pretty_json(message.raw).split("\n"))


def pretty_json(text: str) -> str:
    """JSON text with line breaks; any other text (clipped, or never JSON) as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text

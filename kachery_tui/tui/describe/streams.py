"""What is said of a stream, and of a message on it."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kachery_tui.filters import FieldKind
from kachery_tui.node.activity import Direction, StreamActivity, StreamMessage, Verdict
from kachery_tui.node.ledger import Request
from kachery_tui.protocol.roles import Role, Stream, role_to_publish, role_to_subscribe
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone, joined
from kachery_tui.tui.describe import LabelOf

MESSAGE_FIELDS: Final[Mapping[str, FieldKind]] = {
    "type": FieldKind.TEXT,
    "from": FieldKind.TEXT,
    "stream": FieldKind.CHOICE,
    "file": FieldKind.TEXT,
    "verdict": FieldKind.CHOICE,
    "way": FieldKind.CHOICE,
    "request": FieldKind.NUMBER,
}
"""What messages can be filtered by."""

FAULTS: Final = "verdict:refused,passed-over"
"""The filter that leaves only messages that this node made nothing of."""

THIS_NODE: Final = "this node"

MOST_NAMES: Final = 20
"""Names of those present that are put in one line."""

_VERDICTS: Final[Mapping[Verdict, tuple[str, Tone]]] = {
    Verdict.SENT: ("✓", Tone.MUTED),
    Verdict.VERIFIED: ("✓", Tone.MUTED),
    Verdict.PASSED_OVER: ("·", Tone.MUTED),
    Verdict.REFUSED: ("✗", Tone.BAD),
}


@dataclass(frozen=True, slots=True)
class Rights:
    """A channel's roles: asked for by this node, and granted to it."""

    asked: Collection[Role]
    granted: Collection[Role]


def names(there: Mapping[str, str], own_id: str) -> str:
    """Labels of the nodes present by their ids, this one last and by no name."""
    others = sorted(label or present.short(node_id) for node_id, label in there.items() if node_id != own_id)
    shown = others[:MOST_NAMES]
    if len(others) > len(shown):
        shown.append(f"{len(others) - len(shown)} more")
    return ", ".join([*shown, THIS_NODE] if own_id in there else shown)


def lane_cells(
    name: str,
    activities: Sequence[StreamActivity],
    rights: Rights,
    there: str,
    now: float,
    *,
    spark: int,
    needs: str,
) -> dict[str, Cell]:
    """A stream, or several together, as a lane: its cells by what they tell of.

    `there` says who is present. `spark` is how many cells the sparkline of the last minute has, `needs` the word for
    a missing role. Of a stream that this node has no part in it says only why.
    """
    lacking = _lacking(activities[0], rights) if len(activities) == 1 else None
    if lacking is not None:
        return {"stream": Cell(name, Tone.STRONG), "may": lacking}
    last = last_at(activities)
    refused = sum(activity.refused for activity in activities)
    rate = sum(activity.received.rate(now) + activity.sent.rate(now) for activity in activities)
    clock = present.last(last, now)
    return {
        "stream": Cell(name, Tone.STRONG),
        "may": _part(activities),
        "rate": Cell(present.message_rate(rate), Tone.BUSY if rate else Tone.MUTED),
        "spark": Cell(present.spark(last_minute(activities, now, spark), spark), Tone.BUSY),
        "last": Cell(clock, Tone.NORMAL if last else Tone.MUTED),
        "hour": Cell(clock[:5] if ":" in clock else clock, Tone.NORMAL if last else Tone.MUTED),
        "refused": Cell(f"✗ {refused:,}", Tone.BAD) if refused else Cell(present.NOTHING, Tone.MUTED),
        "present": Cell(there) if len(activities) > 1 else _presence(activities[0], rights, there, needs),
    }


def _lacking(activity: StreamActivity, rights: Rights) -> Cell | None:
    """What a lane says in the place of numbers that it has none of: which role is missing, or not in force."""
    if activity.subscribed or activity.may_publish or activity.count or activity.refused:
        return None
    role = role_to_subscribe(activity.stream)
    if role not in rights.asked:
        return Cell(f"· neither, needs {role}", Tone.MUTED)
    return Cell(f"! {_lack(activity, rights, role)}", Tone.WARN)


def _part(activities: Sequence[StreamActivity]) -> Cell:
    """What this node may do on a stream: listen, publish, both, neither."""
    listens = sum(1 for activity in activities if activity.subscribed)
    publishes = sum(1 for activity in activities if activity.may_publish)
    if len(activities) > 1:
        return Cell(f"↓ {listens} ↑ {publishes}", Tone.NORMAL if listens or publishes else Tone.MUTED)
    if listens and publishes:
        return Cell("↓↑ both")
    if listens:
        return Cell("↓ listen")
    return Cell("↑ publish") if publishes else Cell("· neither", Tone.MUTED)


def _presence(activity: StreamActivity, rights: Rights, there: str, needs: str) -> Cell:
    if activity.subscribed:
        return Cell(there or "nobody", Tone.NORMAL if there else Tone.MUTED)
    role = role_to_subscribe(activity.stream)
    if role not in rights.asked:
        return Cell(f"{needs}{role}", Tone.MUTED)
    return Cell(f"! {_lack(activity, rights, role)}", Tone.WARN)


def last_at(activities: Sequence[StreamActivity]) -> float | None:
    """When the newest message went over any of these streams; Unix time in seconds."""
    times = (at for activity in activities for at in (activity.received.last_at, activity.sent.last_at))
    return max((at for at in times if at is not None), default=None)


def last_minute(activities: Sequence[StreamActivity], now: float, cells: int) -> list[int]:
    """Messages of the last minute by the second, up to the end of the sparkline's current cell.

    A cell's seconds are always the same ones, so that the line moves on by whole cells, and stands still between.
    """
    step = present.SPARK_SECONDS // cells
    end = (int(now) // step + 1) * step - 1
    meters = [meter for activity in activities for meter in (activity.received, activity.sent)]
    return [sum(second) for second in zip(*(meter.history(end) for meter in meters), strict=True)]


def lane_about(activities: Sequence[StreamActivity], rights: Rights, there: str) -> tuple[Line, Line]:
    """Two lines about the chosen lane: what this node does there and why, then who is present and what went wrong."""
    first = _rights_line(activities[0], rights) if len(activities) == 1 else _sum_line(activities)
    known = any(activity.subscribed for activity in activities)
    nobody = "nobody present" if known else "presence is known to listeners only"
    total = sum(activity.count for activity in activities)
    kept = sum(len(activity.messages) for activity in activities)
    return first, joined(
        (
            _trouble(activities),
            (Cell(f"{present.count(total, 'message')}, the newest {kept:,} kept"),) if total > kept else (),
            (Cell(f"present: {there}" if there else nobody, Tone.NORMAL if there else Tone.MUTED),),
        )
    )


def _sum_line(activities: Sequence[StreamActivity]) -> Line:
    listens = sum(1 for activity in activities if activity.subscribed)
    publishes = sum(1 for activity in activities if activity.may_publish)
    return (Cell(f"listens on {listens} of the {len(activities)} streams, may publish on {publishes}"),)


def _rights_line(activity: StreamActivity, rights: Rights) -> Line:
    """What this node may do on a stream by which role, and which role it takes for the rest."""
    to_listen, to_publish = role_to_subscribe(activity.stream), role_to_publish(activity.stream)
    if to_listen not in rights.asked and to_publish not in rights.asked:
        return (
            Cell("· listening needs "),
            Cell(to_listen, Tone.WARN),
            Cell(", publishing "),
            Cell(to_publish, Tone.WARN),
        )
    return joined(
        (
            _right(activity, rights, to_listen, ("↓ listens", "listening"), has=activity.subscribed),
            _right(activity, rights, to_publish, ("↑ publishes", "publishing"), has=activity.may_publish),
        ),
        ", ",
    )


def _right(
    activity: StreamActivity, rights: Rights, role: Role, words: tuple[str, str], *, has: bool
) -> Line:
    does, doing = words
    if has:
        return (Cell(f"{does} by {role}"),)
    if role not in rights.asked:
        return (Cell(f"· {doing} needs "), Cell(role, Tone.WARN))
    return (Cell(f"! {doing}: {_lack(activity, rights, role)}", Tone.WARN),)


def _lack(activity: StreamActivity, rights: Rights, role: Role) -> str:
    """Why a right of a role that was asked for is not in force."""
    if role not in rights.granted:
        return f"{role} is not granted"
    return activity.problem or f"{role} is not yet in force"


def _trouble(activities: Sequence[StreamActivity]) -> Line:
    refused = [activity for activity in activities if activity.refused]
    line: list[Line] = []
    if refused:
        worst = max(refused, key=lambda activity: activity.received.last_at or 0)
        number = sum(activity.refused for activity in refused)
        line.append((Cell(f"✗ {number:,} refused, the last: {worst.last_refusal}", Tone.BAD),))
    passed_over = sum(activity.passed_over for activity in activities)
    if passed_over:
        line.append((Cell(f"· {passed_over:,} passed over", Tone.MUTED),))
    return joined(line)


def message_cells(
    stream: Stream, message: StreamMessage, label_of: LabelOf, row: Request | None, now: float
) -> Line:
    """A message as a row: time, stream, verdict, type, way and from whom, what it says with the request it led to."""
    glyph, tone = _VERDICTS[message.verdict]
    says = message.reason if message.verdict is Verdict.REFUSED and message.reason else _says(message, row)
    return (
        Cell(present.last(message.at, now), Tone.MUTED),
        Cell(stream, Tone.MUTED),
        Cell(f"{glyph} {message.verdict}", tone),
        Cell(message.type or "(no type)", Tone.STRONG),
        Cell(f"{_way(message)} {_sender(message, label_of)}"),
        Cell(f"#{message.request} {says}" if message.request is not None else says),
    )


def _way(message: StreamMessage) -> str:
    return "↓" if message.direction is Direction.IN else "↑"


def _sender(message: StreamMessage, label_of: LabelOf) -> str:
    if message.direction is Direction.OUT:
        return THIS_NODE
    return label_of(message.from_node_id) if message.from_node_id else present.NOTHING


def _says(message: StreamMessage, row: Request | None) -> str:
    """What it says in a few words, its file or subfeed by name where this node knows it."""
    if row is None:
        return message.summary
    called = row.subject.short
    return message.summary.replace(called, row.name)


def message_facts(
    stream: Stream, message: StreamMessage, label_of: LabelOf, row: Request | None
) -> dict[str, str | float | bool | None]:
    """What a filter of messages is asked about."""
    return {
        "type": message.type,
        "from": f"{_sender(message, label_of)} {label_of(message.from_node_id)} {message.from_node_id}",
        "stream": str(stream),
        "file": f"{row.name if row else ''} {message.summary} {message.reason}",
        "verdict": message.verdict.replace(" ", "-"),
        "way": str(message.direction),
        "request": message.request,
    }


def message_head(stream: Stream, message: StreamMessage, label_of: LabelOf, *, kept: bool) -> Iterator[Line]:
    """Where, when and by whom a message was sent, and what this node made of it; `kept` while its stream has it."""
    glyph, tone = _VERDICTS[message.verdict]
    way = "received" if message.direction is Direction.IN else "sent"
    when = present.moment(message.at)
    yield (Cell(f"{_way(message)} {way} on {stream} at {when}, message {message.number:,} there"),)
    if not kept:
        gone = f"! {stream} has let go of it since: this is the copy that the list still shows"
        yield (Cell(gone, Tone.WARN),)
    is_true = message.verdict in (Verdict.SENT, Verdict.VERIFIED)
    yield (Cell(f"{glyph} {message.verdict}", tone), Cell(": its signature holds" if is_true else ""))
    if message.from_node_id:
        says = "from" if is_true else "claims to be from"
        yield (Cell(f"{says} {label_of(message.from_node_id)}  "), Cell(message.from_node_id, Tone.MUTED))


def led_to(row: Request | None, key: str) -> Iterator[Line]:
    """The request that a message led to, with the key that goes there; nothing where there is none (any more)."""
    if row is None:
        return
    yield (
        Cell(f"led to request #{row.number}  {present.side(row.side)}  {row.name}  "),
        present.step(row.step),
        Cell(f"  {key}", Tone.STRONG),
        Cell(" goes there"),
    )


def raw_lines(message: StreamMessage) -> Iterator[Line]:
    """The envelope as it came, laid out."""
    yield (BLANK,)
    yield from ((Cell(line),) for line in pretty_json(message.raw).split("\n"))


def pretty_json(text: str) -> str:
    """JSON text with line breaks; any other text (clipped, or never JSON) as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text

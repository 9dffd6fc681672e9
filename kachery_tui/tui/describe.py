"""What the panes say of a request, a message, a file or a channel: lines and cells, made from the node's state."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.activity import Direction, StreamActivity, StreamMessage, Verdict
from kachery_tui.node.ledger import ENDS, ChunkState, Origin, Request, Side, Step
from kachery_tui.node.log import LogLine
from kachery_tui.node.values import Entry
from kachery_tui.protocol.roles import ROLE_TABLE, Role, Stream
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone, joined

LabelOf = Callable[[str], str]
"""The label of a node, by its id."""

BAR_WIDTH: Final = 10
MAP_WIDTH: Final = 48
STEPS_A_LINE: Final = 3

_VERDICTS: Final[Mapping[Verdict, tuple[str, Tone]]] = {
    Verdict.SENT: ("✓", Tone.NORMAL),
    Verdict.VERIFIED: ("✓", Tone.GOOD),
    Verdict.PASSED_OVER: ("·", Tone.MUTED),
    Verdict.REFUSED: ("✗", Tone.BAD),
}


def request_cells(row: Request, label_of: LabelOf) -> Line:
    """A request as a row: number, side, file, step, bar, percent, size, rate, time left, channel, peer."""
    ended_well = row.step is Step.DONE
    moving = row.is_active and row.done > 0
    return (
        Cell(str(row.number), Tone.MUTED),
        Cell(present.side(row.side)),
        Cell(row.name, Tone.STRONG),
        present.step(row.step),
        Cell(present.bar(row.done, row.size, BAR_WIDTH) if moving else "", Tone.BUSY),
        Cell(present.percent(row.done, row.size) if moving else ""),
        Cell(present.size(row.size)),
        Cell(present.byte_rate(row.rate()) if row.is_active else ""),
        Cell(present.eta(row.eta()) if row.is_active else (_took(row) if ended_well else "")),
        Cell(row.channel),
        Cell(_peer(row, label_of)),
    )


def _took(row: Request) -> str:
    return "" if row.ended is None else f"in {present.duration(row.ended - row.started)}"


def _peer(row: Request, label_of: LabelOf) -> str:
    if row.side is Side.THEIRS:
        return ", ".join(label_of(node_id) for node_id in row.asked_by)
    return label_of(row.answered_by) if row.answered_by else ""


def request_lines(row: Request, label_of: LabelOf, now: float) -> Iterator[Line]:
    """Everything that is known of a request; what matters most comes first."""
    peer = _peer(row, label_of)
    yield joined(
        (
            (present.step(row.step),),
            (Cell(f"{present.side(row.side)} #{row.number}"),),
            (Cell(f"on {row.channel}"),) if row.channel else (),
            (Cell(f"{'asked' if row.side is Side.THEIRS else 'answered'} by {peer}"),) if peer else (),
        )
    )
    yield (Cell(str(row.uri), Tone.STRONG),)
    if row.failure is not None:
        yield from failure_lines(row.failure)
    yield _bytes_line(row)
    yield from _step_lines(row, now)
    if row.chunks:
        done = sum(1 for state in row.chunks if state is ChunkState.DONE)
        yield (
            Cell(f"chunks {done} of {len(row.chunks)}  ", Tone.MUTED),
            Cell(present.chunk_map(row.chunks, MAP_WIDTH), Tone.BUSY),
        )
    if row.path is not None:
        yield (Cell("path  ", Tone.MUTED), Cell(str(row.path)))
    for note in row.notes:
        yield (Cell("note  ", Tone.MUTED), Cell(note, Tone.WARN))


def _bytes_line(row: Request) -> Line:
    sources = ", ".join(
        f"{present.size(row.origins[origin])} from {origin}" for origin in Origin if row.origins.get(origin)
    )
    if row.side is not Side.MINE:
        sources = f"{present.size(row.done)} uploaded" if row.done else ""
    return joined(
        (
            (Cell("size", Tone.MUTED), Cell(f"  {present.size(row.size)}")),
            (Cell(sources),) if sources else (),
            (Cell(f"{present.byte_rate(row.rate())}, {present.eta(row.eta())} left"),)
            if row.rate() >= 1
            else (),
            (Cell(f"took {present.duration(row.ended - row.started)}"),) if row.ended is not None else (),
        )
    )


def _step_lines(row: Request, now: float) -> Iterator[Line]:
    """The steps and what each took, two in a line; the one that it is in shows since when, which stands still."""
    later = [*(at.at for at in row.steps[1:]), row.ended]
    parts: list[Line] = []
    for entered, left in zip(row.steps, later, strict=True):
        if entered.step in ENDS:
            parts.append(
                (present.step(entered.step), Cell(f" at {present.clock(entered.at, now)}", Tone.MUTED))
            )
        elif left is None:
            parts.append(
                (present.step(entered.step), Cell(f" since {present.clock(entered.at, now)}", Tone.MUTED))
            )
        else:
            parts.append(
                (Cell(str(entered.step)), Cell(f" {present.duration(left - entered.at)}", Tone.MUTED))
            )
    for first in range(0, len(parts), STEPS_A_LINE):
        head = "steps" if first == 0 else "     "
        yield (Cell(f"{head} ", Tone.MUTED), *joined(parts[first : first + STEPS_A_LINE], " › "))


def failure_lines(error: KacheryError) -> Iterator[Line]:
    """What failed, why, and what to do."""
    yield (Cell("what  ", Tone.MUTED), Cell(error.what, Tone.BAD))
    if error.why:
        yield (Cell("why   ", Tone.MUTED), Cell(error.why))
    if error.do:
        yield (Cell("do    ", Tone.MUTED), Cell(error.do, Tone.STRONG))


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


def role_cells(role: Role, *, asked: bool, granted: bool, in_force: bool, problem: str) -> Line:
    """A role of the matrix: name, asked, granted, in force, what it means or why it is not so."""
    rights = ROLE_TABLE[role]
    if in_force:
        means = Cell(f"↑ {rights.publishes}  ↓ {rights.subscribes}")
    elif asked and not granted:
        means = Cell("! the channel does not grant it", Tone.WARN)
    elif asked:
        means = Cell(f"! {problem or 'waits for the connection'}", Tone.WARN)
    else:
        means = Cell(f"would ↑ {rights.publishes} ↓ {rights.subscribes}", Tone.MUTED)
    return (Cell(f"  {role}"), present.mark(asked), present.mark(granted), present.mark(in_force), means)


def entry_cells(entry: Entry, now: float) -> Line:
    """A file of the storage as a row: name, size, added, used, origin, what is special about it."""
    return (
        Cell(entry.name or f"{entry.sha1[:16]}…", Tone.STRONG if entry.name else Tone.NORMAL),
        Cell(present.size(entry.size)),
        Cell(present.clock(entry.added, now)),
        Cell(present.clock(entry.used, now)),
        Cell(present.origin(entry.origin)),
        _entry_state(entry),
    )


def _entry_state(entry: Entry) -> Cell:
    words = [word for word, is_so in (("pinned", entry.pinned), ("link", entry.kind == "link")) if is_so]
    if entry.kind == "void":
        return Cell("✗ void link", Tone.BAD)
    return Cell(", ".join(words))


def entry_lines(entry: Entry, uri: str, now: float) -> Iterator[Line]:
    """Everything that is known of a file of the storage."""
    yield (Cell(uri, Tone.STRONG),)
    yield (Cell("size    ", Tone.MUTED), Cell(f"{present.size(entry.size)} ({entry.size:,} B)"))
    yield (Cell("added   ", Tone.MUTED), Cell(present.moment(entry.added)))
    yield (Cell("used    ", Tone.MUTED), Cell(present.moment(entry.used)))
    if entry.origin:
        yield (Cell("origin  ", Tone.MUTED), Cell(entry.origin))
    state = _entry_state(entry)
    if state.text:
        yield (Cell("state   ", Tone.MUTED), state)
    if entry.manifest_sha1:
        yield (Cell("chunks  ", Tone.MUTED), Cell(f"manifest {entry.manifest_sha1}"))


def log_lines(line: LogLine) -> Iterator[Line]:
    """A line of the log in full."""
    yield (level_cell(line.level), Cell(f"  {present.moment(line.at)}  {line.source}", Tone.MUTED))
    yield (BLANK,)
    yield from ((Cell(part),) for part in line.text.split("\n"))


def level_cell(level: int) -> Cell:
    """A level as glyph and word."""
    if level >= logging.ERROR:
        return Cell("✗ error", Tone.BAD)
    if level >= logging.WARNING:
        return Cell("! warning", Tone.WARN)
    return Cell("  info") if level >= logging.INFO else Cell("  debug", Tone.MUTED)

"""What is said of a request: its row, and everything that is known of it."""

from collections.abc import Iterator
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.ledger import ENDS, ChunkState, Origin, Request, Side, Step
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone, joined
from kachery_tui.tui.describe import LabelOf

BAR_WIDTH: Final = 10
MAP_WIDTH: Final = 48
STEPS_A_LINE: Final = 3


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

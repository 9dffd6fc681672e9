"""Everything that is known of a request, in full: steps with clock times, bytes, chunks, who was asked."""

from collections.abc import Iterator
from typing import Final

from kachery_tui.node.ledger import Request, StepTime
from kachery_tui.node.steps import ENDS, Side, Step
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone, clip, fit, headed, joined
from kachery_tui.tui.describe import LabelOf
from kachery_tui.tui.describe.kinds import words_of
from kachery_tui.tui.describe.requests import (
    LONGEST_URI,
    bar,
    bytes_parts,
    failure_lines,
    listening,
    note_line,
    peer,
    percent,
)

_STEP_WIDTH: Final = 20


def story_lines(row: Request, label_of: LabelOf, now: float, width: int) -> Iterator[Line]:
    """All of it in lines of `width` cells."""
    yield joined(((present.step(row.step),), (Cell(present.side(row.side)),), _where(row)))
    yield (Cell(clip(str(row.uri), LONGEST_URI), Tone.STRONG),)
    yield from _who(row, label_of)
    if row.failure is not None:
        yield BLANK_LINE
        yield from failure_lines(row.failure)
    yield from words_of(row).said(row)
    yield BLANK_LINE
    yield from _bytes(row, width)
    yield from _steps(row, now)
    yield from _asks(row, now)
    yield from words_of(row).parts_map(row, width)
    if row.path is not None:
        yield BLANK_LINE
        yield headed("path", (Cell(str(row.path)),))
    if row.notes:
        yield BLANK_LINE
    for note in row.notes:
        yield note_line(row, note)


BLANK_LINE: Final[Line] = (BLANK,)


def _where(row: Request) -> Line:
    if not row.channel:
        return ()
    only = ", the only one to be asked" if row.only_channel and row.side is Side.MINE else ""
    return (Cell(f"on {row.channel}{only}"),)


def _who(row: Request, label_of: LabelOf) -> Iterator[Line]:
    if row.side is not Side.THEIRS:
        for number, caller in enumerate(row.callers):
            yield headed("" if number else "for", (Cell(caller),))
        if row.answered_by:
            yield headed("from", (Cell(f"{peer(row, label_of)}  "), Cell(row.answered_by, Tone.MUTED)))
        return
    for number, node_id in enumerate(row.asked_by):
        yield headed("" if number else "for", (Cell(f"{label_of(node_id)}  "), Cell(node_id, Tone.MUTED)))


def _bytes(row: Request, width: int) -> Iterator[Line]:
    head, said = words_of(row).progress(row)
    yield headed(head, (Cell(said),))
    measures = words_of(row).measures_bytes
    if measures and row.size and bytes_parts(row):
        yield headed("", (*bar(row, max(width - 12, 1)), Cell(f" {percent(row)}")))
    for count, words, glyph, tone in bytes_parts(row) if measures else ():
        share = present.percent(count, row.size)
        yield headed("", (Cell(f"{glyph} ", tone), Cell(f"{words:<14}{present.size(count):>7} {share:>6}")))
    if row.ended is not None:
        whole = row.ended - row.started
        waited = _seconds_in(row, Step.WAITING)
        speed = ""
        if waited > whole / 2:
            speed = f", {present.duration(waited)} of it waiting for you"
        elif measures and row.done and row.subject.ends_by_itself:
            speed = f", {present.byte_rate(row.done / max(whole - waited, 0.001))} on average"
        yield headed("", (Cell(f"{row.subject.took} {present.duration(whole)}{speed}", Tone.MUTED),))
    elif row.rate() >= 1:
        left = f", {present.eta(row.eta())} left" if row.subject.ends_by_itself else ""
        yield headed("", (Cell(f"{present.byte_rate(row.rate())}{left}"),))


def _seconds_in(row: Request, step: Step) -> float:
    """How long a row that has ended was in a step, in all its tries."""
    return sum(left - at.at for at, left in _stays(row) if at.step is step and left is not None)


def _stays(row: Request) -> Iterator[tuple[StepTime, float | None]]:
    """Each step that was entered, and when it was left; None for the one that goes on."""
    return zip(row.steps, [*(at.at for at in row.steps[1:]), row.ended], strict=True)


def _steps(row: Request, now: float) -> Iterator[Line]:
    yield BLANK_LINE
    for number, (entered, left) in enumerate(_stays(row)):
        step = present.step(entered.step)
        took = "" if entered.step in ENDS else "now" if left is None else present.duration(left - entered.at)
        line = (
            Cell(f"{present.clock(entered.at, now)}  ", Tone.MUTED),
            Cell(fit(step.text, _STEP_WIDTH), step.tone),
            Cell(f"  {took}"),
        )
        yield headed("" if number else "steps", line)


def _asks(row: Request, now: float) -> Iterator[Line]:
    """Each question with who heard it (where that is not as before), what they said, and how it ended."""
    heard_by: str | None = None
    for number, ask in enumerate(row.asks):
        if number == 0:
            yield BLANK_LINE
        how = f": {ask.ended}" if ask.ended else ": waits for an answer"
        took = "" if ask.ended_at is None else f" after {present.duration(ask.ended_at - ask.at)}"
        line = (
            Cell(f"{present.clock(ask.at, now)}  ", Tone.MUTED),
            Cell(f"{ask.channel}, {ask.about}{how}"),
            Cell(took, Tone.MUTED),
        )
        yield headed("" if number else "asked", line)
        if listening(ask) != heard_by:
            heard_by = listening(ask)
            yield headed("", (Cell(f"          {heard_by}", Tone.MUTED),))
        for said in ask.heard:
            yield headed("", (Cell(f"          {said}"),))

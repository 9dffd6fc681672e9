"""What is said of a request: its row, a brief word, and what stands under the list."""

from collections.abc import Iterator
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.ledger import Ask, Origin, Request
from kachery_tui.node.steps import ENDS, Side, Step
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, HEAD, Cell, Line, Row, Tone, clip, headed, joined, width_of
from kachery_tui.tui.describe import LabelOf
from kachery_tui.tui.describe.kinds import words_of

BAR_WIDTH: Final = 8
STEPS_A_LINE: Final = 3

BRIEF_LINES: Final = 4

LONGEST_URI: Final = 1_000
"""Cells of what a request is about; a task's arguments may be as long as a message."""

_THEN: Final = " › "
_SENT: Final = ("█", Tone.GOOD)
_THERE: Final = ("▓", Tone.BUSY)


# The row


def request_cells(row: Request, label_of: LabelOf, now: float, *, roomy: bool = False) -> Row:
    """A request as a row: number, side, file, bar, percent, step, rate, time left, size, started, channel, peer.

    The bar of a request that has ended stands there only where there is room for it and for names, too.
    """
    has_bytes = words_of(row).measures_bytes and bool(row.size) and bool(bytes_parts(row))
    shows_bar = has_bytes and (row.is_active or roomy)
    rate = row.rate()
    return (
        Cell(str(row.number), Tone.MUTED),
        Cell(present.side(row.side)),
        Cell(row.name, Tone.MUTED if row.earlier else Tone.STRONG),
        bar(row, BAR_WIDTH) if shows_bar else BLANK,
        Cell(percent(row) if shows_bar else ""),
        step_line(row, now),
        Cell(present.byte_rate(rate) if rate >= 1 else ""),
        Cell(_left(row)),
        Cell(words_of(row).amount(row)),
        Cell(present.clock(row.started, now), Tone.MUTED),
        Cell(row.channel),
        Cell(peer(row, label_of)),
    )


def step_line(row: Request, now: float) -> Line:
    """The step of a row; of one that has ended also how long it took, or that it was in an earlier run, and when."""
    was_done = row.step is Step.DONE and was_there(row)
    step = Cell("✓ already there") if was_done else present.step(row.step)
    if row.earlier:
        return (step, Cell(f" earlier, {present.day(row.ended or row.started, now)}", Tone.MUTED))
    if row.ended is None or was_there(row):
        return (step,)
    word = "in" if row.step is Step.DONE else "after"
    return (step, Cell(f" {word} {present.span(row.ended - row.started)}", Tone.MUTED))


def was_there(row: Request) -> bool:
    """Whether nothing had to be sent because the bucket held all of it."""
    return row.side is not Side.MINE and set(row.origins) == {Origin.BUCKET}


def _left(row: Request) -> str:
    left = row.eta()
    return "" if left is None else present.eta(left)


def percent(row: Request) -> str:
    """How much of the file is there; before any of it is, how much of it a peer has put into the bucket."""
    if row.subject.peer_done and not row.done:
        return f"»{present.percent(row.subject.peer_done, row.size)}"
    return present.percent(row.done, row.size)


def peer(row: Request, label_of: LabelOf) -> str:
    """Who asked for it, or who answered; until somebody has, the programs of this machine that wait for it."""
    if row.side is Side.THEIRS:
        return ", ".join(label_of(node_id) for node_id in row.asked_by)
    return label_of(row.answered_by) if row.answered_by else ", ".join(row.callers)


# Where the bytes came from


def bytes_parts(row: Request) -> list[tuple[int, str, str, Tone]]:
    """The bytes of a row by where they came from (of an upload: whether they were sent), with words, glyph and tone."""
    if row.side is Side.MINE:
        parts = [(row.origins.get(origin, 0), str(origin), *present.ORIGINS[origin]) for origin in Origin]
        parts.append((row.subject.peer_done if row.is_active else 0, "peer sent", *present.COMING))
    else:
        parts = [
            (row.origins.get(Origin.DISK, 0), "sent", *_SENT),
            (row.origins.get(Origin.BUCKET, 0), "already there", *_THERE),
        ]
    return [part for part in parts if part[0] > 0]


def bar(row: Request, width: int) -> Line:
    """The bar of a row, split by where the bytes came from."""
    return present.bar_split(
        [(count, glyph, tone) for count, _, glyph, tone in bytes_parts(row)], row.size, width
    )


def bytes_line(row: Request) -> Line:
    """Where the bytes came from, with rate and time left, or how long it took; nothing before any are known of."""
    parts = bytes_parts(row) if words_of(row).measures_bytes else []
    if row.size is None and not parts:
        return ()
    line: list[Line] = []
    if whole := words_of(row).whole(row):
        line.append((Cell(f"{whole}{':' if parts else ''}"),))
    line.extend(
        (Cell(f"{glyph} ", tone), Cell(f"{words} {present.size(count)}"))
        for count, words, glyph, tone in parts
    )
    if row.rate() >= 1:
        left = f", {_left(row)} left" if _left(row) else ""
        line.append((Cell(f"{present.byte_rate(row.rate())}{left}"),))
    if row.ended is not None:
        line.append((Cell(f"{row.subject.took} {present.duration(row.ended - row.started)}", Tone.MUTED),))
    return joined(line)


# A brief word


def brief_lines(row: Request, label_of: LabelOf, now: float, width: int) -> list[Line]:
    """The least that has to be said of the chosen row: which it is, then why it failed or how it goes."""
    if row.failure is not None:
        return [which(row, label_of, now), *failure_lines(row.failure)]
    flow = bytes_line(row)
    lines = [which(row, label_of, now), *([headed("bytes", flow)] if flow else [])]
    lines.append(headed("steps", steps_line(row, now, width - HEAD)))
    if row.notes:
        lines.append(note_line(row, row.notes[-1]))
    elif row.path is not None:
        lines.append(headed("path", (Cell(str(row.path)),)))
    return lines


def which(row: Request, label_of: LabelOf, now: float) -> Line:
    """Which request it is, and who else has to do with it."""
    who = peer(row, label_of) if row.asked_by or row.answered_by else ""
    verb = "asked" if row.side is Side.THEIRS else "answered"
    return joined(
        (
            (Cell(f"#{row.number} {present.side(row.side)}"),),
            (Cell(row.name, Tone.STRONG),),
            (Cell(f"on {row.channel}"),) if row.channel else (),
            (Cell(f"{verb} by {who}"),) if who else (),
            (Cell(f"for {', '.join(row.callers)}"),) if row.callers else (),
            (Cell(f"earlier, {present.clock(row.started, now)}", Tone.MUTED),) if row.earlier else (),
        )
    )


def steps_line(row: Request, now: float, width: int) -> Line:
    """The newest steps that `width` cells have room for, with the time that each took.

    The one that it is in shows since when, which stands still.
    """
    steps = list(_steps(row, now))
    line = joined(steps, _THEN)
    for first in range(1, len(steps)):
        if width_of(line) <= width:
            break
        line = joined(((Cell("…", Tone.MUTED),), *steps[first:]), _THEN)
    return line


def _steps(row: Request, now: float) -> Iterator[Line]:
    later = [*(at.at for at in row.steps[1:]), row.ended]
    for entered, left in zip(row.steps, later, strict=True):
        if entered.step in ENDS:
            yield (present.step(entered.step), Cell(f" at {present.clock(entered.at, now)}", Tone.MUTED))
        elif left is None:
            yield (present.step(entered.step), Cell(f" since {present.clock(entered.at, now)}", Tone.MUTED))
        else:
            yield (Cell(str(entered.step)), Cell(f" {present.duration(left - entered.at)}", Tone.MUTED))


# Under the list


def request_lines(row: Request, label_of: LabelOf, now: float, width: int) -> Iterator[Line]:
    """What stands under the list, in lines of `width` cells; what matters most comes first."""
    yield joined(((present.step(row.step),), which(row, label_of, now)))
    yield (Cell(clip(str(row.uri), LONGEST_URI), Tone.STRONG),)
    if row.failure is not None:
        yield from failure_lines(row.failure)
    if flow := bytes_line(row):
        yield headed("bytes", flow)
    yield from _step_lines(row, now)
    if row.asks:
        newest = row.asks[-1]
        how = newest.ended or "waits for an answer"
        yield headed("asked", (Cell(f"{newest.channel}, {newest.about}: {how}; {listening(newest)}"),))
    yield from words_of(row).parts_line(row, width)
    if row.path is not None:
        yield headed("path", (Cell(str(row.path)),))
    for note in row.notes[-2:]:
        yield note_line(row, note)


def note_line(row: Request, note: str) -> Line:
    """What went on that is worth knowing; a warning, unless nothing had to be done at all."""
    return headed("note", (Cell(note, Tone.NORMAL if was_there(row) else Tone.WARN),))


def listening(ask: Ask) -> str:
    """Who heard a question, as far as they show themselves."""
    if not ask.present:
        return "no visible listener"
    more = f" and {ask.present - len(ask.listening):,} more" if ask.present > len(ask.listening) else ""
    return f"listening: {', '.join(ask.listening)}{more}"


def _step_lines(row: Request, now: float) -> Iterator[Line]:
    parts = list(_steps(row, now))
    for first in range(0, len(parts), STEPS_A_LINE):
        yield headed("steps" if first == 0 else "", joined(parts[first : first + STEPS_A_LINE], _THEN))


def failure_lines(error: KacheryError) -> Iterator[Line]:
    """What failed, why, and what to do."""
    yield headed("what", (Cell(error.what, Tone.BAD),))
    if error.why:
        yield headed("why", (Cell(error.why),))
    if error.do:
        yield headed("do", (Cell(error.do, Tone.STRONG),))

"""The ledger: one row for each request, ours and other nodes', with the step it is in and how it ended."""

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count, islice
from pathlib import Path
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.rates import RateMeter
from kachery_tui.node.steps import ENDS, Side, Step, check_again, check_move
from kachery_tui.node.subject import Subject
from kachery_tui.protocol.roles import Stream

_log = logging.getLogger(__name__)

ENDED_ROWS: Final = 1_000
"""Ended rows kept in memory; the oldest go first."""

KEPT_STEPS: Final = 200
"""Steps kept of one row: others fetch a large file as many objects, each with steps of its own."""

KEPT_NOTES: Final = 50
"""Notes kept of one row."""

KEPT_CALLERS: Final = 20
"""Callers kept of one row, the newest."""

KEPT_ASKS: Final = 50
"""Questions kept of one row, the newest: a large file is asked for chunk by chunk."""

MOST_LISTENING: Final = 20
"""Labels kept of those who were listening to one question."""

KEPT_ANSWERS: Final = 20
"""Answers kept of one question."""

LONGEST_ANSWER: Final = 300
"""Characters kept of one answer; a peer's words may be part of it."""


class Cancelled(KacheryError):
    """A person, or the end of the program, broke a request off."""

    exit_code = 130


BROKEN_OFF: Final = "the program ended before it was done"


def broken_off(side: Side) -> Cancelled:
    """Why a row was cancelled that was under way when the program ended."""
    again = "Retry goes on from the verified chunks" if side is Side.MINE else "Push the file"
    return Cancelled(BROKEN_OFF, "", "Retry" if side is Side.PUSH else again)


class Origin(StrEnum):
    """Where bytes came from."""

    DISK = "disk"
    BUCKET = "bucket"
    PEER = "peer"


@dataclass(frozen=True, slots=True)
class StepTime:
    """When a row entered a step, in Unix time."""

    step: Step
    at: float


@dataclass(slots=True, eq=False)
class Ask:
    """A question that went out to the nodes of a channel, and what came of it. Times are Unix time."""

    channel: str
    stream: Stream
    """Where it was published."""
    about: str
    """What of the file was asked for: the file itself, its manifest, or a chunk."""
    at: float
    listening: tuple[str, ...]
    """Labels of those who were listening then and show it, the first `MOST_LISTENING` of them."""
    present: int
    """How many were listening then and show it."""
    heard: list[str] = field(default_factory=list)
    """What nodes said since, in short sentences, each once."""
    ended: str = ""
    """Which wait ended, or what ended it; empty as long as an answer may come."""
    ended_at: float | None = None


@dataclass(slots=True, eq=False)
class Request:
    """One row: a wish for one thing, which `subject` says, and everything a person may want to know of it.

    The node writes it; everybody else only reads. `version` grows with every change. Sizes are bytes, times are
    Unix time in seconds.
    """

    number: int
    side: Side
    channel: str
    """Where it goes on; empty while a request of ours has not settled on a channel."""
    subject: Subject
    only_channel: str | None = None
    """The channel that a person named for it; None where any would do."""
    asked_by: list[str] = field(default_factory=list)
    """Node ids of those who want it (of others' requests)."""
    step: Step = Step.STORAGE
    steps: list[StepTime] = field(default_factory=list)
    size: int | None = None
    done: int = 0
    origins: dict[Origin, int] = field(default_factory=dict)
    answered_by: str = ""
    """Node id of who uploads it for us."""
    notes: list[str] = field(default_factory=list)
    """What went on that is worth knowing: a bad object in the bucket, a reconnect, a refused upload."""
    asks: list[Ask] = field(default_factory=list)
    """The questions that went out for it."""
    callers: list[str] = field(default_factory=list)
    """Programs of this machine for which it goes on, in words, each once."""
    is_kept_on: bool = False
    """Whether it goes on when its callers have gone: a person at the screen wants it, or somebody elsewhere does."""
    is_leaving: bool = False
    """Whether it was broken off, and only lets go of what it holds: whoever wants the same begins anew."""
    earlier: bool = False
    """Whether it ended in an earlier run of the program, and has not been tried again since."""
    failure: KacheryError | None = None
    path: Path | None = None
    started: float = field(default_factory=time.time)
    ended: float | None = None
    meter: RateMeter = field(default_factory=RateMeter)
    version: int = 0
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_active(self) -> bool:
        """Whether it has not ended yet."""
        return self.step not in ENDS

    @property
    def is_pending(self) -> bool:
        """Whether there is something still to be done: a live feed only waits for news."""
        return self.is_active and self.step is not Step.LIVE

    @property
    def name(self) -> str:
        """What to call what it is about."""
        return self.subject.name

    @property
    def uri(self) -> object:
        """What it is about is called outside; its text is the URI."""
        return self.subject.uri

    def rate(self) -> float:
        """Bytes a second over the last few seconds; 0 once it has ended."""
        return self.meter.rate(time.time()) if self.is_active else 0.0

    def eta(self) -> float | None:
        """Seconds left at the rate of the last ten, or None where that cannot be told."""
        rate = self.meter.rate(time.time(), 10) if self.is_active else 0.0
        return (self.size - self.done) / rate if rate > 0 and self.size is not None else None

    async def outcome(self) -> Path | None:
        """Wait for the end; the path of the file, or None where there is none (others' requests, a push).

        Raises the row's failure, a `KacheryError`; a cancelled row raises one, too.
        """
        await self.finished.wait()
        if self.failure is not None:
            raise self.failure
        return self.path


_OF: Final = {Side.MINE: "request", Side.THEIRS: "request of others", Side.PUSH: "push"}


class Ledger:
    """All rows, newest last, with a bound on the ended ones."""

    def __init__(self) -> None:
        self.version = 0
        self.is_whole = asyncio.Event()
        """Set once the rows of earlier runs are back, or it is known that there will be none."""
        self._rows: dict[int, Request] = {}
        self._active: dict[Hashable, dict[Request, None]] = {}
        """Rows under way by what they are about, in the order in which they began."""
        self._under_way = 0
        self._numbers = count(1)

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._rows.values()))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def has_pending(self) -> bool:
        """Whether any request is under way that has an end to come."""
        return any(row.is_pending for rows in self._active.values() for row in rows)

    def get(self, number: int) -> Request | None:
        """The row of that number, if it is still kept."""
        return self._rows.get(number)

    def find(self, matches: Callable[[Request], bool]) -> Request | None:
        """The newest row that `matches`."""
        return next((row for row in reversed(self._rows.values()) if matches(row)), None)

    def find_active(self, side: Side, subject: Subject) -> Request | None:
        """The row under way of that side about the same thing, unless it was broken off."""
        rows = reversed(self._active.get(_what(side, subject), {}))
        return next((row for row in rows if not row.is_leaving), None)

    def open(self, side: Side, channel: str, subject: Subject, step: Step) -> Request:
        """Start a row."""
        row = Request(next(self._numbers), side, channel, subject)
        self._rows[row.number] = row
        self._begins(row)
        self.enter(row, step)
        self._drop_old()
        return row

    def count_on(self, highest: int) -> None:
        """Number rows from above `highest` on, those that are here already included."""
        rows = list(self._rows.values())
        for row in rows:
            row.number += highest
            self.touch(row)
        self._rows = {row.number: row for row in rows}
        self._numbers = count(max(self._rows, default=highest) + 1)

    def bring_back(self, rows: Sequence[Request]) -> None:
        """Put rows of earlier runs, which have ended and whose numbers are free, before those of this one."""
        self._rows = {row.number: row for row in rows} | self._rows
        self._drop_old()
        self.version += 1

    def reopen(self, row: Request, step: Step) -> None:
        """Start an ended row anew, for another try. Its notes stay; what was counted starts from zero."""
        check_again(row.side, row.step, step)
        row.failure, row.path, row.ended, row.answered_by = None, None, None, ""
        row.subject.start_anew()
        row.done, row.origins, row.steps, row.asks = 0, {}, [], []
        row.earlier = row.is_leaving = False
        row.started = time.time()
        row.finished.clear()
        self._begins(row)
        self.enter(row, step)

    def resume(self, row: Request, step: Step) -> None:
        """Take up a row that was done, for more of the same: what it counted stays."""
        check_again(row.side, row.step, step)
        row.ended = None
        row.finished.clear()
        self._begins(row)
        self._set_step(row, step)

    def enter(self, row: Request, step: Step) -> None:
        """Move a row to a step; to the step that it is in already, nothing happens.

        Raises `NoSuchMove` for a step that may not follow the one that it is in, and of a row that has ended for any:
        that goes on by `reopen` and `resume` alone.
        """
        if row.steps and row.step is step:
            return
        check_move(row.side, row.step if row.steps else None, step)
        self._set_step(row, step)

    def _set_step(self, row: Request, step: Step) -> None:
        row.step = step
        if step in ENDS:
            self._has_ended(row)
        row.steps.append(StepTime(step, time.time()))
        del row.steps[:-KEPT_STEPS]
        self.touch(row)

    def count(self, row: Request, amount: int, origin: Origin) -> None:
        """Count bytes that a row got (or, for others' requests, gave)."""
        row.done += amount
        origins = {**row.origins, origin: row.origins.get(origin, 0) + amount}
        # What a try that failed had brought is taken back, and leaves no entry of nothing.
        row.origins = {each: count for each, count in origins.items() if count or row.size == 0}
        # What was there already makes no rate: ours on this machine, that of others in the bucket.
        if origin is not (Origin.DISK if row.side is Side.MINE else Origin.BUCKET):
            row.meter.add(max(amount, 0), time.time())
        self.touch(row)

    def called(self, row: Request, caller: str) -> None:
        """Keep for whom a row goes on: a program of this machine, or, where that is empty, a person at the screen."""
        if not caller:
            row.is_kept_on = True
        elif caller not in row.callers:
            row.callers.append(caller)
            del row.callers[:-KEPT_CALLERS]
        self.touch(row)

    def note(self, row: Request, text: str) -> None:
        """Keep a sentence on the row; one that stands there already is not repeated."""
        if text not in row.notes and len(row.notes) < KEPT_NOTES:
            row.notes.append(text)
            self.touch(row)

    def take_back(self, row: Request, text: str) -> None:
        """Drop a sentence from the row that does not hold any more."""
        if text in row.notes:
            row.notes.remove(text)
            self.touch(row)

    def asked(self, row: Request, channel: str, stream: Stream, about: str, listening: Sequence[str]) -> Ask:
        """Keep a question that has just gone out; `listening` are the labels of those who hear it."""
        heard_by = tuple(listening[:MOST_LISTENING])
        ask = Ask(channel, stream, about, time.time(), heard_by, len(listening))
        row.asks.append(ask)
        del row.asks[:-KEPT_ASKS]
        self.touch(row)
        return ask

    def heard(self, row: Request, ask: Ask, text: str) -> None:
        """Keep what a node said to a question; what stands there already is not repeated."""
        text = text[:LONGEST_ANSWER]
        if text not in ask.heard and len(ask.heard) < KEPT_ANSWERS:
            ask.heard.append(text)
            self.touch(row)

    def answered(self, row: Request, ask: Ask, how: str) -> None:
        """Close a question: which wait ended, or what ended it. The first reason stays."""
        if ask.ended_at is None:
            ask.ended, ask.ended_at = how[:LONGEST_ANSWER], time.time()
            self.touch(row)

    def end(
        self, row: Request, step: Step, *, failure: KacheryError | None = None, path: Path | None = None
    ) -> None:
        """Close a row. One that has ended already stays as it is: the first reason is the one."""
        if row.steps and not row.is_active:
            return
        check_move(row.side, row.step if row.steps else None, step)
        row.failure, row.path, row.ended = failure, path, time.time()
        self._set_step(row, step)
        if step is Step.FAILED and failure is not None:
            _log.warning("%s %d (%s): %s", _OF[row.side], row.number, row.name, failure)
        row.finished.set()

    def touch(self, row: Request) -> None:
        """Say that a row changed."""
        row.version += 1
        self.version += 1

    def _begins(self, row: Request) -> None:
        self._active.setdefault(_what(row.side, row.subject), {})[row] = None
        self._under_way += 1

    def _has_ended(self, row: Request) -> None:
        what = _what(row.side, row.subject)
        del self._active[what][row]
        if not self._active[what]:
            del self._active[what]
        self._under_way -= 1

    def _drop_old(self) -> None:
        ended = (number for number, row in self._rows.items() if not row.is_active)
        too_many = len(self._rows) - self._under_way - ENDED_ROWS
        for number in list(islice(ended, max(too_many, 0))):
            del self._rows[number]


def _what(side: Side, subject: Subject) -> Hashable:
    """What tells which rows are about the same."""
    return side, subject.kind, subject.key

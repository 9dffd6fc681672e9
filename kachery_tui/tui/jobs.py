"""Work that a person set going and that takes its time: storing, linking, verifying, many files at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kachery_tui.node.rates import RateMeter
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone, clip, joined

if TYPE_CHECKING:
    import asyncio

BAR_WIDTH = 20

NAME_WIDTH = 30
"""Cells of a name at most, so that what follows it has room at 80 columns."""


@dataclass(slots=True, eq=False)
class Job:
    """`verb` says what is done ("storing"), `name` to what at the moment, the `nth` of `of` such things.

    `size` and `done` are bytes of that one thing; without a size the bar counts the things. `stop` says how to stop it.
    """

    verb: str
    name: str = ""
    size: int | None = None
    done: int = 0
    nth: int = 1
    of: int = 1
    stop: str = ""
    task: asyncio.Task[None] | None = None
    _meter: RateMeter = field(default_factory=RateMeter)

    def progress(self, done: int) -> None:
        """Take note of how far it is; called from the thread that reads the file."""
        self.done = done

    def turn_to(self, nth: int, name: str, size: int | None = None) -> None:
        """Go on with the next thing."""
        self.nth, self.name, self.size, self.done = nth, name, size, 0
        self._meter = RateMeter()

    def line(self, now: float) -> Line:
        """The job in one line. The rate is counted here, where it is looked at, and not in the reading thread."""
        which = (Cell(f" {self.nth:,} of {self.of:,}"),) if self.of > 1 else ()
        return joined(
            (
                (
                    Cell(f" {self.verb}", Tone.BUSY),
                    *which,
                    Cell(f" {clip(self.name, NAME_WIDTH)}", Tone.STRONG),
                ),
                self._progress_line(now),
                (Cell(self.stop, Tone.MUTED),) if self.stop else (),
            )
        )

    def _progress_line(self, now: float) -> Line:
        if self.size is None and self.of > 1:
            return (Cell(present.bar(self.nth - 1, self.of, BAR_WIDTH), Tone.BUSY),)
        self._meter.add(max(self.done - self._meter.total, 0), now)
        return (
            Cell(f"{present.bar(self.done, self.size, BAR_WIDTH)} ", Tone.BUSY),
            Cell(f"{present.percent(self.done, self.size)} {present.byte_rate(self._meter.rate(now))}"),
        )

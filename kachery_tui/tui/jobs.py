"""What this node stores or links at a person's wish, while it takes its time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kachery_tui.node.rates import RateMeter
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

BAR_WIDTH = 20


@dataclass(slots=True, eq=False)
class Job:
    """One file on its way into storage; `done` and `size` are bytes."""

    path: Path
    verb: str
    size: int | None = None
    done: int = 0
    task: asyncio.Task[None] | None = None
    _meter: RateMeter = field(default_factory=RateMeter)

    def progress(self, done: int) -> None:
        """Take note of how far it is; called from the thread that reads the file."""
        self.done = done

    def line(self, now: float) -> Line:
        """The job in one line. The rate is counted here, where it is looked at, and not in the reading thread."""
        self._meter.add(max(self.done - self._meter.total, 0), now)
        return (
            Cell(f" {self.verb} ", Tone.BUSY),
            Cell(self.path.name, Tone.STRONG),
            Cell(f" {present.bar(self.done, self.size, BAR_WIDTH)} ", Tone.BUSY),
            Cell(f"{present.percent(self.done, self.size)} {present.byte_rate(self._meter.rate(now))}"),
            Cell("  x in the cache stops it", Tone.MUTED),
        )

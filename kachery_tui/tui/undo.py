"""Taking back what a person did last: a role, a pin, a file moved to the trash."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

MOST_STEPS: Final = 50
"""Steps that can be taken back; nobody remembers more."""


@dataclass(frozen=True, slots=True)
class Undo:
    """`done` says in words what was done ("trashing spikes.dat"); `take_back` does the reverse."""

    done: str
    take_back: Callable[[], Awaitable[object]]


class UndoStack:
    """What can be taken back, the last first."""

    def __init__(self) -> None:
        self._steps: deque[Undo] = deque(maxlen=MOST_STEPS)
        self._under_way: list[str] = []

    def wait_for(self, doing: str, task: asyncio.Task[None]) -> None:
        """Something that can be taken back begins ("trashing spikes.dat"): nothing older is, until it has ended."""
        self._under_way.append(doing)
        task.add_done_callback(lambda _: self._under_way.remove(doing))

    @property
    def under_way(self) -> str:
        """What began last and has not ended; empty for nothing."""
        return self._under_way[-1] if self._under_way else ""

    def push(self, undo: Undo) -> None:
        """Something was done."""
        self._steps.append(undo)

    def pop(self) -> Undo | None:
        """The last step, which is then no more to be taken back."""
        return self._steps.pop() if self._steps else None

    @property
    def next_words(self) -> str:
        """What would be taken back next; empty for nothing."""
        return self.under_way or (self._steps[-1].done if self._steps else "")

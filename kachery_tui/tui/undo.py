"""Taking back what a person did last: a role, a pin, a file moved to the trash."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

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
        self._under_way: dict[asyncio.Task[None], str] = {}
        self._acts: set[asyncio.Task[None]] = set()
        self._pushed = 0

    def wait_for(self, doing: str, task: asyncio.Task[None], *, is_act: bool = True) -> None:
        """Something begins ("trashing spikes.dat"): until it has ended, nothing older is taken back.

        An act is to be pushed at its end, unless it comes to nothing; taking back is none.
        """
        self._under_way[task] = doing
        if is_act:
            self._acts.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._acts.discard(task)

    @property
    def under_way(self) -> str:
        """What began last and has not ended; empty for nothing."""
        return next(reversed(self._under_way.values()), "")

    def last(self) -> Coroutine[None, None, Undo | None]:
        """The last step as of now, to be waited for: what is under way is to end first.

        Where that is an act that comes to nothing, None is meant, and nothing older.
        """
        tasks, expects, pushed = tuple(self._under_way), bool(self._acts), self._pushed

        async def wait() -> Undo | None:
            if tasks:
                await asyncio.wait(tasks)
            return None if expects and self._pushed == pushed else self.pop()

        return wait()

    def push(self, undo: Undo) -> None:
        """Something was done."""
        self._pushed += 1
        self._steps.append(undo)

    def pop(self) -> Undo | None:
        """The last step, which is then no more to be taken back."""
        return self._steps.pop() if self._steps else None

    @property
    def next_words(self) -> str:
        """What would be taken back next; empty for nothing."""
        return self.under_way or (self._steps[-1].done if self._steps else "")

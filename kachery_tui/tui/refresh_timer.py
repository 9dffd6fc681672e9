"""How often the screen looks at the node by itself, and whether it holds still."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from textual.screen import Screen

SLOWEST, FASTEST = 0.25, 16.0
"""Looks a second."""

NOT_HELD: Final = -1


QUIET_SECONDS: Final = 10.0
"""Seconds for which a screen goes on to look after the last thing that happened: rates come to rest, notices go."""

QUIET_LOOK_SECONDS: Final = 10.0
"""Between two looks while nothing happens: what depends on the time of day alone."""


class RefreshTimer:
    """Calls `look` some times a second on a screen, from `start` to `stop`; seldom while nothing happens.

    `state` tells, cheaply, by a value that differs as soon as there is something new, and `is_moving` whether what the
    screen shows changes by itself. They are asked each time; not to look costs some millionths of a second.
    """

    def __init__(
        self,
        screen: Screen[None],
        look: Callable[[], None],
        per_second: float,
        state: Callable[[], Hashable],
        is_moving: Callable[[], bool],
    ) -> None:
        self._screen = screen
        self._look = look
        self._per_second = per_second
        self._state = state
        self._is_moving = is_moving
        self._handle: asyncio.TimerHandle | None = None
        self._is_asked = False
        self._last_state: Hashable = None
        self._moved_at = self._looked_at = 0.0
        self._held_at = NOT_HELD

    def start(self) -> None:
        """Begin to look."""
        self._handle = asyncio.get_running_loop().call_later(1 / self._per_second, self._tick)

    def stop(self) -> None:
        """Look no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def wake(self) -> None:
        """A person has done something, of which more may come."""
        self._moved_at = time.monotonic()

    def _tick(self) -> None:
        self.start()
        if not self._is_asked and self._is_due(time.monotonic()):
            self._is_asked = self._screen.call_later(self._look_once)

    def _is_due(self, now: float) -> bool:
        state = self._state()
        if state != self._last_state or self._is_moving():
            self._last_state, self._moved_at = state, now
        return now - self._moved_at < QUIET_SECONDS or now - self._looked_at >= QUIET_LOOK_SECONDS

    def _look_once(self) -> None:
        self._is_asked = False
        self._looked_at = time.monotonic()
        self._look()

    def change(self, by: float) -> float:
        """Look `by` times as often from now on, within bounds; the looks a second that there are now."""
        self._per_second = min(max(self._per_second * by, SLOWEST), FASTEST)
        return self._per_second

    @property
    def is_held(self) -> bool:
        """Whether a person holds the panes still, to read."""
        return self._held_at != NOT_HELD

    def toggle_hold(self, seen: int) -> None:
        """Hold the panes still, or let them go on; `seen` is how much has come so far."""
        self._held_at = NOT_HELD if self.is_held else seen

    def words(self, seen: int, key: str) -> str:
        """How much has come while the panes are held, and the key that lets them go on; empty if they are not."""
        return f"frozen, {seen - self._held_at:,} new ({key} resumes)" if self.is_held else ""

"""How often the screen looks at the node by itself, and whether it holds still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.screen import Screen
    from textual.timer import Timer

SLOWEST, FASTEST = 0.25, 16.0
"""Looks a second."""

NOT_HELD: Final = -1


class RefreshTimer:
    """Calls `look` some times a second on a screen, from `start` on."""

    def __init__(self, screen: Screen[None], look: Callable[[], None], per_second: float) -> None:
        self._screen = screen
        self._look = look
        self._per_second = per_second
        self._timer: Timer | None = None
        self._held_at = NOT_HELD

    def start(self) -> None:
        """Begin to look."""
        self._timer = self._screen.set_interval(1 / self._per_second, self._look)

    def change(self, by: float) -> float:
        """Look `by` times as often from now on, within bounds; the looks a second that there are now."""
        self._per_second = min(max(self._per_second * by, SLOWEST), FASTEST)
        if self._timer is not None:
            self._timer.stop()
        self.start()
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
        return f"held: +{seen - self._held_at:,} ({key} goes on)" if self.is_held else ""

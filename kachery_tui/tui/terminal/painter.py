"""Painting a terminal: what changed since the last frame, as fast as the terminal takes it and no faster."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from kachery_tui.tui.terminal.mirror import Mirror, is_aside
from kachery_tui.tui.terminal.output_budget import BYTES_PER_SECOND, OutputBudget

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable

    from kachery_tui.tui.display import Display

GATHER_SECONDS: Final = 0.01
"""How long a frame waits for those that belong to it: what a key asks for is painted as it is read."""


class Painter:
    """Sends what Textual paints, thrifty.

    Only what changed since the last frame is sent. While the terminal has not taken that (a line that stalls, a lid that
    was closed), nothing more is: what changed meanwhile is sent in one frame, and nobody waits for it.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        display: Display,
        size: Callable[[], tuple[int, int]],
        hand_over: Callable[[str], bool],
    ) -> None:
        """`size` tells the terminal's columns and rows. `hand_over` sends; whether there is somebody who will say that it
        was taken, by `taken`."""
        self._loop = loop
        self._size = size
        self._send_data = hand_over
        rate = BYTES_PER_SECOND if display.is_remote else None
        self._budget = OutputBudget(display.frames_per_second, rate)
        self._mirror = Mirror()
        self._on_the_way = 0
        self._is_painting = False
        self._was_resized = False
        self._timer: TimerHandle | None = None
        self._key_waits = False

    @property
    def may_look(self) -> bool:
        """Whether a look that comes by itself would be painted soon, and may cost what it costs."""
        return not self._on_the_way and self._budget.may_look(time.monotonic())

    def write(self, data: str) -> None:
        """Take what Textual paints, and hand on what else it tells the terminal."""
        self._heed_size()
        if self._mirror.take_output(data):
            self._send_soon()
            return
        if not is_aside(data):
            self._mirror.forget_sent()
        self._hand_over(data)

    def repaint(self) -> None:
        """Paint everything anew, over whatever something else has put there."""
        self._mirror.forget_sent()
        self._send_soon()

    def start(self) -> None:
        """Begin to paint."""
        self._was_resized = True
        self._is_painting = True
        self._send_soon()

    def stop(self) -> None:
        """Paint no more until `start`."""
        self._is_painting = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def forget_on_the_way(self) -> None:
        """Nobody will say any more that what was sent was taken."""
        self._on_the_way = 0

    def resized(self) -> None:
        """The terminal has another size, or will have told it before the next frame. Any thread may call it."""
        self._was_resized = True

    def key_came(self) -> None:
        """A person has pressed a key, and waits for what comes of it. Any thread may call it."""
        self._key_waits = True

    def taken(self) -> None:
        """The terminal has taken one of the pieces that were handed over."""
        self._on_the_way = max(self._on_the_way - 1, 0)
        if not self._on_the_way:
            self._send_soon()

    def _heed_size(self) -> None:
        if self._was_resized:
            self._was_resized = False
            self._mirror.resize(*self._size())

    def _send_soon(self) -> None:
        if not self._is_painting:
            return
        pause = self._budget.pause(time.monotonic(), for_key=self._key_waits)
        at = self._loop.time() + max(GATHER_SECONDS, pause)
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._send)

    def _send(self) -> None:
        self._timer = None
        if self._on_the_way or not self._is_painting:
            return
        self._heed_size()
        data = self._mirror.changes()
        if data:
            self._key_waits = False
            self._hand_over(data)
            self._budget.wrote(len(data.encode("utf-8", "replace")), time.monotonic())

    def _hand_over(self, data: str) -> None:
        self._on_the_way += self._send_data(data)

"""Noticing that this process did not run for a while: the machine slept, or somebody stopped it (Ctrl+Z).

Whatever was agreed on with a service before may have lapsed since, and a connection may be dead without a sign of it.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

LOOK_EVERY: Final = 2.0
"""Seconds."""
LONG_SLEEP: Final = 10.0
"""Seconds away after which connections are begun anew; services keep one open for longer than that."""

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The one that goes on while the machine sleeps; on macOS that is the monotonic one."""


async def watch_for_sleep(
    on_wake: Callable[[float], object], *, clock: Callable[[], float] = lambda: time.clock_gettime(_CLOCK)
) -> None:
    """Call `on_wake` with the seconds for which the process was away, every time that it was for long. Never returns."""
    while True:
        before = clock()
        await asyncio.sleep(LOOK_EVERY)
        away = clock() - before - LOOK_EVERY
        if away > LONG_SLEEP:
            on_wake(away)

"""Trying again what failed in a way that may pass."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from kachery_tui.errors import TryAgain

T = TypeVar("T")


async def with_retries(
    work: Callable[[], Awaitable[T]], pauses: Sequence[float], on_failure: Callable[[TryAgain], None]
) -> T:
    """Run `work`; after a `TryAgain` run it again, `pauses` seconds apart, and raise the last one when they are used up.

    `on_failure` hears of each failure that is followed by another try.
    """
    for pause in pauses:
        try:
            return await work()
        except TryAgain as error:
            on_failure(error)
            await asyncio.sleep(pause)
    return await work()

"""Blocking work beside the loop, without losing sight of it when the one who waits is cancelled."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class Aborted(Exception):
    """Raised inside a working thread to make it stop and clean up, because nobody waits for it any more."""


async def in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread. A cancelled caller still waits for its end, so that nothing is used behind its back."""
    return await in_thread_with_progress(lambda _: work())


async def acquired_in_thread(work: Callable[[], T], let_go: Callable[[T], object]) -> T:
    """As `in_thread`, for what has to be let go of again: by `let_go`, if the caller is cancelled and never has it."""
    held: list[T] = []
    try:
        await in_thread(lambda: held.append(work()))
    except asyncio.CancelledError:
        for each in held:
            await in_thread(partial(let_go, each))
        raise
    return held[0]


async def in_thread_with_progress(
    work: Callable[[Callable[[int], None]], T], progress: Callable[[int], None] | None = None
) -> T:
    """Run `work(report)` in a thread, where `report(bytes so far)` is to be called now and then.

    Cancelling the caller makes the next `report` raise `Aborted` in the thread, which ends the work early.
    `progress` is called from that thread.
    """
    stop = threading.Event()

    def report(done: int) -> None:
        if stop.is_set():
            raise Aborted
        if progress is not None:
            progress(done)

    running = asyncio.ensure_future(asyncio.to_thread(work, report))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()
        raise

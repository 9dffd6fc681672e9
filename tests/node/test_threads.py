"""Blocking work beside the loop."""

import asyncio
import threading

import pytest

from kachery_tui.node.threads import acquired_in_thread


async def test_what_was_acquired_is_let_go_of_where_nobody_waits_for_it_any_more() -> None:
    begun, go_on = threading.Event(), threading.Event()
    let_go: list[str] = []

    def acquire() -> str:
        begun.set()
        go_on.wait(10)
        return "a lock"

    acquiring = asyncio.create_task(acquired_in_thread(acquire, let_go.append))
    await asyncio.to_thread(begun.wait, 10)
    acquiring.cancel()
    await asyncio.sleep(0.05)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await acquiring
    assert let_go == ["a lock"]


async def test_what_was_acquired_is_handed_over() -> None:
    let_go: list[str] = []
    assert await acquired_in_thread(lambda: "a lock", let_go.append) == "a lock"
    assert let_go == []

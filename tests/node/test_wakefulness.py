"""A process that did not run for a while notices it."""

import asyncio
import contextlib

import pytest

from kachery_tui.node import wakefulness


@pytest.mark.parametrize(("away", "told"), [(0.0, []), (5.0, []), (60.0, [60]), (-7200.0, [])])
async def test_only_a_long_sleep_is_told(
    away: float, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakefulness, "LOOK_EVERY", 0.01)
    loop = asyncio.get_running_loop()
    began = loop.time()
    heard: list[int] = []

    def clock() -> float:
        now = loop.time()
        return now + (away if now - began > 0.1 else 0.0)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            await wakefulness.watch_for_sleep(lambda seconds: heard.append(round(seconds)), clock=clock)
    assert heard == told

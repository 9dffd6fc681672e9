"""A hub with one channel, its owner, and nodes that are its members."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.authority.clubs import Club
from tests.hubs import running_hub


@pytest.fixture
async def club(tmp_path: Path) -> AsyncIterator[Club]:
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(running_hub(tmp_path / "hub", channels=("lab", "other")))
        yield Club(tmp_path, hub, stack)

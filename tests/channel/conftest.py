"""A hub for each test that wants one, and its channel."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kachery_tui.config import ChannelConfig, load_channel
from kachery_tui.hub import Hub
from tests.hubs import running_hub


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with running_hub(tmp_path / "hub", channels=("lab",)) as hub:
        yield hub


@pytest.fixture
def config(hub: Hub, tmp_path: Path) -> ChannelConfig:
    return load_channel(tmp_path / "hub/channels/lab.toml")

"""One hub a test: a conftest takes these over by importing them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hubs import Hub, running_hub


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub with the channel `lab`."""
    async with running_hub(tmp_path / "hub") as running:
        yield running


@pytest.fixture
def lab(hub: Hub) -> Path:
    """The channel file of `lab`."""
    return hub.channel_files["lab"]

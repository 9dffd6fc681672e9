"""A real hub on free loopback ports, for the tests of every floor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kachery_tui.hub import Hub, HubOptions

__all__ = ["Hub", "running_hub"]


@asynccontextmanager
async def running_hub(
    folder: Path, channels: tuple[str, ...] = ("lab",), **options: Any
) -> AsyncIterator[Hub]:
    """A hub with its data in `folder`; `options` are further ones of `HubOptions`."""
    hub = Hub(HubOptions(folder, **{"port": 0, "s3_port": 0, "channels": channels, **options}))
    await hub.start()
    try:
        yield hub
    finally:
        await hub.stop()

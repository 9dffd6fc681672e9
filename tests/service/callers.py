"""Callers of a node's socket that speak it by the byte."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kachery_tui.node.node import Node
from kachery_tui.service.serving import serve_calls
from kachery_tui.storage.lock import read_holder
from tests.nodes import running_node

PATIENCE = 20.0


class Caller:
    """Calls to the node that answers at a socket."""

    def __init__(self, place: Path) -> None:
        self.place = place

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection, to send whatever one likes."""
        reader, writer = await asyncio.open_unix_connection(self.place, limit=1 << 24)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def send(self, data: bytes) -> bytes:
        """Send this, and read until the node closes the connection."""
        async with self.connected() as (reader, writer), asyncio.timeout(20):
            writer.write(data)
            return await reader.read()

    async def call(self, method: str, path: str, **body: Any) -> tuple[int, list[dict[str, Any]]]:
        """A call; its status, and the lines of its answer."""
        head, _, content = (await self.send(request(method, path, body))).partition(b"\r\n\r\n")
        return int(head.split()[1]), [json.loads(line) for line in content.splitlines()]

    async def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """A call that succeeds; the last line of its answer."""
        status, lines = await self.call(method, path, **body)
        assert status == 200, lines
        return lines[-1]


def request(method: str, path: str, body: dict[str, Any]) -> bytes:
    """A request that ends the connection."""
    data = json.dumps(body).encode() if body else b""
    return f"{method} {path} HTTP/1.0\r\nHost: node\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


@asynccontextmanager
async def serving_node(
    folder: Path, channel_file: Path | None, *, group: int | None = None, **settings: Any
) -> AsyncIterator[tuple[Node, Caller]]:
    """A running node that answers calls."""
    stopped = asyncio.Event()

    def prepare(node: Node) -> None:
        serve_calls(node, stopped.set, group=group)

    async with running_node(folder, channel_file, claims=True, prepare=prepare, **settings) as node:
        yield node, Caller(await _place(folder / "storage"))


async def _place(storage: Path) -> Path:
    async with asyncio.timeout(PATIENCE):
        while not ((holder := read_holder(storage)) and holder.socket):
            await asyncio.sleep(0.01)
    return Path(holder.socket)

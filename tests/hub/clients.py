"""Clients for a hub: the real SDK, and a bare WebSocket for what the SDK would not do."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgpack
from ably import AblyRealtime
from websockets.asyncio.client import ClientConnection, connect

from kachery_tui.config import PubSubConfig, load_channel
from kachery_tui.hub import Hub

WAIT = 10.0

_open: set[Any] = set()


def pubsub(hub: Hub) -> PubSubConfig:
    """How the first channel file says that the hub is reached."""
    return load_channel(next(iter(hub.channel_files.values()))).pubsub


def jwt(
    key: str,
    capability: dict[str, list[str]] | None,
    *,
    client_id: str | None = "somebody",
    lasts: float = 3600,
    header: dict[str, Any] | None = None,
    claims: dict[str, Any] | None = None,
) -> str:
    """A token that the holder of `key` made."""
    name, _, secret = key.partition(":")
    now = time.time()
    body: dict[str, Any] = {"iat": int(now), "exp": now + lasts}
    if capability is not None:
        body["x-ably-capability"] = json.dumps(capability)
    if client_id is not None:
        body["x-ably-clientId"] = client_id
    parts = [{"typ": "JWT", "alg": "HS256", "kid": name, **(header or {})}, {**body, **(claims or {})}]
    signed = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64(signature)}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@asynccontextmanager
async def sdk(hub: Hub, *, endpoint: str | None = None, **options: Any) -> AsyncIterator[Any]:
    """The real SDK's client, connected with the hub's key unless `options` have other credentials."""
    config = pubsub(hub)
    given = {"endpoint": endpoint or config.endpoint, "tls": config.tls, "disconnected_retry_timeout": 200}
    if "auth_callback" not in options:
        given["key"] = config.key
    client = AblyRealtime(**(given | options))
    _open.add(client)
    try:
        yield client
    finally:
        await client.close()
        _open.discard(client)
        if not _open:
            await _tidy_up()


async def _tidy_up() -> None:
    """End what the SDK leaves behind, before the next test: an attempt that was refused waits there forever."""
    me = asyncio.current_task()
    left = [task for task in asyncio.all_tasks() - {me} if "/ably/" in repr(task)]
    _, pending = await asyncio.wait(left, timeout=0.2) if left else (set(), set())
    for task in pending:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class Bare:
    """A WebSocket that speaks frames as maps."""

    def __init__(self, socket: ClientConnection, form: str) -> None:
        self.socket = socket
        self._form = form

    async def send(self, **frame: Any) -> None:
        await self.socket.send(msgpack.packb(frame) if self._form == "msgpack" else json.dumps(frame))

    async def get(self, action: int | None = None) -> dict[str, Any]:
        """The next frame, or the next with this action."""
        async with asyncio.timeout(WAIT):
            while True:
                raw = await self.socket.recv()
                frame: dict[str, Any] = msgpack.unpackb(raw) if isinstance(raw, bytes) else json.loads(raw)
                if action is None or frame["action"] == action:
                    return frame


@asynccontextmanager
async def bare(
    hub: Hub, query: str = "", *, form: str = "json", key: str | None = None
) -> AsyncIterator[Bare]:
    """A WebSocket to the hub. `query` replaces the credentials if it has any."""
    config = pubsub(hub)
    credentials = "" if "accessToken=" in query or "key=" in query else f"key={key or config.key}&"
    uri = f"ws://{config.endpoint}/?{credentials}format={form}&{query}"
    async with connect(uri, proxy=None, compression=None, max_queue=None) as socket:
        yield Bare(socket, form)


async def until(holds: Callable[[], object], wait: float = WAIT) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(wait):
        while not holds():
            await asyncio.sleep(0.01)

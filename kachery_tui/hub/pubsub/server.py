"""The front of the pub-sub service: WebSockets in, the broker's answers out."""

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from kachery_tui.hub.pubsub.auth import Capability, Keys
from kachery_tui.hub.pubsub.broker import Broker
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.hub.pubsub.session import Link
from kachery_tui.hub.pubsub.topic import Now

_log = logging.getLogger(__name__)

_TICK: Final = 0.25
_HEARTBEAT: Final = 40.0
"""Seconds between two pings, each with half as long for its answer: they find transports that died without a word.
Clients hear heartbeats of the protocol's own."""
_CLOSE_TIMEOUT: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Socket:
    request: web.Request
    response: web.WebSocketResponse
    wake: asyncio.Event


class PubSubServer:
    """Ably's realtime service. `connect` serves one WebSocket, for as long as it is open."""

    def __init__(self, keys: Keys, limits: Limits) -> None:
        self.broker = Broker(keys, _new_id, limits)
        self._limits = limits
        self._sockets: dict[Link, _Socket] = {}
        self._ticking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Let the broker's time pass."""
        self._ticking = asyncio.create_task(self._tick(), name="hub ticks")

    async def stop(self) -> None:
        """Close every connection, and let no more time pass."""
        going = [
            one.response.close(code=WSCloseCode.GOING_AWAY, message=b"the hub ends")
            for one in self._sockets.values()
        ]
        await asyncio.gather(*going, return_exceptions=True)
        if self._ticking is not None:
            self._ticking.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticking
            self._ticking = None

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self.broker.tick(_now())
            self._flush()

    def restrict(self, key: str, client_id: str, capability: Capability | None) -> None:
        """See `Broker.restrict`."""
        self.broker.restrict(key, client_id, capability, _now())
        self._flush()

    def _flush(self) -> None:
        for link in self.broker.changed():
            found = self._sockets.get(link)
            if found is not None:
                found.wake.set()
                if link.is_cut and found.request.transport is not None:
                    # A closing handshake would wait behind all that the client has not read.
                    found.request.transport.abort()

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve the WebSocket that a request opens."""
        socket = web.WebSocketResponse(
            max_msg_size=self._limits.frame_bytes,
            compress=False,
            heartbeat=_HEARTBEAT,
            timeout=_CLOSE_TIMEOUT,
        )
        await socket.prepare(request)
        link = self.broker.open(dict(request.query), _now())
        wake = asyncio.Event()
        self._sockets[link] = _Socket(request, socket, wake)
        sending = asyncio.create_task(self._send(socket, link, wake), name="hub sends")
        try:
            self._flush()
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self.broker.receive(link, message.data, _now())
                    self._flush()
        finally:
            del self._sockets[link]
            self.broker.lost(link, _now())
            self._flush()
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
        return socket

    async def _send(self, socket: web.WebSocketResponse, link: Link, wake: asyncio.Event) -> None:
        try:
            while True:
                await wake.wait()
                wake.clear()
                while (encoded := link.next_frame()) is not None:
                    if isinstance(encoded, str):
                        await socket.send_str(encoded)
                    else:
                        await socket.send_bytes(encoded)
                if link.closing is not None:
                    _log.info("closing a connection: %s", link.closing)
                    await socket.close(code=1000, message=link.closing[:100].encode())
                    return
        except ConnectionResetError as lost:
            _log.debug("a connection ended: %s", lost)


def _now() -> Now:
    return Now(time.monotonic(), time.time())


def _new_id() -> str:
    return secrets.token_hex(12)

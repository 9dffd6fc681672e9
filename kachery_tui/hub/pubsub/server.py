"""The front of the pub-sub service: WebSockets in, the broker's answers out."""

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from kachery_tui.hub.pubsub.auth import Key
from kachery_tui.hub.pubsub.broker import Broker, Now
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.hub.pubsub.session import Link

_log = logging.getLogger(__name__)

_TICK: Final = 0.25
_GOING_AWAY: Final = 1001


def now() -> Now:
    """The time, as the broker wants it."""
    return Now(time.monotonic(), time.time())


def new_id() -> str:
    """A text that nobody guesses."""
    return secrets.token_hex(12)


class PubSubServer:
    """Ably's realtime service on one port. Raises `OSError` from `start` when the port cannot be had."""

    def __init__(self, key: Key, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.broker = Broker(key, new_id, self.limits)
        self._wake: dict[Link, asyncio.Event] = {}
        self._server: Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that it is. Port 0 takes a free one."""
        self._server = await serve(
            self._serve,
            host,
            port,
            max_size=self.limits.frame_bytes,
            compression=None,
            open_timeout=10,
            # Finds transports that died without a word; clients hear heartbeats on their own level.
            ping_interval=20,
            ping_timeout=20,
            close_timeout=2,
            server_header=None,
            logger=logging.getLogger(f"{__name__}.websockets"),
        )
        self._ticking = asyncio.create_task(self._tick(), name="hub ticks")
        found: int = next(iter(self._server.sockets)).getsockname()[1]
        return found

    async def stop(self) -> None:
        """Close every connection and the port."""
        if self._ticking is not None:
            self._ticking.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticking
            self._ticking = None
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self.broker.tick(now())
            self._flush()

    def _flush(self) -> None:
        for link in self.broker.changed():
            wake = self._wake.get(link)
            if wake is not None:
                wake.set()

    async def _serve(self, socket: ServerConnection) -> None:
        query = dict(parse_qsl(urlsplit(socket.request.path).query)) if socket.request is not None else {}
        link = self.broker.open(query, now())
        wake = self._wake[link] = asyncio.Event()
        wake.set()
        sending = asyncio.create_task(self._send(socket, link, wake))
        try:
            self._flush()
            async for raw in socket:
                self.broker.receive(link, raw, now())
                self._flush()
        except ConnectionClosed as closed:
            _log.debug("a connection ended: %s", closed)
        finally:
            del self._wake[link]
            self.broker.lost(link, now())
            self._flush()
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending

    async def _send(self, socket: ServerConnection, link: Link, wake: asyncio.Event) -> None:
        try:
            while True:
                await wake.wait()
                wake.clear()
                while (encoded := link.take()) is not None:
                    await socket.send(encoded)
                if link.closing is not None:
                    _log.info("closing a connection: %s", link.closing)
                    await socket.close(1000, link.closing[:100])
                    return
        except ConnectionClosed:
            return


def is_open(socket: ServerConnection) -> bool:
    """Whether a WebSocket still carries frames."""
    return socket.state is State.OPEN

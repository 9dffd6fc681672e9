"""The front of the pub-sub service: WebSockets in, the broker's answers out."""

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from kachery_tui.hub.pubsub.auth import Key
from kachery_tui.hub.pubsub.broker import Broker
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.hub.pubsub.session import Link
from kachery_tui.hub.pubsub.topic import Now

_log = logging.getLogger(__name__)
_websockets_log = logging.getLogger(f"{__name__}.websockets")
# What strangers send to the port is no error of the hub's.
_websockets_log.addFilter(lambda record: "opening handshake failed" not in record.getMessage())
_websockets_log.setLevel(logging.WARNING)

_TICK: Final = 0.25
_PING: Final = 20.0
_CLOSE_TIMEOUT: Final = 1.0


class PubSubServer:
    """Ably's realtime service on one port."""

    def __init__(self, key: Key, limits: Limits) -> None:
        self.broker = Broker(key, _new_id, limits)
        self._limits = limits
        self._sockets: dict[Link, tuple[ServerConnection, asyncio.Event]] = {}
        self._server: Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that it is. Port 0 takes a free one. Raises `OSError`."""
        self._server = await serve(
            self._serve,
            host,
            port,
            max_size=self._limits.frame_bytes,
            compression=None,
            # Finds transports that died without a word; clients hear heartbeats of the protocol's own.
            ping_interval=_PING,
            ping_timeout=_PING,
            close_timeout=_CLOSE_TIMEOUT,
            server_header=None,
            logger=_websockets_log,
        )
        self._ticking = asyncio.create_task(self._tick(), name="hub ticks")
        found: int = next(iter(self._server.sockets)).getsockname()[1]
        _log.info("pub-sub listens on %s, port %s", host, found)
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
            self.broker.tick(_now())
            self._flush()

    def _flush(self) -> None:
        for link in self.broker.changed():
            found = self._sockets.get(link)
            if found is not None:
                socket, wake = found
                wake.set()
                if link.is_cut:
                    # A closing handshake would wait behind all that the client has not read.
                    socket.transport.abort()

    async def _serve(self, socket: ServerConnection) -> None:
        path = socket.request.path if socket.request is not None else ""
        link = self.broker.open(dict(parse_qsl(path.partition("?")[2])), _now())
        wake = asyncio.Event()
        self._sockets[link] = socket, wake
        sending = asyncio.create_task(self._send(socket, link, wake), name="hub sends")
        try:
            self._flush()
            async for raw in socket:
                self.broker.receive(link, raw, _now())
                self._flush()
        except ConnectionClosed as closed:
            _log.debug("a connection ended: %s", closed)
        finally:
            del self._sockets[link]
            self.broker.lost(link, _now())
            self._flush()
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending

    async def _send(self, socket: ServerConnection, link: Link, wake: asyncio.Event) -> None:
        try:
            while True:
                await wake.wait()
                wake.clear()
                while (encoded := link.next_frame()) is not None:
                    await socket.send(encoded)
                if link.closing is not None:
                    _log.info("closing a connection: %s", link.closing)
                    await socket.close(1000, link.closing[:100])
                    return
        except ConnectionClosed:
            return


def _now() -> Now:
    return Now(time.monotonic(), time.time())


def _new_id() -> str:
    return secrets.token_hex(12)

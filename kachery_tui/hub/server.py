"""The broker's sockets: WebSockets in front, a clock behind."""

import asyncio
import contextlib
import errno
import logging
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from kachery_tui.errors import UsageError
from kachery_tui.hub.broker import Broker
from kachery_tui.hub.frames import Format
from kachery_tui.hub.outbox import Outbox

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection

_log = logging.getLogger(__name__)

TICK = 0.5
"""Seconds between two looks at what is due."""
CLOSE_WAIT = 1.0
"""Seconds that a client gets to answer the closing of its WebSocket."""


class PubSubServer:
    """Serves a broker on one address, until `stop`."""

    def __init__(self, broker: Broker, host: str, port: int) -> None:
        self._broker = broker
        self._host = host
        self._wanted_port = port
        self._server: Server | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._open: set[ServerConnection] = set()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen. Raises UsageError where that address cannot be had."""
        from websockets.asyncio.server import serve

        quiet = logging.getLogger(f"{__name__}.websockets")
        quiet.setLevel(logging.ERROR)
        try:
            self._server = await serve(
                self._serve,
                self._host,
                self._wanted_port,
                max_size=self._broker.limits.frame_size,
                max_queue=16,
                compression=None,
                close_timeout=CLOSE_WAIT,
                server_header=None,
                logger=quiet,
            )
        except OSError as error:
            raise cannot_listen(self._host, self._wanted_port, "--port", error) from None
        self._ticking = asyncio.create_task(self._tick(), name="hub clock")

    async def stop(self) -> None:
        """Stop listening and let go of everybody, as a service that goes away does."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        if self._server is not None:
            # A client that does not answer the closing handshake would hold the server up.
            self._server.close(close_connections=False)
            for connection in list(self._open):
                connection.transport.abort()
            await self._server.wait_closed()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                self._broker.tick(time.time())
            except Exception:
                _log.exception("the hub's clock")

    async def _serve(self, connection: "ServerConnection") -> None:
        assert connection.request is not None
        query = parse_qsl(urlsplit(connection.request.path).query, max_num_fields=100)
        params = dict(query)
        form: Format = "msgpack" if params.get("format") == "msgpack" else "json"
        ready = asyncio.Event()
        outbox = Outbox(form, self._broker.limits, ready.set)
        self._open.add(connection)
        sending = asyncio.create_task(_send(connection, outbox, ready))
        try:
            await self._receive(connection, outbox, params)
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            self._open.discard(connection)

    async def _receive(self, connection: "ServerConnection", outbox: Outbox, params: dict[str, str]) -> None:
        from websockets.exceptions import ConnectionClosed

        session = self._broker.connect(params, outbox, time.time())
        if session is None:
            return
        try:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    raw = await connection.recv()
                    self._broker.receive(session, outbox, raw, time.time())
        finally:
            self._broker.disconnect(session, outbox, time.time())


async def _send(connection: "ServerConnection", outbox: Outbox, ready: asyncio.Event) -> None:
    """Send what waits, until the end. A client that does not read holds this up, and its outbox fills."""
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed):
        while True:
            await ready.wait()
            ready.clear()
            while (data := outbox.take()) is not None:
                await connection.send(data)
            ending = outbox.ending
            if ending is not None:
                if ending.at_once:
                    connection.transport.abort()
                else:
                    await connection.close(ending.code, ending.reason)
                return


def cannot_listen(host: str, port: int, option: str, error: OSError) -> UsageError:
    """The error for an address that cannot be had."""
    what = f"cannot listen on {host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            what, "another program does, perhaps another hub", f"End it, or choose another port: {option}"
        )
    if error.errno == errno.EACCES:
        return UsageError(what, "not permitted", f"Choose a port of 1024 or above: {option}")
    return UsageError(what, error.strerror or str(error), "Choose an address of this machine: --host")

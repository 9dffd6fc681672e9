"""HTTP and WebSockets on one port."""

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from aiohttp import web

from kachery_tui.protocol.canonical import JsonObject

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LARGEST_BODY: Final = 1_000_000
"""Bytes of a request's body that is read whole; what is larger has a handler that reads it piece by piece."""
LONGEST_SILENCE: Final = 20.0
"""Seconds in which a connection must have sent a whole request's head, and may rest between two requests."""
CLOSE_PATIENCE: Final = 1.0
"""Seconds that answers under way have when the server stops."""

_log = logging.getLogger(__name__)
_aiohttp_log = logging.getLogger(f"{__name__}.aiohttp")
# What strangers send to the port is no error of this server's.
_aiohttp_log.addFilter(lambda record: not record.getMessage().startswith("Error handling request"))
_aiohttp_log.setLevel(logging.WARNING)


class WebServer:
    """One port, and who answers there. What nobody answers gets an error as JSON: `{"error": "…"}`."""

    def __init__(self, routes: Iterable[web.AbstractRouteDef], *, tls: ssl.SSLContext | None = None) -> None:
        self._routes = list(routes)
        self._tls = tls
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that it is. Port 0 takes a free one. Raises `OSError`."""
        application = web.Application(
            logger=_aiohttp_log, middlewares=[_errors_as_json], client_max_size=LARGEST_BODY
        )
        application.add_routes(self._routes)
        runner = web.AppRunner(
            application,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=LONGEST_SILENCE,
            shutdown_timeout=CLOSE_PATIENCE,
        )
        await runner.setup()
        self._runner = runner
        site = web.TCPSite(runner, host, port, ssl_context=self._tls)
        await site.start()
        return int(runner.addresses[0][1])

    async def stop_listening(self) -> None:
        """Take no more connections; those that are open stay so."""
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()

    async def stop(self) -> None:
        """Close every connection and the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def json_answer(value: JsonObject) -> web.Response:
    """What was asked for."""
    return web.Response(text=json.dumps(value), content_type="application/json")


def json_error(status: int, text: str, **more: object) -> web.Response:
    """A refusal as every client of ours reads it."""
    return web.Response(
        status=status, text=json.dumps({"error": text, **more}), content_type="application/json"
    )


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        # Without the path, which may be somebody's own address.
        answer = json_error(error.status, f"{error.reason}: {request.method}")
        if allowed := error.headers.get("Allow"):
            answer.headers["Allow"] = allowed
        return answer
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception:  # noqa: BLE001 - a defect, to be seen in the log; the server goes on
        _log.exception("a request failed unexpectedly")
        return json_error(500, "the server failed; its log says more")

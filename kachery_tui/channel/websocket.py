"""The WebSocket that the pub-sub SDK talks over, opened by the same proxies and certificates as the bucket's lines."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from kachery_tui.channel.proxies import Proxy, proxy_for
from kachery_tui.channel.refusals import from_proxy, from_tunnel
from kachery_tui.channel.trust import tls_context
from kachery_tui.errors import KacheryError


@contextlib.asynccontextmanager
async def open_websocket(url: str, *, additional_headers: Mapping[str, str]) -> AsyncIterator[Any]:
    """In the place of `websockets.connect`, as the SDK calls it.

    Raises what that raises; where a proxy is in the way, a KacheryError that names it.
    """
    from websockets import connect  # the SDK has imported it by now; a node without pub-sub needs none of it
    from websockets.exceptions import ProxyError

    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    proxy = proxy_for("https" if secure else "http", host, port)
    options: dict[str, Any] = {"ssl": await asyncio.to_thread(tls_context)} if secure else {}
    try:
        opened = await connect(
            url, additional_headers=additional_headers, proxy=proxy.url if proxy else None, **options
        )
    except (ProxyError, OSError) as error:
        if proxy is None:
            raise
        raise _from_proxy(proxy, host, port, error) from error
    async with opened:
        yield opened


def _from_proxy(proxy: Proxy, host: str, port: int, error: Exception) -> KacheryError:
    from websockets.exceptions import InvalidProxyStatus

    what = f"cannot reach the pub-sub service at {host}:{port}"
    if isinstance(error, InvalidProxyStatus):
        return from_tunnel(what, proxy, host, error.response.status_code, error.response.reason_phrase)
    return from_proxy(what, proxy, host, error)

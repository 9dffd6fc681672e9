"""What answers on a hub's port: the pub-sub service, by WebSocket."""

from aiohttp import web

from kachery_tui.hub.pubsub.auth import Keys
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.hub.pubsub.server import PubSubServer
from kachery_tui.hub.web import WebServer


class Front:
    """One port with everything that a hub serves but the bucket."""

    def __init__(self, keys: Keys, limits: Limits) -> None:
        self.pubsub = PubSubServer(keys, limits)
        self._web = WebServer([web.get("/", self._root)])

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that it is. Port 0 takes a free one. Raises `OSError`."""
        self.pubsub.start()
        return await self._web.start(host, port)

    async def stop(self) -> None:
        """Close every connection and the port."""
        await self._web.stop()
        await self.pubsub.stop()

    async def _root(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.pubsub.connect(request)
        raise web.HTTPNotFound

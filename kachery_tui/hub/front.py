"""What answers on a hub's port: the pub-sub service, by WebSocket, and the channels' authority, by HTTP."""

import ssl
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from aiohttp import web

from kachery_tui.authority.office import Office
from kachery_tui.authority.values import Member
from kachery_tui.authority.web import WebServer
from kachery_tui.config import ChannelConfig
from kachery_tui.hub.pubsub.auth import Capability, Key, Keys
from kachery_tui.hub.pubsub.limits import Limits
from kachery_tui.hub.pubsub.server import PubSubServer
from kachery_tui.protocol.roles import capability


class Front:
    """One port with everything that a hub serves but the bucket."""

    def __init__(
        self,
        folder: Path,
        channels: Sequence[ChannelConfig],
        *,
        bucket_folder: Path,
        secret: bytes,
        shared_key: str | None,
        limits: Limits,
        hosts: Collection[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`shared_key` is a pub-sub key that is good for every channel; for `hosts` see `AuthorityService`.

        Raises `KacheryError`. Blocks.
        """
        self._keys: Mapping[str, Key] = {
            config.name: Key.parse(config.pubsub.key, channel=config.name) for config in channels
        }
        shared = [Key.parse(shared_key)] if shared_key else []
        self.pubsub = PubSubServer(Keys([*self._keys.values(), *shared]), limits)
        self._office = Office(
            folder,
            channels,
            secret=secret,
            own_pubsub=True,
            on_member=self._take_member,
            hosts=hosts,
            bucket_folder=bucket_folder,
        )
        self._web = WebServer([web.get("/", self._root), *self._office.routes], tls=tls)

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that it is. Port 0 takes a free one. Raises `OSError`, and `KacheryError`."""
        await self._office.start()
        self.pubsub.start()
        return await self._web.start(host, port)

    async def announce(self, url: str) -> None:
        """Write down for the owner where members reach the channels. Raises `KacheryError`."""
        await self._office.announce(url)

    async def stop(self) -> None:
        """Close every connection and the port."""
        await self._web.stop_listening()
        await self.pubsub.stop()
        await self._web.stop()
        await self._office.close()

    async def _root(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.pubsub.connect(request)
        return await self._office.page.show(request)

    def _take_member(self, channel: str, member: Member) -> None:
        """Have the pub-sub service know what a member may do now, over the connections that are open."""
        key = self._keys[channel].name
        self.pubsub.broker.set_generation(key, member.node_id, member.generation)
        roles = member.may
        allowed = Capability.of(capability(channel, roles)) if roles else None
        self.pubsub.restrict(key, member.node_id, allowed)

"""An authority as a whole: register, bucket and service, put together."""

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kachery_tui.authority.asking import askers
from kachery_tui.authority.bucket_door import BucketDoor
from kachery_tui.authority.desks import OnMember
from kachery_tui.authority.living_client import LivingClient
from kachery_tui.authority.old_daemons import OldDaemons
from kachery_tui.authority.page import Page
from kachery_tui.authority.register import Register
from kachery_tui.authority.routes import AuthorityRoutes
from kachery_tui.authority.service import AuthorityService
from kachery_tui.authority.uploads import Uploads
from kachery_tui.config import ChannelConfig

if TYPE_CHECKING:
    from aiohttp import web


class Office:
    """The authority of some channels, whose keys the channel files hold. `folder` is where the register is."""

    def __init__(
        self,
        folder: Path,
        channels: Sequence[ChannelConfig],
        *,
        secret: bytes,
        own_pubsub: bool,
        on_member: OnMember,
        hosts: Collection[str] = (),
        bucket_folder: Path | None = None,
    ) -> None:
        """`bucket_folder` is the bucket of all channels, where that is a folder of this machine.

        Raises `KacheryError` where the register cannot be used. Blocks.
        """
        uploads = Uploads(secret)
        self._register = Register(folder)
        self._door = BucketDoor(channels, bucket_folder)
        self._askers = askers(channels, secret)
        self._service = AuthorityService(
            self._register, channels, uploads, own_pubsub=own_pubsub, on_member=on_member, hosts=hosts
        )
        living = LivingClient(self._service, self._door, self._askers)
        old = OldDaemons(self._service, secret)
        routes = AuthorityRoutes(self._service, uploads, self._door, living, old)
        self.page = Page()
        self.routes: Sequence[web.RouteDef] = routes.routes()

    async def start(self) -> None:
        """Read the register. Raises `KacheryError`."""
        await self._service.start()

    async def announce(self, url: str) -> None:
        """Write down for the owner where members reach the channels. Raises `KacheryError`."""
        await asyncio.to_thread(self._register.set_served, dict.fromkeys(self._service.names, url))

    async def close(self) -> None:
        """Write what waits, and let go of everything."""
        for asker in self._askers.values():
            await asker.close()
        await self._service.close()
        await self._door.close()
        self._register.close()

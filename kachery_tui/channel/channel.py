"""One channel: its configuration, its authority, its pub-sub and its bucket, put together."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from kachery_tui.channel.authority import Authority, OwnerAuthority
from kachery_tui.channel.bucket import Bucket
from kachery_tui.channel.member_authority import MemberAuthority
from kachery_tui.channel.pubsub import OnMessage, PubSub
from kachery_tui.channel.s3 import S3
from kachery_tui.errors import KacheryError
from kachery_tui.protocol.keys import PrivateKey

if TYPE_CHECKING:
    from kachery_tui.config import ChannelConfig

_log = logging.getLogger(__name__)


class Channel:
    """Everything of one channel that is not on this machine. Used by one event loop."""

    def __init__(
        self,
        config: "ChannelConfig",
        *,
        key: PrivateKey,
        label: str,
        on_message: OnMessage,
        on_change: Callable[[], None],
        on_grant: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_grant` is called when what the channel grants, or why it does not, may read differently.

        It is to have `PubSub.set_roles` called, by which that takes effect.
        """
        self._preparing: asyncio.Task[None] | None = None
        self.config = config
        self.authority: Authority
        if config.authority:
            self.authority = MemberAuthority(config.authority, config.name, key, label, on_change=on_grant)
            self.bucket = Bucket(
                config.bucket, read_url=self.authority.read_url, upload_rate=config.limits.upload_rate
            )
        else:
            s3 = S3(config.bucket)
            self.authority = OwnerAuthority(config, key.node_id, s3)
            self.bucket = Bucket(config.bucket, s3, upload_rate=config.limits.upload_rate)
        self.pubsub = PubSub(
            config,
            self.authority,
            node_id=key.node_id,
            label=label,
            on_message=on_message,
            on_change=on_change,
        )

    async def start(self, *, connects: bool = True) -> None:
        """Begin to connect, and return at once. Without `connects`, the pub-sub waits for `PubSub.start`."""
        if connects:
            await self.pubsub.start()
        self._preparing = asyncio.create_task(self._prepare(), name=f"bucket of {self.config.name}")

    async def _prepare(self) -> None:
        """Load what the first request would have to wait a second for."""
        try:
            await self.bucket.prepare()
        except KacheryError as error:
            # Whoever uses the bucket gets the same error; this says it before that.
            _log.warning("%s: %s", self.config.name, error)

    async def close(self) -> None:
        """Leave the streams, close the connections."""
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        await self.pubsub.close()
        await self.bucket.close()
        await self.authority.close()

"""One channel: its configuration, its authority, its pub-sub and its bucket, put together."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from kachery_tui.channel.authority import Authority, OwnerAuthority
from kachery_tui.channel.bucket import Bucket
from kachery_tui.channel.pubsub import OnMessage, PubSub
from kachery_tui.channel.s3 import S3
from kachery_tui.errors import KacheryError

if TYPE_CHECKING:
    from kachery_tui.config import ChannelConfig

_log = logging.getLogger(__name__)


class Channel:
    """Everything of one channel that is not on this machine. Used by one event loop."""

    def __init__(
        self,
        config: "ChannelConfig",
        *,
        node_id: str,
        label: str,
        on_message: OnMessage,
        on_change: Callable[[], None],
        authority: Authority | None = None,
    ) -> None:
        s3 = S3(config.bucket)
        self._preparing: asyncio.Task[None] | None = None
        self.config = config
        self.authority: Authority = authority or OwnerAuthority(config, node_id, s3)
        self.bucket = Bucket(config.bucket, s3)
        self.pubsub = PubSub(
            config, self.authority, node_id=node_id, label=label, on_message=on_message, on_change=on_change
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

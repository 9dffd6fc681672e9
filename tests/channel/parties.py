"""Nodes' pub-sub over the real SDK, and what they heard."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

from kachery_tui.channel.ably_sdk import Timing
from kachery_tui.channel.authority import Authority, OwnerAuthority
from kachery_tui.channel.pubsub import PubSub
from kachery_tui.channel.values import ConnectionState, StreamState
from kachery_tui.config import ChannelConfig
from kachery_tui.protocol.roles import Role, Stream, publishes, subscribes

QUICK = Timing(retry=0.2, suspended_retry=0.3, refused_retry=0.4, longest_retry=0.8, request=3.0)
ALL_OFF = StreamState()
FILES = frozenset({Role.REQUEST_FILES, Role.PROVIDE_FILES})


class Party:
    """A node's pub-sub, and what it has heard."""

    def __init__(self, config: ChannelConfig, number: int, authority: Authority | None = None) -> None:
        self.node_id = f"{number:02x}" * 32
        self.heard: list[tuple[Stream, bytes | str, str | None]] = []
        self.changed = asyncio.Event()
        self.changes = 0
        self.pubsub = PubSub(
            config,
            authority or OwnerAuthority(config, self.node_id),
            node_id=self.node_id,
            label=f"node {number}",
            on_message=lambda *message: self._note(message),
            on_change=lambda: self._note(None),
            timing=QUICK,
        )

    def _note(self, message: tuple[Stream, bytes | str, str | None] | None) -> None:
        if message is not None:
            self.heard.append(message)
        self.changes += 1
        self.changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait for a condition that `on_change` or `on_message` announces."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def in_force(self) -> None:
        """Wait until everything that the roles give is in force."""
        await self.until(lambda: self.is_settled())

    def is_settled(self) -> bool:
        roles = self.pubsub.roles
        may_publish, subscribed = publishes(roles), subscribes(roles)
        return self.pubsub.connection.state is ConnectionState.CONNECTED and all(
            (state.may_publish, state.subscribed) == (stream in may_publish, stream in subscribed)
            for stream, state in self.pubsub.in_force.items()
        )

    @property
    def connection_id(self) -> str:
        found = self.pubsub._client.connection.connection_manager.connection_id
        assert isinstance(found, str)
        return found


@asynccontextmanager
async def party(
    config: ChannelConfig,
    number: int,
    roles: Iterable[Role],
    authority: Authority | None = None,
    *,
    wait: bool = True,
) -> AsyncIterator[Party]:
    made = Party(replace(config, roles=frozenset(roles)), number, authority)
    await made.pubsub.start()
    try:
        if wait:
            await made.in_force()
        yield made
    finally:
        await made.pubsub.close()
        assert made.pubsub.connection.state is ConnectionState.CLOSED

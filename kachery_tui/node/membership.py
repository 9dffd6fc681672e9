"""This node's part in one channel: roles, connection, what it publishes and hears there."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from kachery_tui.channel.channel import Channel
from kachery_tui.config import ChannelConfig, Provide
from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError
from kachery_tui.node.activity import StreamActivity
from kachery_tui.node.inbox import Inbox
from kachery_tui.node.outbox import Outbox
from kachery_tui.node.supervisor import Supervisor
from kachery_tui.node.values import Connection, ConnectionState, Member
from kachery_tui.protocol.envelope import Envelope
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.messages import Body
from kachery_tui.protocol.roles import ROLE_TABLE, Role, Stream, role_to_publish

_log = logging.getLogger(__name__)

RECONNECT_PATIENCE: Final = 300.0
"""Seconds that an exchange under way waits for a lost service to come back before it gives up."""

ROLE_PATIENCE: Final = 10.0
"""Seconds from being connected until the streams are attached, at the most."""

PUBLISH_PAUSE: Final = 1.0
"""Seconds before a message that the service did not take is published again over the same connection."""

BUCKET_HEAD_START: Final = 0.2
"""Seconds that a bucket has to answer before a node that connects late connects all the same: loading the pub-sub's SDK
takes longer than most buckets do, and holds them up."""

Deliver = Callable[["Membership", Envelope, int], None]


class ChannelLeft(KacheryError):
    """This node takes part in the channel no longer."""


def joined(memberships: Mapping[str, "Membership"], channel: str) -> "Membership":
    """The membership of a channel that a person named. Raises `UsageError` where there is none."""
    membership = memberships.get(channel)
    if membership is None:
        names = ", ".join(sorted(memberships)) or "none"
        raise UsageError(
            f"no channel {channel!r}", f"joined: {names}", "Join it with `kachery-tui channel join`"
        )
    return membership


class Membership:
    """One channel that this node takes part in.

    `mask` are the roles that this node can make use of at all: a node that serves one request of the command line
    provides nothing, whatever the channel file asks for. `version` grows with every change of what is shown here;
    the streams' activity has versions of its own.
    """

    def __init__(
        self,
        config: ChannelConfig,
        key: PrivateKey,
        label: str,
        supervisor: Supervisor,
        deliver: Deliver,
        *,
        mask: frozenset[Role] = frozenset(Role),
        connects_late: bool = False,
    ) -> None:
        """`connects_late`: only when the pub-sub is needed, or soon. What the bucket has costs no connection then."""
        self.config = config
        self.version = 0
        self.reconnects = 0
        """How often the connection was made; whoever waits for an answer compares it."""
        self.activity: Mapping[Stream, StreamActivity] = {stream: StreamActivity(stream) for stream in Stream}
        self.upload_slots = asyncio.Semaphore(config.limits.uploads)
        self._mask = mask
        self._supervisor = supervisor
        self._changed = asyncio.Event()
        self._was_connected = False
        self._inbox = Inbox(
            self.activity,
            lambda _stream, envelope, number: deliver(self, envelope, number),
            requests_per_second=config.limits.requests_per_second,
        )
        self.channel = Channel(
            config,
            key=key,
            label=label,
            on_message=self._inbox.put_message,
            on_change=self._look,
            on_grant=self._take_grant,
        )
        self._outbox = Outbox(self.channel.pubsub.publish, self.activity, key)
        self._services: list[asyncio.Task[None]] = []
        self._connects_late = connects_late
        self._needed = asyncio.Event()
        self.has_left = False

    @property
    def name(self) -> str:
        """The channel's name."""
        return self.config.name

    @property
    def asked(self) -> frozenset[Role]:
        """The roles that this node's owner asked for."""
        return self.config.roles & self._mask

    @property
    def granted(self) -> frozenset[Role]:
        """The roles that the channel grants this node."""
        return self.channel.authority.granted

    @property
    def roles(self) -> frozenset[Role]:
        """The roles that this node has: asked for and granted."""
        return self.asked & self.granted

    @property
    def in_force(self) -> frozenset[Role]:
        """The roles that work at this moment: had, connected, and confirmed by the service."""
        if not self.is_connected:
            return frozenset()
        return frozenset(
            role
            for role in self.roles
            if self.activity[ROLE_TABLE[role].publishes].may_publish
            and self.activity[ROLE_TABLE[role].subscribes].subscribed
        )

    @property
    def connection(self) -> Connection:
        """The state of the connection to the pub-sub service."""
        return self.channel.pubsub.connection

    @property
    def is_connected(self) -> bool:
        """Whether the pub-sub service is reached at this moment."""
        return self.connection.state is ConnectionState.CONNECTED

    def members(self, stream: Stream) -> tuple[Member, ...]:
        """Who is present on a stream that this node listens to: the nodes that publish there."""
        return self.channel.pubsub.members(stream)

    def label_of(self, node_id: str) -> str | None:
        """The label under which a node is present on this channel."""
        for stream in Stream:
            for member in self.members(stream):
                if member.node_id == node_id:
                    return member.label
        return None

    async def start(self) -> None:
        """Begin to connect; returns without waiting for the service."""
        self._services.append(self._supervisor.serve(self._inbox.process_messages, f"{self.name}: inbox"))
        for stream in Stream:
            send = partial(self._outbox.send_messages, stream)
            self._services.append(self._supervisor.serve(send, f"{self.name}: {stream} outbox"))
        follow = self.channel.authority.follow
        self._services.append(self._supervisor.serve(follow, f"{self.name}: authority"))
        await self.channel.pubsub.set_roles(self.roles)
        await self.channel.start(connects=not self._connects_late)
        if self._connects_late:
            late = self._supervisor.spawn(self._connect_late(), f"{self.name}: connect", service=True)
            self._services.append(late)

    async def _connect_late(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(BUCKET_HEAD_START):
                await self._needed.wait()
        await self.channel.pubsub.start()

    async def close(self) -> None:
        """Leave the channel: presence, connection, queues."""
        for service in self._services:
            service.cancel()
        self.has_left = True
        self._outbox.close()
        self._touch()
        await asyncio.gather(*self._services, return_exceptions=True)
        await self.channel.close()

    def _take_grant(self) -> None:
        """The owner grants more, or less, or has been heard of again."""
        self._touch()
        if not self.has_left:
            self._supervisor.spawn(
                self.channel.pubsub.set_roles(self.roles), f"{self.name}: roles", service=True
            )

    async def set_roles(self, asked: frozenset[Role]) -> None:
        """Ask for exactly these roles from now on; takes effect over the open connection."""
        self.config = replace(self.config, roles=asked)
        self._touch()
        await self.channel.pubsub.set_roles(self.roles)

    def set_provide(self, provide: Provide) -> None:
        """Send what others ask for by itself from now on, or ask a person first; what waits goes on waiting."""
        self.config = replace(self.config, provide=provide)
        self._touch()

    def require(self, role: Role) -> None:
        """Raise `NotAllowed` unless this node has `role` here."""
        self._require_joined()
        if role in self.roles:
            return
        if role not in self.asked:
            command = f"kachery-tui channel roles {self.name} +{role}"
            do = f"Ask for the role in the channels pane, or by `{command}`"
            raise NotAllowed(f"no role {role} on {self.name}", "this node does not ask for it", do)
        raise NotAllowed(
            f"no role {role} on {self.name}",
            "the channel does not grant it",
            "Ask the channel's owner for it",
        )

    def _require_joined(self) -> None:
        if self.has_left:
            raise self.left()

    def left(self) -> ChannelLeft:
        """What to raise of work that the leaving of this channel has ended."""
        return ChannelLeft(
            f"{self.name} is of no use any more", "the channel was left", "Join it, then retry"
        )

    async def publish(self, body: Body, *, request: int | None = None) -> None:
        """Publish on the stream that the message belongs to, and wait until the service has it.

        Raises `NotAllowed` without the role, `TryAgain` while there is no connection.
        """
        self.require(role_to_publish(body.STREAM))
        await self._outbox.put_body(body.STREAM, body, request=request)

    async def publish_patiently(self, body: Body, *, request: int | None = None) -> None:
        """Publish, waiting for a lost connection to come back first.

        Raises as `publish` does; `TryAgain` after `RECONNECT_PATIENCE` seconds without the service.
        """
        while True:
            await self.wait_connected()
            made = self.reconnects
            try:
                return await self.publish(body, request=request)
            except TryAgain as error:
                _log.info("%s: %s; publishing again", self.name, error)
                with suppress(TimeoutError):
                    async with asyncio.timeout(PUBLISH_PAUSE):
                        await self.wait_reconnected(made)

    async def wait_connected(self) -> None:
        """Wait until the pub-sub service is reached. Raises `TryAgain` after `RECONNECT_PATIENCE` seconds."""
        self._needed.set()
        try:
            async with asyncio.timeout(RECONNECT_PATIENCE):
                self._require_joined()
                while not self.is_connected:
                    await self._changed.wait()
                    self._require_joined()
        except TimeoutError:
            raise TryAgain(
                f"the pub-sub service of {self.name} cannot be reached",
                self.connection.reason or f"no connection within {RECONNECT_PATIENCE:.0f} s",
                "Check the network and the channel's service, then try again",
            ) from None

    async def ready_for(self, role: Role, reconnecting: Callable[[], None]) -> None:
        """Wait until the service is reached and `role` is in force; `reconnecting` is called if it is not reached now.

        Raises `NotAllowed` without the role, `TryAgain` when one of the two does not come to be.
        """
        self.require(role)
        if not self.is_connected:
            reconnecting()
            await self.wait_connected()
        if not await self.wait_role(role, ROLE_PATIENCE):
            streams = ROLE_TABLE[role]
            raise TryAgain(
                f"the role {role} is not in force on {self.name}",
                self.activity[streams.publishes].problem
                or self.activity[streams.subscribes].problem
                or f"the service did not confirm it within {ROLE_PATIENCE:.0f} s",
                "Look at the channel's roles",
            )

    async def wait_role(self, role: Role, patience: float) -> bool:
        """Wait until `role` is in force; whether it came to be within `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                while role not in self.in_force:
                    await self._changed.wait()
                    self._require_joined()
        except TimeoutError:
            return False
        return True

    async def wait_reconnected(self, made: int) -> None:
        """Wait for a connection later than number `made` (of `reconnects`), or until the channel is left."""
        while self.reconnects == made and not self.has_left:
            await self._changed.wait()

    async def wait_changed(self, version: int) -> None:
        """Wait until `version` is not that of this membership any more."""
        while self.version == version:
            await self._changed.wait()

    def _look(self) -> None:
        """Take over what the pub-sub service says of the connection and the streams."""
        states = self.channel.pubsub.in_force
        for stream, activity in self.activity.items():
            state = states[stream]
            found = (state.subscribed, state.may_publish, state.problem)
            if found != (activity.subscribed, activity.may_publish, activity.problem):
                activity.subscribed, activity.may_publish, activity.problem = found
                activity.version += 1
        if self.is_connected and not self._was_connected:
            self.reconnects += 1
        self._was_connected = self.is_connected
        self._touch()

    def _touch(self) -> None:
        self.version += 1
        # Waiters look again at what they wait for; the fresh event is for those that come after.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

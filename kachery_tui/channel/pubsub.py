"""A channel's six streams over the ably SDK, in line with the roles, for as long as it takes.

One loop looks at what is wanted and what is, does what is missing, and sleeps until something changes. It never
gives up: whatever state a service that went away left behind, the next look starts from what is wanted.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from kachery_tui.channel.ably_sdk import (
    REFUSED_BACKOFF,
    Timing,
    close_client,
    is_hollow,
    load_sdk,
    make_client,
)
from kachery_tui.channel.attachment import LONGEST_LABEL, Attachment
from kachery_tui.channel.authority import jwt_lifetime
from kachery_tui.channel.errors import from_ably, is_token_error
from kachery_tui.channel.values import Connection, ConnectionState, Member, StreamState
from kachery_tui.errors import KacheryError, NotAllowed, TryAgain
from kachery_tui.protocol.roles import Role, Stream, publishes, pubsub_name, role_to_publish, subscribes

if TYPE_CHECKING:
    from kachery_tui.channel.authority import Authority
    from kachery_tui.config import ChannelConfig

_log = logging.getLogger(__name__)

RENEW_AT: Final = 0.8
"""The part of its life after which a token is renewed, well before the service would ask for it."""
DEFAULT_LIFETIME: Final = 3600.0
"""Seconds assumed of a token that does not say."""
LOOK_EVERY: Final = 10.0
"""Seconds between two looks at a connection of which nothing is heard."""
HOLLOW_GRACE: Final = 1.0
"""Seconds for which the SDK may be without a transport, as between two of them."""
STALE_CLOSE: Final = 0.5
"""Seconds for the farewell over a connection that is most likely dead."""

OnMessage = Callable[[Stream, "bytes | str", "str | None"], None]


class PubSub:
    """One node's presence on one channel's streams. Used by one event loop.

    `on_message` is called in the loop with each message's stream, raw data, and the id of the connection over which it
    came, as the service vouches for it. `on_change` is called whenever `connection`, `in_force` or `members` may read
    differently.
    """

    def __init__(
        self,
        config: "ChannelConfig",
        authority: "Authority",
        *,
        node_id: str,
        label: str,
        on_message: OnMessage,
        on_change: Callable[[], None],
        timing: Timing | None = None,
    ) -> None:
        self._config = config
        self._authority = authority
        self._node_id = node_id
        self._presence_data = {"label": label[:LONGEST_LABEL]}
        self._on_message = on_message
        self._on_change = on_change
        self._timing = timing or Timing()
        self._roles = config.roles & authority.granted
        self._connection = Connection(ConnectionState.CLOSED, "not started", time.time())
        self._connected = asyncio.Event()
        self._wake = asyncio.Event()
        self._looked = asyncio.Condition()
        self._applied: frozenset[Role] | None = None
        self._task: asyncio.Task[None] | None = None
        self._sdk: Any = None
        self._client: Any = None
        self._attachments: dict[Stream, Attachment] = {}
        self._token_roles: frozenset[Role] | None = None
        self._token_due = 0.0
        self._token_failure: KacheryError | None = None
        self._hollow_since: float | None = None
        self._retry_at = 0.0
        self._refused_pause = self._timing.refused_retry

    @property
    def connection(self) -> Connection:
        """How the connection stands."""
        return self._connection

    @property
    def roles(self) -> frozenset[Role]:
        """The roles asked for that the channel grants."""
        return self._roles

    @property
    def in_force(self) -> Mapping[Stream, StreamState]:
        """What the service has let us have, for each of the six streams."""
        connected = self._connection.state is ConnectionState.CONNECTED
        found = {stream: attachment.in_force for stream, attachment in self._attachments.items() if connected}
        return {stream: found.get(stream, StreamState()) for stream in Stream}

    def members(self, stream: Stream) -> tuple[Member, ...]:
        """Nodes present on a stream that we subscribe to, this one included where it publishes there."""
        attachment = self._attachments.get(stream)
        return attachment.members() if attachment is not None else ()

    async def start(self) -> None:
        """Begin, and return at once; whether and when the service is reached shows in `connection`."""
        if self._task is None:
            if self._roles:
                self._set_connection(ConnectionState.CONNECTING, "")
            self._task = asyncio.create_task(self._run(), name=f"pub-sub of {self._config.name}")

    async def close(self) -> None:
        """Leave every stream and close the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._drop_client("closed")

    def reconnect(self, reason: str) -> None:
        """Begin anew, whatever is believed of the connection there is; `reason` is shown until the new one stands."""
        if self._task is None or self._client is None:
            return
        self._task.cancel()
        self._set_connection(ConnectionState.DISCONNECTED, reason)
        self._task = asyncio.create_task(self._run_anew(self._task), name=f"pub-sub of {self._config.name}")

    async def _run_anew(self, before: "asyncio.Task[None]") -> None:
        await asyncio.wait({before})
        await self._discard_client(STALE_CLOSE)
        await self._run()

    async def set_roles(self, roles: Iterable[Role]) -> None:
        """Change the roles over the open connection: a new token, then streams attached and detached.

        Roles that the channel does not grant are left out. Returns once the change has been tried.
        """
        self._roles = frozenset(roles) & self._authority.granted
        if self._task is None or self._task.done():
            return
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timing.request), self._looked:
                await self._looked.wait_for(lambda: self._at_rest or not self._connected.is_set())

    @property
    def _at_rest(self) -> bool:
        return self._applied == self._token_roles == self._roles and all(
            attachment.at_rest for attachment in self._attachments.values()
        )

    async def wait_connected(self, seconds: float) -> None:
        """Wait until connected. Raises TryAgain with the reason after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._connected.wait()
        except TimeoutError:
            raise TryAgain(
                f"channel {self._config.name} is not connected", self._connection.reason or "no answer yet"
            ) from None

    async def publish(self, stream: Stream, data: bytes) -> None:
        """Publish, and wait for the service's acknowledgement.

        Raises NotAllowed without the role or where the service refuses, TryAgain where it cannot be reached, and
        KacheryError for what is too large.
        """
        what = f"cannot publish on {stream} of channel {self._config.name}"
        if stream not in publishes(self._roles):
            role = role_to_publish(stream)
            raise NotAllowed(what, f"this node has not the role {role}", f"grant it: channel roles +{role}")
        attachment = self._attachments.get(stream)
        if self._connection.state is not ConnectionState.CONNECTED or attachment is None:
            raise TryAgain(what, self._connection.reason or "not connected")
        try:
            await attachment.send(data)
        except Exception as error:
            failure = from_ably(what, error)
            if isinstance(failure, NotAllowed) and not (self._at_rest and attachment.in_force.may_publish):
                # The service knows of the roles that were before.
                raise TryAgain(what, "the role is not in force yet") from error
            raise failure from error

    async def _run(self) -> None:
        self._sdk = await load_sdk()
        while True:
            self._wake.clear()
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - seen in the log, and the next look starts afresh
                _log.exception("channel %s: pub-sub: %s", self._config.name, type(error).__name__)
                self._retry_at = time.monotonic() + self._timing.retry
            async with self._looked:
                self._looked.notify_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()

    def _pause(self) -> float:
        """Seconds until there is something to do even if nothing changes."""
        due = [self._token_due] if self._connected.is_set() else [self._retry_at]
        due += [time.monotonic() + (LOOK_EVERY if self._hollow_since is None else HOLLOW_GRACE)]
        due += [
            attachment.retry_at
            for attachment in self._attachments.values()
            if attachment.retry_at is not None
        ]
        return max(0.05, min(due) - time.monotonic())

    async def _look(self) -> None:
        """Do what is missing between what is wanted and what is."""
        if not self._roles:
            await self._drop_client(self._authority.reason)
            self._retry_at = time.monotonic() + 3600
            return
        if self._client is None:
            await self._start_client()
            return
        if self._client.connection.state.value != "connected":
            await self._revive()
            return
        if self._is_hollow():
            self._set_connection(ConnectionState.DISCONNECTED, "the connection was lost")
            await self._discard_client(STALE_CLOSE)
            await self._start_client()
            return
        await self._apply_roles()
        await asyncio.gather(*(attachment.settle() for attachment in self._attachments.values()))

    def _is_hollow(self) -> bool:
        """Whether the connection has been without substance for longer than it takes to get a new transport."""
        now = time.monotonic()
        if not is_hollow(self._client):
            self._hollow_since = None
        elif self._hollow_since is None:
            self._hollow_since = now
        return self._hollow_since is not None and now - self._hollow_since >= HOLLOW_GRACE

    async def _start_client(self) -> None:
        place = await self._authority.pubsub_place()
        self._client = await make_client(
            self._sdk,
            token=self._token,
            client_id=self._node_id,
            endpoint=place.endpoint,
            tls=place.tls,
            timing=self._timing,
        )
        self._attachments = {
            stream: Attachment(
                self._sdk,
                self._client,
                stream,
                pubsub_name(self._config.name, stream),
                presence_data=self._presence_data,
                on_message=self._on_message,
                changed=self._changed,
                timing=self._timing,
            )
            for stream in Stream
        }
        self._client.connection.on(self._connection_changed)
        if self._connection.state is ConnectionState.CLOSED:
            self._set_connection(ConnectionState.CONNECTING, "")
        self._retry_at = self._patience()
        self._client.connect()

    def _patience(self) -> float:
        """When to step in if the SDK has got nowhere: its own attempts end sooner."""
        return time.monotonic() + 2 * self._timing.request + self._timing.suspended_retry

    async def _revive(self) -> None:
        """Help a connection that the SDK does not bring back by itself.

        Left alone it stays FAILED for good, comes back with the same token that was refused, and waits for ever
        after some errors inside of it.
        """
        if time.monotonic() < self._retry_at:
            return
        self._retry_at = self._patience()
        if self._client.connection.state.value == "failed":
            self._refused_pause = min(self._refused_pause * REFUSED_BACKOFF, self._timing.longest_retry)
        await self._authorize()

    async def _apply_roles(self) -> None:
        """Bring token and streams in line with the roles, and renew a token that ages."""
        roles, before = self._roles, self._applied
        if roles != before:
            may_publish, may_subscribe = publishes(roles), subscribes(roles)
            wants = [
                attachment.want(publish=stream in may_publish, subscribe=stream in may_subscribe)
                for stream, attachment in self._attachments.items()
            ]
            await asyncio.gather(*wants)
            self._applied = roles
        changed = before is not None and roles != before
        if changed or self._token_roles != roles or time.monotonic() >= self._token_due:
            await self._authorize()

    async def _authorize(self) -> None:
        """Get a new token and bring it to the service, over the open connection or a new one."""
        try:
            async with asyncio.timeout(self._timing.request):
                await self._client.auth.authorize()
        except Exception as error:  # noqa: BLE001 - the SDK raises of all kinds
            failure = from_ably(f"channel {self._config.name}: no new token in force", error)
            _log.warning("%s", failure)
            self._token_due = time.monotonic() + self._timing.refused_retry
            if self._connection.state is ConnectionState.DISCONNECTED:
                self._retry_at = time.monotonic() + self._timing.retry
            if not self._connected.is_set():
                self._set_connection(self._connection.state, failure.why)

    async def _token(self, _parameters: Any) -> Any:
        """The SDK's way to ask for a token."""
        roles = self._roles
        try:
            token = await self._authority.pubsub_token(roles)
        except KacheryError as failure:
            self._token_failure = failure
            raise
        self._token_failure = None
        self._token_roles = roles
        self._token_due = time.monotonic() + RENEW_AT * (jwt_lifetime(token) or DEFAULT_LIFETIME)
        details = self._sdk.types.tokendetails.TokenDetails
        # The SDK insists that a token carries the client id that it was made with.
        return details(token=token, client_id=self._node_id)

    def _connection_changed(self, change: Any) -> None:
        state = change.current.value
        now = time.monotonic()
        if state == "connected":
            self._refused_pause = self._timing.refused_retry
            self._set_connection(ConnectionState.CONNECTED, "")
        elif state in ("disconnected", "suspended"):
            no_token = self._token_failure is not None or is_token_error(change.reason)
            self._retry_at = now + self._timing.retry if no_token else self._patience()
            self._set_connection(ConnectionState.DISCONNECTED, self._why(change.reason))
        elif state == "failed":
            manager = self._client.connection.connection_manager
            # Left running, these bring the SDK to DISCONNECTED with a timeout for a reason.
            manager.cancel_transition_timer()
            manager.cancel_suspend_timer()
            self._retry_at = now + self._refused_pause
            self._set_connection(ConnectionState.FAILED, self._why(change.reason))
        self._wake.set()

    def _why(self, reason: Any) -> str:
        if self._token_failure is not None:
            # The SDK only says that its callback failed.
            return f"no token: {self._token_failure.why or self._token_failure.what}"
        if reason is None:
            return "the connection was lost"
        return from_ably("", reason).why

    def _set_connection(self, state: ConnectionState, reason: str) -> None:
        before = self._connection
        if (state, reason) == (before.state, before.reason):
            return
        since = before.since if state is before.state else time.time()
        self._connection = Connection(state, reason, since)
        if state is ConnectionState.CONNECTED:
            self._connected.set()
        else:
            self._connected.clear()
        if state is not before.state:
            level = logging.INFO if state is not ConnectionState.FAILED else logging.WARNING
            _log.log(level, "channel %s: %s %s", self._config.name, state, f"({reason})" if reason else "")
        self._on_change()

    def _changed(self) -> None:
        self._wake.set()
        self._on_change()

    async def _drop_client(self, reason: str) -> None:
        await self._discard_client(self._timing.request)
        self._set_connection(ConnectionState.CLOSED, reason)

    async def _discard_client(self, seconds: float) -> None:
        client, self._client = self._client, None
        self._attachments = {}
        self._token_roles = self._applied = self._hollow_since = None
        if client is not None:
            client.connection.off(self._connection_changed)
            await close_client(client, seconds)

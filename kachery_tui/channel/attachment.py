"""One stream's pub-sub channel: attached, subscribed and entered as far as the roles want it."""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from kachery_tui.channel.ably_sdk import Timing, open_channel
from kachery_tui.channel.errors import from_ably
from kachery_tui.channel.values import Member, StreamState
from kachery_tui.printable import printable
from kachery_tui.protocol.hashes import is_node_id

if TYPE_CHECKING:
    from kachery_tui.protocol.roles import Stream

_log = logging.getLogger(__name__)

LARGEST_MESSAGE: Final = 1_000_000
"""Bytes or characters handed on of one message. Sixteen times what the service takes, so only a strange one is cut,
and is refused as too large by whoever parses it."""
MOST_MEMBERS: Final = 500
"""Members listed of one stream; a stranger may enter presence any number of times."""
LONGEST_LABEL: Final = 64


class Attachment:
    """A stream's channel in the SDK, brought in line with what is wanted by `settle`."""

    def __init__(
        self,
        sdk: Any,
        client: Any,
        stream: "Stream",
        name: str,
        *,
        presence_data: dict[str, str],
        on_message: Callable[["Stream", bytes | str, str | None], None],
        changed: Callable[[], None],
        timing: Timing,
    ) -> None:
        self.stream = stream
        self.publish = False
        self.subscribe = False
        self._sdk = sdk
        self._client = client
        self._channel = open_channel(client, name)
        self._presence_data = presence_data
        self._on_message = on_message
        self._changed = changed
        self._timing = timing
        self._listening = False
        self._watching = False
        self._entered = False
        self._problem = ""
        self._retry_at = 0.0
        self._channel.on(self._state_changed)

    @property
    def retry_at(self) -> float | None:
        """When `settle` has something to do again (`time.monotonic`), if it has."""
        return self._retry_at if self.wanted and self._state == "failed" else None

    @property
    def at_rest(self) -> bool:
        """Whether nothing is under way."""
        return self._state not in ("attaching", "detaching") and not (
            self._state == "attached" and self.publish and not self._entered
        )

    @property
    def wanted(self) -> bool:
        """Whether a role needs this stream at all."""
        return self.publish or self.subscribe

    @property
    def in_force(self) -> StreamState:
        """What the service has let us have."""
        attached = self._state == "attached"
        modes = {mode.name for mode in self._channel.modes}
        subscribed = self.subscribe and attached and (not modes or "SUBSCRIBE" in modes)
        may_publish = self.publish and attached and (not modes or "PUBLISH" in modes)
        problem = self._problem if self.wanted else ""
        if attached and not problem and (subscribed, may_publish) != (self.subscribe, self.publish):
            missing = " and ".join(
                word
                for word, wanted, has in (
                    ("subscribe", self.subscribe, subscribed),
                    ("publish", self.publish, may_publish),
                )
                if wanted and not has
            )
            problem = f"the pub-sub key does not allow this node to {missing} here"
        return StreamState(subscribed, may_publish, problem)

    def members(self) -> tuple[Member, ...]:
        """Nodes present, each once, those that came first before the others."""
        if not self.subscribe or self._state not in ("attached", "attaching"):
            return ()
        found: dict[str, Member] = {}
        for entry in itertools.islice(self._channel.presence.members.values(), 2 * MOST_MEMBERS):
            member = _member(entry)
            known = found.get(member.node_id) if member is not None else None
            if member is not None and (known is None or member.since < known.since):
                found[member.node_id] = member
        return tuple(sorted(found.values(), key=lambda member: member.since)[:MOST_MEMBERS])

    async def want(self, *, publish: bool, subscribe: bool) -> None:
        """Take note of what the roles need now, and let go of what they no longer need.

        To be called before the token changes: the service throws out who keeps more than his token allows. More
        rights come into force when the SDK attaches again, which it does after every change of the token.
        """
        withdrawn = self.publish and not publish
        keeps_some = (self.publish and publish) or (self.subscribe and subscribe)
        self.publish, self.subscribe = publish, subscribe
        if self.wanted:
            self._channel.set_options_without_reattach(self._options())
        if self._state not in ("attached", "attaching"):
            return
        if not keeps_some:
            # Also where one right takes the other's place: with the new token none of the old ones would be left.
            await self._attempt(self._channel.detach())
        elif withdrawn and self._entered:
            await self._attempt(self._channel.presence.leave())
            self._entered = False

    async def settle(self) -> None:
        """Attach, listen and enter presence as far as that is wanted and not done."""
        if not self.wanted:
            return
        state = self._state
        if state in ("initialized", "detached") or (state == "failed" and time.monotonic() >= self._retry_at):
            self._retry_at = time.monotonic() + self._timing.refused_retry
            await self._attempt(self._attach())
        if self._state != "attached":
            return
        if self.publish and not self._entered:
            self._entered = await self._attempt(self._channel.presence.enter(self._presence_data))

    async def send(self, data: bytes) -> None:
        """Publish, and wait for the acknowledgement. Raises what the SDK raises."""
        async with asyncio.timeout(self._timing.request):
            await self._channel.publish(None, data)

    @property
    def _state(self) -> str:
        state: str = self._channel.state.value
        return state

    def _options(self) -> Any:
        from ably.types.channelmode import ChannelMode
        from ably.types.channeloptions import ChannelOptions

        modes = []
        if self.publish:
            modes += [ChannelMode.PRESENCE, ChannelMode.PUBLISH]
        if self.subscribe:
            modes += [ChannelMode.SUBSCRIBE, ChannelMode.PRESENCE_SUBSCRIBE]
        return ChannelOptions(modes=modes)

    async def _attach(self) -> None:
        # Each of the SDK's two ways to listen keeps its listener even if attaching fails.
        if self._listening:
            await self._channel.attach()
        else:
            self._listening = True
            await self._channel.subscribe(self._message)
        if not self._watching:
            self._watching = True
            await self._channel.presence.subscribe(self._presence)

    async def _attempt(self, step: Any) -> bool:
        """Do one step within the time for a request. A failure becomes this stream's problem, in plain words."""
        try:
            async with asyncio.timeout(self._timing.request):
                await step
        except Exception as error:  # noqa: BLE001 - the SDK raises of all kinds, None for a reason among them
            failure = from_ably(f"stream {self.stream}", error)
            self._problem = failure.why
            _log.warning("%s", failure)
            self._changed()
            return False
        return True

    def _state_changed(self, change: Any) -> None:
        if change.current == "attached":
            self._problem = ""
        if change.current != "attached" or not change.resumed:
            self._entered = False
        if change.reason is not None and change.current in ("failed", "suspended"):
            self._problem = from_ably(f"stream {self.stream}", change.reason).why
        self._changed()

    def _presence(self, _event: Any) -> None:
        self._changed()

    def _message(self, message: Any) -> None:
        own = self._client.connection.connection_manager.connection_id
        if not self.subscribe or (own is not None and message.connection_id == own):
            return
        data = message.data
        if isinstance(data, bytearray | bytes):
            piece: bytes | str = bytes(data[:LARGEST_MESSAGE])
        else:
            # Neither bytes nor text is no message of this network; as text it is refused where all others are.
            piece = (data if isinstance(data, str) else repr(data)[:2000])[:LARGEST_MESSAGE]
        sender = message.connection_id
        self._on_message(self.stream, piece, sender if isinstance(sender, str) else None)


def _member(entry: Any) -> Member | None:
    if not is_node_id(entry.client_id):
        return None
    data = entry.data
    label = data.get("label") if isinstance(data, dict) else None
    text = printable(label[:LONGEST_LABEL]) if isinstance(label, str) else ""
    since = entry.timestamp.replace(tzinfo=UTC).timestamp() if entry.timestamp is not None else 0.0
    return Member(entry.client_id, text[:LONGEST_LABEL], since)

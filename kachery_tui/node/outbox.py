"""From message bodies to pub-sub messages: signed, batched when in bursts, never delayed when single."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.node.activity import Direction, StreamActivity, Verdict
from kachery_tui.protocol.canonical import JsonObject, canonical_json
from kachery_tui.protocol.envelope import encode_batches, seal
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.messages import Body
from kachery_tui.protocol.roles import Stream

LONGEST_QUEUE: Final = 5_000
"""Envelopes that may wait for the service to acknowledge those before them."""


@dataclass(slots=True)
class _Outgoing:
    body: Body
    envelope: JsonObject
    request: int | None
    sent: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Outbox:
    """One channel's outgoing messages, a queue a stream.

    What is published while an earlier message waits for its acknowledgement goes out together in the next one.
    """

    def __init__(
        self,
        publish: Callable[[Stream, bytes], Awaitable[None]],
        activity: Mapping[Stream, StreamActivity],
        key: PrivateKey,
    ) -> None:
        self._publish = publish
        self._activity = activity
        self._key = key
        self._queues: dict[Stream, list[_Outgoing]] = {stream: [] for stream in Stream}
        self._filled: dict[Stream, asyncio.Event] = {stream: asyncio.Event() for stream in Stream}
        self._closed: set[Stream] = set()
        """Streams on which nothing is sent any more."""

    async def put_body(self, stream: Stream, body: Body, *, request: int | None = None) -> None:
        """Publish `body` and wait until the service has it.

        Raises `NotAllowed`, `TryAgain` (not connected, or too much waits already), `ProtocolError` for a body that is too
        large, or another `KacheryError`.
        """
        if stream in self._closed:
            raise _closed(stream)
        queue = self._queues[stream]
        if len(queue) >= LONGEST_QUEUE:
            raise TryAgain(f"cannot publish on {stream}", "too many messages wait for the service already")
        outgoing = _Outgoing(body, seal(body, self._key), request)
        # One that is too large is refused here, before it could take those that wait beside it along.
        encode_batches([outgoing.envelope])
        queue.append(outgoing)
        self._filled[stream].set()
        await outgoing.sent

    async def send_messages(self, stream: Stream) -> None:
        """Send what is put on `stream`, until cancelled: then nothing more is taken there."""
        try:
            await self._send_on(stream)
        except asyncio.CancelledError:
            self._close(stream)
            raise

    async def _send_on(self, stream: Stream) -> None:
        while True:
            await self._filled[stream].wait()
            self._filled[stream].clear()
            waiting, self._queues[stream] = self._queues[stream], []
            try:
                for batch in encode_batches([outgoing.envelope for outgoing in waiting]):
                    await self._publish(stream, batch)
            except KacheryError as error:
                _fail(waiting, error)
            else:
                for outgoing in waiting:
                    self._record(stream, outgoing)
                    if not outgoing.sent.done():
                        outgoing.sent.set_result(None)
            finally:
                _fail(waiting, _closed(stream))

    def close(self) -> None:
        """Take nothing more, and let those go that wait for what is not sent."""
        for stream in Stream:
            self._close(stream)

    def _close(self, stream: Stream) -> None:
        self._closed.add(stream)
        _fail(self._queues[stream], _closed(stream))

    def _record(self, stream: Stream, outgoing: _Outgoing) -> None:
        self._activity[stream].record(
            at=time.time(),
            direction=Direction.OUT,
            verdict=Verdict.SENT,
            type=outgoing.body.TYPE,
            summary=outgoing.body.summary(),
            from_node_id=self._key.node_id,
            raw=canonical_json(outgoing.envelope)[:4_000],
            request=outgoing.request,
        )


def _fail(waiting: Sequence[_Outgoing], error: KacheryError) -> None:
    for outgoing in waiting:
        if not outgoing.sent.done():
            outgoing.sent.set_exception(error)


def _closed(stream: Stream) -> TryAgain:
    return TryAgain(f"cannot publish on {stream}", "the channel was left")

"""From pub-sub messages to verified envelopes: bounded, fair among peers, off the loop when it is much."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from kachery_tui.node.activity import Direction, StreamActivity, Verdict
from kachery_tui.node.limits import PeerLimit
from kachery_tui.node.summaries import summary
from kachery_tui.node.threads import in_thread
from kachery_tui.node.turns import Turns
from kachery_tui.protocol.canonical import canonical_json
from kachery_tui.protocol.envelope import (
    Envelope,
    RawEnvelope,
    Refusal,
    RefusalReason,
    open_envelope,
    split_batch,
)
from kachery_tui.protocol.roles import Stream

LONGEST_QUEUE: Final = 1_000
"""Messages that may wait to be opened. The service takes 64 KiB a message, so they hold 64 MB at the very worst."""

INLINE_ENVELOPES: Final = 4
"""Up to this many envelopes are verified on the loop (about 0.2 ms each): a thread would cost more than it saves."""

STRETCH: Final = 0.002
"""Seconds of opening messages after which the screen and the other tasks get their turn, however many wait."""

SHOWN_RAW: Final = 4_000
"""Characters of an envelope's text kept for people to look at."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A pub-sub message as the service handed it over; `client_id` is who the service says sent it, if it does."""

    stream: Stream
    data: bytes | str
    client_id: str | None


class Inbox:
    """One channel's incoming messages.

    `deliver(stream, envelope, number)` is called on the loop for every envelope that holds; `number` is the message's in
    the stream's activity. A peer's messages come in order of arrival; peers take turns.
    """

    def __init__(
        self,
        activity: Mapping[Stream, StreamActivity],
        deliver: Callable[[Stream, Envelope, int], None],
        *,
        requests_per_second: float,
    ) -> None:
        self._activity = activity
        self._deliver = deliver
        self._limit = PeerLimit(requests_per_second, burst=requests_per_second * 5)
        self._queue: Turns[Arrival] = Turns(LONGEST_QUEUE)
        self._filled = asyncio.Event()

    def put(self, stream: Stream, data: bytes | str, client_id: str | None) -> None:
        """Take a message from the service. Of too many, some of the peer that sent most are refused and counted."""
        refused = self._queue.put(client_id or "", Arrival(stream, data, client_id))
        if refused is not None:
            self._activity[refused.stream].count_refused("more messages than this node can open")
        self._filled.set()

    async def run(self) -> None:
        """Open messages as they come, for ever."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            began = time.monotonic()
            while self._queue:
                await self._open(self._queue.take())
                if time.monotonic() - began > STRETCH:
                    await asyncio.sleep(0)
                    began = time.monotonic()

    async def _open(self, arrival: Arrival) -> None:
        stream = arrival.stream
        parts = (
            await in_thread(lambda: split_batch(arrival.data))
            if _is_long(arrival.data)
            else split_batch(arrival.data)
        )
        let_in = [part for part in parts if self._lets_in(arrival, part)]
        held_back = len(parts) - len(let_in)
        if held_back:
            self._activity[stream].count_refused("more messages than one peer may send", held_back)
        if len(let_in) > INLINE_ENVELOPES:
            opened = await in_thread(lambda: [_open_part(part, stream) for part in let_in])
        else:
            opened = [_open_part(part, stream) for part in let_in]
        for part, result in zip(let_in, opened, strict=True):
            self._settle(stream, part, result)

    def _lets_in(self, arrival: Arrival, part: RawEnvelope | Refusal) -> bool:
        # Who the service vouches for comes first: the sender named in an envelope is a claim until it is verified,
        # and a claim must not use up another node's share.
        peer = arrival.client_id or part.from_node_id or ""
        return self._limit.allows(peer, time.monotonic())

    def _settle(self, stream: Stream, part: RawEnvelope | Refusal, result: Envelope | Refusal) -> None:
        activity, now = self._activity[stream], time.time()
        if isinstance(result, Refusal):
            passed_over = result.reason is RefusalReason.UNKNOWN_TYPE
            activity.record(
                at=now,
                direction=Direction.IN,
                verdict=Verdict.PASSED_OVER if passed_over else Verdict.REFUSED,
                type="",
                summary=result.detail,
                from_node_id=result.from_node_id or "",
                raw=result.raw,
                reason=f"{result.reason}: {result.detail}",
            )
            return
        number = activity.record(
            at=now,
            direction=Direction.IN,
            verdict=Verdict.VERIFIED,
            type=result.body.TYPE,
            summary=summary(result.body),
            from_node_id=result.from_node_id,
            raw=canonical_json(result.raw)[:SHOWN_RAW],
        )
        self._deliver(stream, result, number)


def _open_part(part: RawEnvelope | Refusal, stream: Stream) -> Envelope | Refusal:
    return part if isinstance(part, Refusal) else open_envelope(part, stream)


def _is_long(data: bytes | str) -> bool:
    return len(data) > 16_384

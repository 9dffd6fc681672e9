"""From pub-sub messages to verified envelopes: bounded, fair among peers, off the loop when it is much.

Theory of operation. A message is queued under the connection over which it came, and connections take turns
(`Turns`): one that floods waits for itself, not others for it. When too much waits, the newest of the connection with
most is dropped.

A message taken from the queue is opened in four steps, and what fails one of them is counted on its stream with the
reason: it is weighed, by bytes, against the share of its connection (`PeerLimit`) before it is read; its JSON is
split into envelopes, on the loop if it is short, else in a thread; what one message holds of others beyond its weight
is weighed, too; form and signature of each envelope are checked (`open_envelope`). What is good goes to whoever was
given as `deliver`.

After `STRETCH` seconds of this the loop gets its turn for everything else, however much waits. So the cost of a flood
is bounded in memory by the queue, in time by the share, and in what others notice by the turns.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from kachery_tui.node.activity import Direction, StreamActivity, Verdict
from kachery_tui.node.threads import in_thread
from kachery_tui.node.turns import Turns
from kachery_tui.peer_limits import PeerLimit
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

INLINE_BYTES: Final = 4_096
"""Longer messages are read in a thread: a peer can fill 64 KiB with what takes tens of milliseconds."""

MESSAGE_BYTES: Final = 500
"""So many bytes count as one message of a peer's share: what is said costs by its length, not by how it is cut."""

STRETCH: Final = 0.002
"""Seconds of opening messages after which the screen and the other tasks get their turn, however many wait."""

SHOWN_RAW: Final = 4_000
"""Characters of an envelope's text kept for people to look at."""

TOO_MUCH: Final = "more messages than one peer may send"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A pub-sub message as the service handed it over; `sender` is the connection over which it came, if it says so.

    A client id would not do: where members have the channel's key, each can connect under the name of another.
    """

    stream: Stream
    data: bytes | str
    sender: str | None


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

    def put_message(self, stream: Stream, data: bytes | str, sender: str | None) -> None:
        """Take a message from the service. Of too many, some of the peer that sent most are refused and counted."""
        refused = self._queue.put(sender or "", Arrival(stream, data, sender))
        if refused is not None:
            self._activity[refused.stream].count_refused("more messages than this node can open")
        self._filled.set()

    async def process_messages(self) -> None:
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
        stream, now = arrival.stream, time.monotonic()
        weight = max(1.0, len(arrival.data) / MESSAGE_BYTES)
        # Before it is read: what a peer may not say is not to cost anything.
        if arrival.sender and not self._limit.allows(arrival.sender, now, weight):
            self._activity[stream].count_refused(TOO_MUCH)
            return
        is_long = len(arrival.data) > INLINE_BYTES
        parts = await in_thread(lambda: split_batch(arrival.data)) if is_long else split_batch(arrival.data)
        let_in = [part for place, part in enumerate(parts) if self._lets_in(arrival, part, place < weight)]
        if len(let_in) < len(parts):
            self._activity[stream].count_refused(TOO_MUCH, len(parts) - len(let_in))
        if is_long or len(let_in) > INLINE_ENVELOPES:
            opened = await in_thread(lambda: [_open_part(part, stream) for part in let_in])
        else:
            opened = [_open_part(part, stream) for part in let_in]
        for result, raw in opened:
            self._settle(stream, result, raw)

    def _lets_in(self, arrival: Arrival, part: RawEnvelope | Refusal, is_paid: bool) -> bool:
        """Whether an envelope may be opened; `is_paid` if it is within what its message has been counted as.

        Where the service names nobody, the node named in the envelope has to do, which is a claim until it is verified.
        """
        if arrival.sender and is_paid:
            return True
        return self._limit.allows(arrival.sender or part.from_node_id or "", time.monotonic())

    def _settle(self, stream: Stream, result: Envelope | Refusal, raw: str) -> None:
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
                raw=raw,
                reason=f"{result.reason}: {result.detail}",
            )
            return
        number = activity.record(
            at=now,
            direction=Direction.IN,
            verdict=Verdict.VERIFIED,
            type=result.body.TYPE,
            summary=result.body.summary(),
            from_node_id=result.from_node_id,
            raw=raw,
        )
        self._deliver(stream, result, number)


def _open_part(part: RawEnvelope | Refusal, stream: Stream) -> tuple[Envelope | Refusal, str]:
    """Verify an envelope; what came of it, and its text for people to look at."""
    result = part if isinstance(part, Refusal) else open_envelope(part, stream)
    return result, result.raw if isinstance(result, Refusal) else canonical_json(result.raw)[:SHOWN_RAW]

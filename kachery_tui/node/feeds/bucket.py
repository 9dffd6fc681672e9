"""A subfeed's objects in a channel's bucket: read in parallel and in order, written before they are counted."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from kachery_tui.channel.errors import UnexpectedSize
from kachery_tui.channel.values import ObjectInfo
from kachery_tui.errors import TryAgain
from kachery_tui.node.membership import Membership
from kachery_tui.node.retries import with_retries
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.feeds import (
    MAX_SIGNED_BYTES,
    BadMessage,
    Fault,
    SignedMessage,
    count_text,
    message_count,
)
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.objects import SUBFEED_COUNT, subfeed_object
from kachery_tui.protocol.uris import SubfeedKey

T = TypeVar("T")

READ_AT_ONCE: Final = 16
"""GETs under way at a time."""

WRITE_AT_ONCE: Final = 8
"""PUTs under way at a time, of one subfeed."""

AHEAD: Final = 64
"""Messages that may have come while the one before them has not."""

AHEAD_BYTES: Final = 32_000_000
"""Bytes that those may take; large messages are fetched fewer at a time."""

AT_A_GO: Final = 200
"""Messages that are verified and kept together."""

PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds between tries at a bucket that fails in a way that may pass."""

Take = Callable[[int, Sequence[bytes]], Awaitable[None]]
"""Takes the number of a message, and the bytes of it and those after it."""


class SubfeedObjects:
    """One subfeed in one channel's bucket. Errors are `TryAgain`, `NotAllowed`, or another `KacheryError`."""

    def __init__(
        self,
        membership: Membership,
        key: SubfeedKey,
        on_trouble: Callable[[str], None],
        *,
        feed_key: Callable[[], Awaitable[PrivateKey | None]] | None = None,
    ) -> None:
        """`feed_key` finds the feed's own, by which its owner proves that it may write."""
        self._bucket = membership.channel.bucket
        self._authority = membership.channel.authority
        self._channel = membership.name
        self._key = key
        # Who holds the channel's own keys needs to prove nothing.
        self._feed_key = feed_key if membership.config.authority else None
        self._on_trouble = on_trouble

    async def count(self) -> int:
        """How many messages the bucket says to have; 0 where it says nothing, or nothing that makes sense."""
        data = await self._patiently(
            lambda: self._bucket.fetch_bytes(self._name(SUBFEED_COUNT), 1_000, fresh=True)
        )
        if data is None:
            return 0
        try:
            return message_count(data)
        except ProtocolError as error:
            self._on_trouble(f"subfeed.json in the bucket of {self._channel} makes no sense: {error.what}")
            return 0

    async def read(self, start: int, end: int, take: Take) -> None:
        """Hand the objects of the messages from `start` up to `end` to `take`, some at a time and in order.

        Raises `BadMessage` for the first that is missing or too large, once those before it were taken, and what `take`
        raises.
        """
        window: deque[asyncio.Task[bytes | None]] = deque()
        slots = asyncio.Semaphore(READ_AT_ONCE)
        number, ahead, largest = start, start, 1
        ready: list[bytes] = []
        taking: asyncio.Task[None] | None = None
        try:
            while number < end:
                while ahead < end and len(window) < max(2, min(AHEAD, AHEAD_BYTES // largest)):
                    window.append(asyncio.create_task(self._get(ahead, slots)))
                    ahead += 1
                try:
                    data = await window.popleft()
                    if data is None:
                        raise BadMessage(Fault.MISSING, number, f"it says that it has {end:,}")
                    largest = max(largest, len(data))
                    ready.append(data)
                except BadMessage:
                    if taking is not None:
                        await taking
                        taking = None
                    await take(number - len(ready), ready)
                    raise
                number += 1
                if len(ready) >= AT_A_GO or number == end:
                    # While these are verified and kept, the next ones come.
                    if taking is not None:
                        await taking
                    taking = asyncio.create_task(_taken(take, number - len(ready), ready))
                    ready = []
            if taking is not None:
                await taking
                taking = None
        finally:
            left = [*window, *([taking] if taking is not None else [])]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def message(self, number: int) -> SignedMessage | None:
        """One message as the bucket has it, None where it has none or none that can be read; not verified."""
        try:
            data = await self._get(number, asyncio.Semaphore(1))
            return None if data is None else await in_thread(lambda: SignedMessage.parse(data, number))
        except BadMessage:
            return None

    async def write(self, messages: Sequence[SignedMessage], *, look: bool) -> None:
        """Put messages there, several at a time; with `look` those that are there already are left as they are."""
        slots = asyncio.Semaphore(WRITE_AT_ONCE)
        tasks = [asyncio.create_task(self._put_message(message, slots, look=look)) for message in messages]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def write_count(self, count: int) -> None:
        """Say how many messages there are: after the last of them was put there."""
        await self._put(SUBFEED_COUNT, count_text(count))

    async def _get(self, number: int, slots: asyncio.Semaphore) -> bytes | None:
        async with slots:
            try:
                return await self._patiently(
                    lambda: self._bucket.fetch_bytes(self._name(str(number)), MAX_SIGNED_BYTES)
                )
            except UnexpectedSize as error:
                raise BadMessage(Fault.SIZE, number, error.why) from None

    async def _put_message(self, message: SignedMessage, slots: asyncio.Semaphore, *, look: bool) -> None:
        async with slots:
            data, name = await in_thread(message.encode), str(message.number)
            if look:
                info = await self._patiently(lambda: self._bucket.head(self._name(name)))
                if holds(info, data):
                    return
            await self._put(name, data)

    async def _put(self, name: str, data: bytes) -> None:
        async def put() -> None:
            feed_key = await self._feed_key() if self._feed_key is not None else None
            url = await self._authority.upload_url(self._name(name), len(data), feed_key)
            await self._bucket.upload_bytes(url, data)

        await self._patiently(put)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        return await with_retries(work, PAUSES, self._note)

    def _note(self, error: TryAgain) -> None:
        self._on_trouble(f"the bucket of {self._channel}: {error.what}; tried again")

    def _name(self, name: str) -> str:
        return subfeed_object(self._channel, self._key.feed_id, self._key.subfeed_hash, name)


async def _taken(take: Take, start: int, messages: Sequence[bytes]) -> None:
    await take(start, messages)


def holds(info: ObjectInfo | None, data: bytes) -> bool:
    """Whether the bucket's object is made of these bytes: put in one piece, its ETag is their MD5."""
    if info is None or info.size != len(data):
        return False
    return info.etag == hashlib.md5(data, usedforsecurity=False).hexdigest()

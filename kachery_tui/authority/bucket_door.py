"""The bucket's door: what members upload comes in here, piece by piece, and only what holds gets into the bucket."""

import asyncio
import hashlib
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from kachery_tui.authority.refusals import Refused
from kachery_tui.authority.uploads import Grant
from kachery_tui.channel.s3 import S3
from kachery_tui.channel.trust import tls_context
from kachery_tui.config import ChannelConfig
from kachery_tui.protocol.authority import RefusalCode
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.feeds import MAX_SIGNED_BYTES, BadMessage, SignedMessage, message_count
from kachery_tui.protocol.objects import Proof

_log = logging.getLogger(__name__)

PIECE: Final = 256 * 1024
"""Bytes that are passed on at a time; the last ones wait until all has been checked."""
LONGEST_STALL: Final = 60.0
"""Seconds without a byte, from the member or from the bucket, after which an upload is given up."""

LARGEST_DIRECT: Final = 128 * 1024
"""Bytes of an object that is answered with here, where its bucket is a folder, and not led on to."""

Pieces = AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Direct:
    """An object of a bucket that is a folder: its size, and its bytes where they are not many."""

    size: int
    data: bytes | None

    @property
    def etag(self) -> str:
        """As S3 has it of an object that was put in one piece: what a node compares with its own bytes."""
        return f'"{hashlib.md5(self.data or b"", usedforsecurity=False).hexdigest()}"'


class BucketDoor:
    """Writes into the buckets of some channels, with their keys. Used by one event loop."""

    def __init__(self, channels: Iterable[ChannelConfig], folder: Path | None = None) -> None:
        """`folder` is the bucket of all of them, where that is a folder of this machine."""
        self._folder = folder
        self._buckets = {config.name: S3(config.bucket) for config in channels}
        self._session: aiohttp.ClientSession | None = None
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()

    async def close(self) -> None:
        """Close the connections to the buckets."""
        if self._session is not None:
            await self._session.close()
        for bucket in self._buckets.values():
            await bucket.close()

    async def read_url(self, channel: str, method: str, name: str) -> str:
        """A signed URL to GET or HEAD an object at. Raises `KacheryError`."""
        return await self._buckets[channel].sign_read(
            "head_object" if method == "HEAD" else "get_object", name
        )

    @property
    def is_here(self) -> bool:
        """Whether objects can be looked at directly."""
        return self._folder is not None

    async def look(self, name: str) -> Direct | None:
        """An object, None if there is none. Only where `is_here`.

        Raises `Refused` where the folder cannot be read.
        """
        assert self._folder is not None, "asked only where the bucket is here"
        place = self._folder / name
        try:
            return await asyncio.to_thread(_look, place)
        except OSError as error:
            _log.warning("cannot look at %s: %s", place, error)
            raise Refused(RefusalCode.BUSY, "the bucket cannot be read") from None

    async def size(self, channel: str, name: str) -> int | None:
        """How large an object is, None if there is none. Raises `Refused` where the bucket does not say."""
        if self.is_here:
            found = await self.look(name)
            return found.size if found is not None else None
        url = await self.read_url(channel, "HEAD", name)
        try:
            async with self._connected().head(url) as answer:
                if answer.status == 200:
                    return answer.content_length
                if answer.status in (403, 404):
                    return None
                raise Refused(RefusalCode.BUSY, f"the bucket answered {answer.status}")
        except (aiohttp.ClientError, TimeoutError):
            raise Refused(RefusalCode.BUSY, "the bucket could not be reached") from None

    async def receive(self, grant: Grant, pieces: Pieces, is_good: Callable[[], bool]) -> None:
        """Put what comes into the bucket, if it is what was granted. `is_good` tells whether the grant still holds.

        Raises `Refused`, and `KacheryError` where the bucket cannot be used.
        """
        async with self._alone(grant.object):
            keeps = grant.place.proof is Proof.FEED_KEY and not grant.place.changes
            if keeps and await self.size(grant.channel, grant.object) is not None:
                raise Refused(RefusalCode.EXISTS, "this message of the feed is in the bucket already")
            url = await self._buckets[grant.channel].sign_upload(grant.object, grant.size)
            if not grant.is_proven:
                pieces = _again(await self._proof(grant, pieces))
            checked = _checked(grant, pieces, is_good)
            headers = {"Content-Length": str(grant.size)}
            try:
                async with self._connected().put(url, data=checked, headers=headers) as answer:
                    if answer.status not in (200, 201, 204):
                        said = (await answer.content.read(2_000)).decode(errors="replace")
                        _log.warning("the bucket answered %s to an upload: %s", answer.status, said)
                        raise Refused(RefusalCode.BUSY, f"the bucket answered {answer.status}")
            except aiohttp.ClientError as error:
                # What came was not what was granted: nothing of it gets into the bucket.
                if isinstance(error.__cause__, Refused):
                    raise error.__cause__ from None
                # Its text may hold the signed URL, by which others could write.
                _log.warning("an upload of %s failed: %s", grant.object, type(error).__name__)
                raise Refused(RefusalCode.BUSY, "the bucket could not be reached") from None
            except TimeoutError:
                raise Refused(RefusalCode.BUSY, "the upload stood still for too long") from None

    async def _proof(self, grant: Grant, pieces: Pieces) -> bytes:
        """What was sent for a feed by one who has not shown its key, if it shows for itself that it is the feed's.

        A message is signed; a count says no more than what is there. Raises `Refused`.
        """
        data = b""
        async for piece in pieces:
            data += piece
            if len(data) > min(grant.size, MAX_SIGNED_BYTES):
                raise Refused(
                    RefusalCode.MALFORMED, "more bytes than were granted, or than a message may have"
                )
        folder, _, name = grant.object.rpartition("/")
        try:
            if grant.place.changes:
                count = message_count(data)
                good = not count or await self.size(grant.channel, f"{folder}/{count - 1}") is not None
            else:
                message = await asyncio.to_thread(SignedMessage.parse, data, int(name))
                good = message.is_signed_by(grant.place.hash)
        except (ProtocolError, BadMessage):
            good = False
        if not good:
            raise Refused(RefusalCode.SIGNATURE, "it is not what the feed's owner has written")
        return data

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=LONGEST_STALL)
            connector = aiohttp.TCPConnector(limit=0, ssl=tls_context())
            self._session = aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=True)
        return self._session

    @asynccontextmanager
    async def _alone(self, name: str) -> AsyncIterator[None]:
        """One upload of a name at a time."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        self._users[name] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name], self._locks[name]


def _look(place: Path) -> Direct | None:
    try:
        with place.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return Direct(size, file.read(size) if size <= LARGEST_DIRECT else None)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


async def _again(data: bytes) -> Pieces:
    if data:
        yield data


async def _checked(grant: Grant, pieces: Pieces, is_good: Callable[[], bool]) -> Pieces:
    """What comes, as long as it may be what was granted; the last of it only once it is. Raises `Refused`."""
    digest = hashlib.sha1(usedforsecurity=False)
    size, kept = 0, b""
    async for piece in pieces:
        size += len(piece)
        if size > grant.size:
            raise Refused(RefusalCode.MALFORMED, f"more than the {grant.size} bytes that were granted")
        if not is_good():
            raise Refused(RefusalCode.ROLE, "the owner has taken the role away")
        if grant.place.proof is Proof.BYTES:
            digest.update(piece)
        if kept:
            yield kept
        kept = piece
    if size != grant.size:
        raise Refused(RefusalCode.MALFORMED, f"{size} bytes, and {grant.size} were granted")
    if grant.place.proof is Proof.BYTES and digest.hexdigest() != grant.place.hash:
        raise Refused(RefusalCode.MALFORMED, "the bytes are not those of the hash in the object's name")
    if kept:
        yield kept

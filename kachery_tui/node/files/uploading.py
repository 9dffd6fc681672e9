"""One object from this node's disk into a channel's bucket: checked, granted, sent, announced."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from kachery_tui.channel.values import ObjectInfo
from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.node.ledger import Ledger, Origin, Request
from kachery_tui.node.membership import Membership
from kachery_tui.node.rates import RateMeter
from kachery_tui.node.retries import with_retries
from kachery_tui.node.steps import Step
from kachery_tui.node.threads import in_thread_with_progress
from kachery_tui.protocol.messages import (
    FileKey,
    UploadFileFailed,
    UploadFileProgress,
    UploadFileStatus,
    UploadStatus,
)
from kachery_tui.protocol.objects import file_object
from kachery_tui.protocol.roles import Stream
from kachery_tui.storage.values import ByteSource

UPLOAD_PAUSES: Final = (0.5, 2.0, 5.0)
"""Seconds between tries at a bucket that fails in a way that may pass."""

KNOWN_OBJECTS: Final = 10_000
"""Objects that were seen to be in a bucket as they should be, and are remembered."""

PROGRESS_INTERVAL: Final = 0.5
"""Seconds between two announcements of progress; an upload shorter than that has none."""

_READ: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Digest:
    """What the bytes to be sent are, as read off the disk just now."""

    sha1: str
    md5: str


def digest(source: ByteSource, report: Callable[[int], None]) -> Digest:
    """Hash `source`; `report` gets the bytes read so far. Raises `OSError`."""
    sha1 = hashlib.sha1(usedforsecurity=False)
    md5 = hashlib.md5(usedforsecurity=False)
    done, size = 0, source.size
    with source.path.open("rb", buffering=0) as file:
        file.seek(source.start)
        while done < size and (piece := file.read(min(_READ, size - done))):
            sha1.update(piece)
            md5.update(piece)
            done += len(piece)
            report(done)
    return Digest(sha1.hexdigest(), md5.hexdigest())


def holds(info: ObjectInfo | None, size: int, bytes_digest: Digest) -> bool:
    """Whether the bucket's object is made of these bytes already.

    S3 names an object's MD5 as its ETag when it was put in one piece, as every object here is. Where the ETag is
    something else, the answer is no: sending it again costs bytes, trusting it could cost every asker the file.
    """
    return info is not None and info.size == size and info.etag == bytes_digest.md5


class Uploader:
    """Puts objects into one channel's bucket and says so on its provide stream.

    Objects are told apart by their hash: while one is on its way, whoever wants it, too, waits for the same upload.
    """

    def __init__(self, ledger: Ledger, uploaded: RateMeter) -> None:
        self._ledger = ledger
        self._uploaded = uploaded
        self._under_way: dict[tuple[str, str], asyncio.Lock] = {}
        self._announcing: set[tuple[str, str]] = set()
        self._known: OrderedDict[tuple[str, str], Digest] = OrderedDict()

    async def upload(self, membership: Membership, row: Request, key: FileKey, source: ByteSource) -> None:
        """Bring the object of `key` into the bucket unless it is there, and announce it.

        The bytes are hashed before they are sent: a file that was damaged or changed is never sent under its old name.
        An object that was sent earlier, and lies in the bucket as it was then, is not read for that.
        Raises `KacheryError`; it was announced as failed by then. Cancelling announces that, too.
        """
        place = (membership.name, key.sha1)
        lock = self._under_way.setdefault(place, asyncio.Lock())
        try:
            async with lock, membership.upload_slots:
                await self._announced(membership, row, key, source)
        finally:
            if not lock.locked():
                self._under_way.pop(place, None)

    def is_announcing(self, membership: Membership, key: FileKey) -> bool:
        """Whether it is being said that an object is there: who asks from now on may not hear that."""
        return (membership.name, key.sha1) in self._announcing

    async def _announced(
        self, membership: Membership, row: Request, key: FileKey, source: ByteSource
    ) -> None:
        try:
            await self._send(membership, row, key, source)
        except asyncio.CancelledError:
            await self._say_failed(membership, row, key, "cancelled there")
            raise
        except KacheryError as error:
            await self._say_failed(membership, row, key, error.line)
            raise
        except Exception:
            await self._say_failed(membership, row, key, "it failed unexpectedly there")
            raise
        place = (membership.name, key.sha1)
        self._announcing.add(place)
        try:
            finished = UploadFileStatus(key, UploadStatus.FINISHED)
            await membership.publish_patiently(finished, request=row.number)
        finally:
            self._announcing.discard(place)

    async def _send(self, membership: Membership, row: Request, key: FileKey, source: ByteSource) -> None:
        bucket, name, size = membership.channel.bucket, file_object(membership.name, key.sha1), source.size
        self._ledger.enter(row, Step.CHECKING)

        def note(error: TryAgain) -> None:
            self._ledger.note(row, f"the bucket of {membership.name}: {error.what}; tried again")

        place = (membership.name, key.sha1)
        info = await with_retries(lambda: bucket.head(name), UPLOAD_PAUSES, note)
        known = self._known.get(place)
        found = known if known and holds(info, size, known) else await self._digest(key, source)
        if holds(info, size, found):
            self._remember(place, found)
            self._ledger.count(row, size, Origin.BUCKET)
            return
        if info is not None:
            self._ledger.note(row, f"the bucket held other bytes under {key.sha1[:12]}…: overwritten")
        self._ledger.enter(row, Step.UPLOADING)
        reporter = _Reporter(self._ledger, membership, row, key, size)
        announcing = asyncio.create_task(reporter.announce())

        async def put() -> None:
            reporter.start_over()
            url = await membership.channel.authority.upload_url(name, size)
            await bucket.upload(url, source.path, source.start, source.end, reporter.report)

        try:
            await with_retries(put, UPLOAD_PAUSES, note)
        except BaseException:
            reporter.start_over()
            raise
        finally:
            announcing.cancel()
            await asyncio.gather(announcing, return_exceptions=True)
        self._uploaded.add(size, time.time())
        self._remember(place, found)

    def _remember(self, place: tuple[str, str], found: Digest) -> None:
        self._known[place] = found
        self._known.move_to_end(place)
        if len(self._known) > KNOWN_OBJECTS:
            self._known.popitem(last=False)

    async def _digest(self, key: FileKey, source: ByteSource) -> Digest:
        try:
            found = await in_thread_with_progress(lambda report: digest(source, report))
        except OSError as error:
            raise KacheryError(
                "the file cannot be read", error.strerror or "", f"Check {source.path}"
            ) from None
        if found.sha1 != key.sha1:
            raise KacheryError(
                "the file's bytes are no longer what its hash says",
                "it was changed or damaged",
                f"Verify it in the cache: {source.path}",
            )
        return found

    async def _say_failed(self, membership: Membership, row: Request, key: FileKey, reason: str) -> None:
        # Best effort: an asker that misses it gives up by its own clock.
        with suppress(KacheryError):
            await membership.publish(UploadFileFailed(key, reason[:500]), request=row.number)


class _Reporter:
    """How far one upload is: counted on its row, and announced now and then."""

    def __init__(self, ledger: Ledger, membership: Membership, row: Request, key: FileKey, size: int) -> None:
        self._ledger = ledger
        self._membership = membership
        self._row = row
        self._key = key
        self._size = size
        self._sent = 0
        self._loop = asyncio.get_running_loop()

    def report(self, sent: int) -> None:
        """Take the bytes sent so far; called from the sending thread."""
        self._loop.call_soon_threadsafe(self._count, sent)

    def start_over(self) -> None:
        """Forget what was sent: a failed try brought the bucket nothing."""
        self._count(0)

    async def announce(self) -> None:
        """Publish progress while it moves and somebody follows it, until cancelled.

        Nodes of the old program, which do not show themselves, write a warning for each.
        """
        said = 0
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL)
            if self._sent > said and self._is_followed():
                said = self._sent
                with suppress(KacheryError):
                    await self._membership.publish(
                        UploadFileProgress(self._key, said, self._size), request=self._row.number
                    )

    def _is_followed(self) -> bool:
        """Whether one of those who asked is present, as nodes that understand progress are."""
        present = self._membership.members(Stream.REQUEST_FILES)
        return any(member.node_id in self._row.asked_by for member in present)

    def _count(self, sent: int) -> None:
        if sent != self._sent:
            self._ledger.count(self._row, sent - self._sent, Origin.DISK)
            self._sent = sent

"""The storage cache: objects by name in an S3 bucket (PROTOCOL.md § The bucket)."""

import asyncio
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from kachery_tui.channel import transfer
from kachery_tui.channel.errors import BucketShut, MissingObject
from kachery_tui.channel.job import Job, run_job
from kachery_tui.channel.s3 import S3
from kachery_tui.channel.throttle import Throttle
from kachery_tui.channel.values import Page
from kachery_tui.channel.wire import STALL_TIMEOUT, Wire
from kachery_tui.errors import KacheryError, NotAllowed, TryAgain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from kachery_tui.channel.transfer import Landed, Open, Sink
    from kachery_tui.channel.values import ObjectInfo
    from kachery_tui.config import BucketConfig

TRANSFERS_AT_ONCE: Final = 32
"""Threads in use at the same time; further transfers wait. The node's own limits are far below."""
HEAD_PAUSES: Final = (0.1, 0.4)
"""Seconds between quick attempts to ask for an object; what lasts longer is the caller's to wait for."""


class Bucket:
    """One channel's bucket. Reads go where `read_url` says; else to `public_url` where the channel gives one, or signed.

    Errors are `TryAgain` for trouble that may pass, `NotAllowed` for a refusal, `MissingObject`, or a plain
    `KacheryError`. Used by one event loop.
    """

    def __init__(
        self,
        config: "BucketConfig",
        s3: S3 | None = None,
        *,
        read_url: "Callable[[str], Awaitable[str]] | None" = None,
        stall_timeout: float = STALL_TIMEOUT,
        upload_rate: int = 0,
    ) -> None:
        """`read_url` gives the address at which this node GETs or HEADs an object. Lists it has no address for.

        `upload_rate` is how many bytes a second all uploads together may take; 0 is for no limit.
        """
        self.config = config
        self._s3 = s3 or S3(config)
        self._given_url = read_url
        # Addresses that were given may lead on to where the object is.
        self._wire = Wire(stall_timeout=stall_timeout, follows=read_url is not None)
        self._slots = asyncio.Semaphore(TRANSFERS_AT_ONCE)
        self._throttle = Throttle(upload_rate)
        self._says_no_more = bool(config.public_url) or read_url is not None

    async def head(self, name: str) -> "ObjectInfo | None":
        """Size and time of an object, None if there is none."""
        what = f"cannot look up {name} in the bucket"
        url = await self._read_url("head_object", name)
        for pause in (*HEAD_PAUSES, None):
            try:
                async with self._slots:
                    return await run_job(lambda job: transfer.head(job, self._wire, url, what, name))
            except TryAgain:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            except BucketShut:
                raise
            except KacheryError as error:
                reason = await self._reason(name, error)
                if isinstance(reason, MissingObject):
                    return None
                raise reason from error
        raise AssertionError("unreachable")

    async def _reason(self, name: str, refusal: KacheryError) -> KacheryError:
        """Why a look-up was refused: only the answer to a GET has a body that can say so."""
        if self._says_no_more:
            return refusal
        try:
            await self.fetch(name, lambda _: None, end=1, max_bytes=1)
        except KacheryError as error:
            # Who may not list the bucket is told of missing objects that they are forbidden: once is enough to know.
            self._says_no_more = type(error) is type(refusal)
            return error
        return refusal

    async def fetch(
        self,
        name: str,
        sink: "Sink",
        *,
        start: int = 0,
        end: int | None = None,
        max_bytes: int,
        fresh: bool = False,
        landed: "Landed | None" = None,
    ) -> int:
        """GET an object, or its bytes from `start` up to `end`, into `sink`; returns the number of bytes.

        `sink` is called in a worker thread, in order, with views that are only good during the call. Raising in it
        ends the fetch with that exception. Once this coroutine has returned or was cancelled, `sink` is not called
        any more. An object of more than `max_bytes` is refused, before its first byte where the server says its size.
        `fresh` reads past whatever caches lie in between. `landed` is told the number of bytes once all have come, in
        that thread, too: what it raises is raised here.
        """
        span = transfer.Span(start, end, max_bytes, fresh)
        return await self._fetch(name, span, lambda _: sink, landed)

    async def fetch_whole(
        self, name: str, open_sink: "Open", *, max_bytes: int, landed: "Landed | None" = None
    ) -> int:
        """As `fetch`, of an object whose size nobody knows: `open_sink` is told it, and gives the sink.

        That saves asking for it first. `open_sink` is called in a worker thread, too, with None where the server does not
        say how much will come.
        """
        return await self._fetch(name, transfer.Span(0, None, max_bytes), open_sink, landed)

    async def _fetch(self, name: str, span: transfer.Span, open_sink: "Open", landed: "Landed | None") -> int:
        what = f"cannot fetch {name} from the bucket"
        url = await self._read_url("get_object", name)
        if span.fresh and self.config.public_url:
            # A cache that does not heed the request's header knows no object of this address yet.
            url = f"{url}?fresh={time.time_ns()}"

        def work(job: Job) -> int:
            received = transfer.download(job, self._wire, url, what, span, open_sink)
            if landed is not None:
                job.call(landed, received)
            return received

        async with self._slots:
            return await run_job(work)

    async def fetch_bytes(self, name: str, max_bytes: int, *, fresh: bool = False) -> bytes | None:
        """A small object's bytes, None if there is none."""
        pieces: list[bytes] = []
        try:
            await self.fetch(
                name, lambda piece: pieces.append(bytes(piece)), max_bytes=max_bytes, fresh=fresh
            )
        except MissingObject:
            return None
        return b"".join(pieces)

    async def upload(
        self, url: str, path: "Path", start: int, end: int, on_bytes: "Callable[[int], None]"
    ) -> None:
        """PUT the bytes from `start` up to `end` of a file to a signed URL.

        `on_bytes` gets the cumulative count, in a worker thread, never again once this coroutine has ended. A URL
        that is signed for another length is refused: NotAllowed.
        """
        await self._put(url, transfer.UploadSource(path, start, end), on_bytes)

    async def upload_bytes(self, url: str, data: bytes) -> None:
        """PUT `data` to a URL that is signed for its length."""
        await self._put(url, transfer.UploadSource(data, 0, len(data)), lambda _: None)

    async def _put(self, url: str, source: transfer.UploadSource, on_bytes: "Callable[[int], None]") -> None:
        def work(job: Job) -> None:
            transfer.upload(
                job, self._wire, url, "cannot upload to the bucket", source, on_bytes, self._throttle
            )

        async with self._slots:
            await run_job(work)

    async def list(self, prefix: str, *, token: str | None = None, limit: int = 1000) -> Page:
        """Objects whose names begin with `prefix`, a page at a time."""
        from kachery_tui.channel.listing import LARGEST_ANSWER, parse_listing  # a load needs none of it

        what = f"cannot list {prefix} in the bucket"
        if self._given_url is not None:
            raise NotAllowed(what, "what is in there, the channel's owner alone can list")
        if self._anonymous:
            raise NotAllowed(what, "the channel gives only a public URL to read from")
        url = await self._s3.sign_list(prefix, token, limit)
        pieces: list[bytes] = []

        def work(job: Job) -> Page:
            span = transfer.Span(0, None, LARGEST_ANSWER)
            transfer.download(
                job, self._wire, url, what, span, lambda _: lambda piece: pieces.append(bytes(piece))
            )
            return parse_listing(what, b"".join(pieces), prefix, limit)

        async with self._slots:
            return await run_job(work)

    async def prepare(self) -> None:
        """Load what the first request needs, so that it need not wait."""
        if not self._anonymous:
            await self._s3.prepare()

    async def close(self) -> None:
        """Close idle connections; transfers under way end by being cancelled."""
        self._wire.close()
        await self._s3.close()

    @property
    def _anonymous(self) -> bool:
        config = self.config
        is_public = bool(config.public_url) and not (config.access_key or config.profile)
        return is_public or self._given_url is not None

    async def _read_url(self, method: str, name: str) -> str:
        if self._given_url is not None:
            return await self._given_url(name)
        if self.config.public_url:
            return f"{self.config.public_url.rstrip('/')}/{quote(name)}"
        return await self._s3.sign_read(method, name)

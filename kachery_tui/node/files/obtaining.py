"""Getting one object: from a bucket, or from a node by way of a bucket; downloaded into its place and verified."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from kachery_tui.channel.errors import BucketShut, MissingObject, UnexpectedSize
from kachery_tui.channel.transfer import Landed, Sink
from kachery_tui.errors import KacheryError, NobodyHasIt, NotAllowed, TryAgain
from kachery_tui.node.files.asking import Asker
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.ledger import Origin, Request
from kachery_tui.node.membership import Membership
from kachery_tui.node.parts import Parts
from kachery_tui.node.retries import with_retries
from kachery_tui.node.steps import Step, is_back
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.messages import FileKey
from kachery_tui.storage.chunk_writer import ChunkWriter
from kachery_tui.storage.incoming import Incoming
from kachery_tui.storage.problems import WrongBytes

BUCKET_PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds between tries at a bucket that fails in a way that may pass."""

LARGEST: Final = 1 << 60
"""Bytes of an object; what is allowed is for the one to say who is told its size."""


class SizeNotSaid(KacheryError):
    """A bucket sends an object without saying how long it is."""


Get = Callable[[Membership, Origin], Awaitable[None]]
"""Gets one object from a channel's bucket; the origin says whether it lay there or was sent on this request."""

Told = Callable[[int, ChunkWriter], Sink]
"""Makes a sink of so many bytes that writes, and tells how much was."""


class Obtainer:
    """Gets the objects that one request is made of, and writes into its row how that goes."""

    def __init__(
        self,
        row: Request,
        file: FileSubject,
        candidates: Sequence[Membership],
        parts: Parts,
        asker: Asker,
    ) -> None:
        self._row = row
        self._file = file
        self._candidates = list(candidates)
        self._ledger = parts.ledger
        self._downloaded = parts.downloaded
        self._asker = asker

    async def obtain(
        self, key: FileKey, get: Get, on_asked: Callable[[bool], None] = lambda asked: None
    ) -> None:
        """Get one object by the three steps: the buckets, a question to the nodes, the bucket again.

        `on_asked` hears when a question is out (True) and when it was answered (False).
        Raises `NobodyHasIt`, `NotAllowed`, `TryAgain`, or another `KacheryError` that says what is wrong.
        """
        self._step(Step.BUCKET)
        failure = await self._try_buckets(get, self._candidates, Origin.BUCKET)
        if failure is None:
            return
        if not self._candidates:
            raise failure
        on_asked(True)
        try:
            await self._ask_all(key, get)
        except KacheryError as error:
            await self._last_look(get, error, failure)
        else:
            on_asked(False)

    async def _try_buckets(
        self, get: Get, candidates: Sequence[Membership], came_from: Origin
    ) -> KacheryError | None:
        """Try `get` on each channel's bucket; None as soon as one had it, else the most telling reason why not.

        A channel whose bucket is shut is no candidate any more: who has the file could only send it by that bucket.
        """
        reasons: list[KacheryError] = []
        for membership in list(candidates):
            if membership.has_left:
                reasons.append(membership.left())
                continue
            try:
                await self._patiently(membership, get, came_from)
            except MissingObject as error:
                reasons.append(error)
            except (WrongBytes, UnexpectedSize) as error:
                self._ledger.note(
                    self._row,
                    f"the bucket of {membership.name} holds wrong bytes under this hash: {error.what}",
                )
                reasons.append(error)
            except NotAllowed as error:
                # Without the right to list, a missing object is answered as a forbidden one: worth asking the nodes.
                self._ledger.note(self._row, f"the bucket of {membership.name}: {error}")
                reasons.append(error)
                if isinstance(error, BucketShut):
                    self._candidates = [other for other in self._candidates if other is not membership]
            except TryAgain as error:
                reasons.append(error)
            else:
                self._row.channel = membership.name
                return None
        return next((reason for reason in reasons if not isinstance(reason, MissingObject)), reasons[0])

    async def _patiently(self, membership: Membership, get: Get, came_from: Origin) -> None:
        def note(error: TryAgain) -> None:
            self._ledger.note(self._row, f"the bucket of {membership.name}: {error.line}; tried again")

        await with_retries(lambda: get(membership, came_from), BUCKET_PAUSES, note)

    async def _last_look(self, get: Get, unanswered: KacheryError, failure: KacheryError) -> None:
        """Nobody answered as it should be: what an answer that got lost has brought may be in the bucket all the same."""
        candidates = self._candidates
        if candidates and await self._try_buckets(get, candidates, Origin.PEER) is None:
            return
        if isinstance(failure, (TryAgain, WrongBytes, UnexpectedSize)) and isinstance(
            unanswered, (NobodyHasIt, NotAllowed)
        ):
            raise TryAgain(failure.what, f"{failure.why}; and {unanswered.line}", failure.do)
        if isinstance(failure, BucketShut) and isinstance(unanswered, NobodyHasIt):
            raise BucketShut(failure.what, f"{failure.why}; and {unanswered.line}", failure.do)
        raise unanswered

    async def _ask_all(self, key: FileKey, get: Get) -> None:
        """Ask on every channel at once, until the object has been got over one. Raises when no channel is left to hope
        for.
        """
        # One at a time looks into its bucket: there is one place that bytes go to.
        looking = asyncio.Lock()
        asking = [
            asyncio.ensure_future(self._ask_on(membership, key, get, looking))
            for membership in self._candidates
        ]
        reasons: list[KacheryError] = []
        try:
            for next_done in asyncio.as_completed(asking):
                try:
                    await next_done
                except KacheryError as error:
                    reasons.append(error)
                else:
                    return
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        raise _most_telling(reasons)

    async def _ask_on(self, membership: Membership, key: FileKey, get: Get, looking: asyncio.Lock) -> None:
        """Ask on one channel, and look into its bucket whenever a node says that the object is there."""
        async with self._asker.ask(membership, key, self._row, self._file, self._step) as question:
            while True:
                node_id = await question.answer()
                async with looking:
                    if node_id is not None:
                        self._step(Step.BUCKET)
                    failure = await self._try_buckets(get, [membership], Origin.PEER)
                if failure is None:
                    if node_id is not None:
                        question.answered_by(node_id)
                        self._row.answered_by = node_id
                    return
                if isinstance(failure, BucketShut):
                    raise failure
                if node_id is not None:
                    await question.was_untrue(node_id, failure)

    async def download(
        self, membership: Membership, name: str, incoming: Incoming, index: int, origin: Origin | None
    ) -> None:
        """One object into its place, verified, and counted on the row unless `origin` is None.

        Raises `WrongBytes`, `UnexpectedSize`, `MissingObject`, `NotAllowed` or `TryAgain`.
        """
        chunk = incoming.chunks[index]
        size, writer = chunk.end - chunk.start, incoming.writer(index)
        bucket = membership.channel.bucket

        def fetch(told: "Told", landed: Landed) -> Awaitable[int]:
            return bucket.fetch(name, told(size, writer), max_bytes=size, landed=landed)

        await self._take(fetch, name, origin)

    async def download_whole(
        self,
        membership: Membership,
        name: str,
        place: Callable[[int], Incoming],
        verified: Callable[[], object],
        origin: Origin | None,
    ) -> None:
        """The same for an object whose size the bucket alone knows: `place` is told it, and `verified` called when it is
        there and right, both in a worker thread.

        Raises what `download` raises, `SizeNotSaid` where the bucket does not say it, and what `place` raises.
        """

        def fetch(told: "Told", landed: Landed) -> Awaitable[int]:
            def open_sink(size: int | None) -> Sink:
                if size is None:
                    raise SizeNotSaid(f"{name}: its size is not said")
                return told(size, place(size).writer(0))

            def done(received: int) -> None:
                landed(received)
                verified()

            return membership.channel.bucket.fetch_whole(name, open_sink, max_bytes=LARGEST, landed=done)

        await self._take(fetch, name, origin)

    async def _take(
        self, fetch: Callable[["Told", Landed], Awaitable[int]], name: str, origin: Origin | None
    ) -> None:
        """Fetch by `fetch`, which is given what makes a sink of a size and a writer, and what is to be called at the end.

        All that a thread has to do is done by the one that receives: handing a small file from thread to thread would
        take longer than receiving it.
        """
        loop = asyncio.get_running_loop()
        taken = 0
        place: tuple[int, ChunkWriter] | None = None

        def took(amount: int) -> None:
            nonlocal taken
            if not taken:
                self._step(Step.DOWNLOADING)
            taken += amount
            if origin is not None:
                self._ledger.count(self._row, amount, origin)

        def told(size: int, writer: ChunkWriter) -> Sink:
            nonlocal place
            place = size, writer

            def sink(piece: memoryview) -> None:
                writer.write(piece)
                loop.call_soon_threadsafe(took, len(piece))

            return sink

        def landed(received: int) -> None:
            assert place is not None, "what was received has been written"
            size, writer = place
            if received != size:
                raise WrongBytes(f"{name} has {received} bytes, not {size}")
            writer.finish()

        try:
            size = await fetch(told, landed)
        except BaseException:
            if place is not None:
                await in_thread(place[1].abort)
            if origin is not None:
                self._ledger.count(self._row, -taken, origin)
            raise
        self._downloaded.add(size, time.time())

    def _step(self, step: Step, node_id: str = "") -> None:
        """Follow the object furthest on its way: a row of several chunks shows one step, and it only moves on."""
        if node_id or step is Step.ASKING:
            # Whoever had it, and could not send it, is not who it comes from.
            self._row.answered_by = node_id
        row = self._row
        several = len(self._file.chunks) > 1
        # A thread may still say something of a row that has just ended.
        if row.is_active and not (several and is_back(row.side, row.step, step)):
            self._ledger.enter(row, step)


def _most_telling(reasons: Sequence[KacheryError]) -> KacheryError:
    """One error for several channels: the kind that leaves most hope, and the words of all."""
    if len(reasons) == 1:
        return reasons[0]
    kinds = (TryAgain, NobodyHasIt, NotAllowed, KacheryError)
    best = next(reason for kind in kinds for reason in reasons if isinstance(reason, kind))
    others = "; ".join(reason.line for reason in reasons if reason is not best)
    return type(best)(best.what, f"{best.why}; {others}", best.do)

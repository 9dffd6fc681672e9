"""Getting one file: own storage, then the buckets, then the nodes of the channels; verified, and put where it belongs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from kachery_tui.channel.errors import MissingObject, UnexpectedSize
from kachery_tui.errors import KacheryError, NobodyHasIt, NotAllowed, TryAgain
from kachery_tui.node.asking import Asker
from kachery_tui.node.ledger import ChunkState, Ledger, Origin, Request, Step
from kachery_tui.node.membership import Membership
from kachery_tui.node.retries import with_retries
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.manifest import CHUNK_SIZE, Manifest
from kachery_tui.protocol.messages import ChunkOf, FileKey
from kachery_tui.protocol.objects import file_object
from kachery_tui.storage.incoming import Incoming
from kachery_tui.storage.problems import WrongBytes
from kachery_tui.storage.storage import Storage
from kachery_tui.storage.values import Found

BUCKET_PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds between tries at a bucket that fails in a way that may pass."""

LARGEST_MANIFEST: Final = CHUNK_SIZE
"""Bytes. A manifest is stored as one object; this much describes a file of some 4 TB."""

MOST_QUESTIONS: Final = 5
"""How often one object is asked for in one request, lost connections included."""

MOST_ANSWERS: Final = 2
"""How often an object may be announced without being in the bucket as it should be."""

_ORDER: Final = (
    Step.STORAGE,
    Step.BUCKET,
    Step.RECONNECTING,
    Step.ASKING,
    Step.HELD,
    Step.PEER_UPLOADS,
    Step.DOWNLOADING,
)

Get = Callable[[Membership, Origin], Awaitable[None]]
"""Gets one object from a channel's bucket; the origin says whether it lay there or was sent on this request."""


class Fetch:
    """One request of this node on its way: the walk from own storage to a verified file.

    `candidates` are the channels to look at, in this order. Cancelling the task that runs it lets go of everything
    but the verified chunks.
    """

    def __init__(
        self,
        row: Request,
        candidates: Sequence[Membership],
        storage: Storage,
        ledger: Ledger,
        asker: Asker,
        count_downloaded: Callable[[int], None],
    ) -> None:
        self._row = row
        self._candidates = list(candidates)
        self._storage = storage
        self._ledger = ledger
        self._asker = asker
        self._count_downloaded = count_downloaded

    async def run(self) -> Found:
        """Walk to the end; the file in own storage.

        Raises `NobodyHasIt`, `NotAllowed`, `TryAgain`, or another `KacheryError` that says what is wrong.
        """
        row, key = self._row, self._row.key
        found = await in_thread(lambda: self._storage.find(key.sha1))
        if found is not None:
            row.size = found.size
            self._ledger.count(row, found.size, Origin.DISK)
            return found
        if not self._candidates:
            raise NobodyHasIt(
                f"{row.name} is not in this node's storage", "and it has joined no channel", "Join a channel"
            )
        if key.manifest_sha1 is None:
            return await self._single(key, counted=True)
        return await self._in_chunks(await self._manifest(key.manifest_sha1))

    async def _manifest(self, sha1: str) -> Manifest:
        data = await in_thread(lambda: self._storage.read_bytes(sha1, LARGEST_MANIFEST))
        if data is None:
            await self._single(FileKey(sha1), counted=False, at_most=LARGEST_MANIFEST)
            data = await in_thread(lambda: self._storage.read_bytes(sha1, LARGEST_MANIFEST))
        if data is None:
            raise KacheryError(f"the manifest {sha1[:12]}… was received and is gone again", "", "Try again")
        kept = data
        try:
            return await in_thread(lambda: Manifest.parse(kept, self._row.key.sha1))
        except ProtocolError as error:
            raise KacheryError(
                f"the manifest that the URI names is not this file's: {error.what}",
                "its bytes are what their hash says, so the URI itself is wrong",
                "Ask for the URI again where you got it",
            ) from None

    async def _single(self, key: FileKey, *, counted: bool, at_most: int | None = None) -> Found:
        """Get what is one object in the bucket: a file without a manifest, or a manifest."""
        incoming: Incoming | None = None

        async def get(membership: Membership, came_from: Origin) -> None:
            nonlocal incoming
            name = file_object(membership.name, key.sha1)
            info = await membership.channel.bucket.head(name)
            if info is None:
                raise MissingObject(name)
            self._check_size(membership, info.size, at_most)
            if incoming is None or incoming.chunks[0].end != info.size:
                if incoming is not None:
                    incoming.close(keep=False)
                name_on_disk = self._row.uri.name if counted else None
                incoming = await in_thread(
                    lambda: self._storage.receive(
                        key.sha1, info.size, name=name_on_disk, origin=membership.name
                    )
                )
            if counted and self._row.size != info.size:
                self._row.size = info.size
                self._ledger.touch(self._row)
            await self._download(membership, name, incoming, 0, came_from if counted else None)

        try:
            await self._obtain(key, get)
            assert incoming is not None
            return await in_thread(incoming.commit)
        finally:
            if incoming is not None:
                await in_thread(lambda: incoming.close(keep=False))

    async def _in_chunks(self, manifest: Manifest) -> Found:
        """Get a file chunk by chunk, several at a time; what an earlier try verified is not fetched again."""
        row, sha1 = self._row, self._row.key.sha1
        self._check_size(self._candidates[0], manifest.size, None)
        origin = ", ".join(membership.name for membership in self._candidates)
        incoming = await in_thread(
            lambda: self._storage.receive(
                sha1, manifest.size, manifest=manifest, name=row.uri.name, origin=origin
            )
        )
        keep = True
        try:
            row.size = manifest.size
            row.chunks = [ChunkState.MISSING] * len(manifest.chunks)
            for index in incoming.verified:
                row.chunks[index] = ChunkState.DONE
                self._ledger.count(
                    row, manifest.chunks[index].end - manifest.chunks[index].start, Origin.DISK
                )
            todo = iter([index for index in range(len(manifest.chunks)) if index not in incoming.verified])

            async def worker() -> None:
                for index in todo:
                    await self._chunk(incoming, manifest, index)

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(max(membership.config.limits.chunks for membership in self._candidates)):
                        group.create_task(worker())
            except BaseExceptionGroup as several:
                raise several.exceptions[0] from None
            self._ledger.enter(row, Step.VERIFYING)
            try:
                return await in_thread(incoming.commit)
            except WrongBytes:
                keep = False
                raise KacheryError(
                    "the manifest lies: its chunks do not make the file",
                    "every chunk is what the manifest says, the whole has another hash than the URI",
                    "Ask for the URI again where you got it",
                ) from None
        finally:
            await in_thread(lambda: incoming.close(keep=keep))

    async def _chunk(self, incoming: Incoming, manifest: Manifest, index: int) -> None:
        row, chunk = self._row, manifest.chunks[index]
        key = FileKey(chunk.sha1, chunk_of=ChunkOf(FileKey(row.key.sha1), chunk.start, chunk.end))
        row.chunks[index] = ChunkState.MOVING
        source = await in_thread(lambda: self._storage.find_key(key))
        if source is not None:
            try:
                await in_thread(lambda: incoming.copy_from(index, source))
            except WrongBytes as error:
                self._ledger.note(row, f"a chunk in own storage is damaged, fetched instead: {error.what}")
            else:
                row.chunks[index] = ChunkState.DONE
                self._ledger.count(row, source.size, Origin.DISK)
                return

        async def get(membership: Membership, came_from: Origin) -> None:
            await self._download(
                membership, file_object(membership.name, chunk.sha1), incoming, index, came_from
            )

        await self._obtain(key, get, index)
        row.chunks[index] = ChunkState.DONE
        self._ledger.touch(row)

    async def _obtain(self, key: FileKey, get: Get, index: int | None = None) -> None:
        """Get one object by the three steps: the buckets, a question to the nodes, the bucket again."""
        found: Membership | None = None
        answered = 0
        for _ in range(MOST_QUESTIONS):
            self._step(Step.BUCKET)
            candidates = [found] if found is not None else self._candidates
            failure = await self._try_buckets(get, candidates, Origin.PEER if answered else Origin.BUCKET)
            if failure is None:
                return
            if answered >= MOST_ANSWERS:
                who = self._asker.label_of(self._row.answered_by)
                raise TryAgain(
                    f"{who} said that it is in the bucket, and it is not as it should be",
                    f"{failure.what}: {failure.why}" if failure.why else failure.what,
                    "Try again, or ask the owner of that node to look into its log",
                )
            if index is not None:
                self._row.chunks[index] = ChunkState.ASKED
            try:
                found = await self._ask_all(key)
            except KacheryError as error:
                await self._last_look(get, error, failure)
                return
            if found is not None:
                answered += 1
            if index is not None:
                self._row.chunks[index] = ChunkState.MOVING
        raise TryAgain(
            f"{self._row.name} was asked for {MOST_QUESTIONS} times without result", "", "Try again later"
        )

    async def _try_buckets(
        self, get: Get, candidates: Sequence[Membership], came_from: Origin
    ) -> KacheryError | None:
        """Try `get` on each channel's bucket; None as soon as one had it, else the most telling reason why not."""
        reasons: list[KacheryError] = []
        for membership in candidates:
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
            except TryAgain as error:
                reasons.append(error)
            else:
                self._row.channel = membership.name
                return None
        return next((reason for reason in reasons if not isinstance(reason, MissingObject)), reasons[0])

    async def _patiently(self, membership: Membership, get: Get, came_from: Origin) -> None:
        def note(error: TryAgain) -> None:
            self._ledger.note(self._row, f"the bucket of {membership.name}: {error.what}; tried again")

        await with_retries(lambda: get(membership, came_from), BUCKET_PAUSES, note)

    async def _last_look(self, get: Get, unanswered: KacheryError, failure: KacheryError) -> None:
        """Nobody answered as it should be: what an answer that got lost has brought may be in the bucket all the same."""
        if await self._try_buckets(get, self._candidates, Origin.PEER) is None:
            return
        if isinstance(failure, (TryAgain, WrongBytes, UnexpectedSize)) and isinstance(
            unanswered, (NobodyHasIt, NotAllowed)
        ):
            raise TryAgain(
                failure.what, f"{failure.why}; and {unanswered.what}: {unanswered.why}", failure.do
            )
        raise unanswered

    async def _ask_all(self, key: FileKey) -> Membership | None:
        """Ask on every channel at once; the one on which it was announced first.

        None where a connection was made anew and the bucket is worth a look. Raises when no channel is left to hope for.
        """
        asking = {
            asyncio.ensure_future(self._asker.ask(membership, key, self._row.number, self._step)): membership
            for membership in self._candidates
        }
        reasons: list[KacheryError] = []
        try:
            for next_done in asyncio.as_completed(asking):
                try:
                    answered_by = await next_done
                except KacheryError as error:
                    reasons.append(error)
                    continue
                if answered_by is None:
                    self._ledger.note(self._row, "the connection was lost in the meantime: asked again")
                    return None
                self._row.answered_by = answered_by
                return next(m for task, m in asking.items() if task.done() and _answer(task) == answered_by)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        raise _most_telling(reasons)

    async def _download(
        self, membership: Membership, name: str, incoming: Incoming, index: int, origin: Origin | None
    ) -> None:
        """One object into its place, verified, and counted on the row unless `origin` is None.

        Raises `WrongBytes`, `UnexpectedSize`, `MissingObject`, `NotAllowed` or `TryAgain`.
        """
        chunk, loop = incoming.chunks[index], asyncio.get_running_loop()
        size = chunk.end - chunk.start
        writer = incoming.writer(index)
        taken = 0

        def took(amount: int) -> None:
            nonlocal taken
            if not taken:
                self._step(Step.DOWNLOADING)
            taken += amount
            if origin is not None:
                self._ledger.count(self._row, amount, origin)

        def sink(piece: memoryview) -> None:
            writer.write(piece)
            loop.call_soon_threadsafe(took, len(piece))

        try:
            received = await membership.channel.bucket.fetch(name, sink, max_bytes=size)
            if received != size:
                raise WrongBytes(f"{name} has {received} bytes, not {size}")
            await in_thread(writer.finish)
        except BaseException:
            await in_thread(writer.abort)
            if origin is not None:
                self._ledger.count(self._row, -taken, origin)
            raise
        self._count_downloaded(size)

    def _check_size(self, membership: Membership, size: int, at_most: int | None) -> None:
        limit = min(membership.config.limits.max_file_size, at_most or size)
        if size > limit:
            raise KacheryError(
                f"{self._row.name} is too large",
                f"{size} bytes, and {membership.name} allows {limit} here (limits.max_file_size)",
                "Raise the limit in the channel file if you want it",
            )

    def _step(self, step: Step, node_id: str = "") -> None:
        """Follow the object furthest on its way: a row of several chunks shows one step, and it only moves on."""
        if node_id:
            self._row.answered_by = node_id
        several = len(self._row.chunks) > 1
        if several and self._row.step in _ORDER and _ORDER.index(step) < _ORDER.index(self._row.step):
            return
        self._ledger.enter(self._row, step)


def _answer(task: "asyncio.Future[str | None]") -> str | None:
    return task.result() if not task.cancelled() and task.exception() is None else None


def _most_telling(reasons: Sequence[KacheryError]) -> KacheryError:
    """One error for several channels: the kind that leaves most hope, and the words of all."""
    if len(reasons) == 1:
        return reasons[0]
    kinds = (TryAgain, NobodyHasIt, NotAllowed, KacheryError)
    best = next(reason for kind in kinds for reason in reasons if isinstance(reason, kind))
    others = "; ".join(f"{reason.what}: {reason.why}" for reason in reasons if reason is not best)
    return type(best)(best.what, f"{best.why}; {others}", best.do)

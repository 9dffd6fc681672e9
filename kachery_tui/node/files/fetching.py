"""Getting one file: own storage, then the buckets, then the nodes of the channels; verified, and put where it belongs."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from kachery_tui.channel.errors import MissingObject
from kachery_tui.errors import KacheryError, NobodyHasIt, NotAllowed, TryAgain
from kachery_tui.node.files.asking import Asker
from kachery_tui.node.files.obtaining import Obtainer, SizeNotSaid
from kachery_tui.node.files.subject import ChunkState, FileSubject
from kachery_tui.node.ledger import Origin, Request
from kachery_tui.node.membership import Membership
from kachery_tui.node.parts import Parts
from kachery_tui.node.steps import Step
from kachery_tui.node.threads import acquired_in_thread, in_thread, in_thread_with_progress
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.manifest import CHUNK_SIZE, Manifest
from kachery_tui.protocol.messages import ChunkOf, FileKey
from kachery_tui.protocol.objects import file_object
from kachery_tui.storage.incoming import Incoming
from kachery_tui.storage.problems import Damaged, StillArriving, WrongBytes, WrongManifest
from kachery_tui.storage.values import Found

LARGEST_MANIFEST: Final = CHUNK_SIZE
"""Bytes. A manifest is stored as one object; this much describes a file of some 4 TB."""

ARRIVING_PAUSE: Final = 0.5
"""Seconds between two looks at a file that another program is receiving into the same storage folder."""

CHUNK_ROUNDS: Final = 3
"""How often chunks that turn out to be wrong in the end are fetched again."""


class Fetch:
    """One request of this node on its way: the walk from own storage to a verified file.

    `candidates` are the channels to look at, in this order. Cancelling the task that runs it lets go of everything
    but the verified chunks.
    """

    def __init__(
        self,
        row: Request,
        file: FileSubject,
        candidates: Sequence[Membership],
        parts: Parts,
        asker: Asker,
        *,
        is_absent: bool = False,
    ) -> None:
        """`is_absent` says that own storage was looked at a while ago, in vain."""
        self._row = row
        self._file = file
        self._candidates = list(candidates)
        self._storage = parts.storage
        self._ledger = parts.ledger
        self._obtainer = Obtainer(row, file, candidates, parts, asker)
        self._came_from: dict[int, Origin] = {}
        self._is_absent = is_absent

    async def fetch(self) -> Found:
        """Walk to the end; the file in own storage.

        Raises `NobodyHasIt`, `NotAllowed`, `TryAgain`, or another `KacheryError` that says what is wrong.
        """
        was_absent = self._is_absent
        while True:
            try:
                return await self._walk()
            except (NobodyHasIt, NotAllowed, TryAgain) as error:
                # It may have come by another way since it was looked for.
                found = await self._in_storage() if was_absent else None
                if found is None:
                    raise error
                return self._taken(found)
            except StillArriving:
                # Whoever has it in hand brings it into this storage, or gives it up; either ends the waiting.
                self._ledger.note(
                    self._row, "another program on this machine is receiving the file: waiting for it"
                )
                await asyncio.sleep(ARRIVING_PAUSE)

    async def _walk(self) -> Found:
        row, key = self._row, self._file.key
        found = None if self._is_absent else await self._in_storage()
        self._is_absent = False
        if found is not None:
            return self._taken(found)
        if not self._candidates:
            raise NobodyHasIt(
                f"{row.name} is not in this node's storage", "and it has joined no channel", "Join a channel"
            )
        if key.manifest_sha1 is None:
            return await self._single(key, counted=True)
        return await self._in_chunks(await self._manifest(key.manifest_sha1))

    def _taken(self, found: Found) -> Found:
        """A file that was here already."""
        self._row.size = found.size
        self._ledger.count(self._row, found.size, Origin.DISK)
        return found

    async def _in_storage(self) -> Found | None:
        sha1 = self._file.key.sha1

        def find(report: Callable[[int], None]) -> Found | None:
            found = self._storage.find_right(sha1, progress=report)
            if found is not None:
                self._storage.touch(sha1)
            return found

        try:
            return await in_thread_with_progress(find)
        except Damaged as error:
            self._ledger.note(self._row, f"{error.line}: it is fetched again. {error.do}")
            return None

    async def _manifest(self, sha1: str) -> Manifest:
        data = await in_thread(lambda: self._storage.read_bytes(sha1, LARGEST_MANIFEST))
        if data is None:
            await self._single(FileKey(sha1), counted=False, at_most=LARGEST_MANIFEST)
            data = await in_thread(lambda: self._storage.read_bytes(sha1, LARGEST_MANIFEST))
        if data is None:
            raise KacheryError(f"the manifest {sha1[:12]}… was received and is gone again", "", "Try again")
        kept = data
        try:
            return await in_thread(lambda: Manifest.parse(kept, self._file.hash))
        except ProtocolError as error:
            raise KacheryError(
                f"the manifest that the URI names is not this file's: {error.what}",
                "its bytes are what their hash says, so the URI itself is wrong",
                "Ask for the URI again where you got it",
            ) from None

    async def _single(self, key: FileKey, *, counted: bool, at_most: int | None = None) -> Found:
        """Get what is one object in the bucket: a file without a manifest, or a manifest."""
        loop = asyncio.get_running_loop()

        def receive(membership: Membership, size: int) -> Incoming:
            """Called in a thread."""
            self._check_size(membership, size, at_most)
            if counted and self._row.size != size:
                loop.call_soon_threadsafe(has_size, size)
            name_on_disk = self._file.uri.name if counted else None
            return self._storage.receive(key.sha1, size, name=name_on_disk, origin=membership.name)

        def has_size(size: int) -> None:
            self._row.size = size
            self._ledger.touch(self._row)

        whole = _Whole(receive)

        async def get(membership: Membership, came_from: Origin) -> None:
            name = file_object(membership.name, key.sha1)
            origin = came_from if counted else None
            try:
                await self._obtainer.download_whole(
                    membership, name, lambda size: whole.place(membership, size), whole.commit, origin
                )
            except SizeNotSaid:
                info = await membership.channel.bucket.head(name)
                if info is None:
                    raise MissingObject(name) from None
                place = await in_thread(lambda: whole.place(membership, info.size))
                await self._obtainer.download(membership, name, place, 0, origin)
                await in_thread(whole.commit)

        try:
            await self._obtainer.obtain(key, get)
        finally:
            if whole.is_open:
                await in_thread(whole.close)
        return whole.outcome()

    async def _in_chunks(self, manifest: Manifest) -> Found:
        """Get a file chunk by chunk, several at a time; what an earlier try verified is not fetched again."""
        row, sha1 = self._row, self._file.hash
        self._check_size(self._candidates[0], manifest.size, None)
        origin = ", ".join(membership.name for membership in self._candidates)
        incoming = await acquired_in_thread(
            lambda: self._storage.receive(
                sha1, manifest.size, manifest=manifest, name=self._file.uri.name, origin=origin
            ),
            lambda opened: opened.close(keep=True),
        )
        keep = True
        if row.step is Step.VERIFYING:
            # Another program had the file in hand after all.
            self._ledger.enter(row, Step.BUCKET)
        try:
            row.size = manifest.size
            self._file.chunks = [ChunkState.MISSING] * len(manifest.chunks)
            for index in incoming.verified:
                self._arrived(manifest, index, Origin.DISK)
            for _ in range(CHUNK_ROUNDS):
                await self._missing_chunks(incoming, manifest)
                self._ledger.enter(row, Step.VERIFYING)
                try:
                    return await in_thread(incoming.commit)
                except WrongManifest:
                    keep = False
                    raise KacheryError(
                        "the manifest lies: its chunks do not make the file",
                        "every chunk is what the manifest says, the whole has another hash than the URI",
                        "Ask for the URI again where you got it",
                    ) from None
                except WrongBytes as error:
                    self._take_back(incoming, manifest, error)
            raise TryAgain(
                f"{row.name} arrived with wrong bytes again and again", "", "Check this machine's disk"
            )
        finally:
            await in_thread(lambda: incoming.close(keep=keep))

    async def _missing_chunks(self, incoming: Incoming, manifest: Manifest) -> None:
        """Get what is not there yet, several chunks at a time."""
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

    def _take_back(self, incoming: Incoming, manifest: Manifest, error: WrongBytes) -> None:
        """Bring the row in line with chunks that turned out to be wrong when the whole file was checked."""
        self._ledger.enter(self._row, Step.BUCKET)
        self._ledger.note(self._row, f"{error.what}: fetched again")
        for index, state in enumerate(self._file.chunks):
            if state is ChunkState.DONE and index not in incoming.verified:
                chunk = manifest.chunks[index]
                self._file.chunks[index] = ChunkState.MISSING
                self._ledger.count(
                    self._row, chunk.start - chunk.end, self._came_from.get(index, Origin.BUCKET)
                )

    def _arrived(self, manifest: Manifest, index: int, origin: Origin) -> None:
        """Count a chunk that was on this machine already."""
        chunk = manifest.chunks[index]
        self._file.chunks[index] = ChunkState.DONE
        self._came_from[index] = origin
        self._ledger.count(self._row, chunk.end - chunk.start, origin)

    async def _chunk(self, incoming: Incoming, manifest: Manifest, index: int) -> None:
        row, chunk = self._row, manifest.chunks[index]
        key = FileKey(chunk.sha1, chunk_of=ChunkOf(FileKey(self._file.hash), chunk.start, chunk.end))
        self._file.chunks[index] = ChunkState.MOVING
        source = await in_thread(lambda: self._storage.find_key(key))
        if source is not None:
            try:
                await in_thread(lambda: incoming.copy_from(index, source))
            except WrongBytes as error:
                self._ledger.note(row, f"a chunk in own storage is damaged, fetched instead: {error.what}")
            else:
                self._arrived(manifest, index, Origin.DISK)
                return

        async def get(membership: Membership, came_from: Origin) -> None:
            name = file_object(membership.name, chunk.sha1)
            await self._obtainer.download(membership, name, incoming, index, came_from)
            self._came_from[index] = came_from

        def on_asked(asked: bool) -> None:
            self._file.chunks[index] = ChunkState.ASKED if asked else ChunkState.MOVING

        await self._obtainer.obtain(key, get, on_asked)
        self._file.chunks[index] = ChunkState.DONE
        self._ledger.touch(row)

    def _check_size(self, membership: Membership, size: int, at_most: int | None) -> None:
        limit = min(membership.config.limits.max_file_size, at_most or size)
        if size > limit:
            raise KacheryError(
                f"{self._row.name} is too large",
                f"{size} bytes, and {membership.name} allows {limit} here (limits.max_file_size)",
                "Raise the limit in the channel file if you want it",
            )


class _Whole:
    """An object in one piece on its way into storage. All but `is_open` and `outcome` is called in threads."""

    def __init__(self, receive: Callable[[Membership, int], Incoming]) -> None:
        self._receive = receive
        self._incoming: Incoming | None = None
        self._outcome: Found | KacheryError | None = None

    def place(self, membership: Membership, size: int) -> Incoming:
        """Where so many bytes go; the same one for as long as the size stays."""
        if self._incoming is None or self._incoming.chunks[0].end != size:
            self.close()
            self._incoming = self._receive(membership, size)
        return self._incoming

    def commit(self) -> None:
        """It is all there. What fails now is the disk's matter, which another try at the bucket would not help."""
        assert self._incoming is not None, "what is there has a place"
        try:
            self._outcome = self._incoming.commit()
        except KacheryError as error:
            self._outcome = error

    @property
    def is_open(self) -> bool:
        """Whether there is anything to let go of."""
        return self._incoming is not None and not isinstance(self._outcome, Found)

    def close(self) -> None:
        """Let go of what did not come whole."""
        if self._incoming is not None:
            self._incoming.close(keep=False)
            self._incoming = None

    def outcome(self) -> Found:
        """The object in storage; raises why it could not be put there."""
        assert self._outcome is not None, "what was obtained was committed"
        if isinstance(self._outcome, KacheryError):
            raise self._outcome
        return self._outcome

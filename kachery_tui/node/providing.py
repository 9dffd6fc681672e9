"""Answering other nodes: who asks for a file that is here gets it into the bucket, by itself or after a person's yes."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from kachery_tui.config import Provide
from kachery_tui.errors import KacheryError, NotAllowed, UsageError
from kachery_tui.node.history_rows import broken_off
from kachery_tui.node.ledger import Ledger, Request, Side, Step
from kachery_tui.node.lookups import Lookups, Question
from kachery_tui.node.membership import Membership
from kachery_tui.node.supervisor import Supervisor
from kachery_tui.node.threads import in_thread
from kachery_tui.node.uploading import Uploader
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.manifest import CHUNK_SIZE, Manifest
from kachery_tui.protocol.messages import (
    FileKey,
    UploadFileFailed,
    UploadFileProgress,
    UploadFileStatus,
    UploadStatus,
)
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.storage import Storage
from kachery_tui.storage.values import ByteSource

_log = logging.getLogger(__name__)

MOST_SERVINGS: Final = 500
"""Files of which others may want something at a time."""

MOST_WAITING: Final = 100
"""Files that may wait for a person's answer at a time."""

MOST_ASKERS: Final = 50
"""Node ids kept on one row."""

HOLD_INTERVAL: Final = 15.0
"""Seconds between two signs of life while a person is asked: well under any asker's `progress_timeout`."""

HOLD_PATIENCE: Final = 600.0
"""Seconds until a question that nobody answered is taken for a no."""

PRESENCE_INTERVAL: Final = 1.0
"""Seconds between two looks at whether those who asked are still there."""

ASKER_GONE: Final = "the asker has gone"

CONSENT_LASTS: Final = 600.0
"""Seconds for which a yes covers further chunks of the same file."""

_MANIFEST_START: Final = b'{"size":'


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One object that is wanted, and the file that it belongs to as far as a person is concerned."""

    key: FileKey
    source: ByteSource
    root: str
    """sha1 of the file that this is, is a chunk of, or is the manifest of."""
    size: int
    """Bytes of that file."""
    name: str | None
    """What that file is called here."""


@dataclass(slots=True)
class _Serving:
    """What others want of one file, on one channel."""

    row: Request
    size: int
    consent_until: float = 0.0
    """Unix time; until then no person need be asked."""
    held: dict[str, _Wanted] = field(default_factory=dict)
    under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    hold: asyncio.Task[None] | None = None
    shown: set[str] = field(default_factory=set)
    """Node ids of askers that were present at some time: of others it cannot be told whether they have gone."""
    failure: KacheryError | None = None


class Provider:
    """Serves what other nodes request, one row a file however many chunks of it and however many askers."""

    def __init__(
        self,
        storage: Storage,
        ledger: Ledger,
        supervisor: Supervisor,
        uploader: Uploader,
    ) -> None:
        self._storage = storage
        self._ledger = ledger
        self._supervisor = supervisor
        self._uploader = uploader
        self._lookups = Lookups(supervisor, self._find, self._take_up)
        self._servings: dict[tuple[str, str], _Serving] = {}
        self._rows: dict[int, tuple[Membership, _Serving]] = {}

    @property
    def waiting(self) -> int:
        """How many files wait for a person's answer."""
        return sum(1 for serving in self._servings.values() if serving.held)

    def hear(self, membership: Membership, key: FileKey, asker: str, message: int) -> None:
        """Take a request for one object. Whether it is here is found out in the background; if not, nothing is said."""
        if Role.PROVIDE_FILES not in membership.roles:
            return
        self._lookups.put(Question(membership, key, asker, message))

    def _take_up(self, question: Question, wanted: _Wanted | None) -> None:
        """Serve what was found here."""
        if wanted is None:
            return
        membership, key = question.membership, question.key
        serving = self._serving(membership, wanted, question.asker)
        if serving is None:
            membership.activity[Stream.REQUEST_FILES].count_refused(
                "more files wanted than this node serves at a time"
            )
            return
        membership.activity[Stream.REQUEST_FILES].belongs_to(question.message, serving.row.number)
        if key.sha1 in serving.under_way or key.sha1 in serving.held:
            # Whoever asks again has not heard the answer, or has come later than it was given.
            again = self._say_again(membership, serving, wanted)
            self._supervisor.spawn(again, f"{membership.name}: say again {key.sha1[:12]}")
            return
        if membership.config.provide is Provide.AUTO or time.time() < serving.consent_until:
            self._start(membership, serving, wanted)
        else:
            self._hold(membership, serving, wanted)

    def _find(self, key: FileKey) -> _Wanted | None:
        """Look in storage; runs in a thread."""
        try:
            source = self._storage.find_key(key)
        except KacheryError as error:
            _log.warning("looking up %s: %s", key.sha1, error)
            return None
        if source is None:
            return None
        try:
            described = _described(source) if key.chunk_of is None else None
        except OSError as error:
            _log.warning("reading %s: %s", source.path, error)
            return None
        root = key.sha1
        if key.chunk_of is not None:
            root = key.chunk_of.file_key.sha1
        elif described is not None:
            root = described.sha1
        entry = self._storage.index.get(root)
        size = entry.size if entry else described.size if described else source.size
        return _Wanted(key, source, root, size, entry.name or None if entry else None)

    def _serving(self, membership: Membership, wanted: _Wanted, asker: str) -> _Serving | None:
        """The row's bookkeeping for a file; a row that ended lately is taken up again for the next chunk."""
        place = (membership.name, wanted.root)
        serving = self._servings.get(place)
        if serving is not None and not serving.row.is_active and serving.row.step is not Step.DONE:
            # A failed or declined one was a try of its own: the new request starts afresh.
            self._forget(place, serving)
            serving = None
        if serving is None:
            self._drop_ended()
            if len(self._servings) >= MOST_SERVINGS:
                return None
            key = FileKey(wanted.root)
            uri = FileUri(wanted.root, name=wanted.name)
            row = self._ledger.open(Side.THEIRS, membership.name, key, uri, Step.CHECKING)
            row.size = wanted.size
            serving = self._servings[place] = _Serving(row, wanted.size)
            self._rows[row.number] = (membership, serving)
        elif not serving.row.is_active:
            self._ledger.resume(serving.row, Step.CHECKING)
        if asker not in serving.row.asked_by and len(serving.row.asked_by) < MOST_ASKERS:
            serving.row.asked_by.append(asker)
            self._ledger.touch(serving.row)
        return serving

    def _start(self, membership: Membership, serving: _Serving, wanted: _Wanted) -> None:
        work = self._serve(membership, serving, wanted)
        name = f"{membership.name}: provide {wanted.key.sha1[:12]}"
        serving.under_way[wanted.key.sha1] = self._supervisor.spawn(work, name)

    async def _serve(self, membership: Membership, serving: _Serving, wanted: _Wanted) -> None:
        row, key = serving.row, wanted.key
        if membership.upload_slots.locked():
            self._ledger.enter(row, Step.QUEUED)
        try:
            await membership.publish_patiently(
                UploadFileStatus(key, UploadStatus.STARTED), request=row.number
            )
            with self._storage.using(wanted.root):
                await self._uploader.upload(membership, row, key, wanted.source)
                await in_thread(lambda: self._storage.touch(wanted.root))
            serving.sent[key.sha1] = wanted.source.size
        except KacheryError as error:
            serving.failure = error
        except asyncio.CancelledError:
            # A person's cancelling has ended the row by now; this is the end of the program.
            if row.is_active:
                self._ledger.end(row, Step.CANCELLED, failure=broken_off(row.side))
            raise
        finally:
            serving.under_way.pop(key.sha1, None)
            self._end_if_quiet(serving)

    def _end_if_quiet(self, serving: _Serving) -> None:
        row = serving.row
        if serving.under_way or serving.held or not row.is_active:
            return
        if serving.failure is not None:
            self._ledger.end(row, Step.FAILED, failure=serving.failure)
        else:
            self._ledger.end(row, Step.DONE)

    def _hold(self, membership: Membership, serving: _Serving, wanted: _Wanted) -> None:
        if not serving.held and self.waiting >= MOST_WAITING:
            self._ledger.end(serving.row, Step.DECLINED)
            membership.activity[Stream.REQUEST_FILES].count_refused("more questions than a person can answer")
            return
        serving.held[wanted.key.sha1] = wanted
        self._ledger.enter(serving.row, Step.WAITING)
        if serving.hold is None or serving.hold.done():
            serving.hold = self._supervisor.spawn(
                self._keep_holding(membership, serving),
                f"{membership.name}: hold {wanted.root[:12]}",
                service=True,
            )
        else:
            again = self._say_again(membership, serving, wanted)
            self._supervisor.spawn(again, f"{membership.name}: say again {wanted.key.sha1[:12]}")

    async def _keep_holding(self, membership: Membership, serving: _Serving) -> None:
        """Tell the askers now and then that a person is being asked; in the end, that nobody answered."""
        until, said = time.time() + HOLD_PATIENCE, 0.0
        while (now := time.time()) < until:
            if now - said >= HOLD_INTERVAL:
                said = now
                for wanted in list(serving.held.values()):
                    await self._say_again(membership, serving, wanted)
            self._look_for_askers(membership, serving)
            await asyncio.sleep(PRESENCE_INTERVAL)
        self._decline(membership, serving, f"nobody answered within {HOLD_PATIENCE / 60:.0f} minutes")

    def _look_for_askers(self, membership: Membership, serving: _Serving) -> None:
        """Note on the row when those who asked for it, and showed themselves, are all gone."""
        if not membership.is_connected:
            return
        members = {member.node_id for member in membership.members(Stream.REQUEST_FILES)}
        present = members.intersection(serving.row.asked_by)
        serving.shown |= present
        if present:
            self._ledger.take_back(serving.row, ASKER_GONE)
        elif serving.shown.issuperset(serving.row.asked_by):
            self._ledger.note(serving.row, ASKER_GONE)

    async def _say_again(self, membership: Membership, serving: _Serving, wanted: _Wanted) -> None:
        """Say what is known of one object: that a person is asked about it, or that it is on its way."""
        key = wanted.key
        if key.sha1 in serving.held:
            body: UploadFileProgress | UploadFileStatus = UploadFileProgress(key, 0, wanted.source.size)
        else:
            body = UploadFileStatus(key, UploadStatus.STARTED)
        try:
            await membership.publish(body, request=serving.row.number)
        except KacheryError as error:
            _log.info("%s: could not say how %s stands: %s", membership.name, key.sha1, error)

    def answer(self, row: Request, *, yes: bool) -> None:
        """Give a person's answer to a row that waits for it. Raises `UsageError` where none waits."""
        membership, serving = self._rows.get(row.number, (None, None))
        if membership is None or serving is None or not serving.held:
            raise UsageError(f"request {row.number} does not wait for an answer", f"it is {row.step}")
        if not yes:
            self._decline(membership, serving, "declined")
            return
        if serving.hold is not None:
            serving.hold.cancel()
        serving.consent_until = time.time() + CONSENT_LASTS
        held, serving.held = serving.held, {}
        for wanted in held.values():
            self._start(membership, serving, wanted)

    def _decline(self, membership: Membership, serving: _Serving, reason: str) -> None:
        self._ledger.end(serving.row, Step.DECLINED)
        self._drop_held(membership, serving, reason)

    def _drop_held(self, membership: Membership, serving: _Serving, reason: str) -> None:
        """Let go of what waits for a person, at once, and have its askers told why."""
        held, serving.held = serving.held, {}
        if serving.hold is not None and serving.hold is not asyncio.current_task():
            serving.hold.cancel()
        keys = [wanted.key for wanted in held.values()]
        self._supervisor.spawn(
            self._say_failed(membership, serving.row, keys, reason), f"{membership.name}: decline"
        )

    async def _say_failed(
        self, membership: Membership, row: Request, keys: Sequence[FileKey], reason: str
    ) -> None:
        for key in keys:
            try:
                await membership.publish(UploadFileFailed(key, reason), request=row.number)
            except KacheryError as error:
                _log.info("%s: could not say that %s was %s: %s", membership.name, key.sha1, reason, error)

    def cancel(self, row: Request) -> None:
        """Stop serving a row: uploads under way are broken off, held ones declined."""
        membership, serving = self._rows.get(row.number, (None, None))
        if membership is None or serving is None:
            return
        self._ledger.end(row, Step.CANCELLED)
        if serving.held:
            self._drop_held(membership, serving, "cancelled there")
        for task in list(serving.under_way.values()):
            task.cancel()

    def retry(self, row: Request) -> None:
        """Send the whole file of an ended row, whether or not anybody still asks. Raises `UsageError` where it cannot."""
        membership, serving = self._rows.get(row.number, (None, None))
        if membership is None or serving is None:
            raise UsageError(
                f"request {row.number} is too old to be tried again", "", "Push the file instead"
            )
        if Role.PROVIDE_FILES not in membership.roles:
            raise NotAllowed(f"no role {Role.PROVIDE_FILES} on {membership.name}")
        serving.consent_until = time.time() + CONSENT_LASTS
        serving.failure = None
        self._ledger.reopen(row, Step.CHECKING)
        self._supervisor.spawn(self._send_again(membership, serving), f"{membership.name}: provide again")

    async def _send_again(self, membership: Membership, serving: _Serving) -> None:
        wanted = await in_thread(lambda: self._find(serving.row.file))
        if wanted is None:
            gone = KacheryError("the file is no longer in this node's storage", "", "Store or link it again")
            self._ledger.end(serving.row, Step.FAILED, failure=gone)
        else:
            self._start(membership, serving, wanted)

    def leave(self, membership: Membership) -> None:
        """Stop everything that is served on a channel."""
        for place, serving in list(self._servings.items()):
            if place[0] == membership.name:
                if serving.row.is_active:
                    self.cancel(serving.row)
                self._forget(place, serving)

    def _drop_ended(self) -> None:
        for place, serving in list(self._servings.items()):
            ended = serving.row.ended
            if ended is not None and time.time() - ended > CONSENT_LASTS:
                self._forget(place, serving)

    def _forget(self, place: tuple[str, str], serving: _Serving) -> None:
        self._servings.pop(place, None)
        self._rows.pop(serving.row.number, None)


def _described(source: ByteSource) -> Manifest | None:
    """The manifest that `source` is, or None: a manifest belongs to its file, as chunks do."""
    if source.size > CHUNK_SIZE:
        return None
    with source.path.open("rb") as file:
        file.seek(source.start)
        if file.read(len(_MANIFEST_START)) != _MANIFEST_START:
            return None
        file.seek(source.start)
        data = file.read(source.size)
    try:
        return Manifest.parse(data)
    except ProtocolError:
        return None

"""Answering other nodes: who asks for a file that is here gets it into the bucket, by itself or after a person's yes.

Theory of operation. A request is looked up (`Lookups`, `Finder`). What is not here is met with silence, as the protocol
has it; what is here goes onto the row of its file (`Servings`) and is sent, or waits there for a person. Whatever is here
and is not sent is refused aloud: an asker that hears nothing waits for a time-out, and takes it that nobody has the file.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

from kachery_tui.config import Provide
from kachery_tui.errors import KacheryError, NotAllowed, UsageError
from kachery_tui.node.files.lookups import Lookups, Question
from kachery_tui.node.files.servings import Serving, Servings
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.files.uploading import Uploader
from kachery_tui.node.files.wanted import Finder, Wanted
from kachery_tui.node.ledger import Request, broken_off
from kachery_tui.node.membership import Membership
from kachery_tui.node.parts import Parts
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.threads import in_thread
from kachery_tui.peer_limits import PeerLimit
from kachery_tui.protocol.messages import (
    FileKey,
    UploadFileFailed,
    UploadFileProgress,
    UploadFileStatus,
    UploadStatus,
)
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.uris import FileUri

_log = logging.getLogger(__name__)

MOST_ASKERS: Final = 50
"""Node ids kept on one row."""

HOLD_INTERVAL: Final = 15.0
"""Seconds between two signs of life while a person is asked: well under any asker's `progress_timeout`."""

HOLD_PATIENCE: Final = 600.0
"""Seconds until a question that nobody answered is taken for a no."""

PRESENCE_INTERVAL: Final = 1.0
"""Seconds between two looks at whether those who asked are still there."""

MOST_UNVOUCHED: Final = 100
"""Links that may wait to be verified, and questions that may wait for one of them."""

REFUSALS_PER_SECOND: Final = 20.0
"""Refusals that are said to one asker; of more it gets to hear no more than of what it asked too fast."""

ASKER_GONE: Final = "the asker has gone"

ASKER_OLD: Final = "asked by a node that does not show itself, which may have gone before you answer"

CONSENT_LASTS: Final = 600.0
"""Seconds for which a yes covers further chunks of the same file."""


class Provider:
    """Serves what other nodes request, one row a file however many chunks of it and however many askers."""

    def __init__(self, parts: Parts, uploader: Uploader) -> None:
        self._storage = parts.storage
        self._ledger = parts.ledger
        self._supervisor = parts.supervisor
        self._uploader = uploader
        self._finder = Finder(parts.storage)
        self._lookups = Lookups(parts.supervisor, self._finder.find, self._take_up, self._refuse_lookup)
        self._servings = Servings()
        self._unvouched: dict[str, list[Question]] = {}
        """Who waits for a link's file to be read, by the link's sha1."""
        self._verifying = asyncio.Lock()
        self._refusals = PeerLimit(REFUSALS_PER_SECOND, burst=REFUSALS_PER_SECOND * 5)

    def hear_request(self, membership: Membership, key: FileKey, asker: str, message: int) -> None:
        """Take a request for one object. Whether it is here is found out in the background; if not, nothing is said."""
        if Role.PROVIDE_FILES not in membership.roles:
            return
        self._lookups.put_question(Question(membership, key, asker, message))

    # -- taking up ------------------------------------------------------------------------------------------

    def _take_up(self, question: Question, wanted: Wanted | None) -> None:
        """Serve what was found here."""
        if wanted is None:
            return
        membership, asker = question.membership, question.asker
        if not wanted.is_vouched:
            self._vouch_soon(question, wanted)
            return
        serving = self._serving(question, wanted)
        if serving is None:
            return
        sha1 = wanted.key.sha1
        membership.activity[Stream.REQUEST_FILES].belongs_to(question.message, serving.row.number)
        if sha1 in serving.under_way or sha1 in serving.held:
            # Whoever asks again has not heard the answer, or has come later than it was given.
            self._say_soon(serving, wanted, asker)
            if self._uploader.is_announcing(membership, wanted.key):
                serving.again[sha1] = wanted
            return
        if membership.config.provide is Provide.AUTO or time.time() < serving.consent_until:
            self._start(serving, wanted)
        else:
            self._hold(serving, wanted, question)

    def _vouch_soon(self, question: Question, wanted: Wanted) -> None:
        """Have a link's file read before anything of it is told."""
        waiting = self._unvouched.get(wanted.linked)
        if waiting is not None:
            if len(waiting) < MOST_UNVOUCHED:
                waiting.append(question)
            return
        if len(self._unvouched) >= MOST_UNVOUCHED:
            # Nothing may be told of it, so it is not refused aloud either.
            question.membership.activity[Stream.REQUEST_FILES].count_refused(
                "more links than can be verified"
            )
            return
        self._unvouched[wanted.linked] = [question]
        self._supervisor.spawn(self._vouch(wanted), f"verify the link {wanted.linked[:12]}")

    async def _vouch(self, wanted: Wanted) -> None:
        """Read a link's file, one at a time, and go on with who asked for it if it is what the link says."""
        try:
            async with self._verifying:
                is_right = await in_thread(lambda: self._finder.vouch(wanted))
        finally:
            questions = self._unvouched.pop(wanted.linked)
        if is_right:
            for question in questions:
                self._lookups.put_question(question)

    def _serving(self, question: Question, wanted: Wanted) -> Serving | None:
        """The row's bookkeeping for a file; a row that ended lately is taken up again for the next chunk."""
        membership, asker = question.membership, question.asker
        place = (membership.name, wanted.root)
        serving = self._servings.get(place)
        if serving is None or not serving.row.is_active:
            why_not = self._servings.why_not_begin(asker)
            if why_not:
                self._refuse(question, why_not)
                return None
        if serving is None or (not serving.row.is_active and serving.row.step is not Step.DONE):
            # A failed or declined one was a try of its own: the new request starts afresh.
            uri = FileUri(wanted.root, name=wanted.name)
            row = self._ledger.open(Side.THEIRS, membership.name, FileSubject(uri), Step.CHECKING)
            row.size = wanted.size
            serving = Serving(row, uri.file_key, membership, asker)
            self._servings.begin(place, serving)
        elif not serving.row.is_active:
            self._ledger.resume(serving.row, Step.CHECKING)
            self._servings.resume(place, asker)
        if asker not in serving.row.asked_by and len(serving.row.asked_by) < MOST_ASKERS:
            serving.row.asked_by.append(asker)
            self._ledger.touch(serving.row)
        return serving

    def _refuse_lookup(self, question: Question) -> None:
        self._refuse(question, "more is asked here at a time than can be looked up: ask again later")

    def _refuse(self, question: Question, why: str) -> None:
        """Say that something is not sent, and why: whoever hears nothing waits for a time-out."""
        membership = question.membership
        membership.activity[Stream.REQUEST_FILES].count_refused(why)
        if self._refusals.allows(question.asker, time.monotonic()):
            saying = self._say(membership, UploadFileFailed(question.key, why))
            self._supervisor.spawn(saying, f"{membership.name}: refuse {question.key.sha1[:12]}")

    # -- sending --------------------------------------------------------------------------------------------

    def _start(self, serving: Serving, wanted: Wanted) -> None:
        name = f"{serving.membership.name}: provide {wanted.key.sha1[:12]}"
        serving.under_way[wanted.key.sha1] = self._supervisor.spawn(self._serve(serving, wanted), name)

    async def _serve(self, serving: Serving, wanted: Wanted) -> None:
        row, key, membership = serving.row, wanted.key, serving.membership
        try:
            if membership.upload_slots.locked():
                self._ledger.enter(row, Step.QUEUED)
            if not await in_thread(lambda: self._finder.is_right(wanted)):
                self._ledger.note(row, "asked for a chunk that the file does not have")
                await self._say(membership, UploadFileFailed(key, "the file has no such chunk"), row)
                return
            await membership.publish_patiently(
                UploadFileStatus(key, UploadStatus.STARTED), request=row.number
            )
            with self._storage.using(wanted.root):
                await in_thread(lambda: self._storage.touch(wanted.root))
                await self._uploader.upload(membership, row, key, wanted.source)
        except KacheryError as error:
            serving.failure = error
        except asyncio.CancelledError:
            # What a person cancelled is no longer under way, its row perhaps at another try; this is the program's end.
            if self._is_under_way(serving, key) and row.is_active:
                self._end(serving, Step.CANCELLED, broken_off(row.side))
            raise
        finally:
            if self._is_under_way(serving, key):
                del serving.under_way[key.sha1]
                again = serving.again.pop(key.sha1, None)
                if again is not None and row.is_active:
                    self._start(serving, again)
                self._end_if_quiet(serving)

    def _is_under_way(self, serving: Serving, key: FileKey) -> bool:
        """Whether the current task is the one that sends an object for a serving."""
        return serving.under_way.get(key.sha1) is asyncio.current_task()

    def _end_if_quiet(self, serving: Serving) -> None:
        if serving.under_way or serving.held or not serving.row.is_active:
            return
        if serving.failure is not None:
            self._end(serving, Step.FAILED, serving.failure)
        else:
            self._end(serving, Step.DONE)

    def _end(self, serving: Serving, step: Step, failure: KacheryError | None = None) -> None:
        self._ledger.end(serving.row, step, failure=failure)
        self._servings.end(serving)

    # -- asking a person ------------------------------------------------------------------------------------

    def _hold(self, serving: Serving, wanted: Wanted, question: Question) -> None:
        why_not = "" if serving.held else self._servings.why_not_hold(question.asker)
        if why_not:
            if not serving.under_way:
                self._end(serving, Step.DECLINED)
            self._refuse(question, why_not)
            return
        serving.held[wanted.key.sha1] = wanted
        self._ledger.enter(serving.row, Step.WAITING)
        if not self._shows_itself(serving.membership, question.asker):
            self._ledger.note(serving.row, ASKER_OLD)
        self._say_soon(serving, wanted, question.asker)
        if serving.hold is None or serving.hold.done():
            serving.hold = self._supervisor.spawn(
                self._keep_holding(serving),
                f"{serving.membership.name}: hold {wanted.root[:12]}",
                service=True,
            )

    async def _keep_holding(self, serving: Serving) -> None:
        """Tell the askers now and then that a person is being asked; in the end, that nobody answered."""
        said = time.time()
        until = said + HOLD_PATIENCE
        while (now := time.time()) < until:
            if now - said >= HOLD_INTERVAL:
                said = now
                for wanted in list(serving.held.values()):
                    await self._say_again(serving, wanted)
            self._look_for_askers(serving)
            await asyncio.sleep(PRESENCE_INTERVAL)
        self._decline(serving, f"nobody answered within {HOLD_PATIENCE / 60:.0f} minutes")

    def _look_for_askers(self, serving: Serving) -> None:
        """Note on the row when those who asked for it, and showed themselves, are all gone."""
        membership = serving.membership
        if not membership.is_connected:
            return
        members = {member.node_id for member in membership.members(Stream.REQUEST_FILES)}
        present = members.intersection(serving.row.asked_by)
        serving.shown |= present
        if present:
            self._ledger.take_back(serving.row, ASKER_GONE)
        if serving.shown.issuperset(serving.row.asked_by):
            self._ledger.take_back(serving.row, ASKER_OLD)
            if not present:
                self._ledger.note(serving.row, ASKER_GONE)

    def answer(self, row: Request, *, yes: bool) -> None:
        """Give a person's answer to a row that waits for it. Raises `UsageError` where none waits."""
        serving = self._servings.of_row(row.number)
        if serving is None or not serving.held:
            raise UsageError(f"request {row.number} does not wait for an answer", f"it is {row.step}")
        if not yes:
            self._decline(serving, "declined")
            return
        if serving.hold is not None:
            serving.hold.cancel()
        serving.consent_until = time.time() + CONSENT_LASTS
        held, serving.held = serving.held, {}
        for wanted in held.values():
            self._start(serving, wanted)

    def _decline(self, serving: Serving, reason: str) -> None:
        if serving.under_way:
            # What an earlier yes was for is still being sent.
            self._ledger.enter(serving.row, Step.UPLOADING)
        else:
            self._end(serving, Step.DECLINED)
        self._drop_held(serving, reason)

    def _drop_held(self, serving: Serving, reason: str) -> None:
        """Let go of what waits for a person, at once, and have its askers told why."""
        held, serving.held = serving.held, {}
        if serving.hold is not None and serving.hold is not asyncio.current_task():
            serving.hold.cancel()
        keys = [wanted.key for wanted in held.values()]
        self._supervisor.spawn(self._say_failed(serving, keys, reason), f"{serving.membership.name}: decline")

    # -- what is said ---------------------------------------------------------------------------------------

    def _shows_itself(self, membership: Membership, asker: str) -> bool:
        """Whether a node is present where it asks, as those of this program are."""
        return any(member.node_id == asker for member in membership.members(Stream.REQUEST_FILES))

    def _say_soon(self, serving: Serving, wanted: Wanted, asker: str) -> None:
        name = f"{serving.membership.name}: say again {wanted.key.sha1[:12]}"
        self._supervisor.spawn(self._say_again(serving, wanted, asker), name)

    async def _say_again(self, serving: Serving, wanted: Wanted, asker: str | None = None) -> None:
        """Say what is known of one object: that a person is asked about it, or that it is on its way.

        One of the old program asks no longer if it has not heard `started` within a few seconds, and writes a warning
        for each message that it does not know.
        """
        key, row, membership = wanted.key, serving.row, serving.membership
        is_held = key.sha1 in serving.held
        if not is_held or (asker is not None and not self._shows_itself(membership, asker)):
            await self._say(membership, UploadFileStatus(key, UploadStatus.STARTED), row)
        if is_held and any(self._shows_itself(membership, each) for each in row.asked_by):
            await self._say(membership, UploadFileProgress(key, 0, wanted.source.size), row)

    async def _say_failed(self, serving: Serving, keys: Sequence[FileKey], reason: str) -> None:
        for key in keys:
            await self._say(serving.membership, UploadFileFailed(key, reason), serving.row)

    async def _say(
        self,
        membership: Membership,
        body: UploadFileStatus | UploadFileProgress | UploadFileFailed,
        row: Request | None = None,
    ) -> None:
        """Publish what an asker can do without."""
        try:
            await membership.publish(body, request=row.number if row is not None else None)
        except KacheryError as error:
            _log.info("%s: could not say how %s stands: %s", membership.name, body.file_key.sha1, error)

    # -- a person's other wishes ----------------------------------------------------------------------------

    def cancel(self, row: Request) -> None:
        """Stop serving a row: uploads under way are broken off, held ones declined."""
        serving = self._servings.of_row(row.number)
        if serving is None:
            return
        self._end(serving, Step.CANCELLED)
        if serving.held:
            self._drop_held(serving, "cancelled there")
        tasks = [*serving.under_way.values(), serving.look_up]
        serving.under_way, serving.again, serving.look_up = {}, {}, None
        for task in tasks:
            if task is not None:
                task.cancel()

    def retry(self, row: Request) -> None:
        """Send the whole file of an ended row, whether or not anybody still asks. Raises `UsageError` where it cannot."""
        serving = self._servings.of_row(row.number)
        if serving is None:
            raise UsageError(
                f"request {row.number} is too old to be tried again", "", "Push the file instead"
            )
        membership = serving.membership
        if Role.PROVIDE_FILES not in membership.roles:
            raise NotAllowed(f"no role {Role.PROVIDE_FILES} on {membership.name}")
        serving.consent_until = time.time() + CONSENT_LASTS
        serving.failure = None
        self._ledger.reopen(row, Step.CHECKING)
        self._servings.resume((membership.name, serving.file.sha1), serving.asker)
        serving.look_up = self._supervisor.spawn(
            self._send_again(serving), f"{membership.name}: provide again"
        )

    async def _send_again(self, serving: Serving) -> None:
        wanted = await in_thread(lambda: self._finder.find(serving.file))
        if wanted is not None and not wanted.is_vouched:
            found = wanted
            if not await in_thread(lambda: self._finder.vouch(found)):
                wanted = None
        serving.look_up = None
        if wanted is None:
            gone = KacheryError("the file is no longer in this node's storage", "", "Store or link it again")
            self._end(serving, Step.FAILED, gone)
        else:
            self._start(serving, wanted)

    def leave(self, membership: Membership) -> None:
        """Stop everything that is served on a channel."""
        for serving in self._servings:
            if serving.membership is membership:
                if serving.row.is_active:
                    self.cancel(serving.row)
                self._servings.forget((membership.name, serving.file.sha1))

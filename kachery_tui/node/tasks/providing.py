"""Computing for others: who requests a task of a function that is offered here gets its result into the bucket.

Theory of operation. A request becomes a `Run`, on a row of its own, that goes through the steps of others' requests: it
is looked at, waits for a person where the channel says so, waits for its turn at the function (`Turnstile`),
runs in a process (`Runner`), and its result is uploaded. Every step is said as `updateTaskStatus`, and said again now
and then, so that a requester can tell a node that takes long from one that has gone. Requests for one task share its
run; what was requested under an id that is no hash runs once and is not run again when the request is repeated. A
request for a function that is not offered is met with silence, as the protocol has it; whatever else is not run is
refused aloud.
"""

import asyncio
import logging
import time
from collections import Counter
from contextlib import suppress
from typing import Final

from kachery_tui.config import Provide
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.node.ledger import Origin, Request, broken_off
from kachery_tui.node.membership import Membership
from kachery_tui.node.parts import Parts
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.tasks.functions import OwnFunction, OwnFunctions, Turnstile
from kachery_tui.node.tasks.process import TaskFailed
from kachery_tui.node.tasks.processes import Job
from kachery_tui.node.tasks.results import BadResult, KeptResults, find_result, put_result
from kachery_tui.node.tasks.runs import Asked, Ended, Place, Run, place_of
from kachery_tui.node.tasks.speaking import Speaker
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.peer_limits import PeerLimit
from kachery_tui.protocol.messages import TaskFunctionType, TaskStatus, UpdateTaskStatus
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.tasks import TAKEN_BACK

_log = logging.getLogger(__name__)

MOST_OF_ONE: Final = 500
"""Tasks that one asker may have here at a time. What asks for more is told so, and may ask again."""

MOST_IN_ALL: Final = 2_000
"""The same of all askers: beyond it, those who have more than their share are told so."""

MOST_ASKERS: Final = 50
"""Node ids kept on one row."""

LOOKS_AT_ONCE: Final = 8
"""Results that are looked for in buckets at a time: of hundreds of requests that come together, all would be begun at
once, and the loop be busy with nothing else."""

SAY_INTERVAL: Final = 15.0
"""Seconds between two signs of life: well under any requester's `progress_timeout`."""

HOLD_PATIENCE: Final = 600.0
"""Seconds until a question that nobody answered is taken for a no."""

REFUSALS_PER_SECOND: Final = 20.0
"""Refusals that are said to one asker; of more it gets to hear no more than of what it asked too fast."""

LONGEST_WORDS: Final = 1_000
"""Characters of an error that is said to others."""


_ENDS: Final = frozenset({TaskStatus.FINISHED, TaskStatus.ERROR})


class TaskProvider:
    """Serves what other nodes request, one row a task."""

    def __init__(self, parts: Parts, functions: OwnFunctions, kept: KeptResults, speaker: Speaker) -> None:
        self._parts = parts
        self._speaker = speaker
        self._ledger = parts.ledger
        self._functions = functions
        self._kept = kept
        self._runs: dict[Place, Run] = {}
        self._of_asker: Counter[str] = Counter()
        self._ended = Ended()
        self._looks = Turnstile(LOOKS_AT_ONCE)
        self._refusals = PeerLimit(REFUSALS_PER_SECOND, burst=REFUSALS_PER_SECOND * 5)

    # -- taking up --------------------------------------------------------------------------------------------

    def hear_request(self, asked: Asked) -> None:
        """Take a request for a task; nothing is said of functions that are not offered here."""
        membership, body = asked.membership, asked.body
        function = self._functions.find(membership.name, body.task_function_id)
        if Role.PROVIDE_TASKS not in membership.roles or function is None or body.backend_id is not None:
            return
        is_pure = body.task_function_type is TaskFunctionType.PURE_CALCULATION
        place = place_of(membership, body.task_id, "" if is_pure else asked.asker)
        run = self._runs.get(place)
        if run is not None:
            self._join(run, asked)
            run.news.set()
        elif not is_pure and (said := self._ended.get(asked.asker, body.task_id)):
            self._say_soon(membership, said)
        elif why_not := self._why_not(function, asked):
            self._refuse(asked, why_not)
        else:
            self._begin(asked, function, place)

    def _why_not(self, function: OwnFunction, asked: Asked) -> str:
        """Why a task is not run; empty if it is."""
        body, of_this = asked.body, self._of_asker[asked.asker]
        if body.task_function_type is not function.config.type:
            return f"{body.task_function_id} is of type {function.config.type}, not {body.task_function_type}"
        if of_this >= MOST_OF_ONE:
            return f"{MOST_OF_ONE:,} tasks at a time are all that one node gets here: ask again later"
        total = len(self._runs)
        # Names cost nothing, so that beyond twice as many it does not matter whose share is how large.
        has_most = of_this >= total // max(len(self._of_asker), 1)
        if total >= 2 * MOST_IN_ALL or (total >= MOST_IN_ALL and has_most):
            return f"{MOST_IN_ALL:,} tasks at a time are all that this node takes: ask again later"
        return ""

    def _begin(self, asked: Asked, function: OwnFunction, place: Place) -> None:
        membership, body = asked.membership, asked.body
        subject = TaskSubject.call(
            body.task_function_id, body.task_function_type, body.task_kwargs, task_id=body.task_id
        )
        if subject.is_pure and subject.task_id != subject.hash:
            self._refuse(asked, "the id of a pure calculation is its hash, and this is not")
            return
        row = self._ledger.open(Side.THEIRS, membership.name, subject, Step.CHECKING)
        said = UpdateTaskStatus(subject.task_id, TaskStatus.PENDING)
        run = Run(row, subject, membership, function, place, asked.asker, said)
        self._runs[place] = run
        self._of_asker[asked.asker] += 1
        self._join(run, asked)
        run.work = self._parts.supervisor.spawn(self._settle(run), f"{membership.name}: {row.name}")
        run.work.add_done_callback(lambda _: self._has_ended(run))
        self._parts.supervisor.spawn(self._tell(run), f"{membership.name}: how {row.name} stands")

    def _join(self, run: Run, asked: Asked) -> None:
        """Count an asker in."""
        asked.membership.activity[Stream.REQUEST_TASKS].belongs_to(asked.message, run.row.number)
        run.gone.discard(asked.asker)
        if asked.asker in run.row.asked_by:
            return
        if len(run.row.asked_by) < MOST_ASKERS:
            run.row.asked_by.append(asked.asker)
            self._ledger.touch(run.row)
        else:
            run.has_more = True

    # -- running ----------------------------------------------------------------------------------------------

    async def _settle(self, run: Run) -> None:
        """Run a task to whatever end, write that end into its row, and say it."""
        row = run.row
        try:
            if await self._was_run_earlier(run) or not await self._may_run(run):
                return
            await self._run(run)
            self._ledger.end(row, Step.DONE)
            self._stands(run, TaskStatus.FINISHED)
        except asyncio.CancelledError:
            if row.is_active:
                self._ledger.end(row, Step.CANCELLED, failure=broken_off(row.side))
            raise
        except KacheryError as error:
            words = error.what if isinstance(error, TaskFailed) and not error.why else error.line
            self._ledger.end(row, Step.FAILED, failure=error)
            self._stands(run, TaskStatus.ERROR, words)
        except Exception as error:
            defect = KacheryError(
                f"{row.name} failed unexpectedly", repr(error), "See the log, and report it"
            )
            self._ledger.end(row, Step.FAILED, failure=defect)
            self._stands(run, TaskStatus.ERROR, "it failed unexpectedly there")
            raise

    async def _run(self, run: Run) -> None:
        """Compute the result, unless it is there, and put it where the requester finds it. Raises `KacheryError`."""
        subject, function, membership = run.subject, run.function, run.membership
        if subject.is_pure:
            async with self._looks.turn(run.asker):
                is_there = await self._is_there(run)
            if is_there:
                return
        await function.known.wait()
        if function.problem is not None:
            raise TaskFailed(f"{subject.function_id} cannot run there", function.problem.line)
        self._ledger.enter(run.row, Step.QUEUED)
        if function.turnstile.is_full or not membership.is_connected:
            self._stands(run, TaskStatus.QUEUED)
        async with function.turnstile.turn(run.asker):
            self._ledger.enter(run.row, Step.RUNNING)
            self._stands(run, TaskStatus.RUNNING)
            text = await function.runner.run(Job(membership.name, subject.kwargs or "{}"))
            if not subject.has_result:
                return
            if text == "null":
                raise TaskFailed(f"the function returned nothing, and a {subject.type} has a result")
            # Within the turn: of results that a slow bucket keeps waiting there are as many as of runs.
            self._ledger.enter(run.row, Step.UPLOADING)
            await put_result(membership, subject.hash, text)
        self._parts.uploaded.add(len(text), time.time())
        self._keep_result(run, text, Origin.DISK)

    async def _is_there(self, run: Run) -> bool:
        """Whether the bucket has the result already."""
        try:
            text = await find_result(run.membership, run.subject.hash, fresh=True)
        except BadResult as error:
            self._ledger.note(run.row, f"{error.line}: computed again")
            return False
        if text is not None:
            self._keep_result(run, text, Origin.BUCKET)
        return text is not None

    def _keep_result(self, run: Run, text: str, origin: Origin) -> None:
        self._kept.keep(run.subject, text)
        run.row.size = len(text)
        self._ledger.count(run.row, len(text), origin)

    # -- asking a person --------------------------------------------------------------------------------------

    async def _may_run(self, run: Run) -> bool:
        """Ask a person where the channel says so; whether the task is run."""
        if run.membership.config.provide is Provide.AUTO:
            return True
        self._ledger.enter(run.row, Step.WAITING)
        self._stands(run, TaskStatus.WAITING)
        why_not = "declined"
        try:
            async with asyncio.timeout(HOLD_PATIENCE):
                yes = await run.answer
        except TimeoutError:
            yes, why_not = False, f"nobody answered within {HOLD_PATIENCE / 60:.0f} minutes"
        if yes:
            self._ledger.enter(run.row, Step.CHECKING)
            return True
        self._ledger.end(run.row, Step.DECLINED)
        self._stands(run, TaskStatus.ERROR, why_not)
        return False

    def answer(self, row: Request, *, yes: bool) -> None:
        """Give a person's answer to a row that waits for it. Raises `UsageError` where none waits."""
        run = self._run_of(row)
        if run is None or row.step is not Step.WAITING or run.answer.done():
            raise UsageError(f"request {row.number} does not wait for an answer", f"it is {row.step}")
        run.answer.set_result(yes)

    # -- ending -----------------------------------------------------------------------------------------------

    def hear_cancel(self, membership: Membership, task_id: str, asker: str, message: int) -> None:
        """Take that an asker wants a task no more; it ends if nobody else does."""
        for place in (place_of(membership, task_id, ""), place_of(membership, task_id, asker)):
            run = self._runs.get(place)
            if run is None or asker not in run.row.asked_by:
                continue
            membership.activity[Stream.REQUEST_TASKS].belongs_to(message, run.row.number)
            run.gone.add(asker)
            if not run.has_more and run.gone.issuperset(run.row.asked_by):
                self._ledger.note(run.row, TAKEN_BACK)
                self._stop(run, TAKEN_BACK)

    def cancel(self, row: Request) -> None:
        """Stop a task: what runs is killed, and who asked for it is told."""
        run = self._run_of(row)
        if run is not None:
            self._stop(run, "cancelled there")

    def _stop(self, run: Run, words: str) -> None:
        assert run.work is not None, "it was begun"
        self._ledger.end(run.row, Step.CANCELLED)
        self._stands(run, TaskStatus.ERROR, words)
        # It may take a while until what runs has gone: who asks from now on asks for a run of its own.
        self._let_go(run)
        run.work.cancel()

    def leave(self, membership: Membership) -> None:
        """Stop what is computed for a channel."""
        for run in list(self._runs.values()):
            if run.membership is membership:
                self.cancel(run.row)

    def _let_go(self, run: Run) -> None:
        """Have a run stand in nobody's way any more."""
        if self._runs.get(run.place) is not run:
            return
        del self._runs[run.place]
        self._of_asker[run.asker] -= 1
        if not self._of_asker[run.asker]:
            del self._of_asker[run.asker]
        if not run.subject.is_pure:
            self._ended.keep(run.asker, run.said)

    def _has_ended(self, run: Run) -> None:
        self._let_go(run)
        # A task that is cancelled before its first step does not so much as begin to settle its row.
        if run.row.is_active:
            self._ledger.end(run.row, Step.CANCELLED, failure=broken_off(run.row.side))

    async def _was_run_earlier(self, run: Run) -> bool:
        """Whether a task that must be run once was run by an earlier run of the program, as far as the history goes."""
        if run.subject.is_pure:
            return False
        await self._ledger.is_whole.wait()
        earlier = self._ledger.find(
            lambda row: (
                row.earlier
                and row.side is Side.THEIRS
                and run.asker in row.asked_by
                and row.subject.kind is run.subject.kind
                and row.subject.key == run.subject.key
            )
        )
        if earlier is None:
            return False
        is_done = earlier.step is Step.DONE
        self._ledger.note(run.row, f"it was requested before, as request {earlier.number}: not run again")
        self._ledger.end(run.row, Step.DECLINED)
        status = TaskStatus.FINISHED if is_done else TaskStatus.ERROR
        self._stands(run, status, None if is_done else f"it is {earlier.step}")
        return True

    def _run_of(self, row: Request) -> Run | None:
        return next((run for run in self._runs.values() if run.row is row), None)

    # -- what is said -----------------------------------------------------------------------------------------

    def _stands(self, run: Run, status: TaskStatus, words: str | None = None) -> None:
        """Have it said how a task stands."""
        if words is not None:
            # Half a character, as in a file's name that is no text, would have the whole message refused.
            words = words[:LONGEST_WORDS].encode("utf-8", "backslashreplace").decode()
        run.said = UpdateTaskStatus(run.subject.task_id, status, words)
        run.news.set()

    async def _tell(self, run: Run) -> None:
        """Say how a task stands whenever that changes, and now and then as a sign of life, until it has ended."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SAY_INTERVAL):
                    await run.news.wait()
            run.news.clear()
            if run.said.status not in _ENDS:
                await self._say(run.membership, run.said, run.row)
                continue
            try:
                await self._speaker.say_patiently(run.membership, run.said, request=run.row.number)
            except KacheryError as error:
                _log.info("%s: could not say how %s ended: %s", run.membership.name, run.row.name, error)
            return

    def _say_soon(self, membership: Membership, said: UpdateTaskStatus, row: Request | None = None) -> None:
        self._parts.supervisor.spawn(self._say(membership, said, row), f"{membership.name}: {said.summary()}")

    async def _say(self, membership: Membership, said: UpdateTaskStatus, row: Request | None = None) -> None:
        """Publish what a requester can do without."""
        try:
            await self._speaker.say(membership, said, request=row.number if row is not None else None)
        except KacheryError as error:
            _log.info("%s: could not say how %s stands: %s", membership.name, said.task_id[:12], error)

    def _refuse(self, asked: Asked, why: str) -> None:
        """Say that a task is not run, and why: whoever hears nothing waits for a time-out."""
        asked.membership.activity[Stream.REQUEST_TASKS].count_refused(why)
        if self._refusals.allows(asked.asker, time.monotonic()):
            refusal = UpdateTaskStatus(asked.body.task_id, TaskStatus.ERROR, why)
            self._say_soon(asked.membership, refusal)

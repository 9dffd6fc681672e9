"""One request of a task, from its first look into the bucket to its result."""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from typing import Final

from kachery_tui.errors import KacheryError, NobodyHasIt, TryAgain, UsageError
from kachery_tui.node.ledger import Origin, Request
from kachery_tui.node.membership import ROLE_PATIENCE, Membership
from kachery_tui.node.parts import Parts
from kachery_tui.node.steps import Step
from kachery_tui.node.tasks.asking import TaskAsker, TaskQuestion
from kachery_tui.node.tasks.results import BadResult, KeptResults, find_result
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.canonical import MAX_SAFE_INTEGER, JsonObject, JsonValue, canonical_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.messages import CancelTask, ProbeTaskFunctions, TaskFunctionType
from kachery_tui.protocol.roles import Role

LARGEST_ARGUMENTS: Final = 50_000
"""Bytes of the keyword arguments as JSON: with its envelope, a request has to go into one pub-sub message."""

RESULT_PAUSES: Final = (0.1, 0.4, 1.0)
"""Seconds between looks for a result that is said to be there: some services are slow to show what was put there."""

OFFER_PATIENCE: Final = 2.0
"""Seconds to find out on which of several channels somebody offers a function."""


class TaskRequest:
    """Brings the result of one task into its subject. `run` ends with it, or raises a `KacheryError`."""

    def __init__(
        self,
        row: Request,
        task: TaskSubject,
        candidates: Sequence[Membership],
        parts: Parts,
        asker: TaskAsker,
        kept: KeptResults,
    ) -> None:
        self._row = row
        self._task = task
        # Trying it again gives what is no pure calculation another id, and this is taken back under its own.
        self._task_id = task.task_id
        self._candidates = candidates
        self._parts = parts
        self._ledger = parts.ledger
        self._asker = asker
        self._kept = kept
        self._offers = asker.offers
        self._speaker = asker.speaker
        self._question: TaskQuestion | None = None

    async def run(self) -> None:
        """Get the result, within the time that the task has."""
        timeout = self._task.timeout
        try:
            async with asyncio.timeout(timeout):
                await self._run()
        except TimeoutError:
            raise TryAgain(
                f"no result of {self._row.name} within {timeout:g} s",
                f"it was {self._row.step}",
                "Give it more time with --timeout",
            ) from None

    async def take_back(self) -> None:
        """Tell those who have taken the task that nobody wants it here any more."""
        membership = self._parts.memberships.get(self._row.channel)
        if membership is not None and self._row.asks:
            await self._speaker.say(membership, CancelTask(self._task_id), request=self._row.number)

    async def _run(self) -> None:
        task, row = self._task, self._row
        if task.is_pure and await self._found_in_a_bucket():
            return
        membership = await self._choose()
        row.channel = membership.name
        async with self._asker.ask(membership, row, task) as question:
            try:
                await self._ask(membership, question)
            except (NobodyHasIt, TryAgain) as error:
                if task.type is not TaskFunctionType.QUERY or not await self._found(membership, fresh=True):
                    raise
                self._ledger.note(row, f"{error.line}: this is the result of an earlier query")

    async def _ask(self, membership: Membership, question: TaskQuestion) -> None:
        """Ask until somebody has done it."""
        while True:
            node_id = await question.answer()
            if node_id is None:
                # What was said while there was no connection is lost, but not what was done.
                if self._task.is_pure and await self._found(membership, fresh=True):
                    return
                continue
            if self._task.has_result:
                try:
                    await self._fetch(membership)
                except (BadResult, TryAgain) as error:
                    question.was_untrue(node_id, error)
                    continue
            self._row.answered_by = node_id
            question.answered_by(node_id)
            return

    # -- results ----------------------------------------------------------------------------------------------

    async def _fetch(self, membership: Membership) -> None:
        """Get the result that is said to be there. Raises `BadResult` or `TryAgain` if it is not, or is none."""
        self._ledger.enter(self._row, Step.DOWNLOADING)
        for pause in (*RESULT_PAUSES, None):
            text = await find_result(membership, self._task.hash, fresh=True)
            if text is not None:
                self._keep(text, Origin.PEER)
                return
            if pause is not None:
                await asyncio.sleep(pause)
        raise BadResult(f"there is no result in the bucket of {membership.name}")

    async def _found_in_a_bucket(self) -> bool:
        """Whether a channel's bucket has the result; a bucket that fails is no reason not to ask."""
        self._ledger.enter(self._row, Step.BUCKET)
        for membership in self._candidates:
            try:
                if await self._found(membership, fresh=False):
                    self._row.channel = membership.name
                    return True
            except KacheryError as error:
                self._ledger.note(self._row, f"the bucket of {membership.name}: {error.line}")
        return False

    async def _found(self, membership: Membership, *, fresh: bool) -> bool:
        text = await find_result(membership, self._task.hash, fresh=fresh)
        if text is not None:
            self._keep(text, Origin.BUCKET)
        return text is not None

    def _keep(self, text: str, origin: Origin) -> None:
        self._kept.keep(self._task, text)
        self._row.size = len(text)
        self._parts.downloaded.add(len(text), time.time())
        self._ledger.count(self._row, len(text), origin)

    # -- where to ask -----------------------------------------------------------------------------------------

    async def _choose(self) -> Membership:
        """The one channel on which to ask: a task must not be run on two. Raises `KacheryError` where there is none."""
        if not self._candidates:
            raise UsageError(
                f"there is no channel to ask on for {self._row.name}",
                "",
                "Join one: kachery-tui channel join FILE",
            )
        allowed = [each for each in self._candidates if Role.REQUEST_TASKS in each.roles]
        if not allowed:
            self._candidates[0].require(Role.REQUEST_TASKS)
        if len(allowed) == 1:
            return allowed[0]
        return await self._choose_by_offer(allowed)

    async def _choose_by_offer(self, allowed: Sequence[Membership]) -> Membership:
        function_id = self._task.function_id
        known = self._first_with_offer(allowed)
        if known is not None:
            return known
        self._ledger.enter(self._row, Step.ASKING)
        loop = asyncio.get_running_loop()
        until = loop.time() + ROLE_PATIENCE
        probed: set[str] = set()
        while loop.time() < until:
            for membership in allowed:
                if membership.name not in probed and Role.REQUEST_TASKS in membership.in_force:
                    probed.add(membership.name)
                    until = loop.time() + OFFER_PATIENCE
                    probe = ProbeTaskFunctions((function_id,))
                    await self._speaker.say(membership, probe, request=self._row.number)
            known = self._first_with_offer(allowed)
            if known is not None:
                return known
            await asyncio.sleep(0.05)
        raise NobodyHasIt(
            f"nobody offers the function {function_id}",
            f"asked on {', '.join(membership.name for membership in allowed)}",
            "See what is offered: kachery-tui task list. To wait for somebody, name the channel",
        )

    def _first_with_offer(self, allowed: Sequence[Membership]) -> Membership | None:
        function_id = self._task.function_id
        return next((each for each in allowed if self._offers.of_function(each, function_id)), None)


def check_arguments(kwargs: JsonObject) -> None:
    """Raise `ProtocolError` for arguments that no request can carry, or that do not arrive as they are."""
    _check_numbers(kwargs)
    size = len(canonical_json(kwargs).encode())
    if size > LARGEST_ARGUMENTS:
        raise ProtocolError(
            f"arguments of {size:,} bytes, and a request carries {LARGEST_ARGUMENTS:,}: "
            "store what is large as a file, and pass its URI"
        )


def _check_numbers(value: JsonValue) -> None:
    # Programs in JavaScript have no other numbers, and the task's hash is made as they would make it.
    if isinstance(value, Mapping):
        for inner in value.values():
            _check_numbers(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_numbers(inner)
    elif isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
        raise ProtocolError(f"{value} among the arguments is beyond 2^53: write it as a text, in quotes")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ProtocolError("a number among the arguments that JSON has not: NaN or infinite")

"""Asking the nodes of a channel to run a task: questions that are out, and who hears what is said of them.

A `TaskQuestion` is published by its first `answer`, and again when a node comes that has not heard it and when the
connection was made anew; whom to believe and for how long to wait for whom is for `TaskTalk` to say. With the task it
asks who offers the function, so that it need not wait for those who do not. What is said is a claim: whoever has a
question calls `answer` for the next node that says to be done, looks into the bucket, and if it is not so calls
`was_untrue`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Final

from kachery_tui.errors import KacheryError, NobodyHasIt, TryAgain
from kachery_tui.node.ledger import Ask, Ledger, Request
from kachery_tui.node.membership import Membership
from kachery_tui.node.people import People
from kachery_tui.node.steps import Step
from kachery_tui.node.tasks.offers import Offers
from kachery_tui.node.tasks.process import TaskFailed
from kachery_tui.node.tasks.speaking import Speaker
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.node.tasks.talk import MOST_TELLERS, TaskTalk
from kachery_tui.protocol.messages import (
    ProbeTaskFunctions,
    ReportRegisteredTaskFunctions,
    RequestTask,
    TaskFunctionType,
    TaskStatus,
    UpdateTaskStatus,
)
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.tasks import TAKEN_BACK

MOST_QUESTIONS: Final = 20
"""How often one question is published, at the most."""

ASK_AGAIN_PAUSE: Final = 0.5
"""Seconds at least between two times that a question is published."""

_STEPS: Final = {
    TaskStatus.WAITING: (Step.HELD, "asks a person there"),
    TaskStatus.PENDING: (Step.QUEUED, "has taken it"),
    TaskStatus.QUEUED: (Step.QUEUED, "has it wait its turn"),
    TaskStatus.RUNNING: (Step.RUNNING, "runs it"),
}


@dataclass(slots=True, eq=False)
class _Waiter:
    """What was said of a task, for one request that waits for it: the newest word of each node."""

    request: int
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    words: dict[str, UpdateTaskStatus] = field(default_factory=dict)
    said_no: set[str] = field(default_factory=set)

    def put_word(self, node_id: str, word: UpdateTaskStatus) -> None:
        if node_id in self.words or len(self.words) < MOST_TELLERS:
            self.words[node_id] = word
            self.filled.set()

    def put_no(self, node_id: str) -> None:
        if len(self.said_no) < MOST_TELLERS:
            self.said_no.add(node_id)
            self.filled.set()


class TaskAsker:
    """Publishes requests for tasks and hands what is said of them to those who wait for it."""

    def __init__(self, ledger: Ledger, people: People, offers: Offers, speaker: Speaker) -> None:
        self.ledger = ledger
        self.people = people
        self.offers = offers
        self.speaker = speaker
        self._waiters: dict[tuple[str, str], dict[_Waiter, str]] = {}
        """By channel and task id, those who wait, each with the function that it wants run."""

    def hear_status(self, membership: Membership, node_id: str, status: UpdateTaskStatus) -> int | None:
        """Take what a node says of a task; the ledger number of a row that waits for it, if there is one."""
        number = None
        for waiter in self._waiters.get((membership.name, status.task_id), {}):
            number = waiter.request
            waiter.put_word(node_id, status)
        return number

    def hear_report(
        self, membership: Membership, node_id: str, report: ReportRegisteredTaskFunctions
    ) -> int | None:
        """Take which functions a node offers; the ledger number of a row that wants to know, if there is one."""
        self.offers.hear_report(membership, node_id, report.registered_task_functions)
        offered = {function.task_function_id for function in report.registered_task_functions}
        number = None
        for (channel, _), waiters in self._waiters.items():
            for waiter, function_id in waiters.items():
                if channel == membership.name:
                    number = waiter.request
                    if function_id not in offered:
                        waiter.put_no(node_id)
        return number

    @asynccontextmanager
    async def ask(
        self, membership: Membership, row: Request, task: TaskSubject
    ) -> AsyncIterator["TaskQuestion"]:
        """A question to the nodes of a channel, published by its first `answer`. Raises `NotAllowed` without the role."""
        membership.require(Role.REQUEST_TASKS)
        waiter = _Waiter(row.number)
        place = (membership.name, task.task_id)
        self._waiters.setdefault(place, {})[waiter] = task.function_id
        question = TaskQuestion(membership, row, task, waiter, self)
        try:
            yield question
        finally:
            question.close()
            del self._waiters[place][waiter]
            if not self._waiters[place]:
                del self._waiters[place]


class TaskQuestion:
    """One question that is out, or about to be. See `TaskAsker.ask`."""

    def __init__(
        self,
        membership: Membership,
        row: Request,
        task: TaskSubject,
        waiter: _Waiter,
        asker: TaskAsker,
    ) -> None:
        self._membership = membership
        self._row = row
        self._task = task
        self._waiter = waiter
        self._ledger = asker.ledger
        self._people = asker.people
        self._offers = asker.offers
        self._speaker = asker.speaker
        self._talk: TaskTalk | None = None
        self._ask: Ask | None = None
        self._asked: dict[str, str] = {}
        """Who has heard it, as far as nodes show themselves: labels by node id."""
        self._labels: dict[str, str] = {}
        """The labels of nodes that have said anything, which may be gone by the time that they are named."""
        self._connection = 0
        self._published = 0
        self._published_at = 0.0
        self._shown: tuple[str, TaskStatus] | None = None
        self._is_taken_back = False
        """Whether it was ended at the wish of who asked for it, which was not this one: another program of this node has
        the same key, and cannot be told from it."""

    async def answer(self) -> str | None:
        """Wait until a node says that it is done; its id. None when the connection was lost and made again meanwhile.

        Raises `TaskFailed` with the function's own words, `NobodyHasIt` where nobody offers it, `TryAgain` where who has
        taken it has gone.
        """
        talk = self._talk or await self._begin()
        while True:
            version = self._membership.version
            done = self._take_words(talk)
            if done is not None:
                return done
            if self._membership.has_left:
                raise self._membership.left()
            if self._membership.reconnects != self._connection:
                await self._ask_over_new_connection(talk)
                return None
            if not self._membership.is_connected:
                await self._wait_connected()
                continue
            if self._is_taken_back:
                self._is_taken_back = False
                await self._publish_again(talk, "asked again: somebody else took it back")
            present = self._present()
            talk.look_at_presence(present, self._now)
            self._show(talk)
            if talk.is_over(self._now, present):
                raise self._in_vain(talk)
            if self._now >= self._again_at(talk, present):
                await self._publish_again(talk, "asked again: a node has come")
            await self._something_happens(talk, present, version)

    def was_untrue(self, node_id: str, failure: KacheryError) -> None:
        """A node has said that it is done, and looking for the result has failed: go on without its word."""
        if self._talk is not None:
            self._talk.was_untrue(node_id, failure.line)
            self._hears(node_id, f"said that it is done: {failure.line}")

    def answered_by(self, node_id: str) -> None:
        """Keep on the row who has answered as it should be."""
        self._ended(f"answered by {self._people.label_of(node_id)}")

    def close(self) -> None:
        """Whoever asked wants no answer any more."""
        left = "the channel was left" if self._membership.has_left else ""
        self._ended(left or "the answer is not waited for any more")

    # -- asking -----------------------------------------------------------------------------------------------

    async def _begin(self) -> TaskTalk:
        membership = self._membership
        await membership.ready_for(
            Role.REQUEST_TASKS, lambda: self._ledger.enter(self._row, Step.RECONNECTING)
        )
        self._ledger.enter(self._row, Step.ASKING)
        await self._publish()
        limits = membership.config.limits
        may_repeat = self._task.type is not TaskFunctionType.ACTION
        self._talk = TaskTalk(
            self._published_at, limits.answer_timeout, limits.progress_timeout, may_repeat=may_repeat
        )
        return self._talk

    async def _publish(self) -> None:
        membership, task = self._membership, self._task
        self._connection = membership.reconnects
        self._published += 1
        request = RequestTask(task.task_id, task.function_id, task.type, task.arguments())
        await self._speaker.say_patiently(membership, request, request=self._row.number)
        present = set(self._present())
        if not present.intersection(
            o.node_id for o in self._offers.of_function(membership, task.function_id)
        ):
            # It is not known that anybody here offers it.
            probe = ProbeTaskFunctions((task.function_id,))
            await self._speaker.say_patiently(membership, probe, request=self._row.number)
        self._published_at = self._now
        self._asked |= {node_id: self._people.label_of(node_id) for node_id in present}
        self._ask = self._ledger.asked(
            self._row, membership.name, Stream.REQUEST_TASKS, "the task", list(self._asked.values())
        )

    async def _publish_again(self, talk: TaskTalk, why: str) -> None:
        if self._published < MOST_QUESTIONS:
            self._ended(why)
            await self._publish()
            talk.asked_again(self._published_at)

    async def _wait_connected(self) -> None:
        """Wait for a lost connection. Raises `TryAgain` when it does not come back, `ChannelLeft`."""
        self._shown = None
        self._ledger.enter(self._row, Step.RECONNECTING)
        await self._membership.wait_connected()

    async def _ask_over_new_connection(self, talk: TaskTalk) -> None:
        """Ask again, since what was said in between was not heard; not of one that would begin anew for that."""
        self._ledger.note(self._row, "the connection was lost in the meantime")
        await self._membership.ready_for(Role.REQUEST_TASKS, lambda: None)
        self._connection = self._membership.reconnects
        if not talk.would_be_repeated:
            await self._publish_again(talk, "connection lost")

    def _again_at(self, talk: TaskTalk, present: frozenset[str]) -> float:
        """When it is to be published again: nobody has taken it, and a node has come that has not heard of it."""
        if talk.is_settled or self._published >= MOST_QUESTIONS or present.issubset(self._asked):
            return inf
        return self._published_at + ASK_AGAIN_PAUSE

    # -- hearing ----------------------------------------------------------------------------------------------

    def _take_words(self, talk: TaskTalk) -> str | None:
        """Take all that was said into account; the node that says to be done, if one does."""
        waiter = self._waiter
        waiter.filled.clear()
        talk.said_no |= waiter.said_no
        waiter.said_no.clear()
        for node_id in list(waiter.words):
            word = waiter.words.pop(node_id)
            self._labels[node_id] = self._label_of(node_id)
            if not talk.is_believed(node_id):
                continue
            if word.status is TaskStatus.FINISHED:
                if waiter.words:
                    waiter.filled.set()
                return node_id
            if word.status is TaskStatus.ERROR and word.error_message == TAKEN_BACK:
                talk.forget(node_id)
                self._is_taken_back = True
            elif word.status is TaskStatus.ERROR:
                words = word.error_message or "it failed, and does not say why"
                talk.has_failed(node_id, words, self._now)
                self._hears(node_id, f"could not do it: {words}")
            elif talk.stands(node_id, word.status, self._now, is_shown=node_id in self._present()):
                self._hears(node_id, _STEPS[word.status][1])
        return None

    async def _something_happens(self, talk: TaskTalk, present: frozenset[str], version: int) -> None:
        """Wait until something is heard, somebody comes or goes, the connection changes, or a wait is over."""
        until = min(talk.deadline(present), self._again_at(talk, present))
        membership = self._membership
        waits = [
            asyncio.ensure_future(self._waiter.filled.wait()),
            asyncio.ensure_future(membership.wait_changed(version)),
        ]
        left = max(until - self._now, 0.0) if until < inf else None
        try:
            await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def _show(self, talk: TaskTalk) -> None:
        """Have the row follow the node that is furthest."""
        if talk.leader == self._shown:
            return
        self._shown = talk.leader
        node_id, step = "", Step.ASKING
        if talk.leader is not None:
            node_id, step = talk.leader[0], _STEPS[talk.leader[1]][0]
        self._row.answered_by = node_id
        self._ledger.enter(self._row, step)
        self._ledger.touch(self._row)

    def _hears(self, node_id: str, what: str) -> None:
        if self._ask is not None:
            self._ledger.heard(self._row, self._ask, f"{self._label_of(node_id)} {what}")

    def _label_of(self, node_id: str) -> str:
        is_there = node_id not in self._labels or node_id in self._present()
        return self._people.label_of(node_id) if is_there else self._labels[node_id]

    def _ended(self, how: str) -> None:
        if self._ask is not None:
            self._ledger.answered(self._row, self._ask, how)
            self._ask = None

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _present(self) -> frozenset[str]:
        """Who may answer, this node included: another program may run on the same storage folder."""
        return frozenset(member.node_id for member in self._membership.members(Stream.PROVIDE_TASKS))

    # -- in vain ----------------------------------------------------------------------------------------------

    def _in_vain(self, talk: TaskTalk) -> KacheryError:
        limits, name, label_of = self._membership.config.limits, self._membership.name, self._label_of
        function_id = self._task.function_id
        if talk.errors:
            node_id, words = list(talk.errors.items())[-1]
            self._row.answered_by = node_id
            self._ended(f"{label_of(node_id)} could not do it")
            return TaskFailed(
                f"{function_id} failed at {label_of(node_id)}",
                words,
                "Check the arguments, or ask the owner of that node",
            )
        if talk.untrue:
            node_id, words = next(iter(talk.untrue.items()))
            self._ended("what was said to be done is not there")
            return TryAgain(
                f"{label_of(node_id)} said that it is done, and the result is not as it should be",
                words,
                "Try again, or ask the owner of that node to look into its log",
            )
        if talk.silent:
            self._ended(f"{label_of(talk.silent)} has gone")
            return TryAgain(
                f"{label_of(talk.silent)} on {name} had taken the task, then nothing more came",
                f"it has gone, or gave no sign of life for {limits.progress_timeout:g} s (progress_timeout)",
                "Try again",
            )
        asked = list(self._asked.values())
        listening = ", ".join(asked[:8]) or "nobody that shows itself"
        if len(asked) > 8:
            listening += f" and {len(asked) - 8} more"
        self._ended("nobody offers it")
        return NobodyHasIt(
            f"nobody on {name} offers the function {function_id}",
            f"no answer within {self._now - talk.began:.0f} s; asked: {listening}",
            "See what is offered: kachery-tui task list",
        )

"""The exchange of tasks: requests of ours, those of others, and who offers which functions."""

import asyncio
from contextlib import suppress
from typing import ClassVar, Final

from kachery_tui.config import NodeConfig
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.node.exchange import Exchange, must_be_active, must_have_ended
from kachery_tui.node.ledger import Request
from kachery_tui.node.membership import Membership, joined
from kachery_tui.node.parts import Parts
from kachery_tui.node.row_work import RowWork
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.tasks.asking import TaskAsker
from kachery_tui.node.tasks.functions import OwnFunctions
from kachery_tui.node.tasks.offers import Offers
from kachery_tui.node.tasks.providing import TaskProvider
from kachery_tui.node.tasks.reporting import Reporter
from kachery_tui.node.tasks.requesting import TaskRequest, check_arguments
from kachery_tui.node.tasks.results import KeptResults
from kachery_tui.node.tasks.runs import Asked
from kachery_tui.node.tasks.speaking import Speaker
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.canonical import JsonObject, JsonValue, parse_json
from kachery_tui.protocol.envelope import Envelope
from kachery_tui.protocol.messages import (
    CancelTask,
    ProbeTaskFunctions,
    ReportRegisteredTaskFunctions,
    RequestTask,
    TaskBody,
    TaskFunctionType,
    UpdateTaskStatus,
)
from kachery_tui.protocol.roles import Kind

NO_MESSAGE: Final = -1
"""The number of a message that did not come over a stream."""


class TaskExchange(Exchange):
    """What the node does with tasks, and the commands that a person has for it.

    `functions` are those of this node, `offers` those of others. It hears what this node says itself: another program
    may request on the same storage folder, and a person may try a function of his own.
    """

    kind: ClassVar[Kind] = Kind.TASKS

    def __init__(self, parts: Parts, config: NodeConfig) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        environment = {
            "KACHERY_STORAGE_DIR": str(parts.storage.folder),
            "KACHERY_TUI_CONFIG_DIR": str(config.folder),
        }
        self.functions = OwnFunctions(config.tasks, config.folder, environment)
        self.offers = Offers()
        speaker = Speaker(self._hear_own)
        self._kept = KeptResults()
        self._provider = TaskProvider(parts, self.functions, self._kept, speaker)
        self._asker = TaskAsker(parts.ledger, parts.people, self.offers, speaker)
        self._reporter = Reporter(parts, self.functions, self.offers, speaker)
        self._work = RowWork(parts.ledger, parts.supervisor)

    def request(
        self,
        function_id: str,
        kwargs: JsonObject,
        kind: TaskFunctionType = TaskFunctionType.PURE_CALCULATION,
        channel: str | None = None,
        *,
        timeout: float | None = None,
        caller: str = "",
    ) -> Request:
        """Have a function run by whoever offers it, on the channel of that name, or on one where it is offered.

        A request for the same pure calculation that is under way already is returned instead of a second one. `caller` is
        for whom, where that is no person here. Raises
        `ProtocolError` for arguments that cannot be sent, `UsageError` for an unknown channel.
        """
        check_arguments(kwargs)
        if channel is not None:
            joined(self._parts.memberships, channel)
        task = TaskSubject.call(function_id, kind, kwargs, timeout=timeout)
        same = self._ledger.find_active(Side.MINE, task)
        if same is not None:
            self._ledger.called(same, caller)
            return same
        row = self._ledger.open(Side.MINE, channel or "", task, _beginning(task))
        row.only_channel = channel
        self._ledger.called(row, caller)
        self._run(row, task)
        return row

    async def result(self, row: Request) -> JsonValue:
        """The result of a request of ours once it has ended well; None for an action. Raises what it failed by."""
        await row.outcome()
        task = TaskSubject.of(row)
        if task.result is not None:
            return parse_json(task.result)
        if task.has_result:
            raise KacheryError(
                f"the result of {row.name} is no longer kept", "", "Request it again: the bucket has it"
            )
        return None

    async def probe(self, channel: str | None = None) -> None:
        """Ask who is present which functions they offer; what they say comes to stand in `offers`.

        Raises `UsageError` for an unknown channel, `NotAllowed` without the role, `TryAgain` without a connection.
        """
        memberships = self._parts.memberships
        named = [joined(memberships, channel)] if channel is not None else list(memberships.values())
        for membership in named:
            await self._reporter.probe(membership)

    # -- rows of the ledger -----------------------------------------------------------------------------------

    def answer(self, row: Request, *, yes: bool) -> None:
        """Answer a request of others that waits for a person. Raises `UsageError` where none waits."""
        self._provider.answer(row, yes=yes)

    def cancel(self, row: Request) -> None:
        """Stop a task: who computes it, here or elsewhere, is told. Raises `UsageError` when it has ended already."""
        must_be_active(row)
        if row.side is Side.THEIRS:
            self._provider.cancel(row)
        else:
            self._work.cancel(row)

    def retry(self, row: Request) -> Request:
        """Request an ended task of ours again, in the same row. Raises `UsageError` while it runs, and for others'."""
        must_have_ended(row)
        task = TaskSubject.of(row)
        if row.side is Side.THEIRS:
            raise UsageError(
                f"request {row.number} of others cannot be tried again",
                "",
                "Request the task yourself, or let who asked for it do so",
            )
        if task.kwargs is None:
            raise UsageError(
                f"request {row.number} cannot be tried again",
                "its arguments are too long to be kept",
                "Request it anew",
            )
        if row.only_channel is not None:
            joined(self._parts.memberships, row.only_channel)
        self._ledger.reopen(row, _beginning(task))
        self._run(row, task)
        return row

    # -- the node's side --------------------------------------------------------------------------------------

    def hear(self, membership: Membership, envelope: Envelope, message: int) -> None:
        """Take a verified message about tasks."""
        body = envelope.body
        assert isinstance(body, TaskBody)
        number = self._hear(membership, body, envelope.from_node_id, message)
        if number is not None:
            membership.activity[body.STREAM].belongs_to(message, number)

    def _hear_own(self, membership: Membership, body: TaskBody) -> None:
        self._hear(membership, body, self._parts.people.node_id, NO_MESSAGE)

    def _hear(self, membership: Membership, body: TaskBody, sender: str, message: int) -> int | None:
        """Take what a node said; the ledger number of the row of ours that it is about, if there is one."""
        match body:
            case RequestTask():
                self._provider.hear_request(Asked(membership, body, sender, message))
            case CancelTask(task_id):
                self._provider.hear_cancel(membership, task_id, sender, message)
            case ProbeTaskFunctions():
                self._reporter.hear_probe(membership, body)
            case UpdateTaskStatus():
                return self._asker.hear_status(membership, sender, body)
            case ReportRegisteredTaskFunctions():
                return self._asker.hear_report(membership, sender, body)
        return None

    def start(self) -> None:
        """Begin to offer the functions of this node, and to learn of those of others."""
        self._parts.supervisor.spawn(self._reporter.prepare(), "task functions")
        self._reporter.start()

    def joined(self, membership: Membership) -> None:
        """Offer functions there, too."""
        self._reporter.joined(membership)

    def leave(self, membership: Membership) -> None:
        """Stop what goes on over a channel that is being left."""
        self._provider.leave(membership)
        self._reporter.leave(membership)
        self.offers.leave(membership.name)

    def end(self) -> None:
        """Say that the program ends: what is cancelled from now on was not cancelled by a person."""
        self._work.is_ending = True

    async def close(self) -> None:
        """End the processes of this node's functions."""
        await self.functions.close()

    # -- requests of ours -------------------------------------------------------------------------------------

    def _run(self, row: Request, task: TaskSubject) -> None:
        parts = self._parts
        names = [row.only_channel] if row.only_channel is not None else list(parts.memberships)
        candidates = [parts.memberships[name] for name in names]
        request = TaskRequest(row, task, candidates, parts, self._asker, self._kept)
        self._work.run(row, lambda: self._do(row, request))

    async def _do(self, row: Request, request: TaskRequest) -> None:
        """Do what a request takes; who computes for one that fails or is cancelled is told."""
        try:
            await request.run()
        except (KacheryError, asyncio.CancelledError):
            if not self._work.is_ending:
                self._parts.supervisor.spawn(_take_back(request), f"take back request {row.number}")
            raise
        self._ledger.end(row, Step.DONE)


def _beginning(task: TaskSubject) -> Step:
    """Where a request of ours begins: only a pure calculation may be there already."""
    return Step.BUCKET if task.is_pure else Step.ASKING


async def _take_back(request: TaskRequest) -> None:
    # Best effort: who computes it may do so in vain.
    with suppress(KacheryError):
        await request.take_back()

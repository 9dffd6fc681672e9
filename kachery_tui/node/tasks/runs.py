"""What is run for others, or was: the bookkeeping beside the rows of the ledger."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from kachery_tui.node.ledger import Request
from kachery_tui.node.membership import Membership
from kachery_tui.node.tasks.functions import OwnFunction
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.messages import RequestTask, UpdateTaskStatus

KEPT_ENDED: Final = 10_000
"""Ids that are no hashes of which it is remembered how they ended."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a task: where and by whom it was made, and which message said so."""

    membership: Membership
    body: RequestTask
    asker: str
    message: int


Place = tuple[str, str, str]
"""Of a pure calculation its channel and its hash. Of another task its id and who chose it, on whatever channel: the same
request that somebody else brings to another channel is no other request."""


@dataclass(slots=True, eq=False)
class Run:
    """One task that is computed here, or waits for that."""

    row: Request
    subject: TaskSubject
    membership: Membership
    function: OwnFunction
    place: Place
    asker: str
    """Node id of who asked first, on whose account it goes."""
    said: UpdateTaskStatus
    """How it stands, as it is to be said."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when that is to be said now."""
    answer: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """Whether a person said yes."""
    work: asyncio.Task[None] | None = None
    gone: set[str] = field(default_factory=set)
    """Node ids of those who asked for it and want it no more."""
    has_more: bool = False
    """Whether more asked for it than are kept on the row."""


class Ended:
    """How tasks ended that must be run once, by who asked for them. Of too many, the oldest of who has most go first."""

    def __init__(self) -> None:
        self._of_asker: dict[str, OrderedDict[str, UpdateTaskStatus]] = {}
        self._count = 0

    def get(self, asker: str, task_id: str) -> UpdateTaskStatus | None:
        """How the task of that id ended."""
        return self._of_asker.get(asker, OrderedDict()).get(task_id)

    def keep(self, asker: str, said: UpdateTaskStatus) -> None:
        """Remember how a task ended."""
        ended = self._of_asker.setdefault(asker, OrderedDict())
        self._count += said.task_id not in ended
        ended[said.task_id] = said
        if self._count > KEPT_ENDED:
            fullest = max(self._of_asker, key=lambda one: len(self._of_asker[one]))
            self._of_asker[fullest].popitem(last=False)
            self._count -= 1
            if not self._of_asker[fullest]:
                del self._of_asker[fullest]


def place_of(membership: Membership, task_id: str, asker: str) -> Place:
    """Where the run of a task stands; `asker` is empty for a pure calculation."""
    return ("", task_id, asker) if asker else (membership.name, task_id, "")

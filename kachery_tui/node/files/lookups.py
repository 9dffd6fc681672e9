"""Looking up in storage what others ask for: bounded, askers in turn, several questions at a go where many wait."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from kachery_tui.node.membership import Membership
from kachery_tui.node.supervisor import Supervisor
from kachery_tui.node.threads import in_thread
from kachery_tui.node.turns import Turns
from kachery_tui.protocol.messages import FileKey

MOST_LOOKUPS: Final = 5_000
"""Requests that may wait to be looked up; of more, some of who asks most are refused."""

LOOKUPS_AT_ONCE: Final = 2
"""Threads that look up. A chunk is hashed before it is offered, so strangers' questions must not take every core."""

AT_A_GO: Final = 16
"""Questions that go into a thread together: to get there and back takes longer than most answers do."""

STRETCH: Final = 0.02
"""Seconds after which a thread comes back with what it has found so far."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Question:
    """Whether this node has an object: who wants to know, where, and which message said so."""

    membership: Membership
    key: FileKey
    asker: str
    message: int


class Lookups(Generic[Found]):
    """Calls `find` in threads for each question, and `answer` on the loop with what it returned, or `refuse` at once."""

    def __init__(
        self,
        supervisor: Supervisor,
        find: Callable[[FileKey], Found],
        answer: Callable[[Question, Found], None],
        refuse: Callable[[Question], None],
    ) -> None:
        self._supervisor = supervisor
        self._find = find
        self._answer = answer
        self._refuse = refuse
        self._waiting: Turns[Question] = Turns(MOST_LOOKUPS)
        self._at_work = 0

    def put_question(self, question: Question) -> None:
        """Take a question; of too many, some are refused."""
        refused = self._waiting.put(question.asker, question)
        if refused is not None:
            self._refuse(refused)
        if self._at_work < LOOKUPS_AT_ONCE:
            self._at_work += 1
            name = f"{question.membership.name}: look up {question.key.sha1[:12]}"
            self._supervisor.spawn(self._run(), name)

    async def _run(self) -> None:
        """Look up until nothing waits."""
        questions: list[Question] = []
        try:
            while questions or self._waiting:
                more = min(AT_A_GO - len(questions), len(self._waiting))
                questions.extend(self._waiting.take() for _ in range(more))
                found = await in_thread(partial(self._find_some, tuple(questions)))
                for question, one in zip(questions, found, strict=False):
                    self._answer(question, one)
                del questions[: len(found)]
        finally:
            self._at_work -= 1

    def _find_some(self, questions: Sequence[Question]) -> list[Found]:
        """Answer one question at least, and as many more as time allows; runs in a thread."""
        found: list[Found] = []
        until = time.monotonic() + STRETCH
        for question in questions:
            found.append(self._find(question.key))
            if time.monotonic() > until:
                break
        return found

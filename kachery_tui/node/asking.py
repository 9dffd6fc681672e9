"""Asking the nodes of a channel for one object: questions that are out, and who hears what is announced."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from kachery_tui.node.ledger import Ledger, Request
from kachery_tui.node.membership import Membership
from kachery_tui.node.question import Announcement, Heard, OnStep, Question, Waiter
from kachery_tui.protocol.envelope import Envelope
from kachery_tui.protocol.messages import FileKey
from kachery_tui.protocol.roles import Role


class Asker:
    """Publishes requests for objects and hands what is announced to those who wait for it."""

    def __init__(self, ledger: Ledger, label_of: Callable[[str], str], node_id: str) -> None:
        self._label_of = label_of
        self._ledger = ledger
        self._node_id = node_id
        self._waiters: dict[tuple[str, str], set[Waiter]] = {}

    def hear(self, membership: Membership, envelope: Envelope, announcement: Announcement) -> int | None:
        """Take an announcement; the ledger number of a row that waits for it, if there is one."""
        waiters = self._waiters.get((membership.name, announcement.file_key.sha1), set())
        number = None
        for waiter in waiters:
            number = waiter.request
            waiter.put(Heard(announcement, envelope.from_node_id))
        return number

    @asynccontextmanager
    async def ask(
        self, membership: Membership, key: FileKey, row: Request, on_step: OnStep
    ) -> AsyncIterator[Question]:
        """A question for `key`, which `row` needs, to the nodes of a channel; published by its first `answer`.

        `on_step(step, node id)` follows what is heard. The question and what comes of it are kept on the row.
        Raises `NotAllowed` without the role.
        """
        membership.require(Role.REQUEST_FILES)
        waiter = Waiter(row.number)
        place = (membership.name, key.sha1)
        self._waiters.setdefault(place, set()).add(waiter)
        question = Question(
            membership,
            key,
            row,
            waiter,
            self._ledger,
            on_step,
            label_of=self._label_of,
            node_id=self._node_id,
        )
        try:
            yield question
        finally:
            question.close()
            self._waiters[place].discard(waiter)
            if not self._waiters[place]:
                del self._waiters[place]

"""Asking the nodes of a channel for one object: questions that are out, and who hears what is announced.

Theory of operation. A request needs objects: a file in one piece, or a manifest and chunks. For each object that no
bucket has, `Obtainer` opens one question on every channel of the request, by `Asker.ask`.

While a question is out, its `Waiter` stands in a table under the channel and the object's hash. Whatever is announced
there about that hash is put into every such waiter, from which the question takes it: several requests for one object
hear the same answers, and the answer to one of them serves all.

A `Question` says when to publish, and when to publish again; its `Talk` says whom to believe and for how long to wait
for whom. What is said is a claim: the object is got only when the bucket has it and its hash is right, and whoever
said otherwise is not listened to on it any more.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kachery_tui.node.files.question import OnStep, Question
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.files.waiter import Announcement, Heard, Waiter
from kachery_tui.node.ledger import Ledger, Request
from kachery_tui.node.membership import Membership
from kachery_tui.node.people import People
from kachery_tui.protocol.envelope import Envelope
from kachery_tui.protocol.messages import FileKey
from kachery_tui.protocol.roles import Role


class Asker:
    """Publishes requests for objects and hands what is announced to those who wait for it."""

    def __init__(self, ledger: Ledger, people: People) -> None:
        self._ledger = ledger
        self._people = people
        self._waiters: dict[tuple[str, str], set[Waiter]] = {}

    def hear_announcement(
        self, membership: Membership, envelope: Envelope, announcement: Announcement
    ) -> int | None:
        """Take an announcement; the ledger number of a row that waits for it, if there is one."""
        waiters = self._waiters.get((membership.name, announcement.file_key.sha1), set())
        number = None
        for waiter in waiters:
            number = waiter.request
            waiter.put_announcement(Heard(announcement, envelope.from_node_id))
        return number

    @asynccontextmanager
    async def ask(
        self, membership: Membership, key: FileKey, row: Request, file: FileSubject, on_step: OnStep
    ) -> AsyncIterator[Question]:
        """A question for `key` to the nodes of a channel, published by its first `answer`; `row` needs it for its `file`.

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
            file,
            waiter,
            self._ledger,
            self._people,
            on_step,
        )
        try:
            yield question
        finally:
            question.close()
            self._waiters[place].discard(waiter)
            if not self._waiters[place]:
                del self._waiters[place]

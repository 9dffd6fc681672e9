"""An own subfeed on one channel, for those who listen: what is new goes to them at once, and into the bucket soon after.

Theory of operation. Two tasks look after an outlet, as long as somebody listens; neither polls:

    what happens                              wakes `announce_news`         wakes `upload_news`
    ----------------------------------------  ----------------------------  --------------------------
    this program appends                      yes, to publish it            yes, to put it there
    another program appends (the exchange     yes                           yes
      looks at the disk ten times a second)
    somebody begins to listen, or renews      yes, to say how many there    no: the bucket is as it was
                                                are once it is uploaded
    a person here says yes                    yes                           yes
    an upload has brought something           yes, to say how many there    it was this task
                                                are in the bucket
    a listener has not renewed in time        yes, to forget it; without    it is cancelled with the last
                                                any left, the task ends

A message too large for pub-sub is not published: that it is there is known from the count, and it comes from the bucket.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.feeds.disk import FeedDisk
from kachery_tui.node.feeds.states import SubfeedStates
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.feeds.uploading import SubfeedUploader
from kachery_tui.node.ledger import Ledger, Request
from kachery_tui.node.membership import Membership
from kachery_tui.node.steps import Step
from kachery_tui.protocol.canonical import byte_length
from kachery_tui.protocol.feeds import BadMessage, SignedMessage
from kachery_tui.protocol.messages import NewSubfeedMessages, NumSubfeedMessagesUploaded

_log = logging.getLogger(__name__)

PUSH_BYTES: Final = 40_000
"""Bytes of messages in one pub-sub message, which may be of 64 KiB with all that is around them."""

GATHER: Final = 1.0
"""Seconds between two uploads of what was announced already: the bucket is for those who come later."""

AT_A_GO: Final = 500
"""Messages that are read from disk together."""

TROUBLE_PAUSE: Final = 5.0
"""Seconds until a service that failed is tried again."""


class Outlet:
    """One subfeed on one channel, with who listens to it there and how far they and the bucket are."""

    def __init__(
        self,
        membership: Membership,
        subject: SubfeedSubject,
        row: Request,
        disk: FeedDisk,
        states: SubfeedStates,
        ledger: Ledger,
        *,
        announced: int,
    ) -> None:
        """`announced` is how many messages there are: they come from the bucket."""
        self.membership = membership
        self.subject = subject
        self.row = row
        self.until: dict[str, float] = {}
        """By node id of a listener, until when it is waited for, by the loop's clock."""
        self.is_open = True
        """Whether anything may be said: not while a person is asked."""
        self.is_ready = False
        """Whether the bucket has had all that was here when somebody began to listen."""
        self.announced = announced
        """How many messages the listeners know to exist."""
        self.tasks: list[asyncio.Task[None]] = []
        self._disk = disk
        self._ledger = ledger
        self._uploader = SubfeedUploader(membership, subject.key, row, disk, states, ledger)
        self._says_count = True
        self._news = asyncio.Event()
        self._grown = asyncio.Event()

    @property
    def uploaded(self) -> int:
        """How many messages the bucket is known to have as they are here; -1 before it was looked at."""
        return self._uploader.uploaded

    def wake(self) -> None:
        """There may be something new."""
        self._news.set()
        self._grown.set()

    def ask_for_count(self) -> None:
        """Somebody wants to hear how many messages there are."""
        self._says_count = True
        self._news.set()

    async def announce_news(self, forget: Callable[[Sequence[str]], None]) -> None:
        """Publish what is new, until nobody listens any more; `forget` gets the node ids of those who do not."""
        loop = asyncio.get_running_loop()
        while self.until:
            self._news.clear()
            if self.is_open:
                try:
                    await self._publish_news()
                except KacheryError as error:
                    self._ledger.note(self.row, error.line)
                    await asyncio.sleep(TROUBLE_PAUSE)
                    self._news.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(min(self.until.values()) - loop.time(), 0.0)):
                    await self._news.wait()
            forget([node_id for node_id, until in self.until.items() if until <= loop.time()])

    async def _publish_news(self) -> None:
        membership, key = self.membership, self.subject.key
        count = await self._disk.count(key)
        while self.announced < count:
            messages = await self._disk.read(key, self.announced, AT_A_GO)
            if not messages:
                break
            for some in _portions(messages):
                if isinstance(some, SignedMessage):
                    self.announced = some.number + 1
                    continue
                body = NewSubfeedMessages(key.feed_id, key.subfeed_hash, tuple(one.raw for one in some))
                await membership.publish(body, request=self.row.number)
                self.announced = some[-1].number + 1
                self.subject.messages += len(some)
                self._ledger.touch(self.row)
        if self._says_count and self.is_ready:
            await self._publish_count()

    async def _publish_count(self) -> None:
        self._says_count = False
        key = self.subject.key
        body = NumSubfeedMessagesUploaded(key.feed_id, key.subfeed_hash, self.uploaded)
        await self.membership.publish_patiently(body, request=self.row.number)
        self._ledger.enter(self.row, Step.LIVE)

    async def upload_news(self) -> None:
        """Keep the bucket in step with the disk, until cancelled. Raises `BadMessage` for what the owner must mend."""
        while True:
            try:
                if self.is_open:
                    async with self.membership.upload_slots:
                        has_sent = await self._uploader.upload_missing()
                    # What came back from the bucket is no news to those who read there.
                    self.announced = max(self.announced, self._uploader.taken_back)
                    if has_sent or not self.is_ready:
                        self.is_ready = True
                        self.ask_for_count()
            except BadMessage:
                raise
            except KacheryError as error:
                _log.warning("%s: %s", self.row.name, error)
                self._ledger.note(self.row, error.line)
                await asyncio.sleep(TROUBLE_PAUSE)
                continue
            await asyncio.sleep(GATHER)
            await self._grown.wait()
            self._grown.clear()


def _portions(messages: Sequence[SignedMessage]) -> list[list[SignedMessage] | SignedMessage]:
    """Runs of messages that go into one pub-sub message each, in order; one that is too large stands alone, bare."""
    portions: list[list[SignedMessage] | SignedMessage] = []
    run: list[SignedMessage] = []
    size = 0
    for message in messages:
        length = byte_length(message.text)
        if run and (length > PUSH_BYTES or size + length > PUSH_BYTES):
            portions.append(run)
            run, size = [], 0
        if length > PUSH_BYTES:
            portions.append(message)
        else:
            run.append(message)
            size += length
    if run:
        portions.append(run)
    return portions

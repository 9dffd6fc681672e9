"""Keeping a channel's bucket in step with an own subfeed."""

from collections.abc import Sequence
from typing import Final

from kachery_tui.node.feeds.bucket import SubfeedObjects
from kachery_tui.node.feeds.disk import FeedDisk
from kachery_tui.node.feeds.states import SubfeedStates
from kachery_tui.node.ledger import Ledger, Origin, Request
from kachery_tui.node.membership import Membership
from kachery_tui.node.steps import Step
from kachery_tui.protocol.feeds import BadMessage, Fault
from kachery_tui.protocol.uris import SubfeedKey

AT_A_GO: Final = 500
"""Messages that are read from disk and put into the bucket together."""


class SubfeedUploader:
    """One own subfeed, and what one channel's bucket has of it."""

    def __init__(
        self,
        membership: Membership,
        key: SubfeedKey,
        row: Request,
        disk: FeedDisk,
        states: SubfeedStates,
        ledger: Ledger,
    ) -> None:
        self.uploaded = -1
        """How many messages the bucket is known to have as they are here; -1 before it was looked at."""
        self.taken_back = 0
        """How many messages were here once those that this disk had lost were back; 0 as long as none had to be."""
        self._looks = False
        """Whether each object is to be looked at before it is sent: the bucket has some, and not those that are here."""
        self._channel = membership.name
        self._key = key
        self._row = row
        self._disk = disk
        self._states = states
        self._ledger = ledger
        self._objects = SubfeedObjects(
            membership,
            key,
            lambda text: ledger.note(row, text),
            feed_key=lambda: disk.own_key(key.feed_id),
        )

    async def upload_missing(self) -> bool:
        """Put into the bucket what it lacks; whether there was anything.

        The first time the bucket is looked at, and what it has and this disk has lost is taken back.
        Raises `BadMessage` if it has other messages with the owner's signature: nothing is overwritten then.
        """
        if self.uploaded < 0:
            await self._look()
        # Counted on the disk: what another program has appended is not known of yet.
        count = await self._disk.count(self._key)
        if self.uploaded >= count:
            return False
        await self._send(count)
        return True

    async def _look(self) -> None:
        """Find out how much of what is here the bucket has."""
        here, there = await self._disk.count(self._key), await self._objects.count()
        if there > here:
            here = await self._take_back(here, there)
            there = min(there, here)
        is_same = await self._is_same(there)
        self._looks = not is_same
        if not is_same:
            self._ledger.note(
                self._row, "the bucket's messages are not those that are here: looked at one by one"
            )
        self._know(there if is_same else 0)

    async def _take_back(self, here: int, there: int) -> int:
        """Bring messages from the bucket that this node's own key has signed; how many there are here then."""
        key, row = self._key, self._row

        async def take(start: int, texts: Sequence[bytes]) -> None:
            if texts:
                new = await self._disk.keep_texts(key, start, texts)
                self._ledger.note(row, f"this disk lacked {new:,} messages that the bucket has: brought back")

        try:
            await self._objects.read(here, there, take)
        except BadMessage as bad:
            if bad.fault in (Fault.FORK, Fault.CHAIN):
                found = await self._objects.message(bad.number)
                if found is not None and found.is_signed_by(key.feed_id):
                    raise
            self._ledger.note(row, f"the bucket claims {there:,} messages: {bad.line}")
        self.taken_back = await self._disk.count(key)
        return self.taken_back

    async def _is_same(self, count: int) -> bool:
        """Whether the last of the bucket's `count` messages is the one that is here. Raises `BadMessage` for a fork."""
        if not count:
            return True
        here = await self._disk.read(self._key, count - 1, 1)
        there = await self._objects.message(count - 1)
        if not here or there is None:
            return False
        if here[0].signature == there.signature:
            return here[0].text == there.text
        if there.number == count - 1 and there.is_signed_by(self._key.feed_id):
            raise BadMessage(Fault.FORK, count - 1, "the bucket has one, this disk another")
        return False

    async def _send(self, count: int) -> None:
        if self._row.step is not Step.LIVE:
            self._ledger.enter(self._row, Step.UPLOADING)
        start = self.uploaded
        while start < count:
            messages = await self._disk.read(self._key, start, min(AT_A_GO, count - start))
            if not messages:
                break
            await self._objects.write(messages, look=self._looks)
            self._ledger.count(self._row, sum(len(one.text) for one in messages), Origin.DISK)
            start = messages[-1].number + 1
        await self._objects.write_count(start)
        self._looks = False
        self._know(start)

    def _know(self, uploaded: int) -> None:
        self.uploaded = uploaded
        state = self._states.state(self._key)
        state.in_bucket[self._channel] = uploaded
        self._states.touch(state)

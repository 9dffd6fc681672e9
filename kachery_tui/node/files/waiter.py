"""What nodes announce of an object, kept for a request that waits for it until it is looked at."""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from kachery_tui.protocol.messages import (
    UploadFileFailed,
    UploadFileProgress,
    UploadFileStatus,
    UploadStatus,
)

WAITING_OF_ONE: Final = 4
"""Announcements of one node on one object that may wait to be looked at; a newer one takes the place of the oldest."""

MOST_WAITING: Final = 1_024
"""The same, of all nodes. Beyond it only `finished` is taken, and beyond four times as many nothing."""

Announcement = UploadFileStatus | UploadFileProgress | UploadFileFailed


@dataclass(frozen=True, slots=True)
class Heard:
    """What a node announced of an object."""

    announcement: Announcement
    node_id: str

    @property
    def is_finished(self) -> bool:
        """Whether it is that the object is in the bucket."""
        return (
            isinstance(self.announcement, UploadFileStatus)
            and self.announcement.status is UploadStatus.FINISHED
        )


@dataclass(slots=True, eq=False)
class Waiter:
    """What was announced of an object, for one request that waits for it."""

    request: int
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: deque[Heard] = field(default_factory=deque)
    _of_one: Counter[str] = field(default_factory=Counter)

    def put_announcement(self, heard: Heard) -> None:
        """Take an announcement. One node's words never push out another's."""
        if self._of_one[heard.node_id] >= WAITING_OF_ONE:
            self._waiting.remove(next(one for one in self._waiting if one.node_id == heard.node_id))
        elif len(self._waiting) >= MOST_WAITING * (4 if heard.is_finished else 1):
            return
        else:
            self._of_one[heard.node_id] += 1
        self._waiting.append(heard)
        self.filled.set()

    def next_announcement(self) -> Heard | None:
        """The next announcement, if there is one."""
        if self._waiting:
            heard = self._waiting.popleft()
            self._of_one[heard.node_id] -= 1
            if not self._of_one[heard.node_id]:
                del self._of_one[heard.node_id]
            return heard
        self.filled.clear()
        return None

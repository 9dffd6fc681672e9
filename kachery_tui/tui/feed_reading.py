"""Reading messages from disk some at a time: large ones fewer at a time, since each may take ten megabytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.canonical import byte_length

if TYPE_CHECKING:
    from kachery_tui.node.node import Node
    from kachery_tui.protocol.feeds import SignedMessage
    from kachery_tui.protocol.uris import SubfeedKey

Read = Callable[[int, int], Awaitable["list[SignedMessage]"]]
"""Reads messages from a number on, up to so many. Raises `KacheryError`."""

BYTES_AT_ONCE: Final = 4_000_000
MOST_AT_ONCE: Final = 200
FIRST: Final = 8
"""Messages that are read before anything is known of how large they are."""


def reader(node: Node, key: SubfeedKey) -> Read:
    """Reads a subfeed of a node."""
    return lambda start, limit: node.feeds.messages(key, start, limit)


class Portions:
    """Reads as many messages at a time as are not too much."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._at_once = FIRST

    async def read(self, start: int, end: int) -> list[SignedMessage]:
        """Some messages from number `start` on, none from `end` on. Empty where there are none."""
        messages = await self._read(start, min(self._at_once, end - start))
        if messages:
            ends = (messages[0], messages[-1])
            largest = await in_thread(lambda: max(byte_length(message.text) for message in ends))
            fits = max(1, min(MOST_AT_ONCE, BYTES_AT_ONCE // max(largest, 1)))
            self._at_once = min(fits, max(self._at_once, 1) * 8)
        return messages

"""A node at work for those who call it: the running one, over its socket, or one that a command starts for itself."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, Final

from kachery_tui.errors import UsageError
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.service.waiting import progress

Events = AsyncGenerator[dict[str, Any], None]
"""What comes of a call, as it comes; the last is `done`, and says what came of it in the end."""

THIS_COMMAND: Final = "this command"
"""The caller of a node that a command starts for itself."""


class Work:
    """A node, and who waits for which of its requests."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._waiting: dict[int, int] = {}

    async def wait(self, row: Request) -> Events:
        """Tell how a request goes until it has ended. If nobody else wants it, it ends when the caller goes."""
        self._waiting[row.number] = self._waiting.get(row.number, 0) + 1
        ended = asyncio.create_task(row.finished.wait())
        try:
            async with aclosing(progress(self.node, row, ended)) as events:
                async for event in events:
                    yield event
        finally:
            ended.cancel()
            self._waiting[row.number] -= 1
            if not self._waiting[row.number]:
                del self._waiting[row.number]
                if row.is_active and not row.is_kept_on:
                    with suppress(UsageError):
                        self.node.cancel(row)

"""Keys that come together act one after the other, each on what the one before it has opened.

Textual hands an event to what has the focus when it comes. Of `/lab`, pasted into a terminal or typed over a slow line,
the letters would go to the list that had it when the slash came, and do there what they stand for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from textual import events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.app import App
    from textual.message import Message
    from textual.message_pump import MessagePump

PATIENCE: Final = 0.5
"""Seconds that one key may take; what takes longer does not keep the next ones waiting."""

MOST_WAITING: Final = 10_000
"""Messages of a terminal that wait to be handed on; what comes beyond that is nobody's typing, and is dropped."""


class Typist:
    """Hands on what a terminal says. Belongs to the loop's thread."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._waiting: deque[Message] = deque()
        self._handing_on: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    def take(self, message: Message) -> None:
        """Hand this on after what came before it."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(message)
        if self._handing_on is None or self._handing_on.done():
            self._handing_on = asyncio.create_task(self._hand_on(), name="keys")

    def stop(self) -> None:
        """Hand on nothing more."""
        self._waiting.clear()
        if self._handing_on is not None:
            self._handing_on.cancel()
            self._handing_on = None

    async def _hand_on(self) -> None:
        while self._waiting:
            message = self._waiting.popleft()
            self._app.post_message(message)
            if isinstance(message, events.Key):
                await self._acted()

    async def _acted(self) -> None:
        """Wait until the key that was posted has passed everything that it goes through."""
        try:
            async with asyncio.timeout(PATIENCE):
                for place in self._way():
                    passed = asyncio.Event()
                    if place.is_attached and place.call_later(passed.set):
                        await passed.wait()
        except TimeoutError:
            return

    def _way(self) -> Iterator[MessagePump]:
        """The way of a key, whose queues each take it after the one before: down to what has the focus, up again, and
        once more through the app, which is where the focus is changed."""
        yield self._app
        if self._app.screen_stack:
            screen = self._app.screen
            yield screen
            if screen.focused is not None:
                yield from screen.focused.ancestors_with_self
        yield self._app
        yield self._app

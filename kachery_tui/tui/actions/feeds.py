"""Feeds: making and deleting own ones, appending, looking at a message, drawing a number of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.tui.actions.action import Action
from kachery_tui.tui.describe.feed_messages import message_json, message_lines, message_title

if TYPE_CHECKING:
    from kachery_tui.tui.here import FeedMessage
    from kachery_tui.tui.screen import MainScreen


def open_message(screen: MainScreen, chosen: FeedMessage) -> None:
    """Show a message in full."""

    async def show() -> None:
        subfeed = chosen.subfeed
        for message in await screen.node.feeds.messages(subfeed.key, chosen.number, 1):
            screen.view(
                message_title(subfeed, message.number),
                lambda: message_lines(subfeed, message),
                copies=message_json(message),
            )

    screen.run(show(), "screen: read a message")


ACTIONS: Final[tuple[Action, ...]] = ()

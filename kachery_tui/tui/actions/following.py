"""Following a feed by its URI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri
from kachery_tui.tui.actions.action import Action, Group
from kachery_tui.tui.dialogs.ask import Ask
from kachery_tui.tui.here import PaneName

if TYPE_CHECKING:
    from collections.abc import Callable

    from kachery_tui.tui.desk import Desk
    from kachery_tui.tui.here import Here


def is_feed_uri(text: str) -> bool:
    """Whether a text is meant as the URI of a feed."""
    return text.strip().startswith("feed://")


def feed_uri_problem(text: str) -> str:
    """What is wrong with the URI of a feed; empty if nothing is."""
    try:
        SubfeedUri.parse(text)
    except ProtocolError as error:
        return str(error)
    return ""


async def follow(desk: Desk, uri: str, done: Callable[[SubfeedKey], None]) -> str:
    """Follow a subfeed over all channels; `done` gets its key, and what is returned says why it cannot be followed."""
    try:
        row = await desk.node.feeds.follow(uri.strip())
    except KacheryError as error:
        return str(error)
    done(SubfeedSubject.of(row).key)
    return ""


def _ask(desk: Desk, _here: Here) -> None:
    followed: list[SubfeedKey] = []

    def go_on(uri: str | None) -> None:
        if uri is not None and followed:
            desk.show_subfeed(followed[-1])

    desk.app.push_screen(
        Ask(
            "Follow a feed",
            about="feed://… as its owner gave it; without a subfeed's name, the one called messages",
            takes="Follow",
            check=feed_uri_problem,
            admit=lambda uri: follow(desk, uri, followed.append),
        ),
        go_on,
    )


ACTIONS: Final = (
    Action(
        "follow", "F", "Follow…", "Follow someone else's feed by its URI, over every channel that works", _ask,
        group=Group.FEEDS, panes=frozenset({PaneName.FEEDS}), changes=True, needs_node=True,
    ),
)  # fmt: skip

"""Feeds: making and deleting own ones, appending, looking at a message, drawing a number of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.suggester import SuggestFromList

from kachery_tui.errors import KacheryError
from kachery_tui.node.feeds.states import SubfeedState
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.feeds import DEFAULT_SUBFEED
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri
from kachery_tui.tui import present
from kachery_tui.tui.actions import requests
from kachery_tui.tui.actions.action import AVAILABLE, Action, Group
from kachery_tui.tui.cells import clip
from kachery_tui.tui.describe.feed_messages import message_json, message_lines, message_title
from kachery_tui.tui.describe.feeds import feed_title, title
from kachery_tui.tui.describe.json_text import numbers
from kachery_tui.tui.dialogs.ask import Ask
from kachery_tui.tui.dialogs.confirm import Confirm
from kachery_tui.tui.feed_reading import reader
from kachery_tui.tui.header import waiting
from kachery_tui.tui.here import FeedMessage, Here, PaneName

if TYPE_CHECKING:
    from kachery_tui.protocol.canonical import JsonObject
    from kachery_tui.protocol.feeds import SignedMessage
    from kachery_tui.tui.desk import Desk

_FEEDS: Final = frozenset({PaneName.FEEDS})

SHOWN_PATHS: Final = 60
"""Cells for the numbers that can be drawn, in the dialog that asks for one."""


def open_message(desk: Desk, chosen: FeedMessage) -> None:
    """Show a message in full."""
    subfeed = chosen.subfeed

    async def show() -> None:
        for message in await desk.node.feeds.messages(subfeed.key, chosen.number, 1):
            await _view(desk, subfeed, message)

    desk.run_work(show(), "screen: read a message")


async def _view(desk: Desk, subfeed: SubfeedState, message: SignedMessage) -> None:
    lines = await in_thread(lambda: tuple(message_lines(subfeed, message)))
    copies = await in_thread(lambda: message_json(message))
    desk.view(message_title(subfeed, message.number), lambda: lines, copies=copies)


def _subfeed(here: Here) -> SubfeedState | None:
    """The subfeed that the person is at."""
    match here.selection:
        case SubfeedState() as state:
            return state
        case FeedMessage(subfeed=state):
            return state
        case _:
            return None


# Own feeds


def _create(desk: Desk, here: Here) -> None:
    made: list[SubfeedUri] = []

    async def admit(name: str) -> str:
        try:
            made.append(await desk.node.feeds.create(name))
        except KacheryError as error:
            return str(error)
        return ""

    def go_on(name: str | None) -> None:
        if name is not None and made:
            desk.show_subfeed(SubfeedKey(made[-1].feed_id, ""))
            append, copy = here.key_of("append"), here.key_of("copy")
            desk.tell(
                f"{append} appends a message, {copy} copies its URI",
                title=f"Feed {name} created" if name else "Feed created",
            )

    desk.app.push_screen(
        Ask(
            "Create a feed",
            about="optional: a name on this node, by which programs load it. Others know it by its URI",
            takes="Create",
            optional=True,
            admit=admit,
        ),
        go_on,
    )


def _append(desk: Desk, here: Here) -> None:
    # Where nothing is appended, nothing of the editor is loaded.
    from kachery_tui.tui.dialogs.json_edit import JsonEdit, JsonWords

    state = _subfeed(here)
    if state is None:
        return
    appended: list[tuple[SubfeedKey, int]] = []

    async def admit(name: str, message: JsonObject) -> str:
        uri = SubfeedUri(state.key.feed_id, name)
        try:
            added = await desk.node.feeds.append(uri, [message])
        except KacheryError as error:
            return str(error)
        key = uri.key(DEFAULT_SUBFEED)
        if key != state.key:
            # So that its row has the feed's name from the first moment on.
            await desk.node.feeds.reload()
        appended.append((key, added[-1].number))
        return ""

    def go_on(taken: bool | None) -> None:
        if taken and appended:
            key, number = appended[-1]
            if key != state.key:
                desk.show_subfeed(key)
            desk.tell(f"message {number:,} of {feed_title(state)}", title="Appended")

    desk.app.push_screen(
        JsonEdit(
            f"Append to {feed_title(state)}",
            line=_name_to_type(state),
            words=JsonWords(
                about="a JSON object; signed and appended, it cannot be taken back. The subfeed that it goes to:",
                takes="Append",
                line="Subfeed or message",
                no_line="the subfeed has no name",
                good="a message",
                too_long="append a file by the command line",
            ),
            admit=admit,
        ),
        go_on,
    )


def _name_to_type(state: SubfeedState) -> str:
    """The name of a subfeed as it can stand in a line to type into; one that shows badly by its hash."""
    name = state.uri.subfeed_name or DEFAULT_SUBFEED
    return name if name.isprintable() else f"~{state.key.subfeed_hash}"


def _append_unavailable(here: Here) -> str:
    state = _subfeed(here)
    if state is None:
        return f"choose a feed of your own; {here.key_of('create')} creates one"
    return AVAILABLE if state.own else "it is another's: its private key is not here"


def _feeds(here: Here) -> dict[str, SubfeedState]:
    """The feeds that are meant, by their ids, each with one of its subfeeds."""
    return {item.key.feed_id: item for item in here.targets if isinstance(item, SubfeedState)}


def _delete(desk: Desk, here: Here) -> None:
    feeds = _feeds(here)
    states = [state for state in desk.node.feeds.states if state.key.feed_id in feeds]
    what = present.count(len(feeds), "feed")
    if len(feeds) == 1:
        what = f"the feed {clip(feed_title(next(iter(feeds.values()))), 40)}"
    subfeeds = present.count(sum(1 for state in states if state.key.subfeed_hash), "subfeed")
    messages = present.count(sum(state.here for state in states), "message")
    own = sum(1 for state in feeds.values() if state.own)
    keys = (
        "Its private key is deleted too"
        if len(feeds) == 1
        else f"{present.count(own, 'private key')} deleted too"
    )
    about = (
        f"{keys}: nobody can append any more. This cannot be undone."
        if own
        else "Copies that others have stay with them; this node no longer follows it. This cannot be undone."
    )

    async def delete() -> None:
        for feed_id in feeds:
            await desk.node.feeds.delete(SubfeedUri(feed_id))
        desk.clear_marks()
        desk.tell(f"{messages} in {subfeeds}", title=f"{present.count(len(feeds), 'feed')} deleted")

    def answered(yes: bool | None) -> None:
        if yes:
            desk.run_work(delete(), "screen: delete feeds")

    desk.app.push_screen(
        Confirm(f"Delete {what} with {messages} in {subfeeds}?", about=about, grave=True), answered
    )


def _delete_unavailable(here: Here) -> str:
    if _feeds(here):
        return AVAILABLE
    if isinstance(here.selection, FeedMessage):
        return "a message cannot be deleted; Esc goes back to the feeds"
    return "choose a feed"


# Drawing


def _plot(desk: Desk, here: Here) -> None:
    if _answers(here):
        requests.provide(desk, here)
        return
    state = _subfeed(here)
    if state is not None:
        number = here.selection.number if isinstance(here.selection, FeedMessage) else state.here - 1
        desk.run_work(_ask_for_path(desk, state, number), "screen: read a message")


async def _ask_for_path(desk: Desk, state: SubfeedState, number: int) -> None:
    messages = await desk.node.feeds.messages(state.key, number, 1)
    # A path stands in a line to type into, which shows what it gets as it is.
    found = [path for path in numbers(messages[0].message) if path.isprintable()] if messages else []
    if not found:
        desk.tell_why_not(f"there is no number in message {number:,}", title="Plot: not now")
        return

    def draw(path: str | None) -> None:
        if path is not None:
            _show_plot(desk, state, path)

    desk.app.push_screen(
        Ask(
            "Draw a number",
            about=f"over the messages, as they come. In message {number:,}: {clip(', '.join(found), SHOWN_PATHS)}",
            value=found[0],
            takes="Draw",
            suggester=SuggestFromList(found),
        ),
        draw,
    )


def _show_plot(desk: Desk, state: SubfeedState, path: str) -> None:
    from kachery_tui.tui.dialogs.plot_view import PlotView, Series

    series = Series(state, path, reader(desk.node, state.key))
    desk.app.push_screen(PlotView(title(state), series, desk.node.supervisor.spawn))


def _answers(here: Here) -> bool:
    """Whether the key answers who waits, as it does in other panes: among the feeds, and not their messages."""
    return bool(waiting(here.node)) and not isinstance(here.selection, FeedMessage) and not here.read_only


def _plot_unavailable(here: Here) -> str:
    if _answers(here):
        return AVAILABLE
    state = _subfeed(here)
    if state is None:
        return "choose a feed with messages"
    return AVAILABLE if state.here else "none of its messages is here"


def _plot_label(here: Here) -> str:
    return requests.provide_label(here) if _answers(here) else "Plot"


MESSAGES: Final = (
    Action(
        "append", "A", "Append", "Write a message and append it to a feed of your own", _append,
        _append_unavailable, Group.FEEDS, panes=_FEEDS, changes=True, needs_node=True,
    ),
    Action(
        "plot", "p", "Plot", "Draw a number in the messages, as they come; provide to who waits", _plot,
        _plot_unavailable, Group.FEEDS, panes=_FEEDS, needs_node=True, label_here=_plot_label,
    ),
)  # fmt: skip
"""What is done with messages; the footer offers that first."""

ACTIONS: Final = (
    Action(
        "create", "N", "New feed", "Create a feed of your own, with or without a name", _create,
        group=Group.FEEDS, panes=_FEEDS, changes=True, needs_node=True,
    ),
    Action(
        "delete-feed", "d", "Delete", "Permanently delete a feed; of one's own, the private key too", _delete,
        _delete_unavailable, Group.FEEDS, panes=_FEEDS, changes=True, needs_node=True,
    ),
)  # fmt: skip

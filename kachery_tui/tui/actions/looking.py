"""Looking at what is chosen: details, why it is so, its URI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.activity import StreamMessage
from kachery_tui.node.feeds.states import SubfeedState
from kachery_tui.node.ledger import Request
from kachery_tui.node.log import LogLine
from kachery_tui.node.tasks.offers import Offer
from kachery_tui.node.values import BucketFile, Entry, TrashedFile
from kachery_tui.tui.actions import channels, feeds, members, streams, why
from kachery_tui.tui.actions.action import AVAILABLE, Action
from kachery_tui.tui.actions.requests import open_request
from kachery_tui.tui.cells import Cell
from kachery_tui.tui.describe.files import bucket_lines, entry_lines, trashed_lines
from kachery_tui.tui.describe.log import log_lines
from kachery_tui.tui.dialogs.text_view import TextView
from kachery_tui.tui.here import ChannelRow, FeedMessage, Here, Lane, RegisterRow, uri_of, uri_text
from kachery_tui.tui.panes.cache import CachePane

if TYPE_CHECKING:
    from kachery_tui.tui.desk import Desk


def _open(desk: Desk, here: Here) -> None:
    node, now = desk.node, desk.now
    match here.selection:
        case ChannelRow() as row:
            channels.open_row(desk, row)
        case RegisterRow() as entry_row:
            members.open_entry(desk, entry_row)
        case Lane() | SubfeedState() | Offer():
            desk.pane.enter_messages()
        case Request() as row:
            open_request(desk, row)
        case StreamMessage() as message:
            streams.open_message(desk, here, message)
        case Entry() as entry:
            uri = str(uri_of(node, entry))
            pane = desk.pane
            described = pane.described(entry) if isinstance(pane, CachePane) else ""
            desk.view("File in storage", lambda: entry_lines(entry, uri, now, described), copies=uri)
        case BucketFile() as file:
            uri = str(uri_of(node, file))
            desk.view("File in the bucket", lambda: bucket_lines(file, uri, here.channel), copies=uri)
        case TrashedFile() as trashed:
            uri = str(uri_of(node, trashed))
            desk.view("File in the trash", lambda: trashed_lines(trashed, uri), copies=uri)
        case FeedMessage() as said:
            feeds.open_message(desk, said)
        case LogLine() as line:
            desk.view("Log line", lambda: log_lines(line), copies=line.text)


def _open_unavailable(here: Here) -> str:
    return "nothing is selected" if here.selection is None else AVAILABLE


def _open_label(here: Here) -> str:
    match here.selection:
        case Offer():
            return "Its tasks"
        case Lane() | SubfeedState():
            return "Messages"
        case StreamMessage() | FeedMessage():
            return "Whole message"
        case LogLine():
            return "Whole line"
        case _:
            return "Details"


def _uri_unavailable(here: Here) -> str:
    return AVAILABLE if uri_text(here.node, here.selection) else "nothing with a URI is selected"


def _copy(desk: Desk, here: Here) -> None:
    uris = [uri for item in here.targets if (uri := uri_text(here.node, item))]
    desk.app.copy_to_clipboard("\n".join(uris))


def _copy_label(here: Here) -> str:
    return "Copy id" if isinstance(here.selection, RegisterRow | Offer) else "Copy URI"


def _show_uri(desk: Desk, here: Here) -> None:
    uri = uri_text(here.node, here.selection)
    desk.app.push_screen(TextView("URI, to select by mouse", lambda: ((Cell(uri),),), copies=uri, bare=True))


ACTIONS: Final = (
    Action(
        "open", "enter", "Details", "Show all details of what is selected", _open,
        _open_unavailable, label_here=_open_label,
    ),
    *why.ACTIONS,
    Action(
        "copy", "y", "Copy URI", "Copy the URI to your terminal's clipboard", _copy, _uri_unavailable,
        label_here=_copy_label,
    ),
    Action(
        "show-uri", "Y", "Show URI", "Show the URI at full width, to select it by mouse", _show_uri,
        _uri_unavailable,
    ),
)  # fmt: skip

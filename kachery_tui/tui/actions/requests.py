"""Requests: asking, answering others, breaking off, trying again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.ledger import Request, Step
from kachery_tui.node.values import BucketFile, Entry
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import FileUri
from kachery_tui.tui.actions.action import AVAILABLE, Action, Group
from kachery_tui.tui.describe.request_story import story_lines
from kachery_tui.tui.dialogs.ask import Ask
from kachery_tui.tui.header import waiting
from kachery_tui.tui.here import Here, uri_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kachery_tui.tui.cells import Line
    from kachery_tui.tui.screen import MainScreen

_VIEW_FRAME: Final = 6
"""Cells of a text view that are not its text: borders, padding, scrollbar."""

_VIEW_WIDEST: Final = 120

_RETRYABLE: Final = frozenset({Step.FAILED, Step.CANCELLED, Step.DECLINED})


def ask_for_uri(screen: MainScreen, value: str = "") -> None:
    """Ask which file to request."""

    def request(uri: str | None) -> None:
        if uri is not None:
            with screen.told():
                screen.show_request(screen.node.files.request(uri).number)

    screen.app.push_screen(
        Ask(
            "Request a file",
            about="sha1://… as its owner gave it; paste it here",
            value=value or screen.tour.uri,
            takes="Request",
            check=_uri_problem,
        ),
        request,
    )


def _uri_problem(text: str) -> str:
    try:
        FileUri.parse(text)
    except ProtocolError as error:
        return str(error)
    return ""


def open_request(screen: MainScreen, row: Request) -> None:
    """Show everything that is known of a request, and keep it true."""

    def lines() -> Iterator[Line]:
        width = min(screen.app.size.width * 96 // 100, _VIEW_WIDEST) - _VIEW_FRAME
        return story_lines(row, screen.node.label_of, screen.now, width)

    screen.view(f"Request #{row.number}: {row.name}", lines, copies=str(row.uri), live=True)


def _request(screen: MainScreen, here: Here) -> None:
    wanted = [item for item in here.targets if isinstance(item, BucketFile)]
    if not wanted:
        ask_for_uri(screen)
    for item in wanted:
        uri = FileUri(item.sha1, item.name or None)
        row = screen.node.files.request(uri, here.channel)
        if len(wanted) == 1:
            screen.show_request(row.number)
    if len(wanted) > 1:
        screen.clear_marks()
        screen.tell(f"{len(wanted)} files of the bucket are on their way", title="Loading")


def _request_unavailable(here: Here) -> str:
    return AVAILABLE if here.node.memberships else "this node is on no channel yet"


def _request_label(here: Here) -> str:
    return "Load" if isinstance(here.selection, BucketFile) else "Request"


def _rows(here: Here) -> list[Request]:
    return [item for item in here.targets if isinstance(item, Request)]


def _waiting_rows(here: Here) -> list[Request]:
    return [row for row in _rows(here) if row.step is Step.WAITING]


def _provide(screen: MainScreen, here: Here) -> None:
    rows = _waiting_rows(here)
    for row in rows:
        screen.node.files.answer(row.number, yes=True)
    if rows:
        screen.clear_marks()
        return
    waiting_row = next((row for row in screen.node.ledger if row.step is Step.WAITING), None)
    if waiting_row is not None:
        screen.show_request(waiting_row.number)


def _provide_unavailable(here: Here) -> str:
    return AVAILABLE if waiting(here.node) else "no request waits for your answer"


def _provide_label(here: Here) -> str:
    return "Go to waiting" if waiting(here.node) and not _waiting_rows(here) else "Provide"


def _decline(screen: MainScreen, here: Here) -> None:
    for row in _waiting_rows(here):
        screen.node.files.answer(row.number, yes=False)
    screen.clear_marks()


def _decline_unavailable(here: Here) -> str:
    return AVAILABLE if _waiting_rows(here) else "choose a request that waits for you"


def _active_rows(here: Here) -> list[Request]:
    return [row for row in _rows(here) if row.is_active]


def _cancel(screen: MainScreen, here: Here) -> None:
    rows = _active_rows(here)
    for row in rows:
        screen.node.files.cancel(row.number)
    if rows:
        screen.clear_marks()
    else:
        screen.stop_job()


def _cancel_unavailable(here: Here) -> str:
    if here.storing or _active_rows(here):
        return AVAILABLE
    if isinstance(here.selection, Request):
        return f"this request has ended ({here.selection.step})"
    return f"choose a request that is under way ({here.key_of('pane-requests')})"


def _cancel_label(here: Here) -> str:
    return "Stop storing" if here.storing and not _active_rows(here) else "Cancel"


def _retryable_rows(here: Here) -> list[Request]:
    return [row for row in _rows(here) if row.step in _RETRYABLE]


def _retry(screen: MainScreen, here: Here) -> None:
    rows = _retryable_rows(here)
    for row in rows:
        screen.node.files.retry(row.number)
    screen.clear_marks()
    if len(rows) == 1:
        screen.show_request(rows[0].number)


def _retry_unavailable(here: Here) -> str:
    if not isinstance(here.selection, Request):
        return f"choose a request that failed ({here.key_of('pane-requests')})"
    if _retryable_rows(here):
        return AVAILABLE
    if here.selection.is_active:
        return "it is still under way"
    return f"it ended well; {here.key_of('request')} asks anew"


def _pushable(here: Here) -> list[FileUri]:
    """The files chosen that this node may have: an entry of the storage, or a request's row about a file that is here."""
    uris = []
    for item in here.targets:
        if (isinstance(item, Entry) and item.kind != "void") or isinstance(item, Request):
            uri = uri_of(here.node, item)
            if uri is not None:
                uris.append(uri)
    return uris


def _push(screen: MainScreen, here: Here) -> None:
    uris = _pushable(here)
    rows = [screen.node.files.push(uri, here.channel) for uri in uris]
    screen.clear_marks()
    if len(rows) == 1:
        screen.show_request(rows[0].number)
    else:
        screen.tell(f"{len(rows)} files go to the bucket of {here.channel}", title="Pushing")


def _push_unavailable(here: Here) -> str:
    if isinstance(here.selection, Entry) and here.selection.kind == "void" and not here.marked:
        return "the linked file changed or is gone"
    if not _pushable(here):
        return f"choose a file ({here.key_of('pane-cache')}) or a request ({here.key_of('pane-requests')})"
    if here.channel not in here.node.memberships:
        return "this node is on no channel yet"
    if Role.PROVIDE_FILES not in here.node.memberships[here.channel].in_force:
        return f"needs provide-files in force on {here.channel}"
    return AVAILABLE


ACTIONS: Final = (
    Action(
        "request", "r", "Request", "Ask for a file by its URI; in a bucket, load what is chosen", _request,
        _request_unavailable, Group.REQUESTS, changes=True, needs_node=True, label_here=_request_label,
    ),
    Action(
        "provide", "p", "Provide", "Send the file that another node waits for", _provide,
        _provide_unavailable, Group.REQUESTS, changes=True, needs_node=True, label_here=_provide_label,
    ),
    Action(
        "decline", "n", "Decline", "Do not send it", _decline,
        _decline_unavailable, Group.REQUESTS, changes=True, needs_node=True,
    ),
    Action(
        "cancel", "x", "Cancel", "Stop the request; verified chunks are kept", _cancel,
        _cancel_unavailable, Group.REQUESTS, changes=True, needs_node=True, label_here=_cancel_label,
    ),
    Action(
        "retry", "R", "Retry", "Try again, from what is verified already", _retry,
        _retry_unavailable, Group.REQUESTS, changes=True, needs_node=True,
    ),
    Action(
        "push", "u", "Push", "Upload the file to the channel's bucket now, and announce it", _push,
        _push_unavailable, Group.REQUESTS, changes=True, needs_node=True,
    ),
)  # fmt: skip

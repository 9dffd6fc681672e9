"""Requests: asking, answering others, breaking off, trying again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.ledger import Request, Side, Step
from kachery_tui.node.values import BucketFile, Entry
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import FileUri
from kachery_tui.tui import present
from kachery_tui.tui.actions.action import AVAILABLE, Action, Group
from kachery_tui.tui.describe.request_story import story_lines
from kachery_tui.tui.dialogs.ask import Ask
from kachery_tui.tui.header import waiting
from kachery_tui.tui.here import Here, uri_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


def _with_each(screen: MainScreen, rows: Sequence[Request], act: Callable[[int], object], done: str) -> None:
    """Act on all rows, also where one of them refuses; with several, say how many it was done to."""
    count = 0
    for row in rows:
        with screen.told():
            act(row.number)
            count += 1
    if len(rows) > 1:
        screen.tell(f"{present.count(count, 'request')} {done}")
    screen.clear_marks()


def _counted(label: str, number: int) -> str:
    return f"{label} {number:,}" if number > 1 else label


# Answering


def _waiting_rows(here: Here) -> list[Request]:
    return [row for row in _rows(here) if row.step is Step.WAITING]


def _provide(screen: MainScreen, here: Here) -> None:
    rows = _waiting_rows(here)
    if rows:
        _with_each(screen, rows, lambda number: screen.node.files.answer(number, yes=True), "provided")
        return
    waiting_row = next((row for row in screen.node.ledger if row.step is Step.WAITING), None)
    if waiting_row is not None:
        screen.show_request(waiting_row.number)


def _provide_unavailable(here: Here) -> str:
    return AVAILABLE if waiting(here.node) else "no request waits for your answer"


def _provide_label(here: Here) -> str:
    rows = _waiting_rows(here)
    return "Go to waiting" if waiting(here.node) and not rows else _counted("Provide", len(rows))


def _decline(screen: MainScreen, here: Here) -> None:
    _with_each(
        screen, _waiting_rows(here), lambda number: screen.node.files.answer(number, yes=False), "declined"
    )


def _decline_unavailable(here: Here) -> str:
    if _waiting_rows(here):
        return AVAILABLE
    return "none of the marked rows waits for you" if here.marked else "choose a request that waits for you"


def _decline_label(here: Here) -> str:
    return _counted("Decline", len(_waiting_rows(here)))


# Breaking off, trying again


def _active_rows(here: Here) -> list[Request]:
    return [row for row in _rows(here) if row.is_active]


def _cancel(screen: MainScreen, here: Here) -> None:
    rows = _active_rows(here)
    if rows:
        _with_each(screen, rows, screen.node.files.cancel, "cancelled")
    else:
        screen.stop_job()


def _cancel_unavailable(here: Here) -> str:
    if here.doing or _active_rows(here):
        return AVAILABLE
    if here.marked and _rows(here):
        return "the marked requests have ended"
    if isinstance(here.selection, Request):
        return f"this request has ended ({here.selection.step})"
    return f"choose a request that is under way ({here.key_of('pane-requests')})"


def _cancel_label(here: Here) -> str:
    rows = _active_rows(here)
    return f"Stop {here.doing}" if here.doing and not rows else _counted("Cancel", len(rows))


def _retryable_rows(here: Here) -> list[Request]:
    return [row for row in _rows(here) if row.step in _RETRYABLE and not _is_past(row)]


def _is_past(row: Request) -> bool:
    """Whether it is another's request of an earlier run: nobody waits for it any more."""
    return row.earlier and row.side is Side.THEIRS


def _retry(screen: MainScreen, here: Here) -> None:
    rows = _retryable_rows(here)
    _with_each(screen, rows, screen.node.files.retry, "tried again")
    if len(rows) == 1:
        screen.show_request(rows[0].number)


def _retry_unavailable(here: Here) -> str:
    if _retryable_rows(here):
        return AVAILABLE
    if here.marked and _rows(here):
        return "none of the marked requests has failed"
    if not isinstance(here.selection, Request):
        return f"choose a request that failed ({here.key_of('pane-requests')})"
    if here.selection.is_active:
        return "it is still under way"
    if _is_past(here.selection):
        return f"who asked then waits no more; {here.key_of('push')} pushes the file"
    return f"it ended well; {here.key_of('request')} asks anew"


def _retry_label(here: Here) -> str:
    return _counted("Retry", len(_retryable_rows(here)))


# Pushing


def _pushable(here: Here) -> list[tuple[FileUri, str]]:
    """The chosen files that are here, each with the channel to push it to.

    They are an entry of the storage, a file that a request brought, or one that others asked for, or that was pushed,
    of this node: those go to the channel that the row is about.
    """
    found = []
    for item in here.targets:
        is_here = (isinstance(item, Entry) and item.kind != "void") or (
            isinstance(item, Request) and (item.side is not Side.MINE or item.step is Step.DONE)
        )
        uri = uri_of(here.node, item) if is_here else None
        if uri is not None:
            of_row = item.channel if isinstance(item, Request) and item.side is not Side.MINE else ""
            found.append((uri, of_row if of_row in here.node.memberships else here.channel))
    return found


def _push(screen: MainScreen, here: Here) -> None:
    rows: list[Request] = []
    for uri, channel in _pushable(here):
        with screen.told():
            rows.append(screen.node.files.push(uri, channel))
    screen.clear_marks()
    if len(rows) == 1:
        screen.show_request(rows[0].number)
    elif rows:
        channels = ", ".join(sorted({row.channel for row in rows}))
        screen.tell(f"{present.count(len(rows), 'file')} to the bucket of {channels}", title="Pushing")


def _push_unavailable(here: Here) -> str:
    found = _pushable(here)
    if not found:
        return _why_none_is_pushable(here)
    memberships = here.node.memberships
    for _, channel in found:
        if channel not in memberships:
            return "this node is on no channel yet"
        if Role.PROVIDE_FILES not in memberships[channel].in_force:
            return f"needs {Role.PROVIDE_FILES} in force on {channel}"
    return AVAILABLE


def _why_none_is_pushable(here: Here) -> str:
    if here.marked:
        return "none of the marked files is here"
    match here.selection:
        case Entry():
            return "the linked file changed or is gone"
        case Request(is_active=True):
            return "the file is not here yet"
        case Request():
            return "this request did not bring the file"
        case _:
            return (
                f"choose a file ({here.key_of('pane-cache')}) or a request ({here.key_of('pane-requests')})"
            )


def _push_label(here: Here) -> str:
    return _counted("Push", len(_pushable(here)))


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
        _decline_unavailable, Group.REQUESTS, changes=True, needs_node=True, label_here=_decline_label,
    ),
    Action(
        "cancel", "x", "Cancel", "Stop the request; verified chunks are kept", _cancel,
        _cancel_unavailable, Group.REQUESTS, changes=True, needs_node=True, label_here=_cancel_label,
    ),
    Action(
        "retry", "R", "Retry", "Try again, from what is verified already", _retry,
        _retry_unavailable, Group.REQUESTS, changes=True, needs_node=True, label_here=_retry_label,
    ),
    Action(
        "push", "u", "Push", "Upload the file to the channel's bucket now, and announce it", _push,
        _push_unavailable, Group.REQUESTS, changes=True, needs_node=True, label_here=_push_label,
    ),
)  # fmt: skip

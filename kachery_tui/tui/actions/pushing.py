"""Pushing: files of this node put into a channel's bucket, unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.feeds.states import SubfeedState
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.ledger import Request
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.values import Entry
from kachery_tui.protocol.roles import Role
from kachery_tui.tui import present
from kachery_tui.tui.actions.action import AVAILABLE, Action, Group
from kachery_tui.tui.here import FeedMessage, Here, uri_of

if TYPE_CHECKING:
    from kachery_tui.protocol.uris import FileUri
    from kachery_tui.tui.desk import Desk


def _pushable(here: Here) -> list[tuple[FileUri, str]]:
    """The chosen files that are here, each with the channel to push it to.

    They are an entry of the storage, a file that a request brought, or one that others asked for, or that was pushed,
    of this node: those go to the channel that the row is about.
    """
    found: list[tuple[FileUri, str]] = []
    for item in here.targets:
        is_here = (isinstance(item, Entry) and item.kind != "void") or (
            isinstance(item, Request) and (item.side is not Side.MINE or item.step is Step.DONE)
        )
        uri = uri_of(here.node, item) if is_here else None
        if uri is not None:
            of_row = item.channel if isinstance(item, Request) and item.side is not Side.MINE else ""
            found.append((uri, of_row if of_row in here.node.memberships else here.channel))
    return found


def _push(desk: Desk, here: Here) -> None:
    rows: list[Request] = []
    for uri, channel in _pushable(here):
        with desk.reporting_errors():
            rows.append(desk.node.files.push(uri, channel))
    desk.clear_marks()
    if len(rows) == 1:
        desk.show_request(rows[0].number)
    elif rows:
        channels = ", ".join(sorted({row.channel for row in rows}))
        desk.tell(f"{present.count(len(rows), 'file')} to the bucket of {channels}", title="Pushing")


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
            return "the linked file was changed or removed"
        case SubfeedState() | FeedMessage():
            return SubfeedSubject.why_not_pushed
        case Request(subject=subject) if subject.why_not_pushed:
            return subject.why_not_pushed
        case Request(is_active=True):
            return "the file is not here yet"
        case Request():
            return "this request did not bring the file"
        case _:
            return (
                f"choose a file ({here.key_of('pane-cache')}) or a request ({here.key_of('pane-requests')})"
            )


def _push_label(here: Here) -> str:
    return present.counted("Push", len(_pushable(here)))


ACTIONS: Final = (
    Action(
        "push", "u", "Push", "Upload the file to the channel's bucket now, and announce it", _push,
        _push_unavailable, Group.REQUESTS, changes=True, needs_node=True, label_here=_push_label,
    ),
)  # fmt: skip

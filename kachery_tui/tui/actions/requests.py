"""Requests: asking, answering others, breaking off, trying again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.feeds.states import SubfeedState
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.ledger import Request
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.values import BucketFile
from kachery_tui.printable import printable
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import FileUri, SubfeedKey, names_data, words_in
from kachery_tui.tui import present
from kachery_tui.tui.actions.action import AVAILABLE, EVERYWHERE, Action, Group
from kachery_tui.tui.actions.following import feed_uri_problem, follow, is_feed_uri
from kachery_tui.tui.actions.tasks import ask_for_task
from kachery_tui.tui.describe.feeds import serving
from kachery_tui.tui.describe.kinds import words_of
from kachery_tui.tui.describe.request_story import story_lines
from kachery_tui.tui.dialogs.ask import Ask
from kachery_tui.tui.dialogs.confirm import Confirm
from kachery_tui.tui.header import waiting
from kachery_tui.tui.here import FeedMessage, Here, PaneName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kachery_tui.tui.cells import Line
    from kachery_tui.tui.desk import Desk

_VIEW_FRAME: Final = 6
"""Cells of a text view that are not its text: borders, padding, scrollbar."""

_VIEW_WIDEST: Final = 120

MOST_PASTED: Final = 1_000
"""URIs that are requested together; nobody means more by a paste."""

SHOWN_PASTED: Final = 5
"""Names of them that are shown."""

_RETRYABLE: Final = frozenset({Step.FAILED, Step.CANCELLED, Step.DECLINED})


def ask_for_uri(desk: Desk, value: str = "") -> None:
    """Ask which file to request, or which feed to follow."""

    followed: list[SubfeedKey] = []

    async def admit(uri: str) -> str:
        return await follow(desk, uri, followed.append) if is_feed_uri(uri) else ""

    def go_on(uri: str | None) -> None:
        if uri is None:
            return
        with desk.reporting_errors():
            if followed:
                desk.show_subfeed(followed[-1])
            else:
                desk.show_request(desk.node.files.request(uri).number)

    desk.app.push_screen(
        Ask(
            "Request a file, or follow a feed",
            about="sha1://… or feed://… as its owner gave it; paste it here",
            value=value or desk.tour.uri,
            takes="Follow" if is_feed_uri(value) else "Request",
            check=_uri_problem,
            admit=admit,
            pasted=lambda text: ask_for_uris(desk, text),
        ),
        go_on,
    )


def ask_for_pasted(desk: Desk, text: str) -> None:
    """Ask for what was pasted among the panes, if it begins with a URI."""
    first = next(iter(words_in(text)), "")
    if not ask_for_uris(desk, text) and names_data(first) and printable(first) == first:
        ask_for_uri(desk, first)


def ask_for_uris(desk: Desk, text: str) -> bool:
    """Ask whether all that is named in a text is to be requested; False where it does not name several."""
    words = [word for word in words_in(text) if names_data(word) and printable(word) == word]
    uris = list(dict.fromkeys(words))
    if len(uris) < 2:
        return False
    good = [uri for uri in uris[:MOST_PASTED] if not _uri_problem(uri)]
    files = [uri for uri in good if not is_feed_uri(uri)]
    feeds = [uri for uri in good if is_feed_uri(uri)]
    wanted = [present.count(len(files), "file")] if files else []
    wanted += [present.count(len(feeds), "feed")] if feeds else []
    names = ", ".join(FileUri.parse(uri).name or uri[7:19] for uri in files[:SHOWN_PASTED])
    more = f" and {len(files) - SHOWN_PASTED} more" if len(files) > SHOWN_PASTED else ""
    wrong = f"; {present.count(len(uris) - len(good), 'line')} left out" if len(uris) > len(good) else ""

    def go_on(yes: bool | None) -> None:
        if yes:
            _request_all(desk, files, feeds)

    # After the dialog into which it was pasted has closed.
    question = f"Request {' and '.join(wanted)}, a line each?"
    desk.call_later(desk.app.push_screen, Confirm(question, about=f"{names}{more}{wrong}", usual=True), go_on)
    return True


def _request_all(desk: Desk, files: Sequence[str], feeds: Sequence[str]) -> None:
    rows = []
    for uri in files:
        with desk.reporting_errors():
            rows.append(desk.node.files.request(uri))
    for uri in feeds:
        desk.run_work(_follow_uri(desk, uri), "screen: follow a feed")
    if rows:
        desk.show_request(rows[0].number)


async def _follow_uri(desk: Desk, uri: str) -> None:
    await desk.node.feeds.follow(uri)


def _uri_problem(text: str) -> str:
    if is_feed_uri(text):
        return feed_uri_problem(text)
    try:
        FileUri.parse(text)
    except ProtocolError as error:
        return str(error)
    return ""


def open_request(desk: Desk, row: Request) -> None:
    """Show everything that is known of a request, and keep it true."""

    def lines() -> Iterator[Line]:
        width = min(desk.app.size.width * 96 // 100, _VIEW_WIDEST) - _VIEW_FRAME
        return story_lines(row, desk.node.label_of, desk.now, width)

    desk.view(f"Request #{row.number}: {row.name}", lines, copies=words_of(row).copied(row), live=True)


def _request(desk: Desk, here: Here) -> None:
    if here.pane is PaneName.TASKS:
        ask_for_task(desk, here)
        return
    wanted = [item for item in here.targets if isinstance(item, BucketFile)]
    if not wanted:
        ask_for_uri(desk)
    for item in wanted:
        uri = FileUri(item.sha1, item.name or None)
        row = desk.node.files.request(uri, here.channel)
        if len(wanted) == 1:
            desk.show_request(row.number)
    if len(wanted) > 1:
        desk.clear_marks()
        desk.tell(f"{len(wanted)} files of the bucket are on their way", title="Loading")


def _request_unavailable(here: Here) -> str:
    return AVAILABLE if here.node.memberships else "this node is on no channel yet"


def _request_label(here: Here) -> str:
    if here.pane is PaneName.TASKS:
        return "Request task"
    return "Load" if isinstance(here.selection, BucketFile) else "Request"


def _rows(here: Here) -> list[Request]:
    """The requests that are meant; of subfeeds those by which they are followed, or listened to."""
    rows: list[Request] = []
    served = serving(here.node.ledger) if here.pane is PaneName.FEEDS else {}
    for item in here.targets:
        match item:
            case Request():
                rows.append(item)
            case SubfeedState(key=key, row=row) | FeedMessage(subfeed=SubfeedState(key=key, row=row)):
                rows.extend(one for one in (row, served.get(key)) if one is not None)
    return rows


def _with_each(desk: Desk, rows: Sequence[Request], act: Callable[[Request], object], done: str) -> None:
    """Act on all rows, also where one of them refuses; with several, say how many it was done to."""
    count = 0
    for row in rows:
        with desk.reporting_errors():
            act(row)
            count += 1
    if len(rows) > 1:
        desk.tell(f"{present.count(count, 'request')} {done}")
    desk.clear_marks()


# Answering


def _waiting_rows(here: Here) -> list[Request]:
    return [row for row in _rows(here) if row.step is Step.WAITING]


def provide(desk: Desk, here: Here) -> None:
    """Say yes to the chosen rows that wait, or go to one that does."""
    rows = _waiting_rows(here)
    if rows:
        _with_each(desk, rows, lambda row: desk.node.answer(row, yes=True), "provided")
        return
    waiting_row = next((row for row in desk.node.ledger if row.step is Step.WAITING), None)
    if waiting_row is not None:
        desk.show_request(waiting_row.number)


def _provide_unavailable(here: Here) -> str:
    return AVAILABLE if waiting(here.node) else "no request waits for your answer"


def provide_label(here: Here) -> str:
    """What that is called here."""
    rows = _waiting_rows(here)
    return "Go to waiting" if waiting(here.node) and not rows else present.counted("Provide", len(rows))


def _decline(desk: Desk, here: Here) -> None:
    _with_each(desk, _waiting_rows(here), lambda row: desk.node.answer(row, yes=False), "declined")


def _decline_unavailable(here: Here) -> str:
    if _waiting_rows(here):
        return AVAILABLE
    return "none of the marked rows waits for you" if here.marked else "choose a request that waits for you"


def _decline_label(here: Here) -> str:
    return present.counted("Decline", len(_waiting_rows(here)))


# Breaking off, trying again


def _active_rows(here: Here) -> list[Request]:
    return [row for row in _rows(here) if row.is_active and not _is_listened_to(row)]


def _is_listened_to(row: Request) -> bool:
    """Whether others listen to a feed: that goes on as long as they want."""
    return row.side is Side.THEIRS and not row.subject.ends_by_itself


def _are_alike(rows: Sequence[Request]) -> bool:
    """Whether there are some, all about one kind."""
    return len({row.subject.kind for row in rows}) == 1


def _cancel(desk: Desk, here: Here) -> None:
    rows = _active_rows(here)
    if rows:
        _with_each(desk, rows, desk.node.cancel, rows[0].subject.stopped if _are_alike(rows) else "cancelled")
    else:
        desk.stop_job()


def _cancel_unavailable(here: Here) -> str:
    if here.doing or _active_rows(here):
        return AVAILABLE
    rows = [row for row in _rows(here) if row.is_active]
    if rows:
        role = Role(f"provide-{rows[0].subject.kind}")
        return f"it goes on as long as somebody listens; without {role} nobody is told"
    if here.pane is PaneName.FEEDS:
        return "it is not followed" if here.selection else "choose a feed that is followed"
    if here.marked and _rows(here):
        return "the marked requests have ended"
    if isinstance(here.selection, Request):
        return f"this request has ended ({here.selection.step})"
    return f"choose a request that is under way ({here.key_of('pane-requests')})"


def _cancel_label(here: Here) -> str:
    rows = _active_rows(here)
    if here.doing and not rows:
        return f"Stop {here.doing}"
    if here.pane is PaneName.FEEDS:
        return present.counted(SubfeedSubject.stop_label, len(rows))
    label = rows[0].subject.stop_label if _are_alike(rows) else FileSubject.stop_label
    return present.counted(label, len(rows))


def _retryable_rows(here: Here) -> list[Request]:
    return [
        row
        for row in _rows(here)
        if row.step in _RETRYABLE and not _is_past(row) and not _is_listened_to(row)
    ]


def _unfollowed(here: Here) -> list[SubfeedState]:
    """Others' subfeeds that are kept, and were not followed in this run of the program."""
    return [
        item
        for item in here.targets
        if isinstance(item, SubfeedState) and not item.own and item.row is None and item.key.subfeed_hash
    ]


def _is_past(row: Request) -> bool:
    """Whether it is another's request of an earlier run: nobody waits for it any more."""
    return row.earlier and row.side is Side.THEIRS


def _retry(desk: Desk, here: Here) -> None:
    rows = _retryable_rows(here)
    for state in _unfollowed(here):
        desk.run_work(_follow_again(desk, state), "screen: follow a feed")
    _with_each(desk, rows, desk.node.retry, "tried again")
    if len(rows) == 1 and here.pane is PaneName.REQUESTS:
        desk.show_request(rows[0].number)


async def _follow_again(desk: Desk, state: SubfeedState) -> None:
    await desk.node.feeds.follow(state.uri)


def _retry_unavailable(here: Here) -> str:
    if _retryable_rows(here) or _unfollowed(here):
        return AVAILABLE
    if here.pane is PaneName.FEEDS:
        return _why_not_followed(here)
    if here.marked and _rows(here):
        return "none of the marked requests has failed"
    if not isinstance(here.selection, Request):
        return f"choose a request that failed ({here.key_of('pane-requests')})"
    if here.selection.is_active:
        return "it is still under way"
    if _is_past(here.selection):
        return f"the requester no longer waits; {here.key_of('push')} pushes the file"
    if _is_listened_to(here.selection):
        return "listeners ask again by themselves"
    return f"already complete; {here.key_of('request')} requests it again"


def _why_not_followed(here: Here) -> str:
    match here.selection:
        case SubfeedState(own=True) | FeedMessage(subfeed=SubfeedState(own=True)):
            return "it is this node's own feed"
        case SubfeedState(key=SubfeedKey(subfeed_hash="")):
            return f"no subfeed of it is known; {here.key_of('follow')} follows one by its URI"
        case SubfeedState() | FeedMessage():
            return "it is followed already"
        case _:
            return "choose a feed of others"


def _retry_label(here: Here) -> str:
    rows, kept = _retryable_rows(here), _unfollowed(here)
    if here.pane is PaneName.FEEDS:
        return present.counted(SubfeedSubject.start_label, len(rows) + len(kept))
    label = rows[0].subject.start_label if _are_alike(rows) else FileSubject.start_label
    return present.counted(label, len(rows) + len(kept))


ACTIONS: Final = (
    Action(
        "request", "r", "Request", "Request a file or feed by its URI, or a task; in a bucket, load a file", _request,
        _request_unavailable, Group.REQUESTS, changes=True, needs_node=True, label_here=_request_label,
    ),
    Action(
        "provide", "p", "Provide", "Send what another node is waiting for", provide,
        _provide_unavailable, Group.REQUESTS, panes=EVERYWHERE - {PaneName.FEEDS}, changes=True,
        needs_node=True, label_here=provide_label,
    ),
    Action(
        "decline", "n", "Decline", "Decline to send it", _decline,
        _decline_unavailable, Group.REQUESTS, changes=True, needs_node=True, label_here=_decline_label,
    ),
    Action(
        "cancel", "x", "Cancel", "Cancel the request, or stop following; verified data is kept", _cancel,
        _cancel_unavailable, Group.REQUESTS, changes=True, needs_node=True, label_here=_cancel_label,
    ),
    Action(
        "retry", "R", "Retry", "Try again, keeping verified data; follow a feed again", _retry,
        _retry_unavailable, Group.REQUESTS, changes=True, needs_node=True, label_here=_retry_label,
    ),
)  # fmt: skip

"""What the keys do: each act gives the node an order, and tells what came of it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.activity import StreamMessage
from kachery_tui.node.ledger import Request, Step
from kachery_tui.node.log import LogLine
from kachery_tui.node.values import Entry
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.uris import FileUri
from kachery_tui.tui import describe, present
from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.tui.dialogs.ask import Ask
from kachery_tui.tui.dialogs.confirm import Confirm
from kachery_tui.tui.dialogs.help import help_lines
from kachery_tui.tui.dialogs.paths import PathSuggester
from kachery_tui.tui.dialogs.text_view import TextView
from kachery_tui.tui.here import ChannelRow, PaneName, uri_of
from kachery_tui.tui.jobs import Job
from kachery_tui.tui.panes.log import level_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from typing import Any

    from kachery_tui.node.node import Node
    from kachery_tui.tui.here import Here
    from kachery_tui.tui.screen import MainScreen

_log = logging.getLogger(__name__)

MOVING: Final = frozenset({Step.DOWNLOADING, Step.PEER_UPLOADS, Step.UPLOADING, Step.VERIFYING})
"""Steps in which bytes are under way, so that leaving breaks something off."""


class Acts:
    """The acts by the ids of the registry."""

    def __init__(self, screen: MainScreen, node: Node) -> None:
        self._screen = screen
        self._node = node
        self._by_id: Mapping[str, Callable[[Here], None]] = {
            "request": lambda _: self.ask_for_uri(),
            "provide": self._provide,
            "decline": self._decline,
            "cancel": self._cancel,
            "retry": self._retry,
            "push": self._push,
            "role": self._role,
            "open": self._open,
            "store": lambda _: self._ask_for_path(copy=True),
            "link": lambda _: self._ask_for_path(copy=False),
            "copy": self._copy,
            "show-uri": self._show_uri,
            "hint": lambda _: self._screen.next_hint(),
            "zoom": lambda _: self._screen.toggle_zoom(),
            "help": self._help,
            "quit": lambda _: self._quit(),
            **{f"pane-{name}": self._goer(name) for name in PaneName},
        }

    def _goer(self, name: PaneName) -> Callable[[Here], None]:
        return lambda _: self._screen.go(name)

    @property
    def ids(self) -> frozenset[str]:
        """The actions that can be done."""
        return frozenset(self._by_id)

    def do(self, action_id: str, here: Here) -> None:
        """Do one; an error that a person can act on is told."""
        with self._told():
            self._by_id[action_id](here)

    # Requests

    def ask_for_uri(self, value: str = "") -> None:
        """Ask which file to request."""
        suggested = value or self._screen.tour.uri
        self._screen.app.push_screen(
            Ask(
                "Request a file",
                about="sha1://… as its owner gave it; paste it here",
                value=suggested,
                takes="Request",
                check=_uri_problem,
            ),
            self._request,
        )

    def _request(self, uri: str | None) -> None:
        if uri is None:
            return
        with self._told():
            row = self._node.files.request(uri)
            self._screen.show_request(row.number)

    def _provide(self, here: Here) -> None:
        if isinstance(here.selection, Request) and here.selection.step is Step.WAITING:
            self._node.files.answer(here.selection.number, yes=True)
            return
        waiting = next((row for row in self._node.ledger if row.step is Step.WAITING), None)
        if waiting is not None:
            self._screen.show_request(waiting.number)

    def _decline(self, here: Here) -> None:
        if isinstance(here.selection, Request):
            self._node.files.answer(here.selection.number, yes=False)

    def _cancel(self, here: Here) -> None:
        if isinstance(here.selection, Request) and here.selection.is_active:
            self._node.files.cancel(here.selection.number)
        elif self._screen.jobs and (task := self._screen.jobs[-1].task):
            task.cancel()

    def _retry(self, here: Here) -> None:
        if isinstance(here.selection, Request):
            self._screen.show_request(self._node.files.retry(here.selection.number).number)

    def _push(self, here: Here) -> None:
        uri = uri_of(self._node, here.selection)
        if uri is not None:
            self._screen.show_request(self._node.files.push(uri, here.channel).number)

    # Channels

    def _role(self, here: Here) -> None:
        row = here.selection
        if isinstance(row, ChannelRow) and row.role is not None:
            asked = row.role not in self._node.memberships[row.channel].asked
            self._run(self._node.set_role(row.channel, row.role, asked=asked), "screen: set a role")

    # Storage

    def _ask_for_path(self, *, copy: bool) -> None:
        about = (
            "copied into the storage folder; the path, Tab completes"
            if copy
            else "left where it is; void as soon as it changes. The path, Tab completes"
        )
        self._screen.app.push_screen(
            Ask(
                "Store a file" if copy else "Link a file",
                about=about,
                value=f"{Path.cwd()}/",
                takes="Store" if copy else "Link",
                suggester=PathSuggester(),
            ),
            lambda text: self._take_in(text, copy=copy),
        )

    def _take_in(self, text: str | None, *, copy: bool) -> None:
        if text is None:
            return
        with self._told():
            try:
                path = Path(text).expanduser()
            except RuntimeError as error:
                raise KacheryError(f"{text} is no path", str(error)) from None
            job = Job(path, "storing" if copy else "linking")
            job.task = self._run(self._take_in_path(job, copy=copy), "screen: take in a file")

    async def _take_in_path(self, job: Job, *, copy: bool) -> None:
        self._screen.jobs.append(job)
        try:
            job.size = await asyncio.to_thread(_size_of, job.path)
            take = self._node.store if copy else self._node.link
            stored = await take(job.path, progress=job.progress)
        except asyncio.CancelledError:
            self._screen.tell("nothing of it was kept", title=f"{job.verb} {job.path.name} was stopped")
            raise
        finally:
            self._screen.jobs.remove(job)
        added = (
            f"{present.size(stored.added_bytes)} added" if stored.added_bytes else "already here, 0 B added"
        )
        _log.info("%s is in storage: %s (%s)", job.path, stored.uri, added)
        self._screen.tell(f"{stored.uri}\n{added}; y copies the URI", title=f"{job.path.name} is in storage")
        self._screen.show_entry(stored.uri.sha1)

    # Looking

    def _open(self, here: Here) -> None:
        node, now = self._node, self._screen.now
        match here.selection:
            case ChannelRow():
                self._role(here)
            case Request() as row:
                self._view(
                    f"Request #{row.number}",
                    lambda: describe.request_lines(row, node.label_of, self._screen.now),
                    copies=str(row.uri),
                    live=True,
                )
            case StreamMessage() as message:
                stream = self._screen.stream_of_message
                if stream is not None:
                    lines = tuple(describe.message_lines(stream, message, node.label_of, now))
                    self._view("Envelope", lambda: lines, copies=message.raw)
            case Entry() as entry:
                uri = str(uri_of(node, entry))
                self._view("File in storage", lambda: describe.entry_lines(entry, uri, now), copies=uri)
            case LogLine() as line:
                self._view("Log line", lambda: _log_lines(line), copies=line.text)

    def _view(
        self,
        title: str,
        lines: Callable[[], Iterator[Line] | tuple[Line, ...]],
        *,
        copies: str,
        live: bool = False,
    ) -> None:
        self._screen.app.push_screen(TextView(title, lines, copies=copies, live=live))

    def _copy(self, here: Here) -> None:
        uri = uri_of(self._node, here.selection)
        if uri is not None:
            self._screen.app.copy_to_clipboard(str(uri))

    def _show_uri(self, here: Here) -> None:
        uri = str(uri_of(self._node, here.selection))
        self._screen.app.push_screen(
            TextView("URI, to select by mouse", lambda: ((Cell(uri),),), copies=uri, bare=True)
        )

    def _help(self, here: Here) -> None:
        self._screen.app.push_screen(TextView(f"Keys in {here.pane}", lambda: help_lines(here)))

    # Leaving

    def _quit(self) -> None:
        moving = sum(1 for row in self._node.ledger if row.step in MOVING) + len(self._screen.jobs)
        if not moving:
            self._screen.leave()
            return
        verb = "is" if moving == 1 else "are"
        question = f"{present.count(moving, 'transfer')} {verb} under way; verified chunks are kept. Quit all the same?"
        self._screen.app.push_screen(Confirm(question), lambda yes: self._screen.leave() if yes else None)

    # Telling

    def _run(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self._node.supervisor.spawn(self._guarded(work), name)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        with self._told():
            await work

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except KacheryError as error:
            _log.warning("%s", error)
            self._screen.tell_error(error)


def _size_of(path: Path) -> int | None:
    """A file's size in bytes; what is wrong with a path is for the node to say."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def _uri_problem(text: str) -> str:
    try:
        FileUri.parse(text)
    except ProtocolError as error:
        return str(error)
    return ""


def _log_lines(line: LogLine) -> Iterator[Line]:
    yield (level_cell(line.level), Cell(f"  {present.moment(line.at)}  {line.source}", Tone.MUTED))
    yield ()
    yield from ((Cell(part),) for part in line.text.split("\n"))

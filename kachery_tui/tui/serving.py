"""What acts find at the screen: work is run, errors are told, texts are laid over the panes, steps are taken back."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from textual.screen import Screen

from kachery_tui.errors import KacheryError
from kachery_tui.tui.cells import plain, plain_lines
from kachery_tui.tui.dialogs.text_view import TextView
from kachery_tui.tui.notices import Notices
from kachery_tui.tui.owners import Owners
from kachery_tui.tui.undo import UndoStack

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterable, Iterator

    from kachery_tui.node.node import Node
    from kachery_tui.tui.cells import Line
    from kachery_tui.tui.jobs import Job

_log = logging.getLogger(__name__)

TOAST_SECONDS: Final = 4.0

TAKING_BACK: Final = "taking back "


class ServingScreen(Screen[None]):
    """A screen over a node that serves acts. `jobs` are files on their way into storage, `notices` stay until read,
    `owners` are the registers of its own channels."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node
        self.jobs: list[Job] = []
        self.undo = UndoStack()
        self.owners = Owners(node)
        self.notices = Notices()

    @property
    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def run_work(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run what an act takes time for; a `KacheryError` of it is told to the person."""

        async def guarded() -> None:
            with self.reporting_errors():
                await work

        return self.node.supervisor.spawn(guarded(), name)

    @contextmanager
    def reporting_errors(self) -> Iterator[None]:
        """Tell the person of a `KacheryError`, which then goes no further."""
        try:
            yield
        except KacheryError as error:
            _log.warning("%s", error)
            self.notices.post_error(error)

    def tell(self, text: str, *, title: str = "") -> None:
        """Tell what came of something that the person did; it goes by itself."""
        if not self.app.is_running:
            # The node runs on, and does what was asked for, when the screen has been left.
            _log.info("%s: %s", title, text)
            return
        # One at a time: piled up they cover the rows that they are about.
        self.app.clear_notifications()
        self.app.notify("\n".join(plain_lines(text)), title=plain(title), timeout=TOAST_SECONDS, markup=False)

    def tell_why_not(self, reason: str, *, title: str) -> None:
        """Tell why an action cannot be done here and now; it goes by itself."""
        self.app.clear_notifications()
        self.app.notify(plain(reason), title=title, severity="warning", timeout=TOAST_SECONDS, markup=False)

    def view(
        self, title: str, lines: Callable[[], Iterable[Line]], *, copies: str = "", live: bool = False
    ) -> None:
        """Lay a text over the panes; with `live`, it is asked for anew while it is open."""
        if self.app.is_running:
            self.app.push_screen(TextView(title, lines, copies=copies, live=live))

    def stop_job(self) -> None:
        """Break off what is being stored or linked."""
        if self.jobs and (task := self.jobs[-1].task):
            task.cancel()

    def take_back(self) -> None:
        """Undo what the person did last; what is still under way, as soon as it has ended."""
        words = self.undo.next_words.removeprefix(TAKING_BACK)
        if not words:
            return
        if self.undo.under_way:
            self.tell("it is taken back as soon as it has ended", title=words)
        last = self.undo.last()

        async def undo() -> None:
            step = await last
            if step is None:
                self.tell("it came to nothing: there is nothing of it to take back", title=words)
                return
            await step.take_back()
            self.tell("taken back", title=step.done)

        taking = self.run_work(undo(), "screen: undo")
        self.undo.wait_for(f"{TAKING_BACK}{words}", taking, is_act=False)

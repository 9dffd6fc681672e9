"""The main screen: composes the panes, looks at the node some times a second, and routes keys."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from kachery_tui.errors import KacheryError
from kachery_tui.tui import OVER_SSH
from kachery_tui.tui.actions import ACTIONS, BY_ID
from kachery_tui.tui.acts import Acts
from kachery_tui.tui.cells import plain, plain_lines
from kachery_tui.tui.header import header_line, is_started, tabs_line
from kachery_tui.tui.here import ChannelRow, Here, Lane, PaneName
from kachery_tui.tui.panes.cache import CachePane
from kachery_tui.tui.panes.channels import ChannelsPane
from kachery_tui.tui.panes.log import LogPane
from kachery_tui.tui.panes.pane import Pane
from kachery_tui.tui.panes.requests import RequestsPane
from kachery_tui.tui.panes.streams import StreamsPane
from kachery_tui.tui.widgets.banner import Banner
from kachery_tui.tui.widgets.cell_line import CellLine
from kachery_tui.tui.widgets.footer import Footer

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from kachery_tui.node.node import Node
    from kachery_tui.protocol.roles import Stream
    from kachery_tui.tui.app import KacheryApp
    from kachery_tui.tui.jobs import Job
    from kachery_tui.tui.tour import Tour

_log = logging.getLogger(__name__)

LOOKS_PER_SECOND: Final = 4 if OVER_SSH else 8
"""A key is answered at once, whatever this is."""

SEVERAL_FROM_WIDTH: Final = 120
"""Columns from which on several panes show together."""

LARGE, SMALL = "2fr", "1fr"
WIDE, SLIM = "4fr", "3fr"

ERROR_SECONDS: Final = 15.0
TOAST_SECONDS: Final = 6.0


class MainScreen(Screen[None]):
    """Panes over one node. It keeps where the person is, and nothing of the node."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                action.key,
                f"act('{action.id}')",
                action.label,
                id=action.id,
                show=False,
                tooltip=action.tooltip,
            )
            for action in ACTIONS
        ),
        Binding("escape", "back", "Back", show=False),
        Binding("space", "act('role')", "Grant/drop", show=False),
    ]

    DEFAULT_CSS = """
    MainScreen {
        & > #header { background: $panel; }
        & #left, & #right { height: 1fr; }
        & #gap { width: 1; height: 1fr; }
    }
    """

    def __init__(self, node: Node, tour: Tour) -> None:
        super().__init__()
        self.node = node
        self.tour = tour
        self.jobs: list[Job] = []
        self.notice = ""
        self._acts = Acts(self, node)
        self._current = PaneName.REQUESTS
        self._zoomed = False
        self._channel = ""
        self._trouble = ""
        self._failures_seen = 0
        self._leaving = False
        panes = (ChannelsPane(node), StreamsPane(node), RequestsPane(node), CachePane(node), LogPane(node))
        self._panes: dict[PaneName, Pane] = {pane.NAME: pane for pane in panes}

    def compose(self) -> ComposeResult:
        """Header, tabs, banners, panes in two columns, footer."""
        yield CellLine(id="header")
        yield CellLine(id="tabs")
        yield Banner(id="tour")
        yield Banner(id="trouble")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self._panes[PaneName.CHANNELS]
                yield self._panes[PaneName.STREAMS]
            yield Vertical(id="gap")
            with Vertical(id="right"):
                yield self._panes[PaneName.REQUESTS]
                yield self._panes[PaneName.CACHE]
                yield self._panes[PaneName.LOG]
        yield CellLine(id="jobs")
        yield Footer()

    def on_mount(self) -> None:
        """Show the frame; the node starts once that is painted."""
        self.go(self._current)
        self._look()
        self.set_interval(1 / LOOKS_PER_SECOND, self._look)
        self.call_after_refresh(self._start_node)

    # Where the person is

    @property
    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    @property
    def pane(self) -> Pane:
        """The pane that keys go to."""
        return self._panes[self._current]

    @property
    def here(self) -> Here:
        """Where the person is, for actions."""
        return Here(
            self.node,
            self._current,
            self.pane.selection,
            self._channel,
            bool(self.jobs),
            bool(self.tour.hint),
        )

    @property
    def stream_of_message(self) -> Stream | None:
        """The stream of the message under the cursor."""
        streams = self._panes[PaneName.STREAMS]
        placed = streams.placed if isinstance(streams, StreamsPane) else None
        return placed[0] if placed else None

    def go(self, name: PaneName) -> None:
        """Make a pane the current one."""
        self._current = name
        self._arrange()
        self.set_focus(self.pane.focus_target)
        self._look()

    def toggle_zoom(self) -> None:
        """Show the current pane alone, or several together again."""
        self._zoomed = not self._zoomed
        self._arrange()

    def next_hint(self) -> None:
        """Go on with the tour."""
        self.tour.skip()

    def show_request(self, number: int) -> None:
        """Go to a request's row."""
        self.go(PaneName.REQUESTS)
        requests = self.pane
        if isinstance(requests, RequestsPane):
            requests.choose(number, self.now)
        self._look()

    def show_entry(self, sha1: str) -> None:
        """Choose a file in the cache, once its index has it."""
        cache = self._panes[PaneName.CACHE]
        if isinstance(cache, CachePane):
            cache.choose_when_there(sha1)

    @property
    def _shows_several(self) -> bool:
        return self.size.width >= SEVERAL_FROM_WIDTH and not self._zoomed

    def _arrange(self) -> None:
        """Decide which panes show, and how large. Done directly, not by classes, so that focus can follow at once."""
        several = self._shows_several
        current = self.pane
        for pane in self._panes.values():
            pane.display = several or pane is current
            pane.styles.height = LARGE if pane is current else SMALL
            pane.mark_current(pane is current, self.now)
        left, right = self.query_one("#left"), self.query_one("#right")
        in_left = current.parent is left
        left.display, right.display = several or in_left, several or not in_left
        left.styles.width, right.styles.width = (WIDE, SLIM) if in_left else (SLIM, WIDE)
        self.query_one("#gap").display = several
        self.query_one("#tabs").display = not several

    # Looking

    def _look(self) -> None:
        """Paint what changed since the last look. Nothing under a dialog moves."""
        if self.app.screen is not self:
            return
        now = self.now
        self._settle_channel()
        self.query_one("#header", CellLine).show(
            header_line(self.node, now, self.size.width, notice=self.notice)
        )
        if self._leaving:
            return
        if not self._shows_several:
            self.query_one("#tabs", CellLine).show(tabs_line(self.node, self._current))
        self._look_for_trouble()
        trouble = f"✗ {self._trouble}  (Esc dismisses; 5 has the log)" if self._trouble else ""
        self.query_one("#trouble", Banner).tell(trouble)
        self.tour.follow(self.node.ledger)
        self.query_one("#tour", Banner).tell(f"{self.tour.hint}  (t: next)" if self.tour.hint else "")
        jobs = self.query_one("#jobs", CellLine)
        jobs.display = bool(self.jobs)
        if self.jobs:
            jobs.show(self.jobs[-1].line(now))
        for pane in self._panes.values():
            pane.channel = self._channel
            if pane.display:
                pane.look(now)
        self.query_one(Footer).offer(self.here)

    def _settle_channel(self) -> None:
        """The channel that is looked at: that of the last row chosen among the channels, else the first."""
        chosen = self._panes[PaneName.CHANNELS].selection
        if isinstance(chosen, ChannelRow) and chosen.channel in self.node.memberships:
            self._channel = chosen.channel
        elif self._channel not in self.node.memberships:
            self._channel = next(iter(self.node.memberships), "")

    def _look_for_trouble(self) -> None:
        failed = self.node.supervisor.failed
        if failed > self._failures_seen and self.node.supervisor.failures:
            self._failures_seen = failed
            failure = self.node.supervisor.failures[-1]
            self._trouble = f"a defect of this program: {failure.name}: {failure.error!r}"

    # Starting and leaving

    def _start_node(self) -> None:
        self.node.supervisor.spawn(self._start(), "start of the node", service=True)

    async def _start(self) -> None:
        try:
            await self.node.start()
        except KacheryError as error:
            _log.error("%s", error)
            self._trouble = str(error)
            self.notice = "✗ the node has not started"

    def leave(self) -> None:
        """Close the node, then the screen. Asked a second time, do not wait for the node."""
        self.kachery_app.leave()

    def say_farewell(self) -> None:
        """Say that the node is closing, and look at it no more: it is being taken apart."""
        self.notice = "closing: letting go of channels and files…"
        self._look()
        self._leaving = True

    @property
    def kachery_app(self) -> KacheryApp:
        """The program around this screen."""
        from kachery_tui.tui.app import KacheryApp

        assert isinstance(self.app, KacheryApp)
        return self.app

    # Telling

    def tell(self, text: str, *, title: str = "") -> None:
        """Tell what came of something that the person did."""
        self.app.notify("\n".join(plain_lines(text)), title=plain(title), timeout=TOAST_SECONDS, markup=False)

    def tell_error(self, error: KacheryError) -> None:
        """Tell what failed, why, and what to do."""
        text = "\n".join(plain(part) for part in (error.why, error.do) if part)
        self.app.notify(
            text, title=f"✗ {plain(error.what)}", severity="error", timeout=ERROR_SECONDS, markup=False
        )

    # Events and keys

    def action_act(self, action_id: str) -> None:
        """Do an action of the registry, or say why it cannot be done."""
        # What is acted on is what stands there now, and under a dialog it stays as it is.
        self._look()
        action, here = BY_ID[action_id], self.here
        if not is_started(self.node) and action_id in NEEDS_NODE:
            self.tell("the node is still starting", title=f"{action.shown} {action.label}")
            return
        reason = action.unavailable(here)
        if reason:
            self.app.notify(
                plain(reason),
                title=f"{action.shown} {action.label}: not now",
                severity="warning",
                markup=False,
            )
            return
        if action_id == "open" and self._enter_messages():
            return
        self._acts.do(action_id, here)
        self._look()

    def _enter_messages(self) -> bool:
        streams = self.pane
        if not isinstance(streams, StreamsPane) or not isinstance(streams.selection, Lane):
            return False
        if not streams.enter_messages():
            # No room beside the lanes: alone on the screen there is.
            self.toggle_zoom()
            self.call_after_refresh(streams.messages.focus)
        return True

    def action_back(self) -> None:
        """One step back: out of the messages, out of the zoom, past a banner."""
        streams = self.pane
        if isinstance(streams, StreamsPane) and streams.messages.has_focus:
            streams.lanes.focus()
        elif self._zoomed:
            self.toggle_zoom()
        else:
            self._trouble = ""
            self._look()

    def on_footer_clicked(self, event: Footer.Clicked) -> None:
        """A key in the footer was clicked."""
        self.action_act(event.action_id)

    def on_row_list_opened(self) -> None:
        """A row was clicked twice."""
        self.action_act("open")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The focus went to another pane, by Tab or by mouse."""
        pane = next((one for one in event.widget.ancestors_with_self if isinstance(one, Pane)), None)
        if pane is not None and pane.NAME is not self._current:
            self._current = pane.NAME
            self._arrange()
            self._look()

    def on_resize(self) -> None:
        """Another width may show other panes."""
        self._arrange()
        self.call_after_refresh(self._look)

    def on_paste(self, event: events.Paste) -> None:
        """A pasted URI is asked for."""
        words = event.text.split()
        if words and words[0].startswith("sha1://") and is_started(self.node):
            self._acts.ask_for_uri(words[0])


NEEDS_NODE: Final = frozenset(
    {"request", "provide", "decline", "cancel", "retry", "push", "role", "store", "link"}
)
"""Actions that have to wait until the node has started."""

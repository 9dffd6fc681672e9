"""The main screen: composes the panes, looks at the node some times a second, and routes keys."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from kachery_tui.errors import KacheryError
from kachery_tui.tui.actions import ACTIONS, BY_ID
from kachery_tui.tui.actions.action import READ_ONLY
from kachery_tui.tui.actions.help import help_lines
from kachery_tui.tui.actions.joining import take_paste
from kachery_tui.tui.cells import Cell, Tone
from kachery_tui.tui.changes import is_moving, state_of
from kachery_tui.tui.desk import Desk
from kachery_tui.tui.frame import Frame
from kachery_tui.tui.header import tab_at
from kachery_tui.tui.here import ChannelRow, Here, PaneName
from kachery_tui.tui.layout import LEAST_HEIGHT, LEAST_WIDTH, LEFT, arrange, too_small
from kachery_tui.tui.node_notices import NodeNotices
from kachery_tui.tui.panes.cache import CachePane
from kachery_tui.tui.panes.channels import ChannelsPane
from kachery_tui.tui.panes.feeds import FeedsPane
from kachery_tui.tui.panes.log import LogPane
from kachery_tui.tui.panes.pane import Pane
from kachery_tui.tui.panes.requests import RequestsPane
from kachery_tui.tui.panes.streams import StreamsPane
from kachery_tui.tui.panes.tasks import TasksPane
from kachery_tui.tui.refresh_timer import RefreshTimer
from kachery_tui.tui.widgets.banner import Banner
from kachery_tui.tui.widgets.cell_line import CellLine, CellLines
from kachery_tui.tui.widgets.footer import Footer
from kachery_tui.tui.widgets.prompt import Prompt
from kachery_tui.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    import asyncio

    from textual import events
    from textual.app import ComposeResult

    from kachery_tui.node.node import Node
    from kachery_tui.protocol.uris import SubfeedKey
    from kachery_tui.tui.desk import Program
    from kachery_tui.tui.keymap import Keymap
    from kachery_tui.tui.memory import Memory
    from kachery_tui.tui.tour import Tour

_log = logging.getLogger(__name__)

SomePane = TypeVar("SomePane", bound=Pane)


class MainScreen(Desk):
    """Panes over one node. It keeps where the person is, and nothing of the node."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Back", show=False)]

    DEFAULT_CSS = """
    MainScreen {
        & > #header { background: $panel; }
        & #left, & #right { width: 3fr; height: 1fr; }
        & #left.-wide, & #right.-wide { width: 4fr; }
        & > #too-small { height: 1fr; display: none; padding: 1 2; }
    }
    """

    def __init__(self, node: Node, program: Program, tour: Tour, keymap: Keymap, memory: Memory) -> None:
        super().__init__(node)
        self.program = program
        self.tour = tour
        self.refresh_timer = RefreshTimer(
            self,
            self.look_in_time,
            program.shown_on.looks_per_second,
            partial(state_of, node),
            partial(is_moving, node),
        )
        self.notice = ""
        self._keymap = keymap
        self._memory = memory
        self._node_notices = NodeNotices(node, self.owners, self.notices, program.ring, keymap.key_of)
        self._frame = Frame(self, self._node_notices, keymap.key_of)
        self._current = self._before = PaneName.REQUESTS
        self._zoomed = self._leaving = self._acting = False
        self._channel = ""
        self._last_act = ""
        self._following: asyncio.Task[None] | None = None
        kinds = (StreamsPane, RequestsPane, CachePane, FeedsPane, TasksPane, LogPane)
        self._channels = ChannelsPane(node, keymap.key_of, self.owners)
        self._panes: dict[PaneName, Pane] = {PaneName.CHANNELS: self._channels}
        self._panes |= {kind.NAME: kind(node, keymap.key_of) for kind in kinds}
        for pane in self._panes.values():
            pane.take_up(memory.pane(pane.NAME))

    def compose(self) -> ComposeResult:
        """Header, tabs, banners, panes in two columns, footer."""
        yield CellLine(id="header")
        yield CellLine(id="tabs")
        yield Banner(id="tour")
        yield Banner(id="trouble")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield from (self._panes[name] for name in LEFT)
            with Vertical(id="right"):
                yield from (pane for name, pane in self._panes.items() if name not in LEFT)
        yield CellLines(id="too-small")
        yield CellLine(id="jobs")
        yield Prompt()
        yield Footer()

    def on_unmount(self) -> None:
        """The node may run on, without what this screen had it do."""
        self.refresh_timer.stop()
        if self._following is not None:
            self._following.cancel()

    def on_mount(self) -> None:
        """Show the frame; the node starts once that is painted."""
        for row_list in self.query(RowList):
            row_list.moved = self.follow_cursor
        self.go(self._current)
        self.refresh_timer.start()
        self.call_after_refresh(self._start_node)

    # Where the person is

    @property
    def pane(self) -> Pane:
        """The pane that keys go to."""
        return self._panes[self._current]

    @property
    def here(self) -> Here:
        """Where the person is, for actions."""
        pane = self.pane
        return Here(
            self.node,
            self._current,
            pane.selection,
            self._channel,
            marked=pane.marked,
            can=pane.can,
            doing=self.jobs[-1].verb if self.jobs else "",
            hinting=self.tour.hint is not None,
            held=self.refresh_timer.is_held,
            read_only=self.program.shown_on.settings.read_only,
            undoes=self.undo.next_words,
            is_attached=self.program.is_attached,
            is_guest=self.program.is_guest,
            key_of=self._keymap.key_of,
        )

    def pane_of(self, name: PaneName) -> Pane:
        """A pane by its name."""
        return self._panes[name]

    def go(self, name: PaneName) -> None:
        """Make a pane the current one."""
        if not self.app.is_running:
            return
        if name is not self._current:
            self._before = self._current
        self._current = name
        self._arrange()
        self.set_focus(self.pane.focus_target)
        self.look()

    def go_back(self) -> None:
        """Make the pane before this one the current one."""
        self.go(self._before)

    def toggle_zoom(self) -> None:
        """Show the current pane alone, or several together again."""
        self._zoomed = not self._zoomed
        self._arrange()

    def look_at_channel(self, name: str) -> None:
        """Show this channel's streams and bucket."""
        self._channel = name
        self._channels.matrix.choose(ChannelRow(name))
        self.look()

    def show_request(self, number: int) -> None:
        """Go to a request's row."""
        self._go_to(RequestsPane).choose(number, self.now)
        self.look()

    def show_entry(self, sha1: str) -> None:
        """Choose a file in the cache, once its index has it."""
        cast("CachePane", self._panes[PaneName.CACHE]).choose_when_there(sha1)

    def show_subfeed(self, key: SubfeedKey) -> None:
        """Go to a subfeed's row."""
        self._go_to(FeedsPane).choose(key, self.now)
        self.look()

    def show_task(self, number: int) -> None:
        """Go to a task's row, below the functions."""
        self._go_to(TasksPane).choose(number, self.now)
        self.look()

    def _go_to(self, kind: type[SomePane]) -> SomePane:
        self.go(kind.NAME)
        return cast("SomePane", self.pane)

    def _arrange(self) -> None:
        """Decide which panes show, and how large. Done directly, not by classes, so that focus can follow at once."""
        width, height = self.size
        small = too_small(width, height)
        self.query_one("#too-small").display = small
        self.query_one("#body").display = not small
        if small:
            size = f"{width}×{height} is too small: {LEAST_WIDTH}×{LEAST_HEIGHT} at least."
            words = (size, "The node goes on.")
            self.query_one("#too-small", CellLines).show(tuple((Cell(word, Tone.WARN),) for word in words))
            return
        layout = arrange(width, height, self._current, zoomed=self._zoomed)
        for name, pane in self._panes.items():
            pane.display = name in layout.shares
            pane.show_in_frame(layout.several)
            pane.styles.height = f"{layout.shares.get(name, 1)}fr"
            pane.mark_current(name is self._current, self.now)
        for side, has_current in (("#left", self._current in LEFT), ("#right", self._current not in LEFT)):
            column = self.query_one(side)
            column.display = layout.several or has_current
            column.set_class(has_current, "-wide")
        self.query_one("#tabs").display = not layout.several

    # Looking

    def look_in_time(self) -> None:
        """The look that comes by itself: not while the screen is held still, nor while the line is busy."""
        if not self.program.may_look:
            return
        if self.refresh_timer.is_held:
            self._look_at_frame(self.now)
        else:
            self._look_now()

    def look(self) -> None:
        """Paint what changed since the last look, and look often for a while."""
        self.refresh_timer.wake()
        self._look_now()

    def _look_now(self) -> None:
        """Nothing under a dialog moves; an act is looked at in the end."""
        if self._acting or not self.app.is_running or self.app.screen is not self or too_small(*self.size):
            return
        now = self.now
        self._settle_channel()
        self._look_at_frame(now)
        if self._leaving:
            return
        for pane in self._panes.values():
            pane.channel = self._channel
            if pane.display:
                pane.look(now)
        here = self.here
        self.tour.follow(here, self._last_act)
        self.query_one(Footer).offer(*self._keymap.offers(here))

    def _look_at_frame(self, now: float) -> None:
        self._frame.look(now, self._current, notice=self.notice, is_leaving=self._leaving)

    def _settle_channel(self) -> None:
        """The channel that is looked at: that of the last row chosen among the channels, else the first."""
        chosen = self._channels.selection
        if isinstance(chosen, ChannelRow) and chosen.channel in self.node.memberships:
            self._channel = chosen.channel
        elif self._channel not in self.node.memberships:
            self._channel = next(iter(self.node.memberships), "")

    def toggle_hold(self) -> None:
        """Hold the panes still while a person reads, or let them go on."""
        self.refresh_timer.toggle_hold(self._node_notices.seen)
        self.look()

    # Starting and leaving

    def _start_node(self) -> None:
        self.node.supervisor.spawn(self._start(), "start of the node", service=True)

    async def _start(self) -> None:
        try:
            if not self.program.is_attached:
                await self.node.start()
            elif self._memory.left is not None:
                await self._node_notices.tell_since(self._memory.left, self.now)
            self._following = self.node.supervisor.serve(self.owners.follow, "screen: follow registers")
        except KacheryError as error:
            _log.error("%s", error)
            self.notices.post_error(error)
            self.notice = "✗ the node has not started"

    def say_farewell(self, words: str) -> None:
        """Say what goes on while the screen ends, and look at the node no more: it may be taken apart."""
        for name, pane in self._panes.items():
            pane.hand_over(self._memory.pane(name))
        self.notice = words
        self.look()
        self._leaving = True

    def show_help(self) -> None:
        """Lay what every key does here over the panes."""
        here = self.here
        self.view(f"Keys in {here.pane}", lambda: help_lines(here, ACTIONS))

    def set_filter(self, text: str, pane: Pane | None = None) -> None:
        """Show only the rows of a pane (the current one) that a filter leaves."""
        with self.reporting_errors():
            (pane or self.pane).set_filter(text)
        self.look()

    # Events and keys

    def action_act(self, action_id: str) -> None:
        """Do an action of the registry, or say why it cannot be done."""
        # What is acted on is what stands there now.
        self._settle_channel()
        if not (self._leaving or too_small(*self.size)):
            self.pane.channel = self._channel
            self.pane.look(self.now)
        action, here = BY_ID[action_id], self.here
        reason = action.reason(here)
        if reason:
            self.tell_why_not(reason, title=f"{here.key_of(action_id)} {action.label}: not now")
            return
        self._last_act = action_id
        self._acting = True
        try:
            with self.reporting_errors():
                action.act(self, here)
        finally:
            self._acting = False
        self.look()

    def press(self, event: events.Key) -> None:
        """Do what the key stands for here, unless somebody is typing."""
        if isinstance(self.focused, Input):
            return
        action = self._keymap.action_at(event, self._current)
        if action is not None:
            event.stop()
            event.prevent_default()
            self.action_act(action.id)
        elif event.is_printable and event.key not in self.active_bindings:
            help_key = self._keymap.key_of("help")
            self.tell(f"{help_key} shows those that do", title=f"{event.character} does nothing here")

    def action_back(self) -> None:
        """One step back: past a notice, out of the messages, out of marks, the filter, the zoom."""
        pane = self.pane
        if self.notices.dismiss() or pane.step_back():
            pass
        elif pane.marked:
            pane.clear_marks()
        elif pane.filter:
            pane.set_filter("")
        elif self._zoomed:
            self.toggle_zoom()
        self.look()

    def on_footer_clicked(self, event: Footer.Clicked) -> None:
        """A key in the footer was clicked."""
        self.action_act(event.action_id)

    def follow_cursor(self) -> None:
        """Tell of the row under the cursor at once, in the frame in which it got there."""
        if not self.refresh_timer.is_held:
            self.look()

    def on_row_list_opened(self) -> None:
        """A row was clicked twice."""
        self.action_act("open")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The focus went to another pane, by Tab or by mouse."""
        pane = next((one for one in event.widget.ancestors_with_self if isinstance(one, Pane)), None)
        if pane is not None and pane.NAME is not self._current:
            self._before, self._current = self._current, pane.NAME
            self._arrange()
            self.look()

    def on_click(self, event: events.Click) -> None:
        """A tab or a pane's title was clicked."""
        if event.widget is self.query_one("#tabs"):
            if name := tab_at(self.node, self._current, self._keymap.key_of, self.size.width, event.x):
                self.go(name)
            return
        clicked = event.widget.ancestors_with_self if event.widget is not None else ()
        pane = next((one for one in clicked if isinstance(one, Pane)), None)
        if pane is not None and pane.NAME is not self._current:
            self.go(pane.NAME)

    def on_resize(self) -> None:
        """Another size may show other panes."""
        self._arrange()
        self.call_after_refresh(self.look)

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted is asked for, if that is URIs."""
        here = self.here
        if here.read_only:
            self.tell_why_not(READ_ONLY, title="not taken")
        elif self.node.is_started:
            take_paste(self, event.text)

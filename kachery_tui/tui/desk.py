"""What acts find before them: the places of the screen, and the program around it. No act knows more of either."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol

from kachery_tui.tui.serving import ServingScreen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kachery_tui.protocol.uris import SubfeedKey
    from kachery_tui.tui.display import Display
    from kachery_tui.tui.here import Here, PaneName
    from kachery_tui.tui.panes.pane import Pane
    from kachery_tui.tui.refresh_timer import RefreshTimer
    from kachery_tui.tui.tour import Tour


class Program(Protocol):
    """The program around a screen."""

    @property
    def shown_on(self) -> Display:
        """The terminal, and how the person wants the screen to be."""

    @property
    def is_attached(self) -> bool:
        """Whether the node runs on without the screen."""

    @property
    def is_guest(self) -> bool:
        """Whether the person is another user than the node's own."""

    @property
    def other_screens(self) -> Callable[[], int]:
        """How many screens others have on this screen's node, which end with it."""

    @property
    def may_look(self) -> bool:
        """Whether a look that comes by itself would be painted soon, and is not too dear for the line."""

    def set_terminal_title(self, title: str) -> None:
        """Say in the terminal's title what goes on."""

    def ring(self) -> None:
        """Ring the terminal's bell, if the person wants that."""

    async def lend_terminal(self, command: Sequence[str]) -> int:
        """Hand the terminal to the person's own program until that ends; its exit code. Raises `OSError`."""

    def leave(self) -> None:
        """Leave; a node of the screen's own is closed first."""

    def go_to_node(self, name: str) -> None:
        """Show another node of this machine."""

    def stop_node(self) -> None:
        """End the node, and leave."""


class Desk(ServingScreen):
    """A screen with places to go to: panes, and rows in them."""

    program: Program
    tour: Tour
    refresh_timer: RefreshTimer

    @property
    @abstractmethod
    def pane(self) -> Pane:
        """The pane that keys go to."""

    @property
    @abstractmethod
    def here(self) -> Here:
        """Where the person is."""

    @abstractmethod
    def pane_of(self, name: PaneName) -> Pane:
        """A pane by its name."""

    @abstractmethod
    def go(self, name: PaneName) -> None:
        """Make a pane the current one."""

    @abstractmethod
    def go_back(self) -> None:
        """Make the pane before this one the current one."""

    @abstractmethod
    def toggle_zoom(self) -> None:
        """Show the current pane alone, or several together again."""

    @abstractmethod
    def toggle_hold(self) -> None:
        """Hold the panes still while a person reads, or let them go on."""

    @abstractmethod
    def look_at_channel(self, name: str) -> None:
        """Show this channel's streams and bucket."""

    @abstractmethod
    def show_request(self, number: int) -> None:
        """Go to a request's row."""

    @abstractmethod
    def show_entry(self, sha1: str) -> None:
        """Choose a file in the cache, once its index has it."""

    @abstractmethod
    def show_task(self, number: int) -> None:
        """Go to a task's row, below the functions."""

    @abstractmethod
    def show_subfeed(self, key: SubfeedKey) -> None:
        """Go to a subfeed's row."""

    @abstractmethod
    def action_act(self, action_id: str) -> None:
        """Do an action, or say why it cannot be done."""

    @abstractmethod
    def show_help(self) -> None:
        """Lay what every key does here over the panes."""

    @abstractmethod
    def set_filter(self, text: str, pane: Pane | None = None) -> None:
        """Show only the rows of a pane (the current one) that a filter leaves."""

    def clear_marks(self) -> None:
        """Unmark all rows of the current pane, after they were acted on."""
        self.pane.clear_marks()

    def leave(self) -> None:
        """Close the node, then the screen. Asked a second time, do not wait for the node."""
        self.program.leave()

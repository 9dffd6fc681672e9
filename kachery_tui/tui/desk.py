"""What acts find before them: the places of the screen, and the program around it. No act knows more of either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kachery_tui.tui.serving import ServingScreen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kachery_tui.protocol.uris import SubfeedKey
    from kachery_tui.tui.here import Here, PaneName
    from kachery_tui.tui.panes.pane import Pane
    from kachery_tui.tui.refresh_timer import RefreshTimer
    from kachery_tui.tui.tour import Tour


class Program(Protocol):
    """The program around a screen."""

    @property
    def may_look(self) -> bool:
        """Whether a look that comes by itself would be painted soon, and is not too dear for the line."""

    def set_terminal_title(self, title: str) -> None:
        """Say in the terminal's title what goes on."""

    def ring(self) -> None:
        """Ring the terminal's bell, if the person wants that."""

    async def lend_terminal(self, variables: Sequence[str], default: str, path: Path) -> None:
        """Hand the terminal to the person's own program, on a file, until that ends."""

    def leave(self) -> None:
        """Close the node and leave."""


class Desk(ServingScreen):
    """A screen with places to go to: panes, and rows in them."""

    program: Program
    tour: Tour
    refresh_timer: RefreshTimer

    @property
    def pane(self) -> Pane:
        """The pane that keys go to."""
        raise NotImplementedError

    @property
    def here(self) -> Here:
        """Where the person is."""
        raise NotImplementedError

    def pane_of(self, name: PaneName) -> Pane:
        """A pane by its name."""
        raise NotImplementedError

    def go(self, name: PaneName) -> None:
        """Make a pane the current one."""
        raise NotImplementedError

    def go_back(self) -> None:
        """Make the pane before this one the current one."""
        raise NotImplementedError

    def toggle_zoom(self) -> None:
        """Show the current pane alone, or several together again."""
        raise NotImplementedError

    def toggle_hold(self) -> None:
        """Hold the panes still while a person reads, or let them go on."""
        raise NotImplementedError

    def look_at_channel(self, name: str) -> None:
        """Show this channel's streams and bucket."""
        raise NotImplementedError

    def show_request(self, number: int) -> None:
        """Go to a request's row."""
        raise NotImplementedError

    def show_entry(self, sha1: str) -> None:
        """Choose a file in the cache, once its index has it."""
        raise NotImplementedError

    def show_subfeed(self, key: SubfeedKey) -> None:
        """Go to a subfeed's row."""
        raise NotImplementedError

    def action_act(self, action_id: str) -> None:
        """Do an action, or say why it cannot be done."""
        raise NotImplementedError

    def show_help(self) -> None:
        """Lay what every key does here over the panes."""
        raise NotImplementedError

    def set_filter(self, text: str, pane: Pane | None = None) -> None:
        """Show only the rows of a pane (the current one) that a filter leaves."""
        raise NotImplementedError

    def clear_marks(self) -> None:
        """Unmark all rows of the current pane, after they were acted on."""
        self.pane.clear_marks()

    def leave(self) -> None:
        """Close the node, then the screen."""
        raise NotImplementedError

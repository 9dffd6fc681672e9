"""A number of a subfeed's messages, drawn over their numbers, and on as more come."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType

from kachery_tui.errors import KacheryError
from kachery_tui.tui.cells import Cell, Line, Tone
from kachery_tui.tui.describe.json_text import number_at
from kachery_tui.tui.describe.plot import plot_lines
from kachery_tui.tui.dialogs.popup import Popup
from kachery_tui.tui.dialogs.text_view import text_width
from kachery_tui.tui.feed_reading import Portions
from kachery_tui.tui.on_display import display_of
from kachery_tui.tui.present import key_hint
from kachery_tui.tui.widgets.cell_line import CellLine, CellLines

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from textual.widget import Widget

    from kachery_tui.node.feeds.states import SubfeedState
    from kachery_tui.tui.feed_reading import Read

    Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]

MOST_POINTS: Final = 2_000
"""The newest messages that are drawn."""

FRAME: Final = 6
"""Lines of the terminal that are not the drawing: border, title, keys, the covered footer, and one to breathe."""

MOST_LINES: Final = 24


class Series:
    """The numbers at a path of a subfeed's newest messages."""

    def __init__(self, subfeed: SubfeedState, path: str, read: Read) -> None:
        self.path = path
        self.points: deque[tuple[int, float]] = deque(maxlen=MOST_POINTS)
        self.seen = 0
        """Messages up to this number were looked at."""
        self._subfeed = subfeed
        self._portions = Portions(read)

    @property
    def is_behind(self) -> bool:
        """Whether there are messages that were not looked at."""
        return self.seen < self._subfeed.here

    async def catch_up(self) -> None:
        """Look at the messages that came. Raises `KacheryError`."""
        end = self._subfeed.here
        self.seen = max(self.seen, end - MOST_POINTS)
        while self.seen < end:
            messages = await self._portions.read(self.seen, end)
            if not messages:
                return
            for message in messages:
                value = number_at(message.message, self.path)
                if value is not None:
                    self.points.append((message.number, value))
            self.seen = messages[-1].number + 1


class PlotView(Popup[None]):
    """A drawing that goes on until Esc."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "Close")]

    DEFAULT_CSS = """
    PlotView {
        & > .popup--box { width: 96%; max-width: 120; }
    }
    """

    def __init__(self, title: str, series: Series, spawn: Spawn) -> None:
        super().__init__()
        self._heading = title
        self._series = series
        self._spawn = spawn
        self._reading: asyncio.Task[None] | None = None
        self._problem = ""

    def contents(self) -> Iterator[Widget]:
        """Title and drawing."""
        yield CellLine(id="heading")
        yield CellLines(id="plot")

    def on_mount(self) -> None:
        """Draw what there is, and go on."""
        heading = (Cell(f"{self._series.path} ", Tone.STRONG), Cell(f"in {self._heading}", Tone.MUTED))
        self.query_one("#heading", CellLine).show(heading)
        self.offer(key_hint("Esc", "Close"))
        self.set_interval(display_of(self).busy_pause, self._look)
        self._look()

    def on_resize(self) -> None:
        """Another size has another drawing."""
        self.query_one("#plot", CellLines).styles.height = self._height
        self._draw()

    def on_unmount(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()

    @property
    def _height(self) -> int:
        return max(min(self.size.height - FRAME, MOST_LINES), 1)

    def _look(self) -> None:
        if self._reading is None and self._series.is_behind:
            self._reading = self._spawn(self._catch_up(), "screen: read numbers of a feed")
            self._reading.add_done_callback(self._has_ended)

    def _has_ended(self, _task: asyncio.Task[None]) -> None:
        self._reading = None

    async def _catch_up(self) -> None:
        try:
            await self._series.catch_up()
            self._problem = ""
        except KacheryError as error:
            self._problem = str(error)
        if self.is_attached:
            self._draw()

    def _draw(self) -> None:
        if not self._series.seen and not self._problem:
            return
        lines: tuple[Line, ...] = ((Cell(f"✗ {self._problem}", Tone.BAD),),) if self._problem else ()
        height = self._height - len(lines)
        drawn = plot_lines(list(self._series.points), text_width(self.size.width), height)
        self.query_one("#plot", CellLines).show((*lines, *drawn))

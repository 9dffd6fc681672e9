"""Widgets that paint cells: the tones as component styles, and lines of cells as strips."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from kachery_tui.tui.cells import Line, Tone
from kachery_tui.tui.glyphs import Glyphs


class Toned(Widget):
    """A widget whose lines are made of cells. Its style sheet gives each tone a colour, of any theme's."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tone--{tone}" for tone in Tone}

    DEFAULT_CSS = """
    Toned {
        & > .tone--muted { color: $text-muted; }
        & > .tone--strong { text-style: bold; }
        & > .tone--good { color: $text-success; }
        & > .tone--busy { color: $text-primary; }
        & > .tone--warn { color: $text-warning; text-style: bold; }
        & > .tone--bad { color: $text-error; text-style: bold; }
    }
    """

    def tone_style(self, tone: Tone) -> Style:
        """The theme's style for a tone, on this widget's background."""
        return self.get_component_rich_style(f"tone--{tone}")

    def strip(self, line: Line, width: int, over: Style | None = None) -> Strip:
        """A line that is `width` cells wide as a strip, `over` laid over each cell's own style."""
        segments = (Segment(Glyphs.drawn(cell.text), self.tone_style(cell.tone) + over) for cell in line)
        # Neighbours of one look become one: each change of style costs a slow line some forty bytes.
        return Strip(Segment.simplify(segments), width)

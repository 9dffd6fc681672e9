"""Widgets that paint cells: the tones as component styles, and lines of cells as strips."""

from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.dom import DOMNode
from textual.strip import Strip
from textual.widget import Widget

from kachery_tui.tui.cells import Line, Tone
from kachery_tui.tui.glyphs import in_ascii
from kachery_tui.tui.on_display import display_of


class Toned(Widget):
    """A widget whose lines are made of cells. Its style sheet gives each tone a colour, of any theme's."""

    def __init__(self, *children: Widget, **options: Any) -> None:
        self._tones: set[str] = set()
        """Tones whose styles have been found, by the names of their classes."""
        super().__init__(*children, **options)

    DEFAULT_CSS = """
    Toned {
        & > .tone--muted { color: $text-muted; }
        &:ansi > .tone--muted { text-style: dim; }
        & > .tone--strong { text-style: bold; }
        & > .tone--good { color: $text-success; }
        & > .tone--busy { color: $text-primary; }
        & > .tone--warn { color: $text-warning; text-style: bold; }
        & > .tone--bad { color: $text-error; text-style: bold; }
        & > .tone--edge { color: $foreground 30%; }
        &:ansi > .tone--edge { color: ansi_bright_black; }
        & > .tone--lit-edge { color: $border; text-style: bold; }
    }
    """

    def tone_style(self, tone: Tone) -> Style:
        """The theme's style for a tone, on this widget's background."""
        name = f"tone--{tone}"
        if name not in self._component_styles:
            # As Textual does for `COMPONENT_CLASSES`, but for the tones that show: most widgets show two or three, and
            # most of what a start spends on styles would go into the others.
            virtual = DOMNode(classes=name)
            virtual._attach(self)
            self.app.stylesheet.apply(virtual, animate=False)
            self._component_styles[name] = virtual.styles
            self._tones.add(name)
        return self.get_component_rich_style(name)

    def notify_style_update(self) -> None:
        """The theme, or what the widget stands on, may be another: the tones are found anew when they are painted."""
        super().notify_style_update()
        for name in self._tones:
            self._component_styles.pop(name, None)
        self._tones.clear()

    def drawn(self, text: str) -> str:
        """A text of ours as it is painted here."""
        return in_ascii(text) if display_of(self).settings.ascii else text

    def strip(self, line: Line, width: int, over: Style | None = None) -> Strip:
        """A line that is `width` cells wide as a strip, `over` laid over each cell's own style."""
        segments = (Segment(self.drawn(cell.text), self.tone_style(cell.tone) + over) for cell in line)
        # Neighbours of one look become one: each change of style costs a slow line some forty bytes.
        return Strip(Segment.simplify(segments), width)

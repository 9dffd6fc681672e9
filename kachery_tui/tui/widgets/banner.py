"""A banner under the header: there while it has something to say."""

from kachery_tui.tui.cells import Cell, Tone
from kachery_tui.tui.widgets.cell_line import CellLines


class Banner(CellLines):
    """As many lines as its text takes, up to a few; none without a text."""

    DEFAULT_CSS = """
    Banner {
        height: auto;
        max-height: 3;
        padding: 0 1;
        background: $accent-muted;
        &.-grave { background: $error-muted; }
        &:ansi { background: ansi_default; }
    }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.display = False

    def tell(self, text: str, *, grave: bool = False) -> None:
        """Show `text`; nothing, if it is empty. `grave` is what went wrong."""
        self.set_class(grave, "-grave")
        lines = ((Cell(text, Tone.STRONG),),)
        if lines == self.lines:
            return
        self.display = bool(text)
        self.show(lines)
        self.refresh(layout=True)

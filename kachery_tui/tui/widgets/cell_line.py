"""One line of cells that is painted only when it changed."""

from textual.geometry import Region, Size
from textual.strip import Strip

from kachery_tui.tui.cells import Line, fit_line, wrap_line
from kachery_tui.tui.widgets.toned import Toned


class CellLine(Toned):
    """A line that shows what it is given, cut to the width that there is."""

    DEFAULT_CSS = """
    CellLine { height: 1; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id, classes=classes)
        self.line: Line = ()

    def show(self, line: Line) -> None:
        """Show `line` from now on."""
        if line != self.line:
            self.line = line
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Paint the line."""
        if y:
            return Strip.blank(self.size.width, self.rich_style)
        return self.strip(fit_line(self.line, self.size.width), self.size.width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Always one line."""
        return 1


class CellLines(Toned):
    """Several lines that show what they are given, wrapped to the width that there is.

    `hanging` is by how many cells the second and later lines of a wrapped one stand in. Where there is no room for all,
    the last line that there is room for is `more`, unless that is empty.
    """

    DEFAULT_CSS = """
    CellLines { height: 1fr; width: 1fr; }
    """

    def __init__(self, *, hanging: int = 0, more: Line = (), id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._hanging = hanging
        self._more = more
        self.lines: tuple[Line, ...] = ()
        self._wrapped: list[Line] = []
        self._painted: dict[int, Line | None] = {}
        """What was painted last."""

    def show(self, lines: tuple[Line, ...]) -> None:
        """Show `lines` from now on; only those that changed are painted."""
        if lines != self.lines:
            self.lines = lines
            self.wrap_anew()

    def on_resize(self) -> None:
        """Another width breaks lines elsewhere."""
        self._painted.clear()
        self.wrap_anew()

    def _wrap_to(self, width: int) -> list[Line]:
        return [part for line in self.lines for part in wrap_line(line, max(width, 1), indent=self._hanging)]

    def wrap_anew(self) -> None:
        """Break the lines anew, and paint those that changed."""
        width, height = self.size
        self._wrapped = self._wrap_to(width)
        if self._more and len(self._wrapped) > height > 0:
            self._wrapped[height - 1 :] = [self._more]
        if not height:
            # It does not show: what Textual keeps of what was painted is not to be taken up again.
            self.refresh()
        for y in range(height):
            if self._painted.get(y, ()) != self._line(y):
                self.refresh(Region(0, y, width, 1))

    def _line(self, y: int) -> Line | None:
        return self._wrapped[y] if y < len(self._wrapped) else None

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as it takes at that width."""
        return len(self._wrap_to(width))

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        width = self.size.width
        line = self._painted[y] = self._line(y)
        if line is None:
            return Strip.blank(width, self.rich_style)
        return self.strip(fit_line(line, width), width)

"""A list that paints only the rows in view, of any number of rows, and only those that changed."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kachery_tui.tui.cells import Cell, Line, Tone, fit_line, text_of, wrap_line
from kachery_tui.tui.widgets.columns import Column, aligned, column_at, widths
from kachery_tui.tui.widgets.rows import NO_ROWS, ListedRows, Rows
from kachery_tui.tui.widgets.toned import Toned

__all__ = ["NO_ROWS", "ListedRows", "RowList", "Rows"]

LOADING: Line = (Cell("…", Tone.MUTED),)
CURSOR_MARK = "›"
CHOSEN_MARK = "◆"
CHOSEN_AT_CURSOR = "◈"
DOWN, UP = "▼", "▲"

MOST_MARKS = 10_000
"""Rows that can be marked at a time: each is held in memory, and acted on one by one."""


class RowList(Toned, ScrollView, can_focus=True):
    """Rows under column titles, one of them chosen.

    The cursor stays on its row, by key, whatever comes before it. Once the reader has moved it, the row also stays where
    it is on the screen, as far as there are rows to scroll; until then, and again from Home on, a list shows at its top
    what comes there. With `tail`, it follows its newest (last) row until the reader moves away from that.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end", "last", "Last", show=False),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row-list--cursor", "row-list--cursor-away", "row-list--title"}

    DEFAULT_CSS = """
    RowList {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size: 0 0;
        & > .row-list--cursor { background: $primary 35%; text-style: bold; }
        & > .row-list--cursor-away { background: $boost; }
        & > .row-list--title { background: $panel; }
        &:ansi > .row-list--cursor { background: ansi_default; text-style: bold reverse; }
        &:ansi > .row-list--title { background: ansi_default; text-style: underline; }
    }
    """

    class Moved(Message):
        """The cursor came to another row, or the row under it went."""

        def __init__(self, row_list: "RowList") -> None:
            super().__init__()
            self.row_list = row_list

        @property
        def control(self) -> "RowList":
            """The list, so that handlers can be bound to one."""
            return self.row_list

    class Opened(Moved):
        """The row under the cursor was clicked twice."""

    class HeadClicked(Moved):
        """The title of a column was clicked."""

        def __init__(self, row_list: "RowList", title: str) -> None:
            super().__init__(row_list)
            self.title = title

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: Iterable[str] = (),
        tail: bool = False,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.cursor = 0
        self.cursor_key: Hashable | None = None
        self.following = tail
        self.unseen_above = 0
        """Rows that came above those in view while the reader was further down."""
        self._reads = False
        self.empty = tuple(empty)
        self._tail = tail
        self._rows: Rows = NO_ROWS
        self._painted: dict[int, tuple[Line, str]] = {}
        self._widths: tuple[int, ...] = ()
        self._laid_out_for = -1
        self.marked: dict[Hashable, Any] = {}
        """What the marked rows stand for, by key: marks stay when rows come, go, or are filtered away."""
        self.sorted_by: tuple[str, bool] | None = None
        """Title of the column that the rows are sorted by, and whether they descend."""
        self._last_marked: Hashable | None = None
        self.moved: Callable[[], None] | None = None
        """Called as soon as the cursor came to another row, before that is painted."""

    # What it shows

    @property
    def rows(self) -> Rows:
        """What is shown."""
        return self._rows

    @property
    def chosen(self) -> Any:
        """The item under the cursor, of rows that are listed in memory; None where there is none."""
        return self._rows.item(self.cursor) if isinstance(self._rows, ListedRows) else None

    @property
    def position(self) -> str:
        """Where the cursor stands among how many rows, if they are more than can be seen. There is no scrollbar: each
        step of one costs a slow line as much as a row."""
        count = len(self._rows)
        above = f"{UP} {self.unseen_above:,} new  " if self.unseen_above else ""
        return f"{above}{self.cursor + 1:,}/{count:,}" if count > self._page_size else ""

    @property
    def shown_titles(self) -> list[str]:
        """Titles of the columns that there is room for."""
        return [column.title for column, space in self._laid_out(self.size.width) if space]

    @property
    def rows_in_view(self) -> range:
        """Indices of the rows that can be seen."""
        first = self.scroll_offset.y
        return range(first, min(first + self._page_size, len(self._rows)))

    def show(self, rows: Rows) -> None:
        """Show `rows`, keeping the cursor on its row and the row in its place."""
        grown = len(rows) - len(self._rows)
        self._rows = rows
        count, before = len(rows), self.cursor
        found = rows.index(self.cursor_key) if self.cursor_key is not None else None
        height = count + 1
        if self.virtual_size.height != height:
            self.virtual_size = Size(self.size.width, height)
        if self._tail and self.following:
            self._put_cursor(count - 1, into_view=True)
        else:
            index = before if found is None else found
            if found is not None and found != before and (self._reads or self.scroll_offset.y > 0):
                self._scroll_by(found - before)
                self.unseen_above += max(grown, 0) if grown == found - before else 0
            self.unseen_above = min(self.unseen_above, self.scroll_offset.y)
            self._put_cursor(index, into_view=False)
        self.repaint()

    def choose(self, key: Hashable) -> bool:
        """Move the cursor to the row of that key; whether there is one."""
        index = self._rows.index(key)
        if index is None:
            return False
        self._put_cursor(index, into_view=True)
        self.repaint()
        return True

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns."""
        if self.columns != tuple(columns):
            self.columns = tuple(columns)
            self._laid_out_for = -1

    def repaint(self) -> None:
        """Paint those lines in view that differ from what stands there."""
        width, height = self.size
        if not height:
            # It does not show: what Textual keeps of what was painted is not to be taken up again.
            self.refresh()
        for y in range(height):
            if self._painted.get(y) != self._line(y):
                self.refresh(Region(0, y, width, 1))

    # Marking

    def toggle_mark(self) -> None:
        """Mark the row under the cursor, or unmark it, and go on to the next."""
        key = self.cursor_key
        if key is None:
            return
        if key in self.marked:
            del self.marked[key]
        else:
            self._mark(self.cursor)
        self._last_marked = key
        self.action_move(1)

    def mark_range(self) -> None:
        """Mark the rows from the one that was marked last to the one under the cursor."""
        start = self._rows.index(self._last_marked) if self._last_marked is not None else None
        first, last = sorted((self.cursor if start is None else start, self.cursor))
        for index in range(first, last + 1):
            self._mark(index)
        self._last_marked = self.cursor_key
        self.repaint()

    def mark_all(self) -> None:
        """Mark all rows that are shown and loaded; if any is marked, unmark all."""
        if self.marked:
            self.clear_marks()
            return
        for index in range(min(len(self._rows), MOST_MARKS)):
            self._mark(index)
        self.repaint()

    def invert_marks(self) -> None:
        """Of the rows that are shown and loaded, unmark those that are marked, and mark the others."""
        for index in range(min(len(self._rows), MOST_MARKS)):
            if self._rows.key(index) in self.marked:
                del self.marked[self._rows.key(index)]
            else:
                self._mark(index)
        self._last_marked = None
        self.repaint()

    def clear_marks(self) -> None:
        """Unmark all rows."""
        self.marked.clear()
        self._last_marked = None
        self.repaint()

    def _mark(self, index: int) -> None:
        key = self._rows.key(index) if index < len(self._rows) else None
        if key is not None and len(self.marked) < MOST_MARKS:
            self.marked[key] = self._rows.item(index)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Titles and texts of all rows that are loaded."""
        rows = (self._rows.cells(index) for index in range(len(self._rows)))
        return [column.title for column in self.columns], [
            [text_of(cell) for cell in row] for row in rows if row
        ]

    # Moving

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        self._go(self.cursor + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by so many pages."""
        self._go(self.cursor + by * max(self._page_size - 1, 1))

    def action_first(self) -> None:
        """Move the cursor to the first row."""
        self._go(0)

    def action_last(self) -> None:
        """Move the cursor to the last row; a list with a tail follows it from then on."""
        self._go(len(self._rows) - 1)

    def _go(self, index: int) -> None:
        self._put_cursor(index, into_view=True)
        self.following = self._tail and self.cursor >= len(self._rows) - 1
        self._reads = self.cursor > 0
        self.unseen_above = min(self.unseen_above, self.scroll_offset.y)
        self.repaint()
        self.post_message(self.Moved(self))
        if self.moved is not None:
            self.moved()

    def _put_cursor(self, index: int, *, into_view: bool) -> None:
        self.cursor = max(0, min(index, len(self._rows) - 1))
        self.cursor_key = self._rows.key(self.cursor) if len(self._rows) else None
        if not into_view:
            return
        top = self.scroll_offset.y
        if self.cursor < top:
            self._scroll_by(self.cursor - top)
        elif self.cursor >= top + self._page_size:
            self._scroll_by(self.cursor - self._page_size + 1 - top)

    @property
    def _page_size(self) -> int:
        return max(self.size.height - 1, 1)

    def _scroll_by(self, rows: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + rows, animate=False, immediate=True, force=True)

    # Events

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._painted.clear()
        if len(self._rows):
            self._put_cursor(self.cursor, into_view=True)

    def on_focus(self) -> None:
        """The cursor looks different with the focus here."""
        self.repaint()

    def on_blur(self) -> None:
        """The cursor looks different without the focus."""
        self.repaint()

    def on_mouse_scroll_up(self, _event: events.MouseScrollUp) -> None:
        """Wheeling up is reading: stop following."""
        if self.max_scroll_y > 0:
            self.following = False

    def on_click(self, event: events.Click) -> None:
        """Choose the row that was clicked; open it on the second click."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < 1:
            column = column_at(self._laid_out(self.size.width), offset.x - 1) if offset is not None else None
            if column is not None:
                self.post_message(self.HeadClicked(self, column.title))
            return
        index = self.scroll_offset.y + offset.y - 1
        if index < len(self._rows):
            self._go(index)
            if event.chain == 2:
                self.post_message(self.Opened(self))

    # Painting

    def render_line(self, y: int) -> Strip:
        """Paint one line of the view."""
        line, look = self._painted[y] = self._line(y)
        over = None
        if look != "row":
            style = self.get_component_rich_style(f"row-list--{look}")
            over = Style(
                bgcolor=style.bgcolor, bold=style.bold, reverse=style.reverse, underline=style.underline
            )
            if style.reverse:
                # Colours would become patches behind the words.
                line = tuple(Cell(cell.text) for cell in line)
        return self.strip(line, self.size.width, over)

    def _line(self, y: int) -> tuple[Line, str]:
        width = self.size.width
        if y == 0:
            titles = tuple(
                Cell(self._titled(column), Tone.STRONG if self._sorts(column) else Tone.MUTED)
                for column in self.columns
            )
            return aligned(self._laid_out(width), " ", titles, width), "title"
        index = self.scroll_offset.y + y - 1
        if index >= len(self._rows):
            words = self._words_instead(width) if not len(self._rows) else []
            return fit_line(words[y - 2] if 0 <= y - 2 < len(words) else (), width), "row"
        at_cursor = index == self.cursor
        cells = self._rows.cells(index) or LOADING
        look = ("cursor" if self.has_focus else "cursor-away") if at_cursor else "row"
        mark = CURSOR_MARK if at_cursor else " "
        if self.marked and self._rows.key(index) in self.marked:
            mark = CHOSEN_AT_CURSOR if at_cursor else CHOSEN_MARK
        return aligned(self._laid_out(width), mark, cells, width), look

    def _words_instead(self, width: int) -> list[Line]:
        """What stands in the place of rows."""
        indent = Cell("  ")
        lines = [wrap_line((Cell(text, Tone.MUTED),), max(width - 3, 1)) for text in self.empty]
        return [(indent, *part) for line in lines for part in line]

    def _titled(self, column: Column) -> str:
        if self.sorted_by is None or not self._sorts(column):
            return column.title
        return f"{column.title}{DOWN if self.sorted_by[1] else UP}"

    def _sorts(self, column: Column) -> bool:
        return self.sorted_by is not None and column.title == self.sorted_by[0]

    def _laid_out(self, width: int) -> list[tuple[Column, int]]:
        """The columns with their widths, 0 for those that there is no room for."""
        if self._laid_out_for != width:
            self._widths, self._laid_out_for = widths(self.columns, width - 1), width
        return list(zip(self.columns, self._widths, strict=True))

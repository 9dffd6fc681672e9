"""Lists: the cursor stays on its row, readers are not moved, and only rows in view are asked for."""

from collections.abc import Sequence

from textual.app import App, ComposeResult

from kachery_tui.tui.cells import Cell, Line, Row, Tone
from kachery_tui.tui.widgets.columns import Column
from kachery_tui.tui.widgets.paged_rows import KEPT_PAGES, PAGE, PagedRows
from kachery_tui.tui.widgets.row_list import ListedRows, RowList
from kachery_tui.tui.widgets.tail_list import TailList

COLUMNS = (Column("what", 8, share=1),)


class ListApp(App[None]):
    """One list."""

    def __init__(self, shown: RowList) -> None:
        super().__init__()
        self.shown = shown

    def compose(self) -> ComposeResult:
        yield self.shown


def rows_of(items: Sequence[int]) -> ListedRows[int]:
    return ListedRows(items, key=lambda item: item, cells=lambda item: (Cell(f"row {item}"),))


def painted(shown: RowList) -> list[str]:
    return [shown.render_line(y).text.strip() for y in range(shown.size.height)]


async def test_the_cursor_stays_on_its_row_and_the_row_in_its_place() -> None:
    shown = RowList(COLUMNS)
    async with ListApp(shown).run_test(size=(30, 11)) as pilot:
        shown.show(rows_of(range(100, 0, -1)))
        shown.action_move(30)
        await pilot.pause()
        before = painted(shown)
        assert shown.cursor_key == 70
        shown.show(rows_of(range(105, 0, -1)))
        await pilot.pause()
        assert shown.cursor_key == 70
        assert painted(shown) == before


async def test_at_its_top_a_list_shows_what_comes() -> None:
    shown = RowList(COLUMNS)
    async with ListApp(shown).run_test(size=(30, 11)) as pilot:
        shown.show(rows_of([3, 2, 1]))
        await pilot.press("down")
        shown.show(rows_of([4, 3, 2, 1]))
        await pilot.pause()
        assert painted(shown)[1:5] == ["row 4", "row 3", "›row 2", "row 1"]


async def test_rows_that_come_on_top_do_not_move_the_row_that_a_reader_came_to() -> None:
    shown = RowList(COLUMNS)
    async with ListApp(shown).run_test(size=(30, 11)) as pilot:
        shown.focus()
        shown.show(rows_of(range(20, 0, -1)))
        await pilot.press("down", "down")
        before = painted(shown)
        shown.show(rows_of(range(23, 0, -1)))
        await pilot.pause()
        assert painted(shown) == before
        assert shown.position == "▲ 3 new  6/23"
        await pilot.press("home")
        assert painted(shown)[1] == "›row 23"
        assert shown.position == "1/23"
        shown.show(rows_of(range(24, 0, -1)))
        await pilot.pause()
        assert painted(shown)[1:3] == ["row 24", "›row 23"]


async def test_marks_stay_on_their_rows_and_the_cursor_can_be_told_without_colour() -> None:
    shown = RowList(COLUMNS)
    async with ListApp(shown).run_test(size=(30, 11)) as pilot:
        shown.focus()
        shown.show(rows_of([5, 4, 3, 2, 1]))
        shown.toggle_mark()
        shown.action_move(1)
        shown.mark_range()
        await pilot.pause()
        assert painted(shown)[1:5] == ["◆row 5", "◆row 4", "◈row 3", "row 2"]
        shown.show(rows_of([6, 5, 3, 2]))
        assert set(shown.marked) == {5, 4, 3}
        shown.mark_all()
        assert not shown.marked
        shown.mark_all()
        assert list(shown.marked) == [6, 5, 3, 2]
        shown.clear_marks()
        shown.action_first()
        shown.toggle_mark()
        shown.invert_marks()
        assert list(shown.marked) == [5, 3, 2]
        shown.invert_marks()
        assert list(shown.marked) == [6]
        shown.show(rows_of([5, 3]))
        shown.invert_marks()
        assert set(shown.marked) == {6, 5, 3}, "what is filtered away stays as it is"


async def test_what_stands_in_the_place_of_rows_is_wrapped_not_cut() -> None:
    shown = RowList(COLUMNS, empty=("Nothing here yet.", "F follows a feed by its URI, N creates one."))
    async with ListApp(shown).run_test(size=(30, 11)) as pilot:
        shown.show(rows_of([]))
        await pilot.pause()
        assert "".join(painted(shown)).replace("  ", " ").strip().endswith("creates one.")
        assert "…" not in "".join(painted(shown))


async def test_what_is_too_long_runs_on_over_empty_columns_and_a_column_may_have_several_tones() -> None:
    columns = (Column("file", 6, spills=True), Column("bar", 4), Column("", 3), Column("size", 5, right=True))
    bar = (Cell("██", Tone.GOOD), Cell("░░", Tone.MUTED))
    cells: dict[int, Row] = {
        1: (Cell("a-long-name"), Cell(""), (), Cell("9 B")),
        2: (Cell("a-long-name"), bar, Cell("50"), Cell("9 B")),
    }
    shown = RowList(columns)
    async with ListApp(shown).run_test(size=(30, 5)):
        shown.show(ListedRows([1, 2], key=int, cells=cells.__getitem__))
        assert painted(shown)[1:3] == ["›a-long-name       9 B", "a-lon… ██░░ 50    9 B"]
        assert shown.table()[1][1] == ["a-long-name", "██░░", "50", "9 B"]
        assert shown.shown_titles == ["file", "bar", "", "size"]


async def test_the_cursor_survives_that_its_row_goes() -> None:
    shown = RowList(COLUMNS)
    async with ListApp(shown).run_test(size=(30, 11)) as pilot:
        shown.show(rows_of([1, 2, 3]))
        await pilot.press("end")
        keys = []
        for left in ([1, 2], [], [7]):
            shown.show(rows_of(left))
            keys.append(shown.cursor_key)
            await pilot.press("down", "up", "pagedown", "home", "end")
        assert keys == [2, None, 7]


async def test_a_tail_follows_until_the_reader_moves_away() -> None:
    shown = TailList(COLUMNS)
    async with ListApp(shown).run_test(size=(30, 11)) as pilot:
        shown.focus()

        def feed(newest: int) -> None:
            shown.feed("view", newest=newest, rows=lambda: rows_of(range(max(newest - 49, 1), newest + 1)))

        feed(60)
        await pilot.pause()
        assert painted(shown)[-1] == "›row 60"
        await pilot.press("up")
        before = painted(shown)
        feed(500)
        await pilot.pause()
        assert shown.unseen == 440
        assert painted(shown) == before
        await pilot.press("end")
        feed(501)
        await pilot.pause()
        assert shown.unseen == 0
        assert painted(shown)[-1] == "›row 501"


async def test_another_view_starts_at_its_end() -> None:
    shown = TailList(COLUMNS)
    async with ListApp(shown).run_test(size=(30, 11)) as pilot:
        shown.focus()
        shown.feed("one", newest=50, rows=lambda: rows_of(range(1, 51)))
        await pilot.press("home")
        assert not shown.following
        shown.feed("two", newest=20, rows=lambda: rows_of(range(1, 21)))
        assert shown.cursor_key == 20


async def test_of_a_million_rows_only_those_in_view_are_asked_for() -> None:
    wanted: list[int] = []

    def want(rows: PagedRows[int], page: int) -> None:
        wanted.append(page)
        rows.put(page, range(page * PAGE, (page + 1) * PAGE))

    def cells(item: int) -> Line:
        return (Cell(f"row {item}"),)

    shown = RowList(COLUMNS)
    async with ListApp(shown).run_test(size=(30, 11)) as pilot:
        rows: PagedRows[int] = PagedRows(1_000_000, key=lambda item: item, cells=cells, want=want)
        shown.show(rows)
        await pilot.press("end")
        await pilot.pause()
        assert painted(shown)[-1] == "›row 999999"
        assert set(wanted) == {0, 4_999}
        for _ in range(600):
            shown.action_page(-1)
        assert len(rows._pages) <= KEPT_PAGES


async def test_what_peers_wrote_is_clipped_and_cleaned() -> None:
    shown = RowList(COLUMNS)
    async with ListApp(shown).run_test(size=(12, 5)):
        rows = ListedRows(["\x1b[31m\u202eevil 日本語 and more"], key=str, cells=lambda item: (Cell(item),))
        shown.show(rows)
        strip = shown.render_line(1)
        assert strip.cell_length == 12
        assert "\x1b" not in strip.text
        assert "\u202e" not in strip.text

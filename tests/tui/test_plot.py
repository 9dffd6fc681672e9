"""Numbers drawn over the numbers of messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kachery_tui.tui.cells import width_of
from kachery_tui.tui.describe.plot import AXES, plot_lines
from kachery_tui.tui.glyphs import ASCII
from kachery_tui.tui.plot import Point, drawing, extent, number_words
from tests.tui.words import text_of

POINTS = st.lists(
    st.tuples(st.integers(0, 10**9), st.floats(allow_nan=False, allow_infinity=False)),
    min_size=1,
    max_size=60,
    unique_by=lambda point: point[0],
).map(sorted)


def test_a_line_that_rises() -> None:
    assert drawing([(number, float(number)) for number in range(8)], 4, 2) == ["  ⡠⠊", "⡠⠊  "]


def test_a_step_is_drawn_whole() -> None:
    rows = drawing([(0, 0.0), (1, 0.0), (2, 1.0), (3, 1.0)], 2, 3)
    assert all(row.strip() for row in rows)


def test_one_value_stands_in_the_middle() -> None:
    assert drawing([(7, 3.5)], 3, 3) == ["   ", "⠄  ", "   "]
    assert [row.strip() for row in drawing([(7, 3.5), (9, 3.5)], 3, 3)] == ["", "⠤⠤⠤", ""]


def test_nothing_to_draw_or_no_room() -> None:
    assert drawing([], 3, 2) == ["   ", "   "]
    assert drawing([(0, 1.0)], 0, 2) == ["", ""]
    assert drawing([(0, 1.0)], 3, 0) == []


@pytest.mark.parametrize("high", [1.7e308, 5e-324, 1e-310])
def test_the_largest_and_the_smallest_numbers(high: float) -> None:
    rows = drawing([(0, -high), (1, high)], 10, 3)
    assert rows[0].rstrip()
    assert rows[2].rstrip()


@given(POINTS, st.integers(1, 40), st.integers(1, 12))
def test_a_drawing_has_its_size_whatever_it_shows(points: list[Point], width: int, height: int) -> None:
    rows = drawing(points, width, height)
    assert len(rows) == height
    assert all(cell_len(row) == width for row in rows)
    assert any(row.strip() for row in rows)


@given(POINTS, st.integers(1, 130), st.integers(1, 40))
def test_with_its_axes_it_stays_within_its_bounds(points: list[Point], width: int, height: int) -> None:
    lines = plot_lines(points, width, height)
    assert 0 < len(lines) <= max(height, 1)
    if height > AXES and width > 60:
        assert len(lines) == height
        assert all(width_of(line) <= width for line in lines[1:])


def test_what_stands_beside_it() -> None:
    points = [(number, number / 10) for number in range(100, 1_300)]
    text = text_of(plot_lines(points, 80, 10))
    assert "last 129.9 at 1,299   min 10 at 100   max 129.9 at 1,299" in text
    lines = text.split("\n")
    assert lines[1].startswith("    129.9 │")
    assert lines[-3].startswith("       10 │")
    assert lines[-1].split() == ["100", "1,299"]
    assert "No message here has a number there yet" in text_of(plot_lines([], 80, 10))


def test_as_it_changes_the_drawing_stays_where_it_is() -> None:
    sides = {
        text_of(plot_lines([(0, low), (1, 1.0)], 80, 8)).split("\n")[1].index("│")
        for low in (0.0, 0.5, 0.012345, -123.4)
    }
    assert len(sides) == 1


def test_in_ascii_it_can_still_be_seen() -> None:
    rows = [row.translate(ASCII) for row in drawing([(n, float(n % 50)) for n in range(300)], 40, 8)]
    assert all(row.isascii() for row in rows)
    assert {"'", ".", ":"} <= set("".join(rows))


def test_extent_and_numbers() -> None:
    covers = extent([(3, 1.0), (9, -1.0)])
    assert (covers.first, covers.last, covers.low, covers.high) == (3, 9, -1.0, 1.0)
    words = [number_words(value) for value in (0.0, 1_200.0, 0.0312345, 1.2345e9, -5.0, 1e300)]
    assert words == ["0", "1,200", "0.03123", "1.234e+09", "-5", "1e+300"]

"""Columns share the width, and go in their order where it is scarce."""

from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.tui.panes import cache_views, channels, feed_rows, log, requests
from kachery_tui.tui.widgets.columns import GAP, Column, widths

COLUMNS = (Column("a", 4), Column("b", 6, share=1), Column("c", 5, drop=1), Column("d", 5, drop=2))


def test_what_is_left_over_goes_to_the_shares() -> None:
    assert widths(COLUMNS, 33) == (4, 16, 5, 5)


def test_the_highest_drop_goes_first() -> None:
    assert widths(COLUMNS, 22) == (4, 11, 5, 0)
    assert widths(COLUMNS, 16) == (4, 11, 0, 0)
    assert widths(COLUMNS, 3) == (4, 6, 0, 0)


@given(st.integers(0, 300))
def test_the_width_is_never_exceeded_while_anything_can_go(available: int) -> None:
    found = widths(COLUMNS, available)
    kept = [width for width in found if width]
    assert sum(kept) + GAP * (len(kept) - 1) <= max(available, 11)


def test_every_list_fits_80_columns() -> None:
    for columns in (
        channels.matrix_columns(short=True),
        requests.COLUMNS,
        feed_rows.COLUMNS,
        feed_rows.message_columns(1_234_567),
        log.COLUMNS,
        *cache_views.COLUMNS.values(),
    ):
        kept = [width for width in widths(columns, 78) if width]
        assert sum(kept) + GAP * (len(kept) - 1) <= 78

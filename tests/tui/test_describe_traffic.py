"""What flows, drawn."""

from kachery_tui.node.rates import LONG_WINDOW_SECONDS, RateMeter
from kachery_tui.tui.describe.traffic import DOT_SECONDS, LINES, MOST_DOTS, traffic_lines, traffic_version
from kachery_tui.tui.plot import area
from tests.tui.words import text_of

NOW = 1_790_000_000.0


def meter() -> RateMeter:
    return RateMeter(LONG_WINDOW_SECONDS)


def test_an_area_stands_on_a_floor_and_reaches_the_top() -> None:
    assert area([0, 0, 0, 0], 2) == ["  ", "⣀⣀"]
    assert area([8, 0], 2) == ["⡇", "⣇"]
    assert area([4, 8, 1], 2) == ["⢸ ", "⣿⡀"]
    assert area([], 2) == ["", ""]


def test_nothing_has_flowed() -> None:
    lines = text_of(traffic_lines(meter(), meter(), NOW, 60)).split("\n")
    assert len(lines) == LINES
    assert lines[0].split() == ["↓", "received", "nothing", "↑", "sent", "nothing"]
    assert set(lines[-1]) == {"⣀", " "}


def test_the_newest_is_at_the_right_with_its_peak() -> None:
    received, sent = meter(), meter()
    received.add(8_000_000, NOW)
    lines = text_of(traffic_lines(received, sent, NOW, 42)).split("\n")
    assert "peak 2.0 MB/s in 5 min" in text_of(traffic_lines(received, sent, NOW, 80))
    assert lines[1][:20].rstrip()[-1] in "⡇⢸"
    assert all(len(line) == 42 for line in lines)


def test_it_moves_on_only_while_there_is_something_on_it() -> None:
    received, sent = meter(), meter()
    assert traffic_version(received, sent, NOW) == traffic_version(received, sent, NOW + 1_000)
    received.add(1, NOW)
    assert traffic_version(received, sent, NOW) != traffic_version(received, sent, NOW + DOT_SECONDS)
    over = NOW + MOST_DOTS * DOT_SECONDS
    assert traffic_version(received, sent, over) == traffic_version(received, sent, over + 1_000)
    assert not any(received.history(over + DOT_SECONDS, MOST_DOTS * DOT_SECONDS))

"""How numbers and times read."""

import pytest

from kachery_tui.words import count, duration, moment, size


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.6, "1.0 kB"),
        (1234, "1.2 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (45e9, "45 GB"),
        (3e18, "3.0 EB"),
        (4e21, "4000 EB"),
    ],
)
def test_sizes(amount: float, text: str) -> None:
    assert size(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0.035, "35 ms"),
        (0.9996, "1.0 s"),
        (4.24, "4.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3_600, "1 h 00 min"),
        (86_399, "23 h 59 min"),
        (100 * 86_400 + 3_700, "100 d 1 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_counts() -> None:
    assert count(1, "file") == "1 file"
    assert count(0, "file") == "0 files"
    assert count(1_200, "entry", "entries") == "1,200 entries"


def test_moments() -> None:
    assert moment(86_400 * 365).startswith("19")
    for hostile in (1e300, -1e300, float("inf"), float("nan")):
        assert moment(hostile) == "an unknown time"

"""How numbers, times and states read."""

import os
import re
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import product

import pytest

from kachery_tui.node.files.subject import ChunkState
from kachery_tui.node.ledger import Origin
from kachery_tui.node.steps import Step
from kachery_tui.node.values import Connection, ConnectionState
from kachery_tui.tui import present
from kachery_tui.tui.cells import Line
from kachery_tui.tui.glyphs import ASCII


@pytest.fixture
def _utc() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (9_949, "9.9 kB"),
        (9_951, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (65_000_000, "65 MB"),
        (5 * 10**12, "5.0 TB"),
        (10**30, "1000000000000 EB"),
    ],
)
def test_sizes(count: int | None, text: str) -> None:
    assert present.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0.0351, "35 ms"),
        (0.9999, "1.0 s"),
        (4.21, "4.2 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7_805, "2 h 10 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert present.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0351, "35 ms"),
        (4.21, "4.2 s"),
        (59.6, "1m 00s"),
        (7_805, "2h 10m"),
        (273_600, "3d 4h"),
        (4e7, "462 d"),
    ],
)
def test_spans_fit_a_column(seconds: float, text: str) -> None:
    assert present.span(seconds) == text


def test_rates_and_time_left() -> None:
    assert present.byte_rate(0.2) == "–"
    assert present.byte_rate(1_500_000) == "1.5 MB/s"
    assert present.message_rate(0) == "–"
    assert present.message_rate(0.4) == "0.4/s"
    assert present.message_rate(1_234) == "1,234/s"
    assert present.eta(None) == "–"
    assert present.eta(float("inf")) == "–"
    assert present.eta(0.01) == "1.0 s"


@pytest.mark.usefixtures("_utc")
def test_times_of_day_stand_still() -> None:
    noon = 1_700_000_000.0
    assert present.clock(noon, noon + 5) == present.clock(noon, noon + 600) == "22:13:20"
    assert present.clock(noon, noon + 86_400) == "2023-11-14"
    assert present.clock(None, noon) == "–"
    assert present.day(noon, noon + 600) == "22:13"
    assert present.day(noon, noon + 86_400) == "14 Nov"
    assert present.day(noon, noon + 400 * 86_400) == "2023"
    assert present.moment(noon) == "2023-11-14 22:13:20"


@pytest.mark.usefixtures("_utc")
def test_what_was_just_before_midnight_has_its_time_of_day() -> None:
    after = 1_700_006_430.0 - 1_700_006_430 % 86_400 + 30
    before = after - 90
    assert present.clock(before, after) == present.last(before, after) == "23:59:00"
    assert present.day(before, after) == "23:59"
    assert present.last(after - 86_399, after) == present.clock(after - 86_399, after)
    assert present.last(after - 86_400, after) == "1 d ago"
    assert present.clock(after - 86_400, after).count("-") == 2


def test_percent_is_not_100_before_the_end() -> None:
    assert present.percent(999_999, 1_000_000) == "99 %"
    assert present.percent(5, 5) == "100 %"
    assert present.percent(0, 0) == "100 %"
    assert present.percent(9, 5) == "100 %"
    assert present.percent(5, None) == ""


@pytest.mark.parametrize(
    ("done", "whole", "text"),
    [
        (0, 80, "░░░░"),
        (10, 80, "▌░░░"),
        (80, 80, "████"),
        (100, 80, "████"),
        (0, 0, "████"),
        (5, None, "    "),
    ],
)
def test_bars(done: int, whole: int | None, text: str) -> None:
    assert present.bar(done, whole, 4) == text


def drawn(line: Line) -> str:
    return "".join(cell.text for cell in line)


DISK, BUCKET, PEER = (present.ORIGINS[origin] for origin in Origin)


@pytest.mark.parametrize(
    ("disk", "bucket", "peer", "whole", "text"),
    [
        (0, 0, 0, 100, "░░░░░░░░░░"),
        (0, 0, 50, 100, "█████░░░░░"),
        (20, 30, 10, 100, "══▓▓▓█░░░░"),
        (20, 30, 50, 100, "══▓▓▓█████"),
        # Whatever brought a byte can be seen, and all but one byte is not all.
        (1, 1, 1, 1_000_000, "═▓█░░░░░░░"),
        (1, 0, 999_998, 1_000_000, "═████████░"),
        (999_998, 1, 1, 1_000_000, "════════▓█"),
        (997_998, 1, 1, 1_000_000, "═══════▓█░"),
        (7, 0, 0, 5, "══════════"),
        (0, 0, 0, 0, "██████████"),
        (5, 0, 0, None, "          "),
    ],
)
def test_bars_split_by_origin(disk: int, bucket: int, peer: int, whole: int | None, text: str) -> None:
    parts = [(disk, *DISK), (bucket, *BUCKET), (peer, *PEER)]
    assert drawn(present.bar_split(parts, whole, 10)) == text


@pytest.mark.parametrize("width", range(13))
def test_a_split_bar_is_never_wider_than_its_place(width: int) -> None:
    for amounts in product((0, 1, 40, 1_000), repeat=3):
        parts = [(amount, *look) for amount, look in zip(amounts, (DISK, BUCKET, PEER), strict=True)]
        line = present.bar_split(parts, 1_500, width)
        assert len(drawn(line)) == width
        assert ("░" in drawn(line)) == (sum(amounts) < 1_500 and width > 0)


def test_origins_differ_by_glyph_and_by_tone_also_in_ascii() -> None:
    glyphs, tones = zip(*present.ORIGINS.values(), strict=True)
    assert len({*glyphs, present.COMING[0], "░"}) == 5
    assert len({glyph.translate(ASCII) for glyph in glyphs}) == 3
    assert len(set(tones)) == 3


def test_a_map_of_many_chunks_shows_the_least_advanced() -> None:
    done, moving, missing = ChunkState.DONE, ChunkState.MOVING, ChunkState.MISSING
    assert drawn(present.chunk_map([done, moving, ChunkState.ASKED, missing], 10)) == "█▒?·"
    assert drawn(present.chunk_map([done, done, done, moving, missing, done], 3)) == "█▒·"
    assert drawn(present.chunk_map([done] * 1_000_000, 5)) == "█████"
    lines = present.chunk_maps([done] * 5 + [missing] * 4, 4, 6)
    assert [drawn(line) for line in lines] == ["████", "█···", "·"]
    assert len(present.chunk_maps([done] * 10_000, 4, 6)) == 6


def test_the_legend_of_a_map_counts_and_says_what_a_cell_is() -> None:
    states = [ChunkState.DONE] * 1_200 + [ChunkState.ASKED]
    assert drawn(present.chunk_legend(states, 2_000)) == "█ 1,200 done  ? 1 asked"
    assert drawn(present.chunk_legend(states, 100)) == "█ 1,200 done  ? 1 asked  a cell is up to 13 chunks"


def test_every_state_has_a_glyph_and_a_word() -> None:
    steps = [present.step(step).text for step in Step]
    states = [present.connection(Connection(state, "", 0)).text for state in ConnectionState]
    for text in steps + states:
        glyph, _, word = text.partition(" ")
        assert len(glyph) == 1
        assert word.strip()


def test_origins_show_the_nearest_folders() -> None:
    assert present.origin("lab") == "lab"
    assert present.origin("/home/ana/data/day 3/spikes.dat") == "…/data/day 3"
    assert present.origin("/data/spikes.dat") == "/data"
    assert present.origin("/spikes.dat") == "/"


def test_counts_and_short_hashes() -> None:
    assert present.count(1, "file") == "1 file"
    assert present.count(1_200, "file") == "1,200 files"
    assert present.count(2, "copy", "copies") == "2 copies"
    assert present.short("ab" * 20) == "abababab…"
    assert present.short("abab") == "abab"


def test_a_moment_as_people_say_it() -> None:
    now = datetime(2026, 11, 27, 18, 0).astimezone().timestamp()
    assert present.said_when(now - 1200, now) == "17:40"
    assert re.fullmatch(r"[A-Z]\w\w 17:40", present.said_when(now - 86_400 - 1200, now))
    assert present.said_when(now - 10 * 86_400 - 1200, now) == "2026-11-17 17:40"

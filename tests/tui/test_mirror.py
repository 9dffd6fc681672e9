"""The mirror of the terminal: what it sends shows the same as what it was given, and is less."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.tui.terminal.mirror import SYNC_END, SYNC_START, Mirror, is_aside
from tests.emulator import Emulator

COLUMNS, ROWS = 16, 5

STYLES = (
    "",
    "1",
    "1;2",
    "4;38;5;7",
    "7;31;42",
    "38;2;1;2;3;48;2;4;5;6",
    "1;38;2;1;2;3;48;2;4;5;6",
    "48;5;21;39",
    "21;97;104",
)

Piece = tuple[int, int, list[tuple[str, str]]]

texts = st.text(alphabet="ab  ·é中\u0301", max_size=COLUMNS)
pieces = st.tuples(
    st.integers(0, ROWS - 1),
    st.integers(0, COLUMNS - 1),
    st.lists(st.tuples(st.sampled_from(STYLES), texts), max_size=4),
)
frames = st.lists(st.lists(pieces, max_size=4), max_size=5)


def mirror(columns: int = COLUMNS, rows: int = ROWS) -> Mirror:
    made = Mirror()
    made.resize(columns, rows)
    return made


def painted(frame: Sequence[Piece]) -> str:
    """A frame in the way in which Textual writes it."""
    parts = []
    ordered = sorted(frame, key=lambda piece: piece[0])
    for y, x, segments in ordered:
        parts.append(f"\x1b[{y + 1};{x + 1}H")
        parts.extend(f"\x1b[{style}m{text}\x1b[0m" if style else text for style, text in segments)
        if y != ordered[-1][0]:
            parts.append("\n")
    return "".join(parts) + "\x1b[1;1H"


def terminal() -> Emulator:
    made = Emulator(COLUMNS, ROWS)
    made.feed(b"\x1b[?7l")
    return made


def fits(frame: Sequence[Piece]) -> bool:
    """Whether no text runs out of its line, or begins with a mark: what terminals then do is their own affair."""
    return all(
        x + sum(2 if c == "中" else c != "\u0301" for _, text in segments for c in text) <= COLUMNS
        and not any(text.startswith("\u0301") for _, text in segments)
        for _, x, segments in frame
    )


@given(frames, st.lists(st.booleans(), max_size=5))
def test_the_terminal_shows_the_same(all_frames: list[list[Piece]], sends: list[bool]) -> None:
    seen, direct, mirrored = mirror(), terminal(), terminal()
    for number, frame in enumerate([frame for frame in all_frames if fits(frame)]):
        assert seen.take_output(painted(frame))
        direct.feed(painted(frame).replace("\n", "\r\n").encode())
        if number < len(sends) and sends[number]:
            mirrored.feed(seen.changes().encode())
    mirrored.feed(seen.changes().encode())
    assert mirrored.cells == direct.cells
    assert (mirrored.x, mirrored.y) == (direct.x, direct.y)
    assert seen.changes() == ""


@given(frames)
def test_after_a_new_size_everything_that_fits_is_sent_again(all_frames: list[list[Piece]]) -> None:
    seen, before, after = mirror(), terminal(), Emulator(COLUMNS - 3, ROWS - 1)
    for frame in filter(fits, all_frames):
        if "中" not in painted(frame):
            seen.take_output(painted(frame))
    before.feed(seen.changes().encode())
    seen.resize(COLUMNS - 3, ROWS - 1)
    after.feed(seen.changes().encode())
    assert after.cells == [line[: COLUMNS - 3] for line in before.cells[: ROWS - 1]]


def row(text: str, style: str = "38;5;7;48;5;1") -> str:
    return painted([(2, 0, [(style, text)])])


def test_only_what_differs_is_sent() -> None:
    seen = mirror(40, 5)
    seen.take_output(row("12:00:01 requestFiles 17 of 20"))
    seen.changes()
    seen.take_output(row("12:00:02 requestFiles 18 of 20"))
    assert seen.changes() == "\x1b[3;8H\x1b[38;5;7;48;5;1m2\x1b[15C8\x1b[m\x1b[H"
    seen.take_output(row("12:00:02 requestFiles 18 of 20"))
    assert seen.changes() == ""


def test_what_was_painted_over_meanwhile_is_never_sent() -> None:
    seen = mirror()
    for number in range(100):
        seen.take_output(row(f"number {number}"))
    assert "number 99" in (sent := seen.changes())
    assert len(sent) < 50


def test_a_line_with_wide_characters_is_sent_whole() -> None:
    seen = mirror()
    seen.take_output(row("中中 a 1"))
    seen.changes()
    seen.take_output(row("中中 a 2"))
    assert "中中 a 2" in seen.changes()


def test_marks_for_one_step_are_kept_around_what_is_sent_and_sent_for_nothing_else() -> None:
    seen = mirror()
    for data in (SYNC_START, row("text"), SYNC_END):
        assert seen.take_output(data)
    sent = seen.changes()
    assert sent.startswith(SYNC_START)
    assert sent.endswith(SYNC_END)
    for data in (SYNC_START, row("text"), SYNC_END):
        seen.take_output(data)
    assert seen.changes() == ""


def test_everything_can_be_sent_again() -> None:
    seen, shows = mirror(), terminal()
    seen.take_output(row("text"))
    seen.changes()
    seen.forget_sent()
    shows.feed(seen.changes().encode())
    assert shows.lines[2].startswith("text")


@pytest.mark.parametrize(
    "data",
    [
        "\x1b[?25l", "\x1b[?1000h\x1b[?1003h", "\x1b[?2026$p", "\x1b[>17u", "\x1b[<u", "\a", "\x1b[22;2t",
        "\x1b]2;a title\a", "\x1b]52;c;YQ==\x1b\\", "\x1bPtmux;\x1b\x1b]52;c;YQ==\a\x1b\\",
    ],
)  # fmt: skip
def test_what_paints_nothing_goes_past_the_mirror(data: str) -> None:
    assert is_aside(data)
    assert not mirror().take_output(data)


@pytest.mark.parametrize("data", ["\x1b[?1049h", "\x1b[2J", "\x1b[?1049l", "\x1bc", "\x1b[5S"])
def test_what_the_mirror_does_not_know_is_not_taken_for_harmless(data: str) -> None:
    assert not is_aside(data)
    assert not mirror().take_output(data)


def test_long_text_with_something_unknown_at_its_end_is_told_at_once() -> None:
    data = "x" * 100_000 + "\x1b[2J"
    assert not mirror().take_output(data)
    assert not is_aside(data)

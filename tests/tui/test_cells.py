"""Nothing that comes from other nodes does to a terminal what it does not seem to."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kachery_tui.tui.cells import (
    Cell,
    Mask,
    Tone,
    clip,
    fit,
    fit_line,
    joined,
    plain,
    plain_lines,
    width_of,
    wrap_line,
)

NASTY = [
    "\x1b[2J\x1b]0;title\x07",
    "safe\u202etxt.exe",
    "a\u2066b\u2069c\u200bd\u200fe",
    "tab\there\r\nand there",
    "e" + "\u0301" * 200,
    "\ud800 lone surrogate",
    "日本語のファイル.dat",
    "family \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
    "\x9b31m eight bit control",
    "[bold red]markup[/]",
    "\ue000 private, \u2028 line, \u00a0 space",
]


def is_harmless(text: str) -> bool:
    return all(unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for one in text)


@pytest.mark.parametrize("text", NASTY)
def test_what_is_painted_is_harmless(text: str) -> None:
    assert is_harmless(plain(text))


@given(st.text())
def test_any_text_becomes_harmless(text: str) -> None:
    assert is_harmless(plain(text))
    assert plain(plain(text)) == plain(text)


@given(st.text(), st.integers(0, 40))
def test_fits_exactly(text: str, width: int) -> None:
    assert cell_len(clip(text, width)) <= width
    assert cell_len(fit(text, width)) == width
    assert cell_len(fit(text, width, right=True)) == width


def test_ordinary_text_stays_as_it_is() -> None:
    for text in ("spikes.dat", "Größe naïve", "файл", "日本語", "[bold]not markup[/]", "한글"):
        assert plain(text) == text


def test_line_ends_become_spaces_or_lines() -> None:
    assert plain("one\ntwo") == "one two"
    assert plain_lines("one\ntwo\x1b") == ["one", "two\ufffd"]


def test_piles_of_marks_are_cut_down() -> None:
    assert len(plain("e" + "\u0301" * 200)) == 3


def test_clipping_shows_that_something_is_missing() -> None:
    assert clip("abcdef", 4) == "abc…"
    assert clip("abcd", 4) == "abcd"
    assert clip("日本語", 4) == "日 …"
    assert clip("a", 0) == ""


@given(st.lists(st.text(max_size=20), max_size=5), st.integers(1, 60))
def test_a_line_is_filled_or_cut_to_its_width(texts: list[str], width: int) -> None:
    assert width_of(fit_line([Cell(text) for text in texts], width)) == width


@given(st.lists(st.text(st.characters(max_codepoint=0x24F), max_size=40), max_size=5), st.integers(8, 60))
def test_wrapping_loses_nothing_but_spaces(texts: list[str], width: int) -> None:
    lines = wrap_line([Cell(text) for text in texts], width, indent=2)
    assert all(width_of(line) <= width for line in lines)
    kept = "".join(cell.text for line in lines for cell in line)
    assert kept.replace(" ", "") == "".join(plain(text) for text in texts).replace(" ", "")


def test_wrapping_breaks_at_spaces_and_indents() -> None:
    lines = wrap_line((Cell("why   "), Cell("asked two nodes and waited", Tone.BAD)), 20, indent=6)
    assert ["".join(cell.text for cell in line) for line in lines] == [
        "why   asked two",
        "      nodes and",
        "      waited",
    ]


def test_wrapping_breaks_a_word_that_is_too_long() -> None:
    lines = wrap_line((Cell("abcdefghij"),), 4)
    assert ["".join(cell.text for cell in line) for line in lines] == ["abcd", "efgh", "ij"]


def test_joining_leaves_out_what_is_empty() -> None:
    assert joined(((Cell("a"),), (), (Cell("b"),)), " ") == (Cell("a"), Cell(" "), Cell("b"))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("ab" * 20, "ab…ab"),
        (f"node {'c1' * 32} said", "node c1…c1 said"),
        ("abcdef012345…", "ab…45…"),
        (f"sha1://{'0f' * 20}/a name?manifest={'12' * 20}", "sha1://0f…0f"),
        ("sha1://0f…0f", "sha1://0f…0f"),
        ("sha1://0f0f…", "sha1://0f…0f"),
        ("feed://" + "12" * 32, "feed://12…12"),
        ("deadbeef.dat on lab", "deadbeef.dat on lab"),
    ],
)
def test_a_mask_hides_hashes_and_uris(monkeypatch: pytest.MonkeyPatch, text: str, masked: str) -> None:
    assert plain(text) == text
    monkeypatch.setattr(Mask, "on", True)
    assert plain(text) == plain(plain(text)) == masked
    assert fit(text, 80).rstrip() == masked
    assert fit(text, 10) == fit(masked, 10)

"""The gate before the terminal: whatever comes, nothing in it does more than be shown."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.printable import REPLACEMENT, printable, printable_json, printable_lines

ANY = st.text(max_size=60) | st.text(
    st.sampled_from(
        "a é\t\n\r\x00\x07\x1b\x7f\x80\x9b\u200b\u200e\u202e\u2066\u2028\ufe0f\u0301\ud800\U000e0001"
    ),
    max_size=30,
)


def harmful(text: str) -> bool:
    return any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for char in text)


@given(ANY)
def test_no_text_does_more_than_be_shown(text: str) -> None:
    assert not harmful(printable(text))
    assert not harmful(printable_lines(text).replace("\n", "").replace("\t", ""))
    assert printable(printable(text)) == printable(text)


@given(ANY)
def test_lines_stay_lines(text: str) -> None:
    assert printable_lines(text).count("\n") == text.count("\n")


@given(
    st.recursive(ANY | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(ANY, inner))
)
def test_json_means_the_same(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    shown = printable_json(text)
    assert not harmful(shown)
    assert json.loads(shown) == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("spikes – größe 日本語 😀", "spikes – größe 日本語 😀"),
        ("a\x1b[2Jb", f"a{REPLACEMENT}[2Jb"),
        ("c1\x9b2J", f"c1{REPLACEMENT}2J"),
        ("del\x7f", f"del{REPLACEMENT}"),
        ("exe\u202efdp", f"exe{REPLACEMENT}fdp"),
        ("a\nb\tc", "a b    c"),
        ("e" + "\u0301" * 40, "e" + "\u0301" * 2),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown

"""JSON to be read and typed: bounded, nothing in it that a terminal would obey, and the numbers in it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.printable import printable_json
from kachery_tui.protocol.canonical import MAX_SAFE_INTEGER, canonical_json, parse_json
from kachery_tui.tui.cells import Tone, plain
from kachery_tui.tui.describe.json_text import (
    as_number,
    compact,
    laid_out,
    number_at,
    numbers,
    object_problem,
    plain_values,
    quoted,
)
from tests.effort import calls_of
from tests.tui.words import text_of

HOSTILE = "\x1b[31mred\x07\u202egnirts\u200b\ud800 \U000e0041"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_a_message_in_one_line() -> None:
    value: Any = {"loss": 0.25, "tags": ["a", None, True], "n": {"x": 1}, "e": []}
    assert compact(value, 200) == '{"loss": 0.25, "tags": ["a", null, true], "n": {"x": 1}, "e": []}'
    assert compact(value, 20) == '{"loss": 0.25, "tag…'
    assert len(compact({"x": "y" * 10_000_000}, 50)) == 50
    assert compact({"x": 10**400_00}, 90) == '{"x": a number of thousands of digits}'


def test_what_a_terminal_would_obey_stands_as_an_escape() -> None:
    assert quoted(HOSTILE) == '"\\u001b[31mred\\u0007\\u202egnirts\\u200b\\ud800 \\udb40\\udc41"'
    assert json.loads(printable_json('{"a": "x\u202ey"}')) == {"a": "x\u202ey"}
    assert printable_json('{\n "a": 1}') == '{\n "a": 1}'
    assert quoted("x" * 20, 10) == '"xxxxxxxxxx…"'


@given(VALUES)
def test_whatever_comes_can_be_shown(value: Any) -> None:
    line = compact(value, 100)
    assert len(line) <= 100
    assert line.isprintable()
    lines = list(laid_out(value))
    assert all(cell.text.isprintable() for line in lines for cell in line)
    assert numbers(value) == {path: number_at(value, path) for path in numbers(value)}
    list(plain_values(value))


def test_a_message_laid_out() -> None:
    value: Any = {"loss": 0.25, "tags": ["a", 1], "deep": {"yes": True, "rows": [{"x": 1}]}, "none": {}}
    lines = list(laid_out(value))
    assert text_of(lines).split("\n") == [
        "{",
        '  "loss": 0.25,',
        '  "tags": ["a", 1],',
        '  "deep": {',
        '    "yes": true,',
        '    "rows": [',
        "      {",
        '        "x": 1',
        "      }",
        "    ]",
        "  },",
        '  "none": {}',
        "}",
    ]
    tones = {cell.text.strip(" ,"): cell.tone for line in lines for cell in line}
    assert (tones['"loss":'], tones["0.25"], tones["true"]) == (Tone.STRONG, Tone.BUSY, Tone.WARN)


def test_a_large_message_is_cut_and_that_said() -> None:
    assert len(list(laid_out({"rows": [[n] for n in range(50_000)]}, most_lines=30))) == 31
    lines = text_of(laid_out({str(n): "x" * 5_000 for n in range(200)}))
    assert len(lines) < 110_000
    assert lines.endswith("… there is more than is shown here")


def test_the_numbers_of_a_message() -> None:
    message: Any = {
        "loss": 0.5,
        "ok": True,
        "text": "7",
        "train": {"acc": 1, "deep": {"x": [1, "a", 3]}},
        "b": 10**400,
    }
    assert numbers(message) == {"loss": 0.5, "train.acc": 1.0, "train.deep.x.0": 1.0, "train.deep.x.2": 3.0}
    assert len(numbers({str(n): n for n in range(1_000)})) == 200
    assert dict(plain_values({"a": True, "b": "x", "c": None, "d": [1]})) == {"a": True, "b": "x", "d.0": 1.0}


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("loss", 0.5),
        ("train.acc", 0.75),
        ("position.1", 20.0),
        ("a.b", 1.0),
        ("a.b.c", 3.0),
        ("position.7", None),
        ("position.x", None),
        ("train", None),
        ("nowhere.at.all", None),
        ("text.0", None),
    ],
)
def test_a_number_by_its_path(path: str, number: float | None) -> None:
    message: Any = {
        "loss": 0.5,
        "train": {"acc": 0.75},
        "position": [10, 20],
        "a.b": 1,
        "a": {"b": {"c": 3}},
        "text": "123",
    }
    assert number_at(message, path) == number


def test_what_is_no_number() -> None:
    assert [as_number(value) for value in (True, None, "1", float("inf"), 10**400, [1])] == [None] * 6


def alike(levels: int, most: int) -> dict[str, Any]:
    """Keys with dots in them, whose paths read alike in ever more ways."""
    keys = [".".join("a" * length) for length in range(1, most)]
    value: dict[str, Any] = dict.fromkeys(keys, "x")
    for _ in range(levels):
        value = dict.fromkeys(keys, value)
    return value


@pytest.mark.parametrize(
    "message",
    [
        alike(7, 40),
        {".".join("a" * 90): {".".join("b" * 9) + str(number): 1 for number in range(2_000)}},
        {str(number): {"a": "text"} for number in range(30_000)},
        {str(number): {} for number in range(30_000)},
        {"x": {str(number): number for number in range(30_000)}},
    ],
    ids=["alike", "dots", "texts", "empty", "numbers"],
)
def test_whatever_a_message_is_looking_for_numbers_ends_soon(message: Any) -> None:
    assert calls_of(lambda: numbers(message)) < 60_000
    assert calls_of(lambda: list(plain_values(message))) < 60_000
    assert calls_of(lambda: number_at(message, ".".join("a" * 100))) < 60_000


def test_a_key_that_stands_there_twice_is_found_soon() -> None:
    text = "{" + ", ".join(f'"{number}": 1' for number in [*range(5_000), 4_999]) + "}"
    assert calls_of(lambda: object_problem(text)) < 60_000
    assert '"4999"' in object_problem(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1}', ""),
        ('{\n  "a": [1, 2.5e3, null],\n  "b": {"c": "ü"}\n}', ""),
        ("{}", ""),
        ('{"a": 1,}', "line 1, column "),
        ('{"a":\n  x}', "line 2, column 3: expecting value"),
        ("", "line 1, column 1: expecting value"),
        ("[1]", 'it must be an object: {"key": value}'),
        ('{"a": 1, "a": 2}', 'the key "a" stands there more than once'),
        ('{"a": NaN}', "NaN is no number in JSON"),
        ('{"a": 1e999}', "1e999 is larger than any number"),
        (f'{{"a": {MAX_SAFE_INTEGER + 1}}}', "would be rounded: write it as a text"),
        ('{"a": "x\ty"}', "line 1, column 9: invalid control character"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_what_is_typed_is_judged(text: str, problem: str) -> None:
    found = object_problem(text)
    assert found.startswith(problem) or found.endswith(problem)
    assert bool(found) is bool(problem)
    assert plain(found) == found


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_what_is_taken_is_signed_as_it_was_typed(value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False)
    if not object_problem(text):
        signed = canonical_json(parse_json(text))
        assert canonical_json(parse_json(signed)) == signed
        # Whole numbers beyond what is exact come back as the number that they are.
        assert parse_json(signed) == pytest.approx(value) if _is_flat(value) else True


def _is_flat(value: dict[str, Any]) -> bool:
    return all(isinstance(inner, (bool, int, float)) for inner in value.values())

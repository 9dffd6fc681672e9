"""Canonical JSON, against what ECMAScript prints; and JSON from outside."""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.protocol import canonical
from kachery_tui.protocol.canonical import (
    MAX_DEPTH,
    MAX_SAFE_INTEGER,
    JsonValue,
    byte_length,
    canonical_json,
    has_lone_surrogate,
    object_hash,
    parse_json,
)
from kachery_tui.protocol.errors import ProtocolError
from tests.effort import calls_of
from tests.protocol.strategies import ANY_TEXT, JSON_VALUES, TEXT
from tests.protocol.vectors import ECMASCRIPT, WIRE


def slowly(value: JsonValue) -> str:
    parts: list[str] = []
    canonical._write(value, parts)
    return "".join(parts)


def test_numbers_print_as_ecmascript_prints_them() -> None:
    for bits, expected in ECMASCRIPT["numbers"]:
        (number,) = struct.unpack(">d", bytes.fromhex(bits))
        assert canonical_json(number) == expected, bits


def test_texts_print_as_ecmascript_prints_them() -> None:
    for text, expected in ECMASCRIPT["texts"]:
        assert canonical_json(parse_json(text)) == expected, text
        assert canonical_json(parse_json(text.encode())) == expected, text


def test_the_old_daemons_texts_and_hashes() -> None:
    for vector in WIRE["canonicalJson"]:
        assert canonical_json(vector["object"]) == vector["canonical"]
        assert object_hash(vector["object"]) == vector["sha1"]


PLAIN_TEXT = st.text(st.characters(max_codepoint=127))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | PLAIN_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(PLAIN_TEXT, inner, max_size=5),
)


@given(PLAIN)
def test_the_quick_way_prints_what_the_long_way_prints(value: JsonValue) -> None:
    assert canonical._is_plain(value)
    assert canonical._encode(value) == slowly(value) == canonical_json(value)


@pytest.mark.parametrize(
    "value", [1.0, 2**53, -(2**53), "é", {"é": 1}, [0.5], "\ud800", {"a": [{"b": 1e21}]}]
)
def test_what_python_prints_differently_takes_the_long_way(value: JsonValue) -> None:
    assert not canonical._is_plain(value)


@given(JSON_VALUES)
def test_canonical_text_says_the_same_and_stays_as_it_is(value: JsonValue) -> None:
    text = canonical_json(value)
    text.encode()
    again = parse_json(text)
    assert canonical_json(again) == text
    assert same(again, value)


def same(one: object, other: object) -> bool:
    """Whether two values are equal to JavaScript, which has doubles for numbers, and neither NaN nor Infinity in JSON."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, Sequence) and isinstance(other, Sequence):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return float(one) == float(other)
    return one is other


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_comes_back(number: float) -> None:
    assert float(canonical_json(number)) == number


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_what_json_cannot_say_is_null(value: JsonValue) -> None:
    assert canonical_json(value) == "null"


def test_a_true_is_no_one() -> None:
    assert canonical_json([True, 1, False, 0]) == "[true,1,false,0]"


@given(st.dictionaries(ANY_TEXT, st.integers(0, 9), max_size=8))
def test_members_stand_in_the_order_of_utf_16(value: dict[str, int]) -> None:
    def order(key: str) -> list[int]:
        data = key.encode("utf-16-be", "surrogatepass")
        return [data[at] << 8 | data[at + 1] for at in range(0, len(data), 2)]

    def note(pairs: list[tuple[str, Any]]) -> list[str]:
        return [key for key, _ in pairs]

    keys = json.loads(canonical_json(value), object_pairs_hook=note)
    assert [order(key) for key in keys] == sorted(order(key) for key in value)


def test_too_deep_a_value_is_refused() -> None:
    deep: JsonValue = 0.5
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ProtocolError, match="deep"):
        canonical_json(deep)


@pytest.mark.parametrize(
    "data",
    [
        *(
            "",
            " ",
            "nul",
            "NaN",
            "Infinity",
            "-Infinity",
            "[NaN]",
            "{'a':1}",
            "[1,]",
            '{"a":}',
            "01",
            "1.",
            ".5",
        ),
        *("+1", "0x10", '"\t"', '"\\x41"', '"\\ud83"', "\ufeff1", "1 2", "٣", "// 1", '"', "[" * 100_000),
        *('{"a":' * 100_000, "-", "1_000", "True"),
        *(b"\xff", b'"\xed\xa0\x80"', b"\x00", b'"\xc3"', "1".encode("utf-16"), b"\xef\xbb\xbf1"),
    ],
)
def test_what_is_not_json_is_refused(data: bytes | str) -> None:
    with pytest.raises(ProtocolError):
        parse_json(data)


@given(st.binary() | ANY_TEXT)
def test_garbage_is_refused_and_nothing_else_raised(data: bytes | str) -> None:
    try:
        value = parse_json(data)
    except ProtocolError as error:
        str(error).encode()
    else:
        canonical_json(value).encode()


@given(st.text('[]{}":,\\u0123d8e+-. tfn'))
def test_what_looks_like_json_raises_nothing_else(data: str) -> None:
    try:
        parse_json(data)
    except ProtocolError as error:
        str(error).encode()


def test_nesting_is_bounded() -> None:
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 900, 5_000):
        with pytest.raises(ProtocolError, match="deeper"):
            parse_json("[" * depth + "]" * depth)
        with pytest.raises(ProtocolError, match="deeper"):
            parse_json('{"a":' * depth + "1" + "}" * depth)


@pytest.mark.parametrize("digits", [309, 310, 4_300, 4_301, 60_000])
def test_numbers_of_many_digits_are_read_as_javascript_reads_them(digits: int) -> None:
    expected = "1e+308" if digits == 309 else "null"
    assert canonical_json(parse_json("1" + "0" * (digits - 1))) == expected


def test_size_is_counted_in_bytes() -> None:
    assert parse_json('"éé"', max_bytes=6) == "éé"
    for text in ('"ééé"', b'"1234567"', '"\ud800\ud800"'):
        with pytest.raises(ProtocolError, match="allowed"):
            parse_json(text, max_bytes=7 if isinstance(text, str) else 8)


@given(TEXT)
def test_byte_length_is_that_of_utf_8(text: str) -> None:
    assert byte_length(text) == byte_length(text.encode()) == len(text.encode())


@given(ANY_TEXT)
def test_half_characters_are_seen(text: str) -> None:
    assert has_lone_surrogate(text) == any("\ud800" <= char <= "\udfff" for char in text)


@pytest.mark.parametrize("text", ["\ud800" * 20_000, "\ud800\udc00" * 10_000, '"\ud800' * 10_000])
def test_half_characters_take_no_longer_than_whole_ones(text: str) -> None:
    """A few calls, however long the text is."""
    assert calls_of(lambda: canonical_json(text)) < 100
    assert json.loads(canonical_json(text)) == json.loads(json.dumps(text))

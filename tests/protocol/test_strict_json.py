"""What is given to be signed is signed as it was given, or refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.protocol.canonical import MAX_SAFE_INTEGER, canonical_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.strict_json import parse_given

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f'{{"a": {MAX_SAFE_INTEGER + 1}}}', f"{MAX_SAFE_INTEGER + 1} would be rounded: write it as a text"),
        (f'{{"a": [{-MAX_SAFE_INTEGER - 1}]}}', "would be rounded"),
        ('{"a": 1e400}', "1e400 is larger than any number"),
        (f'{{"a": {"9" * 5000}}}', "is larger than any number"),
        ('{"a": {"b": 1, "b": 1}}', 'the key "b" stands there more than once'),
        ('{"a": Infinity}', "Infinity is no number in JSON"),
        ("7", "it must be an object"),
        ('{"a":' * 201 + "1" + "}" * 201, "nested deeper"),
        ('{"a":' * 100_000, "nested too deeply"),
        (b'{"a": "\xff"}', "it is not UTF-8 at byte 7"),
        ('{"a": ' + " " * 100 + "1}", "and 50 are allowed"),
        ('{\n"a" 1}', "line 2, column 5: expecting ':' delimiter"),
    ],
)
def test_what_would_not_be_what_was_given(text: str | bytes, says: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_given(text, max_bytes=50 if "allowed" in says else 1_000_000)
    assert says in caught.value.what


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
def test_what_is_taken_means_the_same_when_it_is_signed(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    try:
        taken = parse_given(text)
    except ProtocolError:
        return
    # Numbers are doubles for all who read them.
    assert json.loads(canonical_json(taken), parse_int=float) == json.loads(text, parse_int=float)


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_any_garbage_is_refused(data: bytes | str) -> None:
    try:
        parse_given(data)
    except ProtocolError:
        return
    assert isinstance(json.loads(data), dict)

"""The filter language: what it means, and that nothing typed breaks it."""

import operator
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.filters import (
    MOST_CHARACTERS,
    NO_FILTER,
    Fact,
    FieldKind,
    FilterError,
    matches,
    parse_filter,
)

FIELDS = {
    "name": FieldKind.TEXT,
    "state": FieldKind.CHOICE,
    "size": FieldKind.SIZE,
    "chunks": FieldKind.NUMBER,
    "added": FieldKind.TIME,
    "pinned": FieldKind.FLAG,
}
NOW = 1_000_000.0
ROW: dict[str, Fact] = {
    "name": "Brain scan.nwb",
    "state": "failed",
    "size": 1_500_000_000,
    "chunks": 75,
    "added": NOW - 3_000,
    "pinned": True,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("brain", True),
        ("spikes", False),
        ("BRAIN SCAN", True),
        ('"brain scan"', True),
        ('"scan brain"', False),
        ("!spikes", True),
        ("name:scan", True),
        ('name:"a,scan"', False),
        ('name:"a,b",scan', True),
        ("name=scan", False),
        ('name="brain scan.nwb"', True),
        ("fail", True),
        ("state:fail", False),
        ("state:failed", True),
        ("state:done,failed", True),
        ("!state:done,failed", False),
        ("size>1G", True),
        ("size>1.5GB", False),
        ("size>=1.5gb", True),
        ("size=1500MB", True),
        ("size<1T size>1k", True),
        ("chunks:75", True),
        ("chunks<75", False),
        ("added<1h", True),
        ("added>50m", False),
        ("added>=50m", True),
        ("pinned", True),
        ("!pinned", False),
        ("pinned:no", False),
        ("brain size<1G", False),
    ],
)
def test_what_a_filter_leaves(text: str, holds: bool) -> None:
    assert matches(parse_filter(text, FIELDS), ROW, NOW) is holds


def test_a_fact_that_is_missing_matches_nothing() -> None:
    assert not matches(parse_filter("size>0", FIELDS), {"size": None}, NOW)
    assert matches(parse_filter("!size>0", FIELDS), {}, NOW)


def test_a_pasted_uri_is_looked_for_by_its_hash() -> None:
    wanted = parse_filter(f"sha1://{'ab' * 20}/name.dat?manifest={'cd' * 20}", FIELDS)
    assert matches(wanted, {"sha1": "ab" * 20}, NOW)
    assert not matches(wanted, {"sha1": "cd" * 20}, NOW)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sizze>1", "did you mean size"),
        ("weight>1", "there are name, state"),
        ("size>x", "10M or 1.5GB"),
        ("size>1q", "size cannot be 1q"),
        ("added<soon", "90s, 5m"),
        ("chunks>1k", "12 or 0.5"),
        ("pinned:perhaps", "yes or no"),
        ("state>done", "neither more nor less"),
        ("name:", "lacks what to compare with"),
        ("name:a,,b", "lacks"),
        ("!", "says nothing"),
        ('a "b', "no partner"),
        ("x" * (MOST_CHARACTERS + 1), "too long"),
        ("x " * 60, "too many terms"),
        ("name:" + "x," * 60 + "x", "too many terms"),
    ],
)
def test_what_is_no_filter_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(FilterError) as raised:
        parse_filter(text, FIELDS)
    assert says in str(raised.value)


@given(st.text(max_size=60) | st.from_regex(r"!?[a-z]{1,7}[:=<>]{1,2}[0-9a-zA-Z\".,]{0,8}", fullmatch=True))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        wanted = parse_filter(text, FIELDS)
    except FilterError:
        return
    assert matches(wanted, ROW, NOW) in (True, False)
    assert parse_filter(wanted.text, FIELDS) == wanted


@given(st.sampled_from(sorted(FIELDS)), st.sampled_from(["a", "done", "12", "yes", "5"]))
def test_a_term_and_its_negation_never_agree(field: str, value: str) -> None:
    try:
        wanted = parse_filter(f"{field}:{value}", FIELDS)
    except FilterError:
        return
    assert matches(wanted, ROW, NOW) is not matches(parse_filter(f"!{field}:{value}", FIELDS), ROW, NOW)


_TEXTS = st.text(st.characters(blacklist_characters='"', blacklist_categories=("Cs", "Cc", "Z")), min_size=1)
_AMOUNTS = st.integers(0, 10**6)
_COMPARES: dict[str, Callable[[float, float], bool]] = {
    ":": operator.eq,
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@given(name=_TEXTS, wanted=st.lists(_TEXTS, min_size=1, max_size=3), op=st.sampled_from(":="))
def test_texts_are_compared_as_they_were_written(name: str, wanted: list[str], op: str) -> None:
    text = f"name{op}" + ",".join(f'"{part}"' for part in wanted)
    found = [part.lower() in name.lower() if op == ":" else part.lower() == name.lower() for part in wanted]
    if len(text) <= MOST_CHARACTERS:
        assert matches(parse_filter(text, FIELDS), {"name": name}, NOW) is any(found)
        assert matches(parse_filter(f"!{text}", FIELDS), {"name": name}, NOW) is not any(found)


@given(
    fact=_AMOUNTS,
    wanted=st.lists(_AMOUNTS, min_size=1, max_size=3),
    op=st.sampled_from(sorted(_COMPARES)),
    unit=st.sampled_from([("size", "kB", 1_000), ("chunks", "", 1), ("added", "h", 3_600)]),
)
def test_amounts_are_compared_as_they_were_written(
    fact: int, wanted: list[int], op: str, unit: tuple[str, str, int]
) -> None:
    field, name, factor = unit
    text = f"{field}{op}" + ",".join(f"{number}{name}" for number in wanted)
    facts: dict[str, Fact] = {field: NOW - fact * factor if field == "added" else fact * factor}
    holds = any(_COMPARES[op](fact, number) for number in wanted)
    assert matches(parse_filter(text, FIELDS), facts, NOW) is holds


@given(st.lists(st.sampled_from(["brain", "!spikes", "size>1G", "state:done", "!pinned", "added<1h"])))
def test_terms_side_by_side_must_all_hold(pieces: list[str]) -> None:
    each = [matches(parse_filter(piece, FIELDS), ROW, NOW) for piece in pieces]
    assert matches(parse_filter("  ".join(pieces), FIELDS), ROW, NOW) is all(each)


def test_nothing_typed_is_no_filter() -> None:
    assert not parse_filter("   ", FIELDS)
    assert parse_filter("", FIELDS) == NO_FILTER


@pytest.mark.parametrize(
    ("text", "holds"), [("84", False), ("ab84", True), ("sha1:84", False), ("sha1:AB8", True)]
)
def test_a_hash_is_looked_for_from_its_beginning(text: str, holds: bool) -> None:
    wanted = parse_filter(text, {"name": FieldKind.TEXT, "sha1": FieldKind.TEXT})
    assert matches(wanted, {"name": "spikes", "sha1": "ab84" + "0" * 36}, 0.0) is holds

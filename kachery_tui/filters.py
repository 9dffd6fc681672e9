"""One filter language for every list: `state:failed size>1G !from:box`, as text, as terms, and as a test on a row.

    word "two words"        rows in which any text has the word
    field:text              the field has the text in it; a choice is it; `a,b` is a or b, `"a,b"` a text with a comma
    field=text              the field is the text
    size>1G  age<2h         numbers; sizes in decimal units, times as how long ago
    pinned                  a flag
    !term                   not so

Terms side by side must all hold. Letter case makes no difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from kachery_tui.amounts import NUMBERS, SIZE_EXAMPLES, SIZES, SPAN_EXAMPLES, SPANS, read_amount
from kachery_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_CHARACTERS: Final = 1_000
MOST_TERMS: Final = 50
"""Each of `a,b` counts: to look for any of them takes its time."""

HASHES: Final = frozenset({"sha1"})
"""Fields, in whichever list, of hashes: what is looked for begins them, for any two digits stand somewhere in most."""

Fact = str | float | bool | None
"""What a row has in a field; times are Unix time in seconds, sizes bytes."""


class FieldKind(StrEnum):
    """What a field holds, which decides what can be asked of it."""

    TEXT = "text"
    CHOICE = "choice"
    SIZE = "size"
    NUMBER = "number"
    TIME = "time"
    FLAG = "flag"


class Op(StrEnum):
    """How a term compares. HAS is `:`: contained in a text, equal to anything else."""

    HAS = ":"
    IS = "="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; any of `values` will do. A bare word has no field.

    Of a TIME the value is an age in seconds, and LESS means younger.
    """

    field: str
    kind: FieldKind
    op: Op
    values: tuple[str | float | bool, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """All terms must hold; `text` is what was typed."""

    text: str = ""
    terms: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms)


NO_FILTER: Final = Filter()


class FilterError(UsageError):
    """A text is no filter."""


_PIECE: Final = re.compile(r'(?:"[^"]*"|[^\s"])+')
_TERM: Final = re.compile(r"(?P<field>[A-Za-z][\w.-]*)(?P<op><=|>=|[:=<>])(?P<value>.*)", re.DOTALL)
_COMMA: Final = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')
"""One that stands outside of quotes."""

_URI: Final = re.compile(r"sha1://(?P<sha1>[0-9a-f]{1,40})\S*")
"""A pasted URI is looked for by its hash: the name in it is but a suggestion."""

_FLAGS: Final = {"yes": True, "true": True, "no": False, "false": False}
_EXAMPLES: Final = {
    FieldKind.SIZE: SIZE_EXAMPLES,
    FieldKind.TIME: SPAN_EXAMPLES,
    FieldKind.NUMBER: "12 or 0.5",
    FieldKind.FLAG: "yes or no",
}


def parse_filter(text: str, fields: Mapping[str, FieldKind]) -> Filter:
    """A typed text as a filter on rows with these fields; `FilterError` says what is wrong with it."""
    if len(text) > MOST_CHARACTERS:
        raise FilterError("the filter is too long", f"{len(text):,} characters; {MOST_CHARACTERS:,} at most")
    pieces = _PIECE.findall(text)
    if text.count('"') % 2:
        raise FilterError('a " has no partner', "", 'Write "two words" with both')
    terms = tuple(_term(piece, fields) for piece in pieces)
    number = sum(len(term.values) for term in terms)
    if number > MOST_TERMS:
        raise FilterError("the filter has too many terms", f"{number}; {MOST_TERMS} at most")
    return Filter(text.strip(), terms)


def matches(wanted: Filter, facts: Mapping[str, Fact], now: float) -> bool:
    """Whether a row with these facts is one that the filter leaves. A fact that is missing or None matches nothing."""
    return all(_holds(term, facts, now) is not term.negated for term in wanted.terms)


def _term(piece: str, fields: Mapping[str, FieldKind]) -> Term:
    negated = piece.startswith("!")
    body = piece[1:] if negated else piece
    body = _URI.sub(r"\g<sha1>", body)
    found = _TERM.fullmatch(body)
    if found is None:
        word = body.replace('"', "")
        if not word:
            raise FilterError(f"{piece} says nothing", "", "Write a word after it")
        if fields.get(word.lower()) is FieldKind.FLAG:
            return Term(word.lower(), FieldKind.FLAG, Op.HAS, (True,), negated)
        return Term("", FieldKind.TEXT, Op.HAS, (word,), negated)
    name, op = found["field"].lower(), Op(found["op"])
    kind = fields.get(name)
    if kind is None:
        raise _no_such_field(found["field"], fields)
    if op not in (Op.HAS, Op.IS) and kind not in (FieldKind.SIZE, FieldKind.NUMBER, FieldKind.TIME):
        raise FilterError(f"{name} is neither more nor less than another", "", f"Write {name}:… instead")
    values = [part.replace('"', "") for part in _COMMA.split(found["value"])]
    if not all(part.strip() for part in values):
        raise FilterError(f"{name}{op} lacks what to compare with", "", f"Write {name}{op}{_example(kind)}")
    return Term(name, kind, op, tuple(_value(name, kind, part.strip()) for part in values), negated)


def _no_such_field(name: str, fields: Mapping[str, FieldKind]) -> FilterError:
    near = get_close_matches(name.lower(), fields, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(fields)}"
    return FilterError(f"no field {name} here", hint)


def _example(kind: FieldKind) -> str:
    return _EXAMPLES.get(kind, "word").split(" ")[0].rstrip(",")


def _value(name: str, kind: FieldKind, text: str) -> str | float | bool:
    if kind in (FieldKind.TEXT, FieldKind.CHOICE):
        return text
    if kind is FieldKind.FLAG:
        if text.lower() in _FLAGS:
            return _FLAGS[text.lower()]
    else:
        amount = read_amount(text, {FieldKind.SIZE: SIZES, FieldKind.TIME: SPANS}.get(kind, NUMBERS))
        if amount is not None:
            return amount
    raise FilterError(f"{name} cannot be {text}", "", f"Write {_EXAMPLES[kind]}")


def _holds(term: Term, facts: Mapping[str, Fact], now: float) -> bool:
    if not term.field:
        wanted = str(term.values[0]).lower()
        return any(_has(name, fact.lower(), wanted) for name, fact in facts.items() if isinstance(fact, str))
    fact = facts.get(term.field)
    if fact is None:
        return False
    return any(_compares(term, fact, value, now) for value in term.values)


def _has(name: str, text: str, wanted: str) -> bool:
    return text.startswith(wanted) if name in HASHES else wanted in text


def _compares(term: Term, fact: str | float | bool, value: str | float | bool, now: float) -> bool:
    if isinstance(fact, str):
        text, wanted = fact.lower(), str(value).lower()
        is_part = term.op is Op.HAS and term.kind is FieldKind.TEXT
        return _has(term.field, text, wanted) if is_part else wanted == text
    if isinstance(fact, bool) or isinstance(value, (bool, str)):
        return fact is value
    amount = now - fact if term.kind is FieldKind.TIME else fact
    match term.op:
        case Op.LESS:
            return amount < value
        case Op.AT_MOST:
            return amount <= value
        case Op.MORE:
            return amount > value
        case Op.AT_LEAST:
            return amount >= value
        case _:
            return amount == value

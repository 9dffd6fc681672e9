"""Filters and orders of the index as SQL. What a person typed only ever becomes a parameter."""

import json
import sqlite3
from array import array
from collections.abc import Collection, Mapping
from typing import Final

from kachery_tui.filters import FieldKind, Filter, Op, Term
from kachery_tui.storage.values import Order

ENTRY_FIELDS: Final[Mapping[str, FieldKind]] = {
    "name": FieldKind.TEXT,
    "size": FieldKind.SIZE,
    "added": FieldKind.TIME,
    "used": FieldKind.TIME,
    "from": FieldKind.TEXT,
    "state": FieldKind.CHOICE,
    "pinned": FieldKind.FLAG,
    "sha1": FieldKind.TEXT,
}
"""What a filter of the index can ask for; `state` is `file`, `link` or `void`."""

_COLUMNS: Final = {
    "name": "name",
    "size": "size",
    "added": "added",
    "used": "used",
    "from": "origin",
    "state": "kind",
    "pinned": "pinned",
    "sha1": "sha1",
}

_LOWER: Final = "lower_unicode"

_OPPOSITE: Final = {Op.LESS: ">", Op.AT_MOST: ">=", Op.MORE: "<", Op.AT_LEAST: "<="}
"""An age below something is a time above something."""


def column(order: Order) -> str:
    """The column of an order, of a closed set: safe to put into a statement."""
    return {"name": "name", "size": "size", "added": "added", "used": "used"}[order]


def ids_matching(db: sqlite3.Connection, where: Filter, order: Order, now: float) -> "array[int]":
    """The rows that a filter leaves, in order."""
    # SQLite by itself knows the two cases of the letters of ASCII alone.
    db.create_function(_LOWER, 1, str.lower, deterministic=True)
    values: list[object] = []
    conditions = " AND ".join(_condition(term, now, values) for term in where.terms) or "1"
    # The + here and in conditions keeps SQLite from walking along an index, row by row all over the file: to go
    # through all of it takes a tenth of the time.
    query = f"SELECT id FROM entries WHERE {conditions} ORDER BY +{column(order)}, id"  # noqa: S608 -- columns above
    return array("q", (row[0] for row in db.execute(query, values)))


def ids_to_go(db: sqlite3.Connection, gathered: float, stays: Collection[str], limit: int) -> list[int]:
    """The largest of the files that were not used for longest, as many of those as have `gathered` bytes; not `stays`."""
    # Sorting all files takes a second for a million; walking along the index of times, row by row, takes ten.
    query = """
        WITH files AS (
            SELECT id, size, used FROM entries NOT INDEXED
            WHERE kind = 'file' AND size > 0 AND NOT pinned AND sha1 NOT IN (SELECT value FROM json_each(?))
        ), summed AS (
            SELECT *, sum(size) OVER (ORDER BY used, id ROWS UNBOUNDED PRECEDING) - size AS before FROM files
        )
        SELECT id FROM summed WHERE before < ? ORDER BY size DESC, used, id LIMIT ?
    """
    return [int(row[0]) for row in db.execute(query, (json.dumps(list(stays)), gathered, limit))]


def _condition(term: Term, now: float, values: list[object]) -> str:
    parts = [_comparison(term, value, now, values) for value in term.values]
    joined = f"({' OR '.join(parts)})"
    return f"NOT {joined}" if term.negated else joined


def _comparison(term: Term, value: str | float | bool, now: float, values: list[object]) -> str:
    if not term.field:
        text = _utf8(value)
        values.extend((_like(text), text.lower(), f"{text.lower()}g"))
        return f"{_caseless('name', text)} LIKE ? ESCAPE '\\' OR (sha1 >= ? AND sha1 < ?)"
    name = _COLUMNS[term.field]
    if term.kind is FieldKind.TEXT and term.op is Op.HAS:
        if term.field == "sha1":
            values.extend((_utf8(value).lower(), f"{_utf8(value)}g".lower()))
            return "(sha1 >= ? AND sha1 < ?)"
        values.append(_like(_utf8(value)))
        return f"{_caseless(name, _utf8(value))} LIKE ? ESCAPE '\\'"
    if term.kind in (FieldKind.TEXT, FieldKind.CHOICE):
        values.append(_utf8(value).lower())
        return f"{_caseless(name, _utf8(value))} = ? COLLATE NOCASE"
    if term.kind is FieldKind.TIME:
        values.append(now - float(value))
        return f"+{name} {_OPPOSITE.get(term.op, '=')} ?"
    values.append(value)
    return f"+{name} {'=' if term.op in (Op.HAS, Op.IS) else term.op} ?"


def _utf8(value: object) -> str:
    """A text as SQLite takes it. File names may hold bytes that are none; the index has a ? for each."""
    return str(value).encode("utf-8", "replace").decode()


def _caseless(name: str, text: str) -> str:
    """The column to compare `text` with: as it is where SQLite can tell its letters, which is much quicker."""
    return name if text.isascii() else f"{_LOWER}({name})"


def _like(text: str) -> str:
    return "%" + text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"

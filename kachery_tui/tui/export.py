"""The rows of a list as a file: CSV or JSON, by the ending of its name."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kachery_tui.config.reading import write_private
from kachery_tui.tui.cells import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Table = tuple["Sequence[str]", "Sequence[Sequence[str]]"]
"""Titles, and the texts of each row."""

_FORMULA: Final = ("=", "+", "-", "@")


def as_csv(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """As CSV, in UTF-8. Texts come from other nodes: one that a spreadsheet would run has an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(titles)
    writer.writerows([_harmless(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _harmless(value: str) -> str:
    value = plain(value)
    return f"'{value}" if value.startswith(_FORMULA) else value


def as_json(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """As a JSON list with an object for each row, its texts as they are."""
    return json.dumps([dict(zip(titles, row, strict=False)) for row in rows], indent=1).encode()


FORMATS: Final[Mapping[str, Callable[[Sequence[str], Sequence[Sequence[str]]], bytes]]] = {
    ".csv": as_csv,
    ".json": as_json,
}


def name_problem(text: str) -> str:
    """Why a name is not one to export to, as far as the name tells; empty if it is."""
    return "" if Path(text).suffix.lower() in FORMATS else "the name must end in .csv or .json"


def place_problem(text: str, folder: Path) -> str:
    """Why nothing can be written to a path; empty if something can. Looks at the disk."""
    try:
        path = target(text, folder)
        if path.is_dir():
            return f"a folder: {path}"
        return "" if path.parent.is_dir() else f"no such folder: {path.parent}"
    except (OSError, RuntimeError, ValueError) as error:
        return str(error)


def target(text: str, folder: Path) -> Path:
    """What was typed as a path, which starts in `folder` unless it says otherwise.

    Raises `RuntimeError` where ~ leads nowhere.
    """
    return folder / Path(text).expanduser()


def write_table(path: Path, table: Table) -> None:
    """Write a table whole or not at all, for its owner's eyes: a URI in it is all that it takes to get a file.

    Raises `KacheryError`.
    """
    titles, rows = table
    named = [title or f"column {number}" for number, title in enumerate(titles, 1)]
    write_private(path, FORMATS[path.suffix.lower()](named, rows))

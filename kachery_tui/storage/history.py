"""The SQLite file with the requests of earlier runs, each as a text that only the node understands.

It is apart from the index, which may be thrown away at any time: nothing else remembers what is kept here.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kachery_tui.storage.kept import KeptDatabase
from kachery_tui.storage.modes import PRIVATE, Modes

KEPT_ENDED: Final = 1_000
"""Ended rows that are kept, those with the highest numbers."""

KEPT_IN_ALL: Final = 3 * KEPT_ENDED
"""Rows that are read, those under way when the program was killed among them."""

LONGEST_DATA: Final = 65_536
"""Characters of one row."""

MOST_NUMBER: Final = 2**53
"""A number above this was not written by this program, and counting on from there would end soon."""

_SCHEMA: Final = """
-- `ended` is null as long as a request is under way; `seen` is when the row was written; both are Unix time.
CREATE TABLE requests (
    number INTEGER PRIMARY KEY,
    ended REAL,
    seen REAL NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX requests_ended ON requests (number) WHERE ended IS NOT NULL;
"""

_UPSERT: Final = """
INSERT INTO requests (number, ended, seen, data) VALUES (?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE SET ended = excluded.ended, seen = excluded.seen, data = excluded.data
"""

_TRIM: Final = """
DELETE FROM requests WHERE ended IS NOT NULL AND number <= (
    SELECT number FROM requests WHERE ended IS NOT NULL ORDER BY number DESC LIMIT 1 OFFSET ?
)
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """One request as it is kept. `seen` is when it was written, in Unix time; `ended` is None while under way."""

    number: int
    ended: float | None
    seen: float
    data: str


class History:
    """The kept requests of a storage folder. Methods block on the disk, and are safe from any thread.

    They raise `KacheryError`, or `TryAgain` where the file stays locked. A damaged file is moved aside, never
    removed, and a new one begun.
    """

    def __init__(self, path: Path, modes: Modes = PRIVATE) -> None:
        self._db = KeptDatabase(
            path,
            _SCHEMA,
            "SELECT number, ended, seen, data FROM requests LIMIT 1",
            name="the history of requests",
            lost="Requests are not remembered",
            modes=modes,
        )

    @property
    def begun_anew(self) -> int:
        """How often a file was damaged, or taken away by somebody: what had been saved has to be saved again."""
        return self._db.begun_anew

    def highest(self) -> int:
        """The highest number that is taken; 0 where none is. Creates nothing."""
        if not self._db.exists:
            return 0
        query = "SELECT max(number) FROM requests WHERE number <= ?"
        return int(self._db.read(lambda db: db.execute(query, (MOST_NUMBER,)).fetchone()[0]) or 0)

    def load(self) -> list[Kept]:
        """All that is kept, the oldest first; rows that this program cannot have written are left out."""
        if not self._db.exists:
            return []
        query = (
            "SELECT number, ended, seen, data FROM requests WHERE number BETWEEN 1 AND ? AND length(data) <= ?"
            " ORDER BY number DESC LIMIT ?"
        )
        rows = self._db.read(
            lambda db: db.execute(query, (MOST_NUMBER, LONGEST_DATA, KEPT_IN_ALL)).fetchall()
        )
        return [
            Kept(number, ended, seen, data)
            for number, ended, seen, data in reversed(rows)
            if isinstance(ended, float | None) and isinstance(seen, float) and isinstance(data, str)
        ]

    def save(self, rows: Sequence[Kept]) -> None:
        """Write rows, new ones and such as have changed, and drop what is too old to be kept. All of it or nothing."""
        values = [(row.number, row.ended, row.seen, row.data) for row in rows]

        def work(db: sqlite3.Connection) -> None:
            db.executemany(_UPSERT, values)
            db.execute(_TRIM, (KEPT_ENDED,))

        self._db.write(work)

    def close(self) -> None:
        """Let go of the file; the next call opens it anew."""
        self._db.close()

"""What is known of files whose bytes were read and found to be right: the table `vouched` of the index.

A file that still looks as it did then need not be read again: its size and the time of its last change are taken for its
bytes, as build tools and backup programs do.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kachery_tui.storage.index_rows import stored_text

if TYPE_CHECKING:
    from kachery_tui.storage.links import Link


@dataclass(frozen=True, slots=True)
class Looks:
    """What a file looks like without being read: its size in bytes, its last change as Unix time in seconds.

    `path` is where a link leads to; it is empty for a file in storage, which has its place by its hash.
    """

    path: str
    size: int
    mtime: float

    @classmethod
    def of_file(cls, path: Path) -> "Looks | None":
        """A file of the storage folder; None if it cannot be looked at."""
        try:
            status = path.stat()
        except OSError:
            return None
        return cls("", status.st_size, status.st_mtime)

    @classmethod
    def of_link(cls, link: "Link") -> "Looks":
        """What a link says of the file that it leads to."""
        return cls(stored_text(str(link.path)), link.size, link.mtime)


def vouch(db: sqlite3.Connection, sha1: str, seen: Looks) -> None:
    """Note that a file that looks like this has these bytes."""
    row = (sha1, seen.path, seen.size, seen.mtime)
    db.execute("INSERT OR REPLACE INTO vouched VALUES (?, ?, ?, ?)", row)


def is_vouched(db: sqlite3.Connection, sha1: str, seen: Looks) -> bool:
    """Whether a file that looked the same was found to have these bytes."""
    found = db.execute("SELECT path, size, mtime FROM vouched WHERE sha1 = ?", (sha1,)).fetchone()
    return found is not None and tuple(found) == (seen.path, seen.size, seen.mtime)

"""What the folder holds, to be looked at in any order: names, sizes, times and origins of a million files.

The folder is the truth; this is rebuilt from it whenever it is missing or behind.
"""

import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from kachery_tui.errors import TryAgain
from kachery_tui.filters import NO_FILTER, Filter
from kachery_tui.storage.database import Database
from kachery_tui.storage.index_query import column, ids_to_go
from kachery_tui.storage.index_rows import COLUMNS, UPSERT, entry_of, kind_of, row_of, sha1_of, stored_text
from kachery_tui.storage.modes import PRIVATE, Modes
from kachery_tui.storage.search import Search
from kachery_tui.storage.values import Check, Entry, EntryKind, Order, Totals
from kachery_tui.storage.vouched import Looks, is_vouched, vouch


class Index:
    """The index of a storage folder. Methods block on the disk; call them from a thread, never the event loop."""

    def __init__(self, path: Path, modes: Modes = PRIVATE) -> None:
        self._db = Database(path, modes)
        self._version_lock = threading.Lock()
        self._seen = (0, 0)
        self._version = 0
        self._search = Search(self._db)

    @property
    def version(self) -> int:
        """Grows with every change that this process made or, in `page`, `count` or `totals`, came across."""
        with self._version_lock:
            return self._version + self._db.changes

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    # -- looking --------------------------------------------------------------------------------------------

    def page(
        self,
        *,
        order: Order,
        descending: bool = False,
        where: Filter = NO_FILTER,
        offset: int = 0,
        limit: int = 200,
        check: Check | None = None,
    ) -> list[Entry]:
        """Up to `limit` entries from `offset` on.

        `where` has terms on `ENTRY_FIELDS`; a bare word stands for a part of the name, or for how the sha1 begins.
        Through a million files that takes up to seconds; meanwhile `check` is called, and a newer filter goes first.
        """
        state = self._notice()
        offset, limit = max(0, offset), max(0, limit)
        picked: Sequence[int]
        if where:
            ids = self._search.ids(where, order, state, check)
            stop = len(ids) - offset
            picked = (
                ids[max(0, stop - limit) : max(0, stop)][::-1] if descending else ids[offset : offset + limit]
            )
        else:
            picked = self._db.read(lambda db: _ids_at(db, order, descending, offset, limit))
        return self._entries(picked)

    def count(self, where: Filter = NO_FILTER, *, check: Check | None = None) -> int:
        """How many entries `page` goes through in all."""
        state = self._notice()
        if where:
            return len(self._search.ids(where, None, state, check))
        return self._db.read(_count)

    def totals(self, limit: int | None = None) -> Totals:
        """The sums; cheap however many files there are. `limit` is passed on."""
        self._notice()

        def work(db: sqlite3.Connection) -> Totals:
            row = db.execute("SELECT files, bytes, links, trash_bytes FROM totals").fetchone()
            return Totals(int(row[0]), int(row[1]), int(row[2]), max(0, int(row[3])), limit)

        return self._db.read(work)

    def get(self, sha1: str) -> Entry | None:
        """One entry."""
        query = f"SELECT {COLUMNS} FROM entries WHERE sha1 = ?"  # noqa: S608 -- the column names above
        return self._db.read(
            lambda db: next((entry_of(row) for row in db.execute(query, (sha1,)).fetchall()), None)
        )

    def resembles(self, name: str, size: int) -> bool:
        """Whether a file of this name and size is here: then a file to be stored may well be the same."""
        query = "SELECT 1 FROM entries WHERE name = ? AND size = ? AND kind = 'file' LIMIT 1"
        try:
            return (
                self._db.read(lambda db: db.execute(query, (stored_text(name), size)).fetchone()) is not None
            )
        except TryAgain:
            return False

    def oldest(self) -> Iterator[Entry]:
        """All files, not links, the longest unused first."""
        query = (
            f"SELECT id, {COLUMNS} FROM entries WHERE kind = 'file' AND (used, id) > (?, ?)"  # noqa: S608 -- see above
            " ORDER BY used, id LIMIT 1000"
        )

        def page(after: tuple[float, int]) -> list[tuple[int, Entry]]:
            return self._db.read(lambda db: [(row[0], entry_of(row[1:])) for row in db.execute(query, after)])

        after = (float("-inf"), 0)
        while found := page(after):
            yield from (entry for _, entry in found)
            after = (found[-1][1].used, found[-1][0])

    def to_go(self, gathered: float, stays: Collection[str], limit: int) -> list[Entry]:
        """Of the files that were not used for longest, as many as have `gathered` bytes, the largest, `limit` at most.

        Without the pinned and those that are to stay. Takes a second for a million files.
        """
        return self._entries(self._db.search(lambda db: ids_to_go(db, gathered, stays, limit)))

    # -- changing -------------------------------------------------------------------------------------------

    def record(
        self,
        sha1: str,
        size: int,
        kind: EntryKind,
        *,
        name: str = "",
        origin: str = "",
        manifest_sha1: str | None = None,
        pinned: bool = False,
        seen: Looks | None = None,
    ) -> None:
        """A file or link is here now, and used now. What an earlier entry knew and this one does not, stays.

        `seen` is what it looked like when its bytes were found to be right.
        """
        now = time.time()
        entry = Entry(sha1, size, name, now, now, origin, pinned, kind, manifest_sha1)

        def work(db: sqlite3.Connection) -> None:
            db.execute(UPSERT, row_of(entry))
            if seen is not None:
                vouch(db, sha1, seen)

        self._db.write(work)

    def vouch(self, sha1: str, seen: Looks) -> None:
        """The bytes of a file that looks like this have been read, and have this hash."""
        self._db.write(lambda db: vouch(db, sha1, seen))

    def is_vouched(self, sha1: str, seen: Looks) -> bool:
        """Whether `vouch` was called for a file that looked the same."""
        return self._db.read(lambda db: is_vouched(db, sha1, seen))

    def forget(self, sha1: str) -> None:
        """A file or link is gone."""
        self._db.write(lambda db: db.execute("DELETE FROM entries WHERE sha1 = ?", (sha1,)) and None)

    def move_to_trash(self, sha1: str) -> None:
        """A file or link went to the trash: what was known of it is kept apart, for it may come back."""

        def work(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR REPLACE INTO trashed SELECT sha1, name, added, origin, manifest_sha1 FROM entries"
                " WHERE sha1 = ?",
                (sha1,),
            )
            db.execute("DELETE FROM entries WHERE sha1 = ?", (sha1,))

        self._db.write(work)

    def move_from_trash(self, sha1: str) -> None:
        """A file or link that has just been recorded came out of the trash: what was known of it is known again."""

        def work(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE entries SET name = t.name, added = t.added, origin = t.origin,"
                " manifest_sha1 = coalesce(t.manifest_sha1, entries.manifest_sha1)"
                " FROM trashed AS t WHERE entries.sha1 = t.sha1 AND t.sha1 = ?",
                (sha1,),
            )
            db.execute("DELETE FROM trashed WHERE sha1 = ?", (sha1,))

        self._db.write(work)

    def forget_trashed(self, sha1: str) -> None:
        """A file is in the trash no longer, and did not come back from there."""
        self._db.write(lambda db: db.execute("DELETE FROM trashed WHERE sha1 = ?", (sha1,)) and None)

    def forget_trash(self) -> None:
        """The trash was emptied."""
        self._db.write(lambda db: db.execute("DELETE FROM trashed") and None)

    def names_in_trash(self) -> dict[str, str]:
        """What the files in the trash were called, as far as that is known."""
        query = "SELECT sha1, name FROM trashed WHERE name != ''"
        return self._db.read(lambda db: {str(sha1): str(name) for sha1, name in db.execute(query)})

    def known(self, sha1s: Sequence[str]) -> dict[str, tuple[str, EntryKind]]:
        """Name and kind of those of these files that have an entry; the name is empty where nobody gave one."""
        query = "SELECT name, kind FROM entries WHERE sha1 = ?"

        def work(db: sqlite3.Connection) -> dict[str, tuple[str, EntryKind]]:
            rows = ((sha1, db.execute(query, (sha1,)).fetchone()) for sha1 in sha1s)
            return {sha1: (str(row[0]), row[1]) for sha1, row in rows if row is not None}

        return self._db.read(work)

    def described(self, sha1s: Sequence[str]) -> dict[str, str]:
        """Of those of these files that are manifests, the name of the file that each is of; its sha1 if it has none."""
        query = (
            "SELECT CASE WHEN name != '' THEN name ELSE sha1 END FROM entries WHERE manifest_sha1 = ? LIMIT 1"
        )

        def work(db: sqlite3.Connection) -> dict[str, str]:
            rows = ((sha1, db.execute(query, (sha1,)).fetchone()) for sha1 in sha1s)
            return {sha1: str(row[0]) for sha1, row in rows if row is not None}

        return self._db.read(work)

    def with_manifests(self, limit: int) -> list[tuple[str, str]]:
        """Hash and name of the files that travel in chunks, `limit` at most, those that were used last first."""
        query = (
            "SELECT sha1, name FROM entries WHERE manifest_sha1 IS NOT NULL AND kind != 'void'"
            " ORDER BY used DESC LIMIT ?"
        )
        return self._db.read(
            lambda db: [(sha1_of(sha1), str(name)) for sha1, name in db.execute(query, (limit,))]
        )

    def touch(self, sha1: str) -> None:
        """A file was used just now."""
        now = time.time()
        self._db.write(
            lambda db: db.execute("UPDATE entries SET used = ? WHERE sha1 = ?", (now, sha1)) and None
        )

    def set_pinned(self, sha1: str, pinned: bool) -> None:
        """Show a file as pinned or not."""
        statement = "UPDATE entries SET pinned = ? WHERE sha1 = ?"
        self._db.write(lambda db: db.execute(statement, (pinned, sha1)) and None)

    def set_link_kind(self, sha1: str, holds: bool) -> None:
        """A link holds, or is void; an entry that is a file stays one."""
        kind, other = ("link", "void") if holds else ("void", "link")
        statement = "UPDATE entries SET kind = ? WHERE sha1 = ? AND kind = ?"
        try:
            entry = self.get(sha1)
        except TryAgain:
            return
        if entry is not None and entry.kind == other:
            self._db.write(lambda db: db.execute(statement, (kind, sha1, other)) and None)

    def add_trash(self, size: int) -> None:
        """The trash grew by `size` bytes, or shrank if that is negative."""
        statement = "UPDATE totals SET trash_bytes = max(0, trash_bytes + ?)"
        self._db.write(lambda db: db.execute(statement, (size,)) and None)

    def set_trash(self, size: int) -> None:
        """The trash holds `size` bytes."""
        if self.totals().trash_bytes != size:
            self._db.write(lambda db: db.execute("UPDATE totals SET trash_bytes = ?", (size,)) and None)

    # -- for the scan ---------------------------------------------------------------------------------------

    def was_scanned(self) -> bool:
        """Whether a scan has looked through the folder, or part of it, since the index was begun."""
        return self._db.read(lambda db: db.execute("SELECT 1 FROM folders LIMIT 1").fetchone()) is not None

    def folders(self, first: int, last: int) -> dict[int, int]:
        """The times of last change (nanoseconds) of the folders whose numbers are from `first` up to `last`."""
        query = "SELECT id, mtime_ns FROM folders WHERE id BETWEEN ? AND ?"
        return dict(self._db.read(lambda db: db.execute(query, (first, last)).fetchall()))

    def below(self, prefix: str) -> dict[str, tuple[int, EntryKind]]:
        """Size and kind of the entries whose hash begins with `prefix`."""
        query = "SELECT sha1, size, kind FROM entries WHERE sha1 >= ? AND sha1 < ?"

        def work(db: sqlite3.Connection) -> dict[str, tuple[int, EntryKind]]:
            rows = db.execute(query, (prefix, prefix + "g"))
            return {str(sha1): (int(size), kind_of(kind)) for sha1, size, kind in rows}

        return self._db.read(work)

    def prefixes(self, prefix: str, length: int) -> set[str]:
        """The different beginnings, of `length` digits, of the hashes that begin with `prefix`."""
        query = "SELECT DISTINCT substr(sha1, 1, ?) FROM entries WHERE sha1 >= ? AND sha1 < ?"
        rows = self._db.read(lambda db: db.execute(query, (length, prefix, prefix + "g")).fetchall())
        return {str(row[0]) for row in rows}

    def linked(self) -> list[tuple[str, EntryKind]]:
        """The hashes that stand for links, void or not."""
        query = "SELECT sha1, kind FROM entries WHERE kind != 'file'"
        return self._db.read(lambda db: [(sha1_of(sha1), kind_of(kind)) for sha1, kind in db.execute(query)])

    def apply(
        self,
        found: Sequence[Entry],
        gone: Sequence[str],
        folders: Sequence[tuple[int, int]],
        manifests: Sequence[tuple[str, str]],
    ) -> None:
        """Take over a part of a scan: entries found or changed, entries gone, folders read, manifests of files.

        A folder with a negative time is gone.
        """

        def work(db: sqlite3.Connection) -> None:
            db.executemany(UPSERT, [row_of(entry) for entry in found])
            db.executemany("DELETE FROM entries WHERE sha1 = ?", [(sha1,) for sha1 in gone])
            db.executemany("INSERT OR REPLACE INTO folders VALUES (?, ?)", [f for f in folders if f[1] >= 0])
            db.executemany("DELETE FROM folders WHERE id = ?", [(f[0],) for f in folders if f[1] < 0])
            db.executemany(
                "UPDATE entries SET manifest_sha1 = ? WHERE sha1 = ? AND manifest_sha1 IS NULL",
                [(manifest, sha1) for sha1, manifest in manifests],
            )

        self._db.write(work)

    # -- inside ---------------------------------------------------------------------------------------------

    def _notice(self) -> tuple[int, int]:
        """The state of the database, by our changes and those of others; moves `version` on with the latter."""
        state = (self._db.changes, self._db.foreign_changes())
        with self._version_lock:
            if state != self._seen:
                if state[0] == self._seen[0]:
                    self._version += 1
                self._seen = state
        return state

    def _entries(self, ids: Sequence[int]) -> list[Entry]:
        query = f"SELECT id, {COLUMNS} FROM entries WHERE id = ?"  # noqa: S608 -- the column names above

        def work(db: sqlite3.Connection) -> list[Entry]:
            rows = (db.execute(query, (id_,)).fetchone() for id_ in ids)
            return [entry_of(row[1:]) for row in rows if row]

        return self._db.read(work)


def _count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT entries FROM totals").fetchone()[0])


def _ids_at(db: sqlite3.Connection, order: Order, descending: bool, offset: int, limit: int) -> list[int]:
    total = _count(db)
    limit = min(limit, max(0, total - offset))
    if not limit:
        return []
    # SQLite walks over what is skipped, so come from the nearer end.
    from_end = offset > total // 2
    skip = total - offset - limit if from_end else offset
    way = "DESC" if descending != from_end else "ASC"
    rows = db.execute(
        f"SELECT id FROM entries ORDER BY {column(order)} {way}, id {way} LIMIT ? OFFSET ?",  # noqa: S608 -- closed set
        (limit, skip),
    ).fetchall()
    ids = [int(row[0]) for row in rows]
    return ids[::-1] if from_end else ids

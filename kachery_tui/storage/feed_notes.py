"""What this program knows of feeds beside the old daemon's files.

The names of subfeeds, which are followed, and how far each was verified.
"""

import sqlite3
import time
from pathlib import Path
from typing import Final

from kachery_tui.protocol.canonical import has_lone_surrogate
from kachery_tui.protocol.hashes import is_node_id, is_sha1
from kachery_tui.protocol.uris import is_hash_name, subfeed_hash
from kachery_tui.storage.kept import KeptDatabase
from kachery_tui.storage.modes import PRIVATE, Modes
from kachery_tui.storage.values import CheckedChain, Followed

MOST_NAMES: Final = 100_000
MOST_FOLLOWS: Final = 1_000

_SCHEMA: Final = """
-- A subfeed's hash stands for its name everywhere else; `since` is Unix time; `channel` is null where any will do.
CREATE TABLE names (hash TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE follows (
    feed TEXT NOT NULL,
    hash TEXT NOT NULL,
    channel TEXT,
    since REAL NOT NULL,
    PRIMARY KEY (feed, hash)
) WITHOUT ROWID;
"""

# Not in the schema: files of earlier versions are without it.
_CHECKED: Final = """
CREATE TABLE IF NOT EXISTS checked (
    feed TEXT NOT NULL,
    hash TEXT NOT NULL,
    count INTEGER NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (feed, hash)
) WITHOUT ROWID;
"""


class FeedNotes:
    """Names, follows and checks of a storage folder. Methods block on the disk; they raise as `KeptDatabase` does."""

    def __init__(self, path: Path, modes: Modes = PRIVATE) -> None:
        self._db = KeptDatabase(
            path,
            _SCHEMA,
            "SELECT f.feed, f.hash, f.channel, f.since, n.hash, n.name FROM follows AS f, names AS n LIMIT 1",
            name="the notes on feeds",
            lost="Names of subfeeds and what is followed are not remembered",
            modes=modes,
        )

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def learn(self, name: str) -> None:
        """Remember a subfeed's name; one that stands for a hash itself, or is no text, tells nothing."""
        if is_hash_name(name) or has_lone_surrogate(name):
            return
        hash_ = subfeed_hash(name)
        self._db.write(lambda db: db.execute("INSERT OR IGNORE INTO names VALUES (?, ?)", (hash_, name)))

    def names(self) -> dict[str, str]:
        """Names by hash."""
        if not self._db.exists:
            return {}
        rows = self._db.read(
            lambda db: db.execute("SELECT hash, name FROM names LIMIT ?", (MOST_NAMES,)).fetchall()
        )
        # A name that was put there by another hand must still be the one of its hash.
        return {hash_: name for hash_, name in rows if isinstance(name, str) and subfeed_hash(name) == hash_}

    def follow(self, feed_id: str, hash_: str, channel: str | None) -> None:
        """Remember that a subfeed is followed."""

        def work(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO follows VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET channel = excluded.channel",
                (feed_id, hash_, channel, time.time()),
            )

        self._db.write(work)

    def unfollow(self, feed_id: str, hash_: str) -> None:
        """Remember that it is followed no more."""
        self._db.write(
            lambda db: db.execute("DELETE FROM follows WHERE feed = ? AND hash = ?", (feed_id, hash_))
        )

    def follows(self) -> list[Followed]:
        """What is followed, the oldest first."""
        if not self._db.exists:
            return []
        query = "SELECT feed, hash, channel, since FROM follows ORDER BY since LIMIT ?"
        rows = self._db.read(lambda db: db.execute(query, (MOST_FOLLOWS,)).fetchall())
        return [
            Followed(feed, hash_, channel if isinstance(channel, str) else None)
            for feed, hash_, channel, _ in rows
            if is_node_id(feed) and is_sha1(hash_)
        ]

    def remember_check(self, feed_id: str, hash_: str, found: CheckedChain) -> None:
        """Remember how far a subfeed was verified."""

        def work(db: sqlite3.Connection) -> None:
            db.execute(_CHECKED)
            db.execute(
                "INSERT OR REPLACE INTO checked VALUES (?, ?, ?, ?)",
                (feed_id, hash_, found.count, found.digest),
            )

        self._db.write(work)

    def checked(self, feed_id: str, hash_: str) -> CheckedChain | None:
        """How far a subfeed was verified; None where that was not done, or makes no sense."""
        if not self._db.exists:
            return None

        def work(db: sqlite3.Connection) -> tuple[object, ...] | None:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'checked'").fetchone():
                return None
            query = "SELECT count, digest FROM checked WHERE feed = ? AND hash = ?"
            found: tuple[object, ...] | None = db.execute(query, (feed_id, hash_)).fetchone()
            return found

        match self._db.read(work):
            case (int(count), str(digest)) if count > 0:
                return CheckedChain(count, digest)
        return None

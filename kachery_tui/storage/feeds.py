"""The feeds of a storage folder: `feeds.db` as the old daemon has it (PROTOCOL.md § The storage folder)."""

import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from kachery_tui.errors import NotAllowed, UsageError
from kachery_tui.protocol.canonical import JsonObject, has_lone_surrogate
from kachery_tui.protocol.feeds import (
    START,
    BadMessage,
    Fault,
    Head,
    SignedMessage,
    sign_messages,
)
from kachery_tui.protocol.hashes import is_node_id, is_sha1
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.uris import SubfeedUri
from kachery_tui.storage.feed_keys import FeedKeys, check_name
from kachery_tui.storage.feeds_reading import read_feeds, read_names
from kachery_tui.storage.old_database import OldDatabase
from kachery_tui.storage.values import FeedInfo, SubfeedInfo

MOST_SUBFEEDS: Final = 10_000
"""Subfeeds that are listed."""

MOST_AT_ONCE: Final = 10_000
"""Messages that one call reads or appends."""

# What the old daemon makes.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS feeds (
    feedId TEXT PRIMARY KEY NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subfeeds (
    feedId TEXT NOT NULL,
    subfeedHash TEXT NOT NULL,
    PRIMARY KEY(feedId, subfeedHash),
    FOREIGN KEY (feedId)
    REFERENCES feeds (feedId)
        ON UPDATE CASCADE
        ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subfeedMessages (
    feedId TEXT NOT NULL,
    subfeedHash TEXT NOT NULL,
    position INTEGER NOT NULL,
    message TEXT,
    PRIMARY KEY(feedId, subfeedHash, position),
    FOREIGN KEY (feedId, subfeedHash)
        REFERENCES subfeeds (feedId, subfeedHash)
            ON UPDATE CASCADE
            ON DELETE CASCADE
) WITHOUT ROWID;
"""

# SQLite keeps anything in any column: rows that are not at a whole number are not the old daemon's, nor ours.
_LAST: Final = """
SELECT position, message FROM subfeedMessages
WHERE feedId = ? AND subfeedHash = ? AND position >= 0 AND typeof(position) = 'integer'
ORDER BY position DESC LIMIT 1
"""

_READ: Final = """
SELECT position, CAST(message AS BLOB) FROM subfeedMessages
WHERE feedId = ? AND subfeedHash = ? AND position >= ? AND typeof(position) = 'integer'
ORDER BY position LIMIT ?
"""

# By the key alone: counting would read every message of a large feed.
_SUBFEEDS: Final = """
SELECT s.feedId, s.subfeedHash,
    (SELECT m.position + 1 FROM subfeedMessages AS m
     WHERE m.feedId = s.feedId AND m.subfeedHash = s.subfeedHash
        AND m.position >= 0 AND typeof(m.position) = 'integer'
     ORDER BY m.position DESC LIMIT 1) AS count
FROM subfeeds AS s LIMIT ?
"""


class FeedStore:
    """Feeds on this node's disk. Methods block, are safe from any thread and beside other programs on the folder.

    What is appended or kept is on disk when the call returns. Errors are `TryAgain` (locked by another program),
    `UsageError` (damaged, or asked for what cannot be), `KacheryError`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._db = OldDatabase(folder / "feeds.db", _SCHEMA)
        self._keys = FeedKeys(folder / "mutables.db")
        self._own: dict[str, PrivateKey] = {}
        self._own_stamp = (0, 0)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()
        self._keys.close()

    # -- own feeds --------------------------------------------------------------------------------------------

    def create(self, name: str = "") -> str:
        """Make a feed of this node's own; its id. `UsageError` for a name that is taken or cannot be one."""
        if name:
            check_name(name)
        key = PrivateKey.generate()

        def work(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR IGNORE INTO feeds VALUES (?)", (key.node_id,))
            # Within, so that a name is not taken by a feed that could not be made.
            self._keys.add(key, name)

        self._db.write(work)
        return key.node_id

    def named(self, name: str) -> str | None:
        """The id of the feed of that name, None if there is none."""
        return self._keys.feed_of(name)

    def resolve(self, text: str) -> SubfeedUri:
        """What a person named: a URI, or the name of a feed that is here (`name`, `name/subfeed`).

        Raises `UsageError`.
        """
        if "://" in text:
            return SubfeedUri.parse(text)
        if has_lone_surrogate(text):
            raise UsageError(f"{text!r} names no feed", "it is not UTF-8")
        parts = text.split("/")
        # The old programs also gave names that have a slash in them.
        for end in range(1, len(parts) + 1):
            feed_id = self.named("/".join(parts[:end]))
            if feed_id is not None:
                return SubfeedUri(feed_id, "/".join(parts[end:]) or None)
        raise UsageError(
            f"no feed {parts[0]!r} here",
            "it is neither a URI nor the name of a feed of this node",
            "See `kachery-tui feed list`",
        )

    def is_own(self, feed_id: str) -> bool:
        """Whether the feed's private key is here, so that this node can write to it."""
        return self.own_key(feed_id) is not None

    def append(self, feed_id: str, subfeed_hash: str, messages: Sequence[JsonObject]) -> list[SignedMessage]:
        """Sign messages and add them to a subfeed of an own feed, all of them or none.

        Raises `NotAllowed` if the feed is another's, `ProtocolError` for a message that cannot be one.
        """
        key = self.own_key(feed_id)
        if key is None:
            raise NotAllowed(
                f"cannot append to feed {feed_id[:12]}…",
                "it is another's: its private key is not here",
                "Append on the node that made it, or create a feed of your own",
            )
        if len(messages) > MOST_AT_ONCE:
            raise UsageError(
                "too many messages at once", f"{len(messages):,}, and {MOST_AT_ONCE:,} are taken"
            )

        def work(db: sqlite3.Connection) -> list[SignedMessage]:
            head = _head(db, feed_id, subfeed_hash)
            signed = sign_messages(key, head, messages, time.time_ns() // 1_000_000)
            _insert(db, feed_id, subfeed_hash, signed)
            return signed

        return self._db.write(work)

    def delete(self, feed_id: str) -> None:
        """Remove a feed with all that is kept of it, for good: messages, name and private key."""
        # The key goes first: with it, and without the messages, the feed would begin anew for whoever appends.
        self._keys.remove(feed_id)
        self._db.write(lambda db: db.execute("DELETE FROM feeds WHERE feedId = ?", (feed_id,)))
        with self._lock:
            self._own.pop(feed_id, None)

    # -- others' feeds ----------------------------------------------------------------------------------------

    def keep(
        self, feed_id: str, subfeed_hash: str, messages: Sequence[SignedMessage]
    ) -> tuple[list[SignedMessage], BadMessage | None]:
        """Add messages to a subfeed, as far as they are good: those that were added, and what is wrong with the next.

        Number, chain and signature of each are checked against what is here. One that is here already is passed over;
        another than the one that is here, with the owner's signature, is a fork.
        """
        bad: BadMessage | None = None

        def work(db: sqlite3.Connection) -> list[SignedMessage]:
            nonlocal bad
            head = _head(db, feed_id, subfeed_hash)
            start = head.count
            good: list[SignedMessage] = []
            for message in messages:
                try:
                    if message.number < start:
                        _compare(message, _signature(db, feed_id, subfeed_hash, message.number), feed_id)
                    elif message.number < head.count:
                        _compare(message, good[message.number - start].signature, feed_id)
                    else:
                        head = message.follow(head, feed_id)
                        good.append(message)
                except BadMessage as error:
                    bad = error
                    break
            _insert(db, feed_id, subfeed_hash, good)
            return good

        return self._db.write(work), bad

    # -- reading ----------------------------------------------------------------------------------------------

    def head(self, feed_id: str, subfeed_hash: str) -> Head:
        """How many messages of a subfeed are here, and the last one's signature. `UsageError` if that one is damaged."""
        return self._db.read(lambda db: _head(db, feed_id, subfeed_hash), START)

    def read(self, feed_id: str, subfeed_hash: str, start: int, limit: int) -> list[SignedMessage]:
        """Up to `limit` messages from number `start` on. They are not verified again; `BadMessage` for damaged ones."""
        texts = self.texts(feed_id, subfeed_hash, start, limit)
        return [SignedMessage.parse(text, position) for position, text in texts]

    def texts(self, feed_id: str, subfeed_hash: str, start: int, limit: int) -> list[tuple[int, bytes]]:
        """Numbers and texts of up to `limit` messages from number `start` on, as they stand there, in UTF-8."""
        nothing: list[tuple[Any, ...]] = []
        rows = self._db.read(
            lambda db: _rows(db, _READ, (feed_id, subfeed_hash, start, min(limit, MOST_AT_ONCE))), nothing
        )
        return [(number, text or b"") for number, text in rows]

    def subfeeds(self) -> list[SubfeedInfo]:
        """Every subfeed that is here, `MOST_SUBFEEDS` at most; names are for the caller to know."""
        nothing: list[tuple[Any, ...]] = []
        rows = self._db.read(lambda db: _rows(db, _SUBFEEDS, (MOST_SUBFEEDS,)), nothing)
        return [
            SubfeedInfo(feed_id, subfeed_hash, int(count or 0))
            for feed_id, subfeed_hash, count in rows
            if is_node_id(feed_id) and is_sha1(subfeed_hash)
        ]

    def feeds(self) -> list[FeedInfo]:
        """The feeds that the folder holds, own ones first; what cannot be read is logged and left out."""
        return read_feeds(self._folder)

    def name_of(self, feed_id: str) -> str:
        """The name of a feed; empty where none is known here."""
        return read_names(self._folder)[0].get(feed_id, "")

    def stamp(self) -> tuple[int, int]:
        """What differs as soon as another program has written to `feeds.db`. Quick."""
        return self._db.stamp()

    def own_key(self, feed_id: str) -> PrivateKey | None:
        """The private key of a feed, if it is one of this folder's own."""
        stamp = self._keys.stamp()
        with self._lock:
            # Another program may have deleted the feed.
            if stamp != self._own_stamp:
                self._own.clear()
                self._own_stamp = stamp
            key = self._own.get(feed_id)
        if key is None:
            key = self._keys.key_of(feed_id)
            if key is not None:
                with self._lock:
                    self._own[feed_id] = key
        return key


def _head(db: sqlite3.Connection, feed_id: str, subfeed_hash: str) -> Head:
    rows = _rows(db, _LAST, (feed_id, subfeed_hash))
    if not rows:
        return START
    position, text = rows[0]
    return Head(position + 1, _stored(text, position, f"the last message of subfeed {subfeed_hash[:12]}…"))


def _signature(db: sqlite3.Connection, feed_id: str, subfeed_hash: str, number: int) -> str | None:
    """The signature of a message that is here; None if it is missing."""
    for position, text in _rows(db, _READ, (feed_id, subfeed_hash, number, 1)):
        if position == number:
            return _stored(text, number, f"message {number} of subfeed {subfeed_hash[:12]}…")
    return None


def _stored(text: str | bytes | None, number: int, name: str) -> str:
    try:
        return SignedMessage.parse(text or "", number).signature
    except BadMessage as bad:
        raise UsageError(
            f"{name} is damaged on this disk", bad.line, "Bring back feeds.db from a copy"
        ) from bad


def _compare(message: SignedMessage, here: str | None, feed_id: str) -> None:
    """Raise `BadMessage` for another message than the one here with its number, which has the signature `here`."""
    if here is not None and here != message.signature:
        fault = Fault.FORK if message.is_signed_by(feed_id) else Fault.SIGNATURE
        raise BadMessage(fault, message.number)


def _insert(
    db: sqlite3.Connection, feed_id: str, subfeed_hash: str, messages: Sequence[SignedMessage]
) -> None:
    if not messages:
        return
    db.execute("INSERT OR IGNORE INTO feeds VALUES (?)", (feed_id,))
    db.execute("INSERT OR IGNORE INTO subfeeds VALUES (?, ?)", (feed_id, subfeed_hash))
    db.executemany(
        "INSERT INTO subfeedMessages VALUES (?, ?, ?, ?)",
        [(feed_id, subfeed_hash, message.number, message.text) for message in messages],
    )


def _rows(db: sqlite3.Connection, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    try:
        return db.execute(query, values).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise

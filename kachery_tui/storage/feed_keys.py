"""The private keys and names of feeds, in the old daemon's `mutables.db` (PROTOCOL.md § The storage folder)."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kachery_tui.errors import UsageError
from kachery_tui.protocol.canonical import JsonValue, canonical_json, object_hash, parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.hashes import is_node_id
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.storage.old_database import OldDatabase

LONGEST_NAME: Final = 200
"""Characters of a feed's name."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS mutables (
    sha1 TEXT PRIMARY KEY NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL
) WITHOUT ROWID;
"""

_PUT: Final = "INSERT INTO mutables (sha1, key, value) VALUES (?, ?, ?)"


class FeedKeys:
    """Which feeds are this node's own, and what they are called. Raises as `OldDatabase` does."""

    def __init__(self, path: Path) -> None:
        self._db = OldDatabase(path, _SCHEMA)

    def key_of(self, feed_id: str) -> PrivateKey | None:
        """A feed's private key, None if it is another's. `UsageError` for one that does not belong to the feed."""
        value = self._get({"feedId": feed_id, "type": "feedConfig"})
        if value is None:
            return None
        what = f"the private key of feed {feed_id[:12]}… cannot be used"
        seed = value.get("privateKey") if isinstance(value, Mapping) else None
        try:
            key = PrivateKey.from_seed(bytes.fromhex(seed if isinstance(seed, str) else ""))
        except (ValueError, ProtocolError) as error:
            raise UsageError(what, f"{self._db.path} has none of its form ({error})") from None
        if key.node_id != feed_id:
            raise UsageError(
                what, f"{self._db.path} has the key of another feed", "Bring back the file as it was"
            )
        return key

    def feed_of(self, name: str) -> str | None:
        """The feed of that name, None if there is none."""
        for key in _name_keys(name):
            found = self._get(key)
            if isinstance(found, str) and is_node_id(found):
                return found
        return None

    def add(self, key: PrivateKey, name: str) -> None:
        """Keep a new feed's key, and its name if it has one. `UsageError` for a name that is taken."""
        config = {"feedId": key.node_id, "privateKey": key.seed().hex()}

        def work(db: sqlite3.Connection) -> None:
            if name and any(_find(db, each) is not None for each in _name_keys(name)):
                raise UsageError(
                    f"there is a feed {name!r} already", "", "Take another name, or append to that one"
                )
            db.execute(_PUT, _row({"feedId": key.node_id, "type": "feedConfig"}, config))
            if name:
                db.execute(_PUT, _row(_name_keys(name)[0], key.node_id))

        self._db.write(work)

    def remove(self, feed_id: str) -> None:
        """Forget a feed's key and names, for good."""
        config = object_hash({"feedId": feed_id, "type": "feedConfig"})
        query = "SELECT sha1, key, value FROM mutables WHERE instr(value, ?)"

        def work(db: sqlite3.Connection) -> None:
            named = [
                sha1 for sha1, key, value in db.execute(query, (feed_id,)) if _names(key, value, feed_id)
            ]
            db.executemany("DELETE FROM mutables WHERE sha1 = ?", [(sha1,) for sha1 in (config, *named)])

        self._db.write(work)

    def stamp(self) -> tuple[int, int]:
        """See `OldDatabase.stamp`."""
        return self._db.stamp()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _get(self, key: JsonValue) -> JsonValue:
        text = self._db.read(lambda db: _find(db, key), None)
        if text is None:
            return None
        try:
            return parse_json(text)
        except ProtocolError:
            return None


def check_name(name: str) -> None:
    """Raise `UsageError` for what cannot be a feed's name."""
    # What comes after a slash is the subfeed's name.
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip() or "/" in name:
        raise UsageError(
            f"{name[:60]!r} cannot be a feed's name",
            f"a name has up to {LONGEST_NAME} characters that can be printed, no slash, and no space at its ends",
        )


def _name_keys(name: str) -> list[JsonValue]:
    """The keys under which a name may stand: by `kachery-client`, which is how ours are kept, and by the daemon."""
    return [{"feed_name": name, "type": "feed_id_for_name"}, {"feedName": name, "type": "feedIdForName"}]


def _names(key: object, value: object, feed_id: str) -> bool:
    """Whether a mutable gives that feed a name."""
    if not isinstance(key, str) or not isinstance(value, str):
        return False
    try:
        what, whose = parse_json(key), parse_json(value)
    except ProtocolError:
        return False
    types = ("feed_id_for_name", "feedIdForName")
    return isinstance(what, Mapping) and what.get("type") in types and whose == feed_id


def _row(key: JsonValue, value: JsonValue) -> tuple[str, str, str]:
    return object_hash(key), canonical_json(key), canonical_json(value)


def _find(db: sqlite3.Connection, key: JsonValue) -> str | None:
    try:
        row = db.execute("SELECT value FROM mutables WHERE sha1 = ?", (object_hash(key),)).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    return row[0] if row is not None and isinstance(row[0], str) else None

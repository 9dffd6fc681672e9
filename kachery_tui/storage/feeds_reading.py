"""The feeds that a storage folder holds, by `feeds.db` and `mutables.db` (PROTOCOL.md § The storage folder).

Read only: both belong to whoever owns the feeds, which may be another program that is at work in the folder.
"""

import logging
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from kachery_tui.protocol.canonical import parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.hashes import is_node_id
from kachery_tui.storage.sqlite_file import connect_to
from kachery_tui.storage.values import FeedInfo

_log = logging.getLogger(__name__)

MOST_FEEDS: Final = 10_000
MOST_MUTABLES: Final = 100_000
LONGEST_VALUE: Final = 10_000
"""Characters of a mutable's key or value that can be about a feed."""

MOST_SECONDS: Final = 5.0
"""For each of the two; what takes longer is given up."""

STEPS: Final = 10_000
"""Of SQLite's machine between two looks at the clock."""

_FEEDS: Final = """
SELECT f.feedId, count(DISTINCT s.subfeedHash), count(m.position),
    max(CASE WHEN json_valid(m.message) THEN json_extract(m.message, '$.body.timestamp') END)
FROM feeds AS f
LEFT JOIN subfeeds AS s ON s.feedId = f.feedId
LEFT JOIN subfeedMessages AS m ON m.feedId = s.feedId AND m.subfeedHash = s.subfeedHash
GROUP BY f.feedId LIMIT ?
"""

_MUTABLES: Final = """
SELECT key, value FROM mutables WHERE key LIKE '%feed%' AND length(key) <= ? AND length(value) <= ? LIMIT ?
"""


def read_feeds(folder: Path) -> list[FeedInfo]:
    """Every feed of the folder, own ones first, by name. What cannot be read is logged and left out."""
    names, own = read_names(folder)
    feeds = [
        FeedInfo(
            feed_id, names.get(feed_id, ""), feed_id in own, int(subfeeds), int(messages), _seconds(last)
        )
        for feed_id, subfeeds, messages, last in _rows(folder / "feeds.db", _FEEDS, (MOST_FEEDS,))
        if is_node_id(feed_id)
    ]
    return sorted(feeds, key=lambda feed: (not feed.own, feed.name.lower(), feed.feed_id))


def read_names(folder: Path) -> tuple[dict[str, str], set[str]]:
    """Names of feeds by their ids, and the ids of those whose private keys are here."""
    names: dict[str, str] = {}
    own: set[str] = set()
    for key, value in _rows(folder / "mutables.db", _MUTABLES, (LONGEST_VALUE, LONGEST_VALUE, MOST_MUTABLES)):
        _take_mutable(key, value, names, own)
    return names, own


def _take_mutable(key: object, value: object, names: dict[str, str], own: set[str]) -> None:
    """Note what a mutable says of a feed: that its private key is here, or its name."""
    if not isinstance(key, str) or not isinstance(value, str):
        return
    try:
        what = parse_json(key)
        says = parse_json(value)
    except ProtocolError:
        return
    if not isinstance(what, dict):
        return
    feed_id = what.get("feedId")
    if what.get("type") == "feedConfig" and isinstance(feed_id, str) and isinstance(says, dict):
        if "privateKey" in says:
            own.add(feed_id)
    elif isinstance(says, str):
        name = what.get("feedName") if what.get("type") == "feedIdForName" else what.get("feed_name")
        if isinstance(name, str):
            names[says] = name


def _seconds(milliseconds: object) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    return milliseconds / 1000 if 0 < milliseconds < 1e14 else None


def _rows(place: Path, query: str, values: tuple[object, ...]) -> Iterator[tuple[Any, ...]]:
    try:
        # Whatever else bears the name may block whoever opens it.
        if not stat.S_ISREG(place.stat().st_mode):
            raise sqlite3.OperationalError("it is not a file")
        with _opened(place) as db:
            yield from db.execute(query, values)
    except FileNotFoundError:
        return
    except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
        # Where the schema is damaged, SQLite's very message may be no text.
        _log.warning("%s cannot be read: %s", place, error)


@contextmanager
def _opened(place: Path) -> Iterator[sqlite3.Connection]:
    # A database that the old daemon has open may be locked for a moment, and nobody waits for this for long.
    until = time.monotonic() + MOST_SECONDS
    with closing(connect_to(place, 1.0, read_only=True)) as db:
        db.set_progress_handler(lambda: time.monotonic() > until, STEPS)
        yield db

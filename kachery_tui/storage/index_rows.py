"""Entries as rows of the index, and back."""

from collections.abc import Sequence
from typing import Any, Final, cast, get_args

from kachery_tui.protocol.hashes import is_sha1
from kachery_tui.storage.values import Entry, EntryKind

COLUMNS: Final = "sha1, size, name, added, used, origin, pinned, kind, manifest_sha1"
# Names come from others, too; what is longer than a path can be is cut.
_MAX_TEXT: Final = 4096

UPSERT: Final = f"""
INSERT INTO entries ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (sha1) DO UPDATE SET
    size = excluded.size,
    name = CASE WHEN excluded.name != '' THEN excluded.name ELSE name END,
    used = max(used, excluded.used),
    origin = CASE WHEN excluded.origin != '' THEN excluded.origin ELSE origin END,
    kind = excluded.kind,
    manifest_sha1 = coalesce(excluded.manifest_sha1, manifest_sha1)
"""  # noqa: S608 -- the column names above


def entry_of(row: Sequence[Any]) -> Entry:
    """The entry of a row; ValueError where the row is damaged. For inside a read, which then answers for it."""
    sha1, size, name, added, used, origin, pinned, kind, manifest = row
    return Entry(
        sha1_of(sha1),
        int(size),
        str(name),
        float(added),
        float(used),
        str(origin),
        bool(pinned),
        kind_of(kind),
        sha1_of(manifest) if manifest is not None else None,
    )


def kind_of(value: object) -> EntryKind:
    """A kind of entry; ValueError for what is none."""
    for kind in get_args(EntryKind):
        if value == kind:
            return cast("EntryKind", kind)
    raise ValueError(f"{value!r} is no kind of entry")


def sha1_of(value: object) -> str:
    """A hash; ValueError for what is none."""
    if not is_sha1(value):
        raise ValueError(f"{value!r} is no sha1")
    return value


def row_of(entry: Entry) -> tuple[object, ...]:
    """The values of an entry in the order of `COLUMNS`."""
    return (
        entry.sha1,
        entry.size,
        stored_text(entry.name),
        entry.added,
        entry.used,
        stored_text(entry.origin),
        entry.pinned,
        entry.kind,
        entry.manifest_sha1,
    )


def stored_text(text: str) -> str:
    """A text as the index has it: file names may hold bytes that are no text, and SQLite takes UTF-8 alone."""
    return text[:_MAX_TEXT].encode("utf-8", "replace").decode()

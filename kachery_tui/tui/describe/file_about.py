"""The file under the cursor of the cache, in three lines: its URI, what it is, and who had to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.node.steps import Side
from kachery_tui.node.values import BucketFile, Entry, TrashedFile
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone, joined
from kachery_tui.tui.describe.files import MANIFEST_ORIGIN, manifest_of, part_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kachery_tui.node.ledger import Request
    from kachery_tui.tui.describe import LabelOf

LINES: Final = 3


def about_file(
    file: Entry | BucketFile | TrashedFile,
    uri: str,
    asked: Request | None,
    label_of: LabelOf,
    now: float,
    *,
    channel: str = "",
    described: str = "",
) -> tuple[Line, ...]:
    """`asked` is the newest request of others for it, `described` the name of the file that it is the manifest of."""
    head: Line = (Cell(uri, Tone.STRONG),)
    match file:
        case Entry():
            return head, _entry(file, now, described), _asked(asked, label_of, now)
        case BucketFile():
            return head, _in_bucket(file, channel, now), _known(file)
        case TrashedFile():
            since = f"in the trash since {present.day(file.at, now)}, {present.size(file.size)}"
            return head, (Cell(since),), _asked(asked, label_of, now)


def newest_request(rows: Iterable[Request], sha1: str) -> Request | None:
    """The newest of the requests of others for a file."""
    found = (row for row in rows if row.side is Side.THEIRS and row.subject.hash == sha1)
    return max(found, key=lambda row: row.started, default=None)


def _entry(entry: Entry, now: float, described: str) -> Line:
    whose = manifest_of(entry, described)
    kind = {
        "file": (Cell(f"manifest of {whose}" if whose else "file"),),
        "link": (Cell("link to a file elsewhere", Tone.BUSY),),
        "void": (Cell("broken link: its file was changed or removed", Tone.BAD),),
    }[entry.kind]
    origin = entry.origin if entry.origin != MANIFEST_ORIGIN else ""
    return joined(
        (
            kind,
            (Cell(present.size(entry.size)),),
            (Cell(f"added {present.day(entry.added, now)}", Tone.MUTED),),
            (Cell(f"used {present.day(entry.used, now)}", Tone.MUTED),),
            (Cell("pinned"),) if entry.pinned else (),
            (Cell(f"from {present.origin(origin)}"),) if origin else (),
        ),
        ", ",
    )


def _asked(row: Request | None, label_of: LabelOf, now: float) -> Line:
    if row is None:
        return (Cell("nobody has asked for it", Tone.MUTED),)
    who = ", ".join(label_of(node_id) for node_id in row.asked_by) or "somebody"
    return (Cell(f"asked for by {who} at {present.day(row.started, now)}: "), present.step(row.step))


def _in_bucket(file: BucketFile, channel: str, now: float) -> Line:
    where = f"in the bucket of {channel}" if channel else "in a bucket"
    parts = [where, present.size(file.size)]
    if file.modified is not None:
        parts.append(f"changed {present.day(file.modified, now)}")
    parts.append("also in storage" if file.on_disk else "not in storage")
    return (Cell(", ".join(parts)),)


def _known(file: BucketFile) -> Line:
    if file.part is not None:
        return (Cell(f"{part_words(file.part)}, which is in storage"),)
    if file.described:
        return (Cell(f"the manifest of {file.described}"),)
    return () if file.name else (Cell("its name is unknown: a bucket holds only hashes", Tone.MUTED),)

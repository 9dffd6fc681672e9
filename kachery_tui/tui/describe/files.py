"""What the cache says of files: in storage, in a bucket, in the trash, and next to be evicted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kachery_tui.node.values import BucketFile, Entry, Horizon, Part, Totals, TrashedFile

GAUGE_WIDTH: Final = 8

ALMOST_FULL: Final = 0.95
"""Share of the limit from which on the gauge warns."""

MANIFEST_ORIGIN: Final = "manifest"
_MANIFEST_ENDING: Final = ".manifest"

_HEAD: Final = 10
"""Cells of the word that heads a line of a file's details."""


# A file of the storage


def entry_title(entry: Entry, described: str = "") -> Cell:
    """What a row calls a file; `described` is the name of the file that it is the manifest of, if it is one."""
    return _title(entry.name, entry.sha1, manifest_of(entry, described))


def _title(name: str, sha1: str, described: str = "") -> Cell:
    if described:
        return Cell(f"manifest of {described}", Tone.MUTED)
    return Cell(name, Tone.STRONG) if name else Cell(sha1)


def part_words(part: Part) -> str:
    """Which chunk of which file something is."""
    return f"chunk {part.number} of {part.count} of {part.name or part.sha1}"


def manifest_of(entry: Entry, described: str = "") -> str:
    """The name of the file that an entry is the manifest of: `described` where that is known, else by its own name."""
    is_manifest = entry.origin == MANIFEST_ORIGIN and entry.name.endswith(_MANIFEST_ENDING)
    return described or (entry.name.removesuffix(_MANIFEST_ENDING) if is_manifest else "")


def entry_cells(entry: Entry, now: float, described: str = "") -> Line:
    """A file of the storage as a row: name, size, added, used, origin, pinned, state."""
    return (
        entry_title(entry, described),
        Cell(present.size(entry.size)),
        Cell(present.day(entry.added, now)),
        Cell(present.day(entry.used, now)),
        Cell("" if entry.origin == MANIFEST_ORIGIN else present.origin(entry.origin)),
        pinned_cell(entry),
        state_cell(entry),
    )


def pinned_cell(entry: Entry) -> Cell:
    """Whether a file is kept from eviction."""
    return Cell("● yes") if entry.pinned else Cell("")


def state_cell(entry: Entry) -> Cell:
    """Whether a file's bytes are in the folder, elsewhere, or gone."""
    match entry.kind:
        case "link":
            return Cell("→ link", Tone.BUSY)
        case "void":
            return Cell("✗ void", Tone.BAD)
        case _:
            return Cell("file", Tone.MUTED)


def entry_lines(entry: Entry, uri: str, now: float, described: str = "") -> Iterator[Line]:
    """Everything that is known of a file of the storage."""
    yield (Cell(uri, Tone.STRONG),)
    whose = manifest_of(entry, described)
    if whose:
        yield _manifest_line(whose)
    yield _headed("size", f"{present.size(entry.size)} ({entry.size:,} B)")
    yield _headed("added", present.moment(entry.added))
    yield _headed("used", f"{present.moment(entry.used)}; the longest unused files are evicted first")
    if entry.origin and entry.origin != MANIFEST_ORIGIN:
        yield _headed("from", entry.origin)
    yield _headed("pinned", "yes: it is neither evicted nor trashed" if entry.pinned else "no")
    yield _headed("state", _STATES[entry.kind])
    if entry.manifest_sha1:
        yield _headed("chunks", f"listed in its manifest {entry.manifest_sha1}")


_STATES: Final = {
    "file": "a file in the storage folder",
    "link": "a link to a file elsewhere; invalid once that file changes",
    "void": "a broken link: the file it points to was changed or removed",
}


def _headed(head: str, text: str) -> Line:
    return (Cell(head.ljust(_HEAD), Tone.MUTED), Cell(text))


def _manifest_line(described: str) -> Line:
    return _headed("what", f"the manifest of {described}: the list of the chunks that it travels in")


def entry_facts(entry: Entry) -> tuple[str, ...]:
    """A file as texts for a table in a file: exact sizes, times by ISO 8601."""
    return (
        entry.name,
        str(entry.size),
        _iso(entry.added),
        _iso(entry.used),
        entry.origin,
        "yes" if entry.pinned else "no",
        entry.kind,
        entry.sha1,
    )


FACT_TITLES: Final = ("name", "size", "added", "used", "from", "pinned", "state", "sha1")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")


# How full the storage is


def gauge(totals: Totals) -> Line:
    """How full the storage is against its limit."""
    if not totals.limit:
        return (Cell(f"{present.size(totals.bytes)}, no limit"),)
    share = totals.bytes / totals.limit
    tone = Tone.BAD if share > 1 else Tone.WARN if share >= ALMOST_FULL else Tone.GOOD
    # Over the limit, the number says by how much; the bar has no more to show.
    used = f"{int(share * 100)} %"
    return (
        Cell(f"{present.size(totals.bytes)} of {present.size(totals.limit)} "),
        Cell(f"{'! ' if share > 1 else ''}{used} ", tone),
        Cell(present.bar(totals.bytes, totals.limit, GAUGE_WIDTH), tone),
    )


def storage_status(totals: Totals, shown: int | None) -> Line:
    """What the pane's title says of the storage; `shown` is how many files a filter leaves, None without one."""
    found = present.count(totals.files, "file")
    if shown is not None:
        found = f"{shown:,} of {present.count(totals.files + totals.links, 'file')}"
    extras = [
        (Cell(present.count(totals.links, "link")),) if totals.links else (),
        (Cell(f"trash {present.size(totals.trash_bytes)}", Tone.MUTED),) if totals.trash_bytes else (),
    ]
    return joined(((Cell(f"storage: {found}"),), gauge(totals), *extras), ", ")


def marked_size(sizes: Sequence[int], most: int) -> Cell:
    """How much the marked rows are together."""
    limit = ", no more can be" if len(sizes) >= most else ""
    return Cell(f"({present.size(sum(sizes))}{limit})  ", Tone.BUSY)


# What eviction would take


@dataclass(frozen=True, slots=True)
class Doomed:
    """A file in the order of eviction: the `nth` to go, `freed` bytes gone with it and those before it.

    `goes` says whether it stands before the place where eviction would stop.
    """

    entry: Entry
    nth: int
    freed: int
    goes: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """The place where eviction would stop, `freed` bytes being gone by then."""

    freed: int


def eviction_rows(horizon: Horizon) -> list[Doomed | Stop]:
    """The files in the order in which they would go, with the place where that stops, as far as it is among them."""
    rows: list[Doomed | Stop] = []
    must, freed, stopped = _must_go(horizon), 0, False
    for nth, entry in enumerate(horizon.entries, 1):
        if not stopped and freed >= must:
            stopped = True
            rows.append(Stop(freed))
        freed += entry.size
        rows.append(Doomed(entry, nth, freed, goes=not stopped))
    if rows and not stopped and freed >= must:
        rows.append(Stop(freed))
    return rows


def _must_go(horizon: Horizon) -> int:
    """Bytes that eviction frees: what is over now, else what it will free once the limit is reached."""
    if horizon.over or horizon.limit is None:
        return horizon.over
    return max(horizon.limit - (horizon.goal or 0), 0)


def eviction_cells(row: Doomed | Stop, over: int, now: float) -> Line:
    """A row of it: place, name, size, last used, freed so far, what becomes of it."""
    if isinstance(row, Stop):
        words = f"here it stops: {present.size(row.freed)} freed ──"
        return (Cell("──", Tone.WARN), Cell(words, Tone.WARN))
    fate = Cell("○ stays", Tone.MUTED)
    if row.goes:
        fate = Cell("✗ goes now", Tone.BAD) if over else Cell("! goes next", Tone.WARN)
    return (
        Cell(str(row.nth), Tone.MUTED),
        entry_title(row.entry),
        Cell(present.size(row.entry.size)),
        Cell(present.day(row.entry.used, now)),
        Cell(present.size(row.freed)),
        fate,
    )


def eviction_status(horizon: Horizon) -> Line:
    """What the pane's title says of what would go next."""
    if horizon.limit is None:
        return (Cell("eviction order: nothing, no size limit is set"),)
    goal = present.size(horizon.goal)
    if horizon.over:
        return (Cell(f"eviction order: ! {present.size(horizon.over)} must go, down to {goal}", Tone.BAD),)
    return (Cell(f"eviction order: room for {present.size(horizon.room)}, then it evicts down to {goal}"),)


# The bucket


def bucket_cells(file: BucketFile, now: float) -> Line:
    """A file of the bucket as a row: name, size, changed, on disk, hash."""
    here = Cell("✓ yes") if file.on_disk else Cell("· no", Tone.MUTED)
    return (
        Cell(part_words(file.part), Tone.MUTED)
        if file.part and not file.name
        else _title(file.name, file.sha1, file.described),
        Cell(present.size(file.size)),
        Cell(present.clock(file.modified, now)),
        here,
        Cell(file.sha1, Tone.MUTED),
    )


def bucket_lines(file: BucketFile, uri: str, channel: str) -> Iterator[Line]:
    """Everything that is known of a file of a bucket."""
    yield (Cell(uri, Tone.STRONG),)
    yield _headed("where", f"in the bucket of {channel}" if channel else "in a bucket")
    yield _headed("size", f"{present.size(file.size)} ({file.size:,} B)")
    yield _headed("changed", present.moment(file.modified) if file.modified is not None else present.NOTHING)
    yield _headed("on disk", "yes" if file.on_disk else "no: Load gets it")
    if file.part is not None:
        yield _headed("what", f"{part_words(file.part)}, which is in storage")
    elif file.described:
        yield _manifest_line(file.described)
    elif not file.name:
        yield _headed("name", "unknown: a bucket holds only hashes, and this node has not stored the file")


def bucket_status(channel: str, read: int, others: int, *, more: bool) -> Line:
    """What the pane's title says of a bucket."""
    files = f"{present.count(read, 'file')}{' so far, more below' if more else ''}"
    strangers = (Cell(f"{present.count(others, 'other object')}", Tone.MUTED),) if others else ()
    return joined(((Cell(f"bucket of {channel}: {files}"),), strangers), ", ")


# The trash


def trashed_cells(file: TrashedFile, now: float) -> Line:
    """A file of the trash as a row: name, size, trashed, hash."""
    return (
        _title(file.name, file.sha1),
        Cell(present.size(file.size)),
        Cell(present.clock(file.at, now)),
        Cell(file.sha1, Tone.MUTED),
    )


def trashed_lines(file: TrashedFile, uri: str) -> Iterator[Line]:
    """Everything that is known of a file of the trash."""
    yield (Cell(uri, Tone.STRONG),)
    yield _headed("where", "in the trash, until that is emptied or it is restored")
    yield _headed("size", f"{present.size(file.size)} ({file.size:,} B)")
    yield _headed("trashed", present.moment(file.at))


def trash_status(shown: Sequence[TrashedFile], *, more: bool, bytes_: int | None) -> Line:
    """What the pane's title says of the trash."""
    number = f"the newest {len(shown):,} files" if more else present.count(len(shown), "file")
    size = sum(file.size for file in shown) if bytes_ is None else bytes_
    return (Cell(f"trash: {number}, {present.size(size)}"),)


def sum_words(number: int, bytes_: int) -> str:
    """A number of files with their bytes, as questions and answers name it."""
    return f"{present.count(number, 'file')} ({present.size(bytes_)})"

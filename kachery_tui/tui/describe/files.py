"""What is said of a file of the storage."""

from collections.abc import Iterator

from kachery_tui.node.values import Entry
from kachery_tui.tui import present
from kachery_tui.tui.cells import Cell, Line, Tone


def entry_cells(entry: Entry, now: float) -> Line:
    """A file of the storage as a row: name, size, added, used, origin, what is special about it."""
    return (
        Cell(entry.name or f"{entry.sha1[:16]}…", Tone.STRONG if entry.name else Tone.NORMAL),
        Cell(present.size(entry.size)),
        Cell(present.clock(entry.added, now)),
        Cell(present.clock(entry.used, now)),
        Cell(present.origin(entry.origin)),
        _entry_state(entry),
    )


def _entry_state(entry: Entry) -> Cell:
    words = [word for word, is_so in (("pinned", entry.pinned), ("link", entry.kind == "link")) if is_so]
    if entry.kind == "void":
        return Cell("✗ void link", Tone.BAD)
    return Cell(", ".join(words))


def entry_lines(entry: Entry, uri: str, now: float) -> Iterator[Line]:
    """Everything that is known of a file of the storage."""
    yield (Cell(uri, Tone.STRONG),)
    yield (Cell("size    ", Tone.MUTED), Cell(f"{present.size(entry.size)} ({entry.size:,} B)"))
    yield (Cell("added   ", Tone.MUTED), Cell(present.moment(entry.added)))
    yield (Cell("used    ", Tone.MUTED), Cell(present.moment(entry.used)))
    if entry.origin:
        yield (Cell("origin  ", Tone.MUTED), Cell(entry.origin))
    state = _entry_state(entry)
    if state.text:
        yield (Cell("state   ", Tone.MUTED), state)
    if entry.manifest_sha1:
        yield (Cell("chunks  ", Tone.MUTED), Cell(f"manifest {entry.manifest_sha1}"))

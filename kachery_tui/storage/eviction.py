"""Keeping storage below its size limit: which files go to the trash, and which must stay."""

from collections.abc import Callable, Iterable
from itertools import islice

from kachery_tui.errors import KacheryError
from kachery_tui.storage.index import Index
from kachery_tui.storage.values import Entry

# Down to which part of the limit, so that the next file does not evict again.
GOAL = 0.7
# The longest unused files, this many times what must go, are looked at; of those the largest go. So a large file goes
# before many small ones, but never one that was used more recently than most.
_CANDIDATES = 1.3


def choose(files: Iterable[Entry], excess: float, stays: Callable[[str], bool]) -> list[Entry]:
    """Which of `files`, given the longest unused first, go to free `excess` bytes, in the order in which they go."""
    candidates: list[Entry] = []
    gathered = 0
    for entry in files:
        if gathered >= excess * _CANDIDATES:
            break
        if _may_go(entry, stays):
            candidates.append(entry)
            gathered += entry.size
    return _enough(sorted(candidates, key=lambda entry: -entry.size), excess)


def foresee(index: Index, excess: float, stays: frozenset[str], limit: int) -> list[Entry]:
    """What `choose` would give, `limit` at most; if those are fewer, then the others, the longest unused first."""
    chosen = _enough(index.to_go(excess * _CANDIDATES, stays, limit), excess) if excess else []
    passed = stays.union(entry.sha1 for entry in chosen)
    others = (entry for entry in index.oldest() if _may_go(entry, passed.__contains__))
    return [*chosen, *islice(others, limit - len(chosen))]


def excess_at(limit: int) -> float:
    """How many bytes will go when the limit is reached."""
    return limit * (1 - GOAL)


def excess_over(limit: int | None, held: int) -> float:
    """How many bytes must go: none up to the limit, and then down to 70 % of it."""
    if limit is None or held <= limit:
        return 0
    return held - limit * GOAL


def trash_all(entries: Iterable[Entry], put: Callable[[str], None]) -> list[Entry]:
    """Move entries to the trash; returns those that went. One that went by itself meanwhile is no error."""
    gone = []
    for entry in entries:
        try:
            put(entry.sha1)
        except KacheryError as error:
            if not isinstance(error.__cause__, OSError):
                continue
            raise
        gone.append(entry)
    return gone


def _enough(entries: Iterable[Entry], excess: float) -> list[Entry]:
    chosen, freed = [], 0
    for entry in entries:
        if freed >= excess:
            break
        chosen.append(entry)
        freed += entry.size
    return chosen


def _may_go(entry: Entry, stays: Callable[[str], bool]) -> bool:
    return bool(entry.size) and not entry.pinned and not stays(entry.sha1)

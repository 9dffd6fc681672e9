"""Sweeping tmp/ when a node starts: what a killed process left there goes, what can be resumed stays."""

import os
import re
import time
from pathlib import Path

from kachery_tui.file_locks import lacks_locks, try_lock
from kachery_tui.storage.atomic import TEMP_PREFIX, TEMP_SUFFIX
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.part_record import is_resumable
from kachery_tui.storage.problems import explained

# A download that nobody took up again for this long is given up, in seconds.
_KEEP_PARTS = 30 * 24 * 3600
# Where no lock tells, what was written to within this time may still be in some process's hands, in seconds.
_MAYBE_HELD = 24 * 3600

# Only names that are ours: the old daemon and `kachery-client` may write there at this moment.
_TEMP = re.compile(rf"{TEMP_PREFIX}[0-9a-f]{{16}}{re.escape(TEMP_SUFFIX)}")
_PART = re.compile(r"([0-9a-f]{40})\.(part|json)")


def clean_tmp(layout: Layout) -> None:
    """Remove leftovers that no living process holds and that cannot be resumed."""
    with explained(f"cannot clean {layout.tmp}"):
        names = os.listdir(layout.tmp) if layout.tmp.is_dir() else []  # noqa: PTH208 -- names are all that is used
    parts = set()
    for name in names:
        if _TEMP.fullmatch(name):
            _remove_unheld(layout.tmp / name)
        elif match := _PART.fullmatch(name):
            parts.add(match[1])
    for sha1 in parts:
        _clean_part(layout, sha1)


def _clean_part(layout: Layout, sha1: str) -> None:
    part, record = layout.part(sha1), layout.part_record(sha1)
    try:
        age = time.time() - part.stat().st_mtime
    except OSError:
        # A record alone; its part may be created again this moment, but then the record is of no use to it.
        record.unlink(missing_ok=True)
        return
    if not is_resumable(record) or age > _KEEP_PARTS:
        _remove_unheld(part, record)


def _remove_unheld(path: Path, also: Path | None = None) -> None:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        if try_lock(fd) and not (lacks_locks(fd) and time.time() - os.fstat(fd).st_mtime < _MAYBE_HELD):
            if also is not None:
                also.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
    finally:
        os.close(fd)

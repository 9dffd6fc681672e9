"""The trash: where files go that are no longer wanted, and come back from."""

import os
from contextlib import suppress
from heapq import nlargest
from pathlib import Path
from typing import Final

from kachery_tui.errors import UsageError
from kachery_tui.protocol.hashes import is_sha1
from kachery_tui.storage.index import Index
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.links import read_link
from kachery_tui.storage.problems import explained
from kachery_tui.storage.values import TrashedFile

MOST_LOOKED_AT: Final = 100_000
"""Files of the trash that are looked at to find the newest."""


class Trash:
    """Moves files and links between sha1/ and sha1-trash/. A rename is whole or not at all, so nothing is flushed."""

    def __init__(self, layout: Layout, index: Index) -> None:
        self._layout = layout
        self._index = index

    def put(self, sha1: str) -> None:
        """Move a file and its link, whichever are there, to the trash; UsageError if neither is."""
        with explained(f"cannot move {sha1} to the trash"):
            size = _move(self._layout.file(sha1), self._layout.trashed_file(sha1))
            link = _move(self._layout.link(sha1), self._layout.trashed_link(sha1))
        if size is None and link is None:
            self._index.forget(sha1)
            raise UsageError(f"{sha1} is not in storage")
        self._index.move_to_trash(sha1)
        if size is not None:
            self._index.add_trash(size)

    def put_file(self, sha1: str) -> None:
        """Move the bytes of a file alone: a link beside it costs nothing and still leads to them."""
        with explained(f"cannot move {sha1} to the trash"):
            size = _move(self._layout.file(sha1), self._layout.trashed_file(sha1))
        if size is not None:
            self._index.add_trash(size)
        link = read_link(self._layout.link(sha1))
        if link is not None and link.holds():
            self._index.record(sha1, link.size, "link", manifest_sha1=link.manifest_sha1)
        else:
            self._index.move_to_trash(sha1)
        if size is None:
            raise UsageError(f"{sha1} is not in storage")

    def restore(self, sha1: str) -> None:
        """Bring a file or link back; UsageError if the trash has neither."""
        with explained(f"cannot restore {sha1} from the trash"):
            size = _move(self._layout.trashed_file(sha1), self._layout.file(sha1))
            link = _move(self._layout.trashed_link(sha1), self._layout.link(sha1))
        if size is not None:
            self._index.add_trash(-size)
            self._index.record(sha1, size, "file")
        elif link is not None:
            found = read_link(self._layout.link(sha1))
            self._index.record(
                sha1,
                found.size if found else 0,
                "link" if found and found.holds() else "void",
                name=found.path.name if found else "",
                manifest_sha1=found.manifest_sha1 if found else None,
            )
        else:
            raise UsageError(f"{sha1} is not in the trash")
        self._index.move_from_trash(sha1)

    def newest(self, limit: int) -> tuple[list[TrashedFile], bool]:
        """What the trash holds, the newest first, `limit` at most, and whether there is more."""
        names = self._index.names_in_trash()
        found: list[TrashedFile] = []
        with explained("cannot look into the trash"):
            for folder, _, files in os.walk(self._layout.trash):
                for name in files:
                    sha1 = name.removesuffix(".link")
                    if len(found) >= MOST_LOOKED_AT or not is_sha1(sha1):
                        continue
                    place = Path(folder, name)
                    # A rename leaves the time of the last change of the bytes as it was, and sets this one.
                    with suppress(OSError):
                        status = place.stat()
                        found.append(_trashed(sha1, place, status, names.get(sha1, "")))
        newest = nlargest(limit, {one.sha1: one for one in found}.values(), key=lambda one: one.at)
        return newest, len(found) > limit

    def drop(self, sha1: str) -> None:
        """Remove what the trash has of a file that is in storage again."""
        place = self._layout.trashed_file(sha1)
        try:
            size = place.stat().st_size
            place.unlink()
        except OSError:
            return
        self._index.add_trash(-size)

    def empty(self) -> int:
        """Remove everything in the trash for good; returns the bytes that this freed."""
        freed = 0
        with explained("cannot empty the trash"):
            for folder, _, names in os.walk(self._layout.trash):
                for name in names:
                    path = Path(folder, name)
                    size = path.lstat().st_size
                    path.unlink(missing_ok=True)
                    freed += size
        self._index.set_trash(0)
        self._index.forget_trash()
        return freed


def _trashed(sha1: str, place: Path, status: os.stat_result, name: str) -> TrashedFile:
    link = read_link(place) if place.suffix == ".link" else None
    if link is None:
        return TrashedFile(sha1, status.st_size, name, status.st_ctime)
    return TrashedFile(sha1, link.size, name or link.path.name, status.st_ctime)


def _move(place: Path, target: Path) -> int | None:
    try:
        size = place.stat().st_size
    except FileNotFoundError:
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    place.rename(target)
    return size

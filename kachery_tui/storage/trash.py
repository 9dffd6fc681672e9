"""The trash: where files go that are no longer wanted, and come back from."""

import os
import stat
from collections.abc import Iterator
from heapq import nlargest
from pathlib import Path
from typing import Final

from kachery_tui.errors import UsageError
from kachery_tui.protocol.hashes import is_sha1
from kachery_tui.storage.atomic import move
from kachery_tui.storage.foreign_links import adopt, find_link, forget
from kachery_tui.storage.index import Index
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.links import read_link
from kachery_tui.storage.problems import explained
from kachery_tui.storage.values import Found, TrashedFile

MOST_LOOKED_AT: Final = 100_000
"""Files of the trash that are looked at to find the newest."""


class Trash:
    """Moves files and links between sha1/ and sha1-trash/. A rename is whole or not at all, so nothing is flushed."""

    def __init__(self, layout: Layout, index: Index) -> None:
        self._layout = layout
        self._index = index

    def move_there(self, sha1: str) -> None:
        """Move a file and its link, whichever are there, to the trash; UsageError if neither is."""
        with explained(f"cannot move {sha1} to the trash"):
            adopt(self._layout, sha1)
            forget(self._layout, sha1)
            size = self._move(self._layout.file(sha1), self._layout.trashed_file(sha1))
            link = self._move(self._layout.link(sha1), self._layout.trashed_link(sha1))
        if size is None and link is None:
            self._index.forget(sha1)
            raise UsageError(f"{sha1} is not in storage")
        self._index.move_to_trash(sha1)
        if size is not None:
            self._index.add_trash(size)

    def put_file(self, sha1: str) -> None:
        """Move the bytes of a file alone: a link beside it costs nothing and still leads to them."""
        with explained(f"cannot move {sha1} to the trash"):
            size = self._move(self._layout.file(sha1), self._layout.trashed_file(sha1))
        if size is not None:
            self._index.add_trash(size)
        link = find_link(self._layout, sha1)
        if link is not None and link.holds():
            self._index.record(sha1, link.size, "link", manifest_sha1=link.manifest_sha1)
        else:
            self._index.move_to_trash(sha1)
        if size is None:
            raise UsageError(f"{sha1} is not in storage")

    def put_aside(self, found: Found) -> Path | None:
        """Put a damaged file where only `empty` finds it; its path there. Of a link nothing is kept: None."""
        sha1 = found.sha1
        with explained(f"cannot put the damaged {sha1} aside"):
            if found.kind == "link":
                self._layout.link(sha1).unlink(missing_ok=True)
                forget(self._layout, sha1)
                self._index.forget(sha1)
                return None
            place = self._layout.trashed_file(sha1)
            kept = place.with_name(f"{sha1}.damaged")
            replaced = kept.stat().st_size if kept.exists() else 0
            size = self._move(found.path, kept)
        self._index.forget(sha1)
        self._index.add_trash((size or 0) - replaced)
        return kept

    def restore(self, sha1: str) -> None:
        """Bring a file or link back; UsageError if the trash has neither."""
        with explained(f"cannot restore {sha1} from the trash"):
            size = self._move(self._layout.trashed_file(sha1), self._layout.file(sha1))
            link = self._move(self._layout.trashed_link(sha1), self._layout.link(sha1))
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
        """What the trash holds, the newest first, `limit` at most, and whether there is more.

        Of a trash with more than `MOST_LOOKED_AT` files it is the newest of so many.
        """
        names = self._index.names_in_trash()
        found: dict[str, TrashedFile] = {}
        looked_at = 0
        with explained("cannot look into the trash"):
            for sha1, place in self._places():
                if looked_at >= MOST_LOOKED_AT:
                    break
                looked_at += 1
                is_link = place.suffix == ".link"
                # Where both are there, the file is what has the size.
                if not is_link or sha1 not in found:
                    one = _trashed(sha1, place, names.get(sha1, ""))
                    if one is not None:
                        found[sha1] = one
        newest = nlargest(limit, found.values(), key=lambda one: one.at)
        return newest, len(found) > limit or looked_at >= MOST_LOOKED_AT

    def _places(self) -> Iterator[tuple[str, Path]]:
        """The files and links from where they could be restored."""
        for folder, _, files in os.walk(self._layout.trash):
            for name in files:
                sha1 = name.removesuffix(".link")
                place = Path(folder, name)
                if is_sha1(sha1) and place in (
                    self._layout.trashed_file(sha1),
                    self._layout.trashed_link(sha1),
                ):
                    yield sha1, place

    def drop(self, sha1: str) -> None:
        """Remove what the trash has of a file that is in storage again."""
        place = self._layout.trashed_file(sha1)
        try:
            size = place.stat().st_size
            place.unlink()
        except OSError:
            return
        self._index.add_trash(-size)
        self._index.forget_trashed(sha1)

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

    def _move(self, place: Path, target: Path) -> int | None:
        try:
            size = place.stat().st_size
        except FileNotFoundError:
            return None
        move(place, target, self._layout.modes)
        return size


def _trashed(sha1: str, place: Path, name: str) -> TrashedFile | None:
    try:
        status = place.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    link = read_link(place) if place.suffix == ".link" else None
    # A rename leaves the time of the last change of the bytes as it was, and sets this one.
    if link is None:
        return TrashedFile(sha1, status.st_size, name, status.st_ctime)
    return TrashedFile(sha1, link.size, name or link.path.name, status.st_ctime)

"""Bringing the index up to date with the folder, which other programs write to as they like.

A file stands in a folder of the third level, and that folder's time of last change moves whenever a name in it comes
or goes. So a pass looks at one time per folder and reads only the folders whose time moved; the folders of the second
level tell in the same way where new ones of the third appeared. It works in small steps with rests in between.
"""

import os
import re
import stat
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kachery_tui.errors import UsageError
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.manifest import Manifest, needs_manifest
from kachery_tui.storage.foreign_links import adopt, foreign_links
from kachery_tui.storage.index import Index
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.links import read_link
from kachery_tui.storage.values import Entry, EntryKind, ScanResult

# Work for this long, then rest as long: half of one core at most, and never long away from `stop`. In seconds.
_STRETCH = 0.02
_LOOK_EVERY = 16
# What is written to the index at once; a file that is being stored waits for it.
_BATCH = 500
# A folder that changed this shortly before it was read may change again without its time moving: file systems keep
# times as coarse as two seconds. In nanoseconds.
_COARSE = 2_000_000_000

_BYTE = re.compile(r"[0-9a-f]{2}")
_SHA1 = re.compile(r"[0-9a-f]{40}")
_LINK = re.compile(r"([0-9a-f]{40})\.link")
# What a manifest begins with: enough to know one among a million small files without parsing them all.
_MANIFEST_HEAD = re.compile(rb'\{"size":(\d{8,20}),"sha1":"([0-9a-f]{40})","chunks":\[')
_HEAD_BYTES = 128
_MAX_MANIFEST = 32_000_000


class _StoppedError(Exception):
    """The pass was asked to end."""


@dataclass(slots=True)
class _Changes:
    """What a stretch of the pass found, to be written at once."""

    found: list[Entry] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    folders: list[tuple[int, int]] = field(default_factory=list)
    manifests: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.found) + len(self.gone) + len(self.folders)


class Scan:
    """One pass over the folder."""

    def __init__(self, layout: Layout, index: Index, pinned: frozenset[str], stop: threading.Event) -> None:
        self._layout = layout
        self._index = index
        self._pinned = pinned
        self._stop = stop
        self._changes = _Changes()
        # What the index has in the second-level folder that is being looked at.
        self._known: dict[str, tuple[int, EntryKind]] | None = None
        self._added = self._removed = self._changed = 0
        self._ticks = 0
        self._stretch_began = time.monotonic()

    def scan(self) -> ScanResult:
        """Go through the whole folder; what was found before `stop` is in the index, too."""
        complete = True
        try:
            self._adopt()
            self._links()
            self._top()
            self._flush()
            self._index.set_trash(self._trash_bytes())
        except _StoppedError:
            complete = False
            self._flush()
        return ScanResult(self._added, self._removed, self._changed, complete)

    # -- the levels -----------------------------------------------------------------------------------------

    def _top(self) -> None:
        present = _subfolders(self._layout.files)
        for prefix in sorted(present):
            self._first(prefix)
        for prefix in self._index.prefixes("", 2) - present:
            self._lost(prefix)

    def _first(self, prefix: str) -> None:
        path = self._layout.files / prefix
        present = {prefix + name for name in _subfolders(path)}
        # A folder's number is its digits after a leading 1, so those below it lie in one range.
        known = self._index.folders(_number(prefix + "00"), _number(prefix + "ff"))
        deeper = self._index.folders(_number(prefix + "0000"), _number(prefix + "ffff"))
        below: dict[int, list[int]] = {}
        for number in deeper:
            below.setdefault(number >> 8, []).append(number)
        for second in sorted(present):
            number = _number(second)
            self._second(second, path / second[2:], known.get(number), below.get(number, []), deeper)
        for second in self._index.prefixes(prefix, 4) - present:
            self._lost(second)
        for number in known:
            if _digits(number) not in present:
                self._changes.folders.extend((n, -1) for n in [number, *below.get(number, [])])

    def _second(
        self, prefix: str, path: Path, time_known: int | None, below: list[int], times: dict[int, int]
    ) -> None:
        self._tick()
        try:
            time_now = path.stat().st_mtime_ns
        except OSError:
            return
        leaves = {_digits(number) for number in below}
        if time_now != time_known:
            present = {prefix + name for name in _subfolders(path)}
            self._changes.folders.extend((_number(leaf), -1) for leaf in leaves - present)
            for leaf in self._index.prefixes(prefix, 6) - present:
                self._lost(leaf)
            leaves = present
        self._known = None
        for leaf in sorted(leaves):
            self._leaf(leaf, f"{path}/{leaf[4:]}", times.get(_number(leaf)))
        if time_now != time_known:
            self._folder_read(prefix, time_now)

    def _leaf(self, prefix: str, path: str, time_known: int | None) -> None:
        self._tick()
        try:
            time_now = os.stat(path).st_mtime_ns  # noqa: PTH116 -- a million of these
            if time_now == time_known:
                return
            # The index first: what is stored in between then shows in the listing, and is not taken for gone.
            if self._known is None:
                self._known = self._index.below(prefix[:4])
            known = {sha1: seen for sha1, seen in self._known.items() if sha1.startswith(prefix)}
            present = self._listing(prefix, path)
        except OSError:
            self._folder_read(prefix, 0)
            return
        for sha1, entry in present.items():
            self._compare(entry, known.get(sha1))
        for sha1 in known.keys() - present.keys():
            self._changes.gone.append(sha1)
            self._removed += 1
        self._folder_read(prefix, time_now)

    def _listing(self, prefix: str, path: str) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        links = []
        with os.scandir(path) as listing:
            for item in listing:
                self._tick()
                if not item.name.startswith(prefix):
                    continue
                if match := _LINK.fullmatch(item.name):
                    links.append(match[1])
                elif _SHA1.fullmatch(item.name) and (entry := self._file(item)) is not None:
                    entries[item.name] = entry
        for sha1 in links:
            if sha1 not in entries and (entry := self._link(sha1)) is not None:
                entries[sha1] = entry
        return entries

    def _file(self, item: "os.DirEntry[str]") -> Entry | None:
        try:
            status = item.stat()
        except OSError:
            # Gone since, or a symbolic link to nowhere; its neighbours are none the worse.
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        sha1 = item.name
        used = max(status.st_atime, status.st_mtime)
        return Entry(sha1, status.st_size, "", status.st_mtime, used, "", sha1 in self._pinned, "file", None)

    def _link(self, sha1: str) -> Entry | None:
        place = self._layout.link(sha1)
        link = read_link(place)
        try:
            added = place.stat().st_mtime
        except OSError:
            return None
        if link is None:
            return Entry(sha1, 0, "", added, added, "", sha1 in self._pinned, "void", None)
        kind: EntryKind = "link" if link.holds() else "void"
        return Entry(
            sha1,
            link.size,
            link.path.name,
            added,
            added,
            str(link.path),
            sha1 in self._pinned,
            kind,
            link.manifest_sha1,
        )

    def _adopt(self) -> None:
        """Make links of what the Python client has linked, which the pass then finds."""
        for sha1 in foreign_links(self._layout, self._tick):
            # In a folder that only reads, they are found where they are.
            with suppress(OSError, UsageError):
                adopt(self._layout, sha1)

    def _links(self) -> None:
        """A link's target changes without a trace in the folder, so every link is looked at."""
        for sha1, _ in self._index.linked():
            self._tick()
            link = read_link(self._layout.link(sha1))
            if link is not None:
                before = self._index.version
                self._index.set_link_kind(sha1, link.holds())
                self._changed += self._index.version != before

    # -- what was found -------------------------------------------------------------------------------------

    def _compare(self, entry: Entry, known: tuple[int, EntryKind] | None) -> None:
        if known == (entry.size, entry.kind):
            return
        if known is None:
            self._added += 1
            self._sniff(entry)
        else:
            self._changed += 1
        self._changes.found.append(entry)

    def _sniff(self, entry: Entry) -> None:
        """If the file is a manifest, remember of which file."""
        if entry.kind != "file" or not 64 < entry.size <= _MAX_MANIFEST:
            return
        try:
            with self._layout.file(entry.sha1).open("rb") as file:
                head = _MANIFEST_HEAD.match(file.read(_HEAD_BYTES))
                if head is None or not needs_manifest(int(head[1])):
                    return
                file.seek(0)
                manifest = Manifest.parse(file.read(_MAX_MANIFEST))
        except (OSError, ProtocolError, UsageError):
            return
        self._changes.manifests.append((manifest.sha1, entry.sha1))

    def _folder_read(self, prefix: str, mtime_ns: int) -> None:
        settled = time.time_ns() - mtime_ns > _COARSE
        # With a time of 0, the folder is known and will be read again.
        self._changes.folders.append((_number(prefix), mtime_ns if settled else 0))
        if len(self._changes) >= _BATCH:
            self._flush()

    def _lost(self, prefix: str) -> None:
        gone = list(self._index.below(prefix))
        self._changes.gone.extend(gone)
        self._removed += len(gone)

    def _flush(self) -> None:
        changes, self._changes = self._changes, _Changes()
        # What came back between the look and now is not gone.
        gone = [sha1 for sha1 in changes.gone if not self._is_there(sha1)]
        self._index.apply(changes.found, gone, changes.folders, changes.manifests)

    def _is_there(self, sha1: str) -> bool:
        return self._layout.file(sha1).exists() or self._layout.link(sha1).exists()

    def _trash_bytes(self) -> int:
        total = 0
        for folder, _, names in os.walk(self._layout.trash):
            for name in names:
                self._tick()
                try:
                    total += Path(folder, name).lstat().st_size
                except OSError:
                    continue
        return total

    def _tick(self) -> None:
        """Rest now and then, and end if asked to."""
        self._ticks += 1
        if self._ticks % _LOOK_EVERY:
            return
        worked = time.monotonic() - self._stretch_began
        if worked < _STRETCH:
            return
        if self._stop.wait(min(worked, 1.0)):
            raise _StoppedError
        self._stretch_began = time.monotonic()


def _subfolders(path: Path) -> set[str]:
    try:
        # Names alone: what else has such a name fails as a folder when it is read.
        return {name for name in os.listdir(path) if _BYTE.fullmatch(name)}  # noqa: PTH208
    except OSError:
        return set()


def _number(digits: str) -> int:
    return int("1" + digits, 16)


def _digits(number: int) -> str:
    return f"{number:x}"[1:]

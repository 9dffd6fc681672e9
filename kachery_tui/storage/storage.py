"""`Storage`: this node's disk. The one class that the floors above use."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kachery_tui.errors import KacheryError, NotAllowed, UsageError
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.manifest import Manifest
from kachery_tui.protocol.messages import FileKey
from kachery_tui.storage import cleanup, eviction, identity
from kachery_tui.storage.atomic import make_folders
from kachery_tui.storage.chunks_here import ChunksHere
from kachery_tui.storage.feed_notes import FeedNotes
from kachery_tui.storage.feeds import FeedStore
from kachery_tui.storage.files import FileStore
from kachery_tui.storage.history import History
from kachery_tui.storage.incoming import Incoming
from kachery_tui.storage.index import Index
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.lock import Claim
from kachery_tui.storage.modes import PRIVATE, modes_in
from kachery_tui.storage.pins import Pins
from kachery_tui.storage.problems import Damaged, explain
from kachery_tui.storage.scan import Scan
from kachery_tui.storage.settings import Settings
from kachery_tui.storage.sqlite_file import is_read_only
from kachery_tui.storage.trash import Trash
from kachery_tui.storage.values import (
    ByteSource,
    Entry,
    Found,
    Progress,
    ScanResult,
    Stored,
    Totals,
    TrashedFile,
)
from kachery_tui.storage.vouched import Looks


class Storage:
    """A storage folder (PROTOCOL.md § The storage folder).

    Every method blocks on the disk, is safe from any thread, and beside other processes on the same folder. Errors
    are KacheryErrors; a hash that is none raises UsageError.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.folder = layout.folder
        self.index = Index(layout.database, layout.modes)
        self._files = FileStore(self._layout, self.index)
        self._trash = Trash(self._layout, self.index)
        self.chunks = ChunksHere(self.index, self._files)
        self._pins = Pins(layout.pins, layout.tmp, layout.modes)
        self._settings = Settings(self._layout.settings)
        self._evicting = threading.Lock()
        self._claim: Claim | None = None
        self.feeds = FeedStore(layout.folder)
        self.feed_notes = FeedNotes(layout.feed_notes, layout.modes)

    @classmethod
    def open(cls, folder: Path, *, to_read: bool = False) -> "Storage":
        """Open a storage folder, creating what is missing. Quick: the index is brought up to date by `scan`.

        A new folder is its owner's alone; in one that a group shares (`modes_in`), so is everything new.

        Raises UsageError if it is no folder, and NotAllowed if it cannot be written to; with `to_read` it is only what
        would write that raises that.
        """
        folder = Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100 -- keep the person's symbolic links
        what = f"cannot use {folder} as storage folder"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE.folder)
            layout = Layout(folder, modes_in(folder))
            if to_read and is_read_only(folder):
                return cls(layout)
            for part in (layout.files, layout.tmp):
                make_folders(part, layout.modes)
            for part in (folder, layout.files, layout.tmp):
                if not os.access(part, os.W_OK | os.X_OK):
                    raise NotAllowed(
                        what,
                        f"{part} is not writable",
                        "Choose another folder with --storage, or make it writable",
                    )
        except OSError as error:
            problem = explain(error, what)
            if isinstance(error, FileExistsError | NotADirectoryError):
                problem = UsageError(
                    what, f"{error.filename} is not a folder", "Choose another with --storage"
                )
            raise problem from error
        return cls(layout)

    def close(self) -> None:
        """Let go of the index and, if this process claimed the folder, of that."""
        self.index.close()
        self.feeds.close()
        self.feed_notes.close()
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    def claim(self) -> None:
        """Make this process the folder's one node; StorageBusy names the process that is."""
        if self._claim is None:
            self._claim = Claim(self._layout.claim, self._layout.modes)

    def tell_holder(self, *, socket: str, config: Path) -> None:
        """Say in the lock file where other programs reach this process, and with which settings it runs.

        Nothing happens without a claim. Raises `KacheryError` where it cannot be written.
        """
        if self._claim is not None:
            self._claim.tell(socket=socket, config=str(config.absolute()))

    def history(self) -> History | None:
        """The requests of earlier runs; None where another process, or none, is the folder's one node."""
        return History(self._layout.history, self._layout.modes) if self._claim is not None else None

    def node_key(self, own: Path | None = None) -> PrivateKey:
        """The node's key, made if there is none. UsageError if what is there cannot be used.

        It is in this folder, or where another user of a shared one has his here, in the folder `own`.
        """
        return identity.node_key(self._layout, own)

    def owner(self) -> str | None:
        """The owner's name or address, as the file `owner` has it."""
        return identity.owner(self._layout)

    # -- putting there --------------------------------------------------------------------------------------

    def store(self, path: Path, *, progress: Progress | None = None) -> Stored:
        """Copy a file into storage, with a manifest if it is over 20,000,000 bytes; on disk once this returns.

        Raises UsageError (missing, a folder, a pipe), NotAllowed (unreadable), SourceChanged (written to meanwhile),
        DiskFull; after any of them nothing is left behind.
        """
        return self._restored(self._files.store(path, progress))

    def store_bytes(self, data: bytes, name: str | None = None, origin: str = "") -> Stored:
        """Put bytes into storage as a file of that name; `origin` says where they come from."""
        return self._restored(self._files.store_bytes(data, name, origin))

    def link(self, path: Path, *, progress: Progress | None = None) -> Stored:
        """Hash a file and remember where it is; it is found as long as its size and time stay. Raises as `store`."""
        return self._files.link(path, progress)

    def receive(
        self,
        sha1: str,
        size: int,
        *,
        manifest: Manifest | None = None,
        name: str | None = None,
        origin: str = "",
    ) -> Incoming:
        """Begin, or take up again, to receive a file of `size` bytes.

        Raises StillArriving if it is being received already, DiskFull if there is no room for it.
        """

        def landed(found: Found, manifest_sha1: str | None) -> None:
            self._trash.drop(sha1)
            self.index.record(
                sha1,
                found.size,
                "file",
                name=name or "",
                origin=origin,
                manifest_sha1=manifest_sha1,
                seen=Looks.of_file(found.path),
                pinned=self._is_pinned(sha1),
            )

        return Incoming(self._layout, sha1, size, manifest, landed)

    # -- finding and reading --------------------------------------------------------------------------------

    def find(self, sha1: str) -> Found | None:
        """The file, or link that holds, with this hash; its bytes are not read."""
        return self._files.find(sha1)

    def find_object(self, key: FileKey) -> ByteSource | None:
        """The bytes of a file, a link, or what may be a chunk inside a file that is here; nothing is read."""
        return self._files.find_object(key)

    def find_key(self, key: FileKey) -> ByteSource | None:
        """The bytes of a file, a link, or a chunk inside a file that is here; a chunk's hash is checked."""
        return self._files.find_key(key)

    def is_vouched(self, sha1: str) -> bool:
        """Whether what a link leads to is known to be that file; True of a file."""
        return self._files.is_vouched(sha1)

    def read_bytes(self, sha1: str, max_bytes: int) -> bytes | None:
        """A small file whole, its hash checked; None if it is not here (or broken), UsageError if it is larger."""
        return self._files.read_bytes(sha1, max_bytes)

    def manifest_of(self, sha1: str) -> Manifest | None:
        """The file's manifest, if storage has it and knows that it is."""
        return self._files.manifest_of(sha1)

    def verify(self, sha1: str, *, progress: Progress | None = None) -> bool:
        """Read a file through; False if its bytes do not have its hash, or it is not here."""
        return self._files.verify(sha1, progress)

    def find_right(self, sha1: str, *, progress: Progress | None = None, anew: bool = False) -> Found | None:
        """As `find`, of a file or link whose bytes are what its name says.

        They are read if they were not since the file was changed last, or `anew`. Raises `Damaged` for a file that is not
        what it should be: it is put out of the way into the trash, and the next look does not find it.
        """
        while True:
            found = self.find(sha1)
            if found is None:
                return None
            before = _identity(found.path)
            if self._files.verify(sha1, progress) if anew else self._files.is_right(found, progress):
                return found
            # Somebody may have put the right one there meanwhile, or taken the file away.
            if _identity(found.path) == before:
                break
        what, why = f"{sha1} in storage is damaged", "its bytes are not those of its URI"
        try:
            kept = self._trash.put_aside(found)
        except KacheryError as error:
            raise Damaged(what, f"{why}; {error.line}", error.do) from error
        raise Damaged(
            what,
            why,
            f"It is kept as {kept} until the trash is emptied" if kept else "The link to it is removed",
        )

    def touch(self, sha1: str) -> None:
        """The file is being used: it is evicted later than those that are not."""
        self.index.touch(sha1)

    @contextmanager
    def using(self, sha1: str) -> Iterator[None]:
        """Keep the file from being evicted while the block runs."""
        with self._files.using(sha1):
            yield

    # -- keeping order --------------------------------------------------------------------------------------

    def trash(self, sha1: str) -> None:
        """Move a file or link to the trash. UsageError if it is pinned or not here."""
        if sha1 in self._pins.all():
            raise UsageError(f"{sha1} is pinned", "pinned files stay", "Unpin it first")
        self._trash.move_there(sha1)

    def restore(self, sha1: str) -> None:
        """Bring a file or link back from the trash, as it was. UsageError if it is not there."""
        is_pinned = sha1 in self._pins.all()
        self._trash.restore(sha1)
        self.index.set_pinned(sha1, is_pinned)

    def empty_trash(self) -> int:
        """Remove everything in the trash for good; the bytes that this freed."""
        return self._trash.empty()

    def pin(self, sha1: str, pinned: bool) -> None:
        """Keep a file from being evicted or trashed, or no longer. UsageError to pin what is not here."""
        if pinned and self.find(sha1) is None:
            raise UsageError(f"cannot pin {sha1}", "it is not in storage")
        self._pins.set(sha1, pinned)
        self.index.set_pinned(sha1, pinned)

    def trashed(self, limit: int) -> tuple[list[TrashedFile], bool]:
        """What the trash holds, the newest first, `limit` at most, and whether there is more."""
        return self._trash.newest(limit)

    def next_to_go(self, limit: int) -> tuple[list[Entry], int]:
        """The files that eviction would take, in its order, `limit` at most; and how many bytes must go now.

        While none must, it is what would go if the size limit were reached now, and without a size limit what was not
        used for longest. A file that is pinned or in use is not among them.
        """
        most = self.limit_bytes()
        over = eviction.excess_over(most, self.index.totals().bytes)
        excess = over or (eviction.excess_at(most) if most is not None else 0)
        stays = self._pins.all() | self._files.in_use()
        return eviction.foresee(self.index, excess, stays, limit), int(over)

    def limit_bytes(self) -> int | None:
        """The size limit that `kachery.yaml` sets; UsageError says what is wrong with that file."""
        return self._settings.limit()

    def totals(self) -> Totals:
        """What storage holds in sum, as far as the index knows; quick. A limit that cannot be read is none here."""
        totals = self.index.totals()
        try:
            return replace(totals, limit=self.limit_bytes())
        except KacheryError:
            return totals

    def evict(self, *, dry_run: bool = False) -> list[Entry]:
        """Above the size limit, move long unused and large files to the trash, down to 70 % of it.

        Pinned files stay, and those inside `using`. Returns what went, or with `dry_run` what would go.
        """
        with self._evicting:
            excess = eviction.excess_over(self.limit_bytes(), self.index.totals().bytes)
            if not excess:
                return []
            pinned = self._pins.all()
            chosen = eviction.choose(
                self.index.oldest(), excess, lambda sha1: sha1 in pinned or self._files.is_used(sha1)
            )
            return chosen if dry_run else eviction.trash_all(chosen, self._trash.put_file)

    def scan(self, stop: threading.Event) -> ScanResult:
        """Go through the folder once and bring the index up to date; gentle, and ends soon after `stop` is set."""
        return Scan(self._layout, self.index, self._pins.all(), stop).scan()

    def clean_tmp(self) -> None:
        """Remove what killed processes left in tmp/; what can be resumed stays. For the start of a node."""
        cleanup.clean_tmp(self._layout)

    def _restored(self, stored: Stored) -> Stored:
        """A file that is in storage need not be in the trash as well."""
        if stored.added_bytes:
            self._trash.drop(stored.uri.sha1)
            if self._is_pinned(stored.uri.sha1):
                self.index.set_pinned(stored.uri.sha1, True)
        return stored

    def _is_pinned(self, sha1: str) -> bool:
        """Whether a file that comes is pinned already, as far as that can be known."""
        try:
            return sha1 in self._pins.all()
        except KacheryError:
            return False


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What tells a file from another that is put in its place; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size

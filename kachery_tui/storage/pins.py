"""Which files a person pinned: one hash a line, in a file of its own.

The index is thrown away when it cannot be read; a pin is a promise and must not go with it.
"""

import os
import threading
from pathlib import Path

from kachery_tui.file_locks import wait_for_lock
from kachery_tui.protocol.hashes import is_sha1
from kachery_tui.storage.atomic import open_in_place, write_file
from kachery_tui.storage.modes import Modes
from kachery_tui.storage.problems import explained


class Pins:
    """The set of pinned hashes of a storage folder, shared by all its processes."""

    def __init__(self, path: Path, tmp: Path, modes: Modes) -> None:
        self._path = path
        self._tmp = tmp
        self._modes = modes
        self._lock = threading.Lock()

    def all(self) -> frozenset[str]:
        """What is pinned now. Raises NotAllowed if that cannot be known: no pin may be lost by guessing."""
        try:
            with explained("cannot read which files are pinned"):
                lines = self._path.read_text("utf-8", "replace").splitlines()
        except Exception as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return frozenset()
            raise
        return frozenset(line for line in lines if is_sha1(line))

    def set(self, sha1: str, pinned: bool) -> None:
        """Pin or unpin one hash; on disk once this returns."""
        with self._lock, explained("cannot write which files are pinned"):
            guard = open_in_place(self._path.with_suffix(".lock"), self._modes)
            try:
                wait_for_lock(guard)
                now = self.all()
                wanted = now | {sha1} if pinned else now - {sha1}
                if wanted != now:
                    data = "".join(f"{pin}\n" for pin in sorted(wanted)).encode()
                    write_file(self._tmp, self._path, data, self._modes)
            finally:
                os.close(guard)

"""Who may read and write what stands in a storage folder: its owner alone, or the group that shares it."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Modes:
    """The permission bits of new files and folders."""

    file: int
    folder: int

    @property
    def is_shared(self) -> bool:
        """Whether a group has the folder together."""
        return bool(self.file & stat.S_IWGRP)

    def apply(self, fd: int, status: os.stat_result | None = None) -> None:
        """Give an open file its bits, whatever the umask left of them; files of other users stay as they are."""
        status = status or os.fstat(fd)
        if stat.S_IMODE(status.st_mode) != self.file and status.st_uid == os.geteuid():
            try:
                os.fchmod(fd, self.file)
            except OSError:
                # Some file systems have no such bits; where a group relies on them, that is said.
                if self.is_shared:
                    raise

    def make_folder(self, path: Path) -> None:
        """Make one folder, with the bits that it is to have. Raises `OSError`, also where it is there already."""
        path.mkdir(mode=stat.S_IMODE(self.folder) & 0o777)
        if self.is_shared:
            path.chmod(self.folder)


PRIVATE: Final = Modes(0o600, 0o700)
"""What a file says, and what it is called, is the business of whoever stored it."""

SHARED: Final = Modes(0o660, 0o2770)
"""Every member of the group adds, removes and indexes, whatever the umask of each."""


def modes_in(folder: Path) -> Modes:
    """The modes for what is new in a storage folder: shared, if its group may write and what is new inherits the group.

    `mkdir FOLDER; chgrp LAB FOLDER; chmod 2770 FOLDER` makes such a folder. Raises `OSError`.
    """
    mode = folder.stat().st_mode
    return SHARED if mode & stat.S_ISGID and mode & stat.S_IWGRP else PRIVATE

"""Opening the files that people name, and noticing when they change under our eyes."""

import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from kachery_tui.errors import UsageError
from kachery_tui.storage.problems import SourceChanged, explained


class Source:
    """A regular file, open for reading. UsageError or NotAllowed says what is wrong with any other path."""

    def __init__(self, path: Path, action: str) -> None:
        """`action` is what is to be done with it, for messages: "store", "link"."""
        self.path = path
        self._what = f"cannot {action} {path}"
        with explained(self._what):
            # Opening a device or a pipe can have effects or wait forever, so look before.
            self._refuse_odd(path.stat().st_mode)
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self.stat = os.fstat(self.fd)
            self._refuse_odd(self.stat.st_mode)
        except BaseException:
            os.close(self.fd)
            raise

    @property
    def size(self) -> int:
        """The length in bytes when it was opened."""
        return self.stat.st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.fd)

    def check_unchanged(self) -> None:
        """Raise SourceChanged if anything was written to the file since it was opened."""
        now = os.fstat(self.fd)
        same = (now.st_size, now.st_mtime_ns) == (self.stat.st_size, self.stat.st_mtime_ns)
        # A file of /proc says it is empty and yet has content.
        if not same or os.pread(self.fd, 1, self.size):
            raise SourceChanged(
                self._what, "it changed while it was being read", "Try again when nothing writes to it"
            )

    def _refuse_odd(self, mode: int) -> None:
        if stat.S_ISREG(mode):
            return
        if stat.S_ISDIR(mode):
            raise UsageError(
                self._what, "it is a folder", "Name the files inside it, or pack it into one file"
            )
        raise UsageError(self._what, f"it is {_odd_kind(mode)}, not a regular file")


def _odd_kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device"

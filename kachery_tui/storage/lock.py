"""One node at a time on a storage folder, and where it can be reached.

The command line may store and load beside a running node: what they write is safe together. But only one process
answers for the folder, cleans it and evicts.
"""

import json
import logging
import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kachery_tui.file_locks import is_running, lacks_locks, try_lock
from kachery_tui.storage.atomic import open_in_place, write_all
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.modes import Modes
from kachery_tui.storage.problems import StorageBusy, explained

_MAX_NOTE: Final = 16_384
_log = logging.getLogger(__name__)


class Claim:
    """The hold of this process on a storage folder; the kernel ends it with the process, however it ends.

    Where the file system has no locks, the note in the file is all that keeps others out; it is emptied in `release`.
    """

    def __init__(self, path: Path, modes: Modes) -> None:
        """Take hold, or raise StorageBusy with the process id and command of the node that has it."""
        with explained(f"cannot claim the storage folder {path.parent}"):
            self._fd = open_in_place(path, modes)
        self._path = path
        self._note: dict[str, Any] = {}
        try:
            with explained(f"cannot claim the storage folder {path.parent}"):
                is_free = try_lock(self._fd)
                holder = Holder.read(os.pread(self._fd, _MAX_NOTE, 0))
                if is_free and lacks_locks(self._fd):
                    _log.warning(
                        "The file system of %s has no locks: see to it that one node at a time runs on that folder",
                        path.parent,
                    )
                    is_free = not holder.may_run
            if not is_free:
                raise StorageBusy(
                    f"the storage folder {path.parent} is in use", str(holder), holder.way_out(self._fd, path)
                )
            self.tell(pid=os.getpid(), host=socket.gethostname(), command=" ".join(sys.argv)[:2000])
        except BaseException:
            os.close(self._fd)
            raise

    def tell(self, **more: str | int) -> None:
        """Have the note say more, or other than before. Raises `KacheryError` where it cannot be written."""
        self._note |= more
        # Whoever reads it meanwhile finds an old end behind what is shorter; spaces are none.
        data = json.dumps(self._note).encode().ljust(os.fstat(self._fd).st_size)
        with explained(f"cannot claim the storage folder {self._path.parent}"):
            write_all(self._fd, data, 0)

    def release(self) -> None:
        """Let go. The file stays: removing it would let two nodes lock two files of the same name."""
        try:
            os.ftruncate(self._fd, 0)
        except OSError as error:
            _log.warning("The note of who runs on the storage folder cannot be taken back: %s", error)
        finally:
            os.close(self._fd)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a folder, by the note in its lock file.

    `socket` is where other programs reach that node, and `config` its settings folder; both may be empty.
    """

    pid: int
    host: str
    command: str
    socket: str = ""
    config: str = ""

    @classmethod
    def read(cls, note: bytes) -> "Holder":
        """What a note says. What makes no sense says of nobody."""
        try:
            value = json.loads(note)
            more = (str(value.get(name, "")) for name in ("socket", "config"))
            return cls(int(value["pid"]), str(value.get("host", "")), str(value["command"]), *more)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            return cls(0, "", "")

    @property
    def may_run(self) -> bool:
        """Whether that process still runs, as far as can be told from here."""
        if not self.pid:
            return False
        return is_running(self.pid) if self.is_here else True

    def way_out(self, fd: int, path: Path) -> str:
        """What a person can do."""
        end = "End that node, or give this one another folder with --storage"
        return f"{end}. If it has ended already: rm {path}" if lacks_locks(fd) else end

    @property
    def is_here(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return self.host in ("", socket.gethostname())

    def __str__(self) -> str:
        if not self.pid:
            return "another process runs on it"
        where = "" if self.is_here else f" of {self.host}"
        return f"process {self.pid}{where} runs on it: {self.command}"


def read_holder(folder: Path) -> Holder | None:
    """Who holds, or held last, a storage folder; None where the file says of nobody."""
    with suppress(OSError), Layout(folder).claim.open("rb") as file:
        holder = Holder.read(file.read(_MAX_NOTE))
        return holder if holder.pid else None
    return None

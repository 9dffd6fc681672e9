"""One node at a time on a storage folder.

The command line may store and load beside a running node: what they write is safe together. But only one process
answers for the folder, cleans it and evicts.
"""

import json
import os
import sys
from pathlib import Path

from kachery_tui.storage.atomic import open_in_place, try_lock, write_all
from kachery_tui.storage.modes import Modes
from kachery_tui.storage.problems import StorageBusy, explained

_MAX_NOTE = 4096


class Claim:
    """The hold of this process on a storage folder; the kernel ends it with the process, however it ends."""

    def __init__(self, path: Path, modes: Modes) -> None:
        """Take hold, or raise StorageBusy with the process id and command of the node that has it."""
        with explained(f"cannot claim the storage folder {path.parent}"):
            self._fd = open_in_place(path, modes)
        try:
            if not try_lock(self._fd):
                raise StorageBusy(
                    f"the storage folder {path.parent} is in use",
                    _holder(os.pread(self._fd, _MAX_NOTE, 0)),
                    "End that node, or give this one another folder with --storage",
                )
            note = json.dumps({"pid": os.getpid(), "command": " ".join(sys.argv)[:2000]})
            with explained(f"cannot claim the storage folder {path.parent}"):
                os.ftruncate(self._fd, 0)
                write_all(self._fd, note.encode(), 0)
        except BaseException:
            os.close(self._fd)
            raise

    def release(self) -> None:
        """Let go. The file stays: removing it would let two nodes lock two files of the same name."""
        os.close(self._fd)


def _holder(note: bytes) -> str:
    try:
        value = json.loads(note)
        return f"process {int(value['pid'])} runs on it: {value['command']!s}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "another process runs on it"

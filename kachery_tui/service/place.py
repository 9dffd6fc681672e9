"""Where a node's socket is: in the runtime directory of the user whose node it is, named by the storage folder.

Not in the storage folder, which may be on a file system that has no sockets. Callers learn of it by the note in the
folder's lock file (PROTOCOL.md § What this program adds to a storage folder).
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kachery_tui.errors import KacheryError

LONGEST_PATH: Final = 100
"""Bytes of a socket's path. Systems allow 103 to 107; while it is made, its name is a little longer."""

NAME_DIGITS: Final = 16


def socket_place(storage: Path, group: int | None = None) -> Path:
    """Where to put the socket of the node of a storage folder; its folder is there, and nobody else may write into it.

    `group` is the id of a group that may reach it; None for the user alone. Raises `KacheryError` where none will do.
    """
    digits = hashlib.sha1(os.fsencode(storage.resolve()), usedforsecurity=False).hexdigest()[:NAME_DIGITS]
    troubles = []
    for folder in _folders(group):
        place = folder / f"{digits}.sock"
        if len(os.fsencode(place)) > LONGEST_PATH:
            troubles.append(f"{folder}: its path is too long for a socket")
            continue
        try:
            _make(folder, group)
        except OSError as error:
            troubles.append(f"{folder}: {error.strerror or error}")
        else:
            return place
    raise KacheryError("there is no place for the node's socket", "; ".join(troubles))


def _folders(group: int | None) -> Iterator[Path]:
    """Where it could be, the best first."""
    user = os.geteuid()
    if group is None:
        # The second where the first is not told: in a session of `su`, in a cron job.
        for base in (os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{user}"):
            if base.startswith("/") and _is_ours(Path(base)):
                yield Path(base) / "kachery-tui"
    name = f"kachery-tui-{user}" if group is None else f"kachery-tui-{user}-{group}"
    for base in dict.fromkeys((tempfile.gettempdir(), "/tmp")):  # noqa: S108 - where only its owner may write
        yield Path(base) / name


def sockets_here() -> Iterator[Path]:
    """The sockets of this user's nodes, also of those that were killed. Blocks on the disk."""
    shared = (f"kachery-tui-{os.geteuid()}-*/*.sock", Path(tempfile.gettempdir()))
    own = (("*.sock", folder) for folder in _folders(None))
    for pattern, folder in (*own, shared):
        yield from sorted(folder.glob(pattern))


def _is_ours(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _make(folder: Path, group: int | None) -> None:
    """Have the folder, for this user alone to write. Raises `OSError`, also for what somebody else has put there."""
    mode = 0o700 if group is None else 0o750
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise NotADirectoryError(f"{folder} is not this user's folder") from None
    if group is not None:
        os.chown(folder, -1, group)
    folder.chmod(mode)

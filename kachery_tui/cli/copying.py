"""Copies of stored files where a person wants them."""

import os
import shutil
from pathlib import Path
from typing import Final

from kachery_tui.errors import KacheryError, NotAllowed, UsageError
from kachery_tui.protocol.uris import FileUri
from kachery_tui.whole_files import file_name, temporary_beside

PIECE: Final = 1 << 20
"""Bytes copied at a time."""


def place_for(uri: FileUri, to: Path | None) -> Path | None:
    """Where a copy goes; None where none is wanted."""
    if to is None:
        return None
    return to / file_name(uri.name or "", uri.sha1) if to.is_dir() else to


def must_be_free(target: Path) -> None:
    """See that nothing is there. Raises `UsageError`."""
    if os.path.lexists(target):
        raise _is_there(target)


def copy(source: Path, target: Path, *, force: bool) -> Path:
    """A copy of a stored file at `target`, which is never there half done; what is there stays, without `force`."""
    if "/" in target.name or not target.name:
        raise UsageError(f"cannot write to {target}", "it names no file")
    try:
        with temporary_beside(target) as (descriptor, temporary):
            with source.open("rb") as opened, open(descriptor, "wb", closefd=False) as copied:
                shutil.copyfileobj(opened, copied, PIECE)
            if force or not _put_new(temporary, target):
                temporary.replace(target)
    except FileExistsError:
        raise _is_there(target) from None
    except OSError as error:
        why = error.strerror or str(error)
        kind = NotAllowed if isinstance(error, PermissionError) else KacheryError
        raise kind(f"cannot write {target}", why, "Choose another place with --to") from None
    return target


def _put_new(temporary: Path, target: Path) -> bool:
    """Give a file a second name, which nobody has taken; False where files have one name only.

    Raises FileExistsError when it is taken.
    """
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        return False
    return True


def _is_there(target: Path) -> UsageError:
    return UsageError(f"{target} is there already", "", "Choose another place, or overwrite it with --force")

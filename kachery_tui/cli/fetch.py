"""`load` and `cat`: a file by its URI, from storage if it is there, else from the network."""

import os
import shutil
import sys
from argparse import Namespace
from pathlib import Path
from typing import Final

from kachery_tui.cli.output import emit, say, to_stdout
from kachery_tui.cli.place import find_place
from kachery_tui.errors import KacheryError, NotAllowed, UsageError
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.problems import Damaged
from kachery_tui.storage.storage import Storage
from kachery_tui.whole_files import file_name, temporary_beside

PIECE: Final = 1 << 20
"""Bytes copied at a time."""


def load(args: Namespace) -> int:
    """Print the local path of a file, which is got first if need be."""
    uri = FileUri.parse(args.uri)
    target = args.to
    if target is not None:
        target = target / file_name(uri.name or "", uri.sha1) if target.is_dir() else target
        if not args.force and os.path.lexists(target):
            raise _is_there(target)
    path = _obtain(args, uri)
    if target is not None:
        path = copy(path, target, force=args.force)
    emit(str(path), {"uri": str(uri), "path": str(path), "size": path.stat().st_size}, as_json=args.as_json)
    return 0


def cat(args: Namespace) -> int:
    """Write a file's bytes to stdout."""
    path = _obtain(args, FileUri.parse(args.uri))
    with path.open("rb") as opened:
        while piece := opened.read(PIECE):
            with to_stdout():
                sys.stdout.buffer.write(piece)
    with to_stdout():
        sys.stdout.buffer.flush()
    return 0


def _obtain(args: Namespace, uri: FileUri) -> Path:
    """Where the file is. Only one that is not in storage makes a node, and brings in what that needs."""
    place = find_place(args)
    storage = Storage.open(place.storage, to_read=True)
    try:
        found = storage.find_right(uri.sha1, anew=args.verify)
        if found is not None:
            storage.touch(uri.sha1)
            return found.path
    except Damaged as error:
        say(f"{error.line}: it is got anew. {error.do}")
    finally:
        storage.close()
    from kachery_tui.cli.network import fetch

    return fetch(place, uri, args.channel, debug=args.debug)


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

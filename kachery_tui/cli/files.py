"""`store` and `link`: files into storage, one URI a line."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kachery_tui.cli.output import Progress, complain, emit
from kachery_tui.cli.place import find_place
from kachery_tui.cli.stdin import given
from kachery_tui.errors import KacheryError
from kachery_tui.storage.storage import Storage

if TYPE_CHECKING:
    from kachery_tui.storage.values import Stored

Take = Callable[[Storage, Path, Callable[[int], None]], "Stored"]


def store(args: Namespace) -> int:
    """Copy files into storage."""
    return _take_all(args, lambda storage, path, report: storage.store(path, progress=report))


def link(args: Namespace) -> int:
    """Make files known to storage where they are."""
    return _take_all(args, lambda storage, path, report: storage.link(path, progress=report))


def _take_all(args: Namespace, take: Take) -> int:
    """Take one file after the other; one that fails does not stop the others, and makes the exit code 1."""
    progress = Progress()
    code = 0
    storage = Storage.open(find_place(args).storage)
    try:
        for path in map(Path, given(args.paths, "paths")):
            try:
                stored = take(storage, path, _reporter(path, progress))
            except KacheryError as error:
                progress.clear()
                complain(error)
                code = 1
                continue
            progress.clear()
            value = {
                "uri": str(stored.uri),
                "path": str(path),
                "size": stored.size,
                "addedBytes": stored.added_bytes,
            }
            emit(str(stored.uri), value, as_json=args.as_json)
    finally:
        progress.clear()
        storage.close()
    return code


def _reporter(path: Path, progress: Progress) -> Callable[[int], None]:
    try:
        size = path.stat().st_size
    except OSError:
        # Storage says what is wrong with it.
        size = 0
    return lambda done: progress.show(
        f"{path.name}: {done / size:.0%}" if size else f"{path.name}: {done:,} bytes"
    )

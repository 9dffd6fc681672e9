"""Files that people name, written whole or not at all; and names from outside, as names of files."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LONGEST_NAME: Final = 255
"""Bytes of one component of a path, on every file system that a node is likely to meet."""


@contextmanager
def temporary_beside(target: Path, mode: int = 0o666) -> Iterator[tuple[int, Path]]:
    """A new, empty file in the folder of `target`, open for writing, and its path; gone at the end, unless renamed.

    `mode` is less what the umask takes. Nobody can have planted anything under its name, and the name is short, however
    long that of `target` is. Raises `OSError`.
    """
    while True:
        path = target.parent / f".kachery-{secrets.token_hex(8)}.part"
        try:
            descriptor = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode
            )
        except FileExistsError:
            continue
        break
    try:
        yield descriptor, path
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def file_name(name: str, default: str) -> str:
    """A name from outside as one component of a path: it leads nowhere else, hides nothing, and is short enough.

    What cannot stand in a name, or would do something to a terminal, becomes `_`, and so do leading dots: a stranger's
    `.profile` in one's home would be run. Of a name that is too long, the beginning and the ending stay. `default`
    stands in for a name of which nothing is left.
    """
    safe = "".join(char if char.isprintable() and char != "/" and _has_bytes(char) else "_" for char in name)
    bare = safe.lstrip(".")
    safe = "_" * (len(safe) - len(bare)) + bare
    return _shortened(safe) if safe.strip(" _") else default


def _has_bytes(char: str) -> bool:
    """Whether file names here can have a character: with a locale of ISO 8859-1, say, they cannot have most."""
    if char.isascii():
        return True
    try:
        return bool(os.fsencode(char))
    except UnicodeEncodeError:
        return False


def _shortened(name: str) -> str:
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    tail = dot + ending
    if not stem or len(os.fsencode(tail)) > 32:
        stem, tail = name, ""
    room = LONGEST_NAME - len(os.fsencode(tail))
    # No character is cut in its middle.
    return os.fsencode(stem)[:room].decode(errors="ignore") + tail

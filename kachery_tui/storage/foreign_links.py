"""Links that the Python client `kachery` 2 made, in a folder of its own (PROTOCOL.md § The storage folder).

Found at once where they stand; a scan makes links of this program's form of them, which all else goes by.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from kachery_tui.protocol.hashes import is_sha1
from kachery_tui.storage.atomic import write_file
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.links import Link, make_link, read_link, read_record

_BYTE: Final = re.compile(r"[0-9a-f]{2}")


def find_link(layout: Layout, sha1: str) -> Link | None:
    """The link of a file, whoever made it; None if there is none, or none that is of a link's form."""
    return read_link(layout.link(sha1)) or read_foreign_link(layout.foreign_link(sha1), sha1)


def read_foreign_link(place: Path, sha1: str) -> Link | None:
    """What the record at `place` says of a file; None where there is none, or it is not of its form."""
    value = read_record(place)
    if value is None or value.get("sha1") != sha1:
        return None
    return make_link(value.get("path"), None, value.get("size"), value.get("mtime"))


def foreign_links(layout: Layout, tick: Callable[[], None]) -> Iterator[str]:
    """The hashes of all records, those included that are void. `tick` is called for each folder and name on the way."""
    yield from _below(str(layout.foreign_links), 3, tick)


def _below(folder: str, levels: int, tick: Callable[[], None]) -> Iterator[str]:
    """Nothing behind a symbolic link: that may lead anywhere."""
    try:
        if Path(folder).is_symlink():
            return
        names = os.listdir(folder)  # noqa: PTH208 -- names alone
    except OSError:
        return
    for name in names:
        tick()
        if levels and _BYTE.fullmatch(name):
            yield from _below(f"{folder}/{name}", levels - 1, tick)
        elif not levels and is_sha1(name):
            yield name


def adopt(layout: Layout, sha1: str) -> None:
    """Make a link of a record that holds, unless the file or a link is there. Raises `OSError`."""
    if layout.file(sha1).exists() or layout.link(sha1).exists():
        return
    link = read_foreign_link(layout.foreign_link(sha1), sha1)
    if link is not None and link.holds():
        write_file(layout.tmp, layout.link(sha1), link.encode(), layout.modes)


def forget(layout: Layout, sha1: str) -> None:
    """Remove a record, so that no link is made of it again; one that cannot be removed is let be."""
    with suppress(OSError):
        layout.foreign_link(sha1).unlink(missing_ok=True)

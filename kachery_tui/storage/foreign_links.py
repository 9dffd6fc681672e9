"""Links that the Python client `kachery` 2 made, in a folder of its own (PROTOCOL.md § The storage folder).

Found at once where they stand; a scan makes links of this program's form of them, which all else goes by.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from kachery_tui.protocol.canonical import parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.hashes import is_sha1
from kachery_tui.storage.atomic import write_file
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.links import MAX_LINK_BYTES, Link, make_link, read_link


def find_link(layout: Layout, sha1: str) -> Link | None:
    """The link of a file, whoever made it; None if there is none, or none that is of a link's form."""
    return read_link(layout.link(sha1)) or read_foreign_link(layout.foreign_link(sha1), sha1)


def read_foreign_link(place: Path, sha1: str) -> Link | None:
    """What the record at `place` says of a file; None where there is none, or it is not of its form."""
    try:
        with place.open("rb") as file:
            data = file.read(MAX_LINK_BYTES + 1)
        value = parse_json(data.decode("utf-8", "surrogateescape"), max_bytes=MAX_LINK_BYTES)
    except (OSError, ProtocolError, UnicodeError):
        return None
    if not isinstance(value, dict) or value.get("sha1") != sha1:
        return None
    return make_link(value.get("path"), None, value.get("size"), value.get("mtime"))


def foreign_links(layout: Layout) -> Iterator[str]:
    """The hashes of all records, those included that are void."""
    for _, _, names in os.walk(layout.foreign_links):
        yield from (name for name in names if is_sha1(name))


def adopt(layout: Layout, sha1: str) -> None:
    """Make a link of a record that holds, unless the file or a link is there. Raises `OSError`."""
    if layout.file(sha1).exists() or layout.link(sha1).exists():
        return
    link = read_foreign_link(layout.foreign_link(sha1), sha1)
    if link is not None and link.holds():
        write_file(layout.tmp, layout.link(sha1), link.encode(), layout.modes)


def forget(layout: Layout, sha1: str) -> None:
    """Remove a record, so that no link is made of it again. Raises `OSError`."""
    layout.foreign_link(sha1).unlink(missing_ok=True)

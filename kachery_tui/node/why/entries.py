"""Why a file is in storage as it is, and what will become of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kachery_tui.node.why.links import Link, Mark, bad, clip, note, ok, pieces, several
from kachery_tui.words import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kachery_tui.node.node import Node
    from kachery_tui.node.values import Entry, Totals

MANIFEST_ORIGIN = "manifest"


def why_entry(node: Node, entry: Entry, totals: Totals) -> tuple[Link, ...]:
    """Where a stored file came from, how it lies there, and what eviction would do with it."""
    return (*_origin(node, entry), *_place(entry), *_eviction(entry, totals))


def _origin(node: Node, entry: Entry) -> Iterator[Link]:
    channels = [name.strip() for name in entry.origin.split(",")] if entry.origin else []
    if entry.origin == MANIFEST_ORIGIN:
        yield note("it is a manifest: the list of the chunks that a larger file travels in")
    elif entry.origin.startswith("/"):
        verb = "linked" if entry.kind != "file" else "stored"
        yield from pieces(Mark.OK, f"it was {verb} on this machine from {entry.origin}")
    elif channels and (len(channels) > 1 or channels[0] in node.memberships):
        yield ok(f"it came over {several(channels)}")
    elif entry.origin:
        yield ok(f"it came from {clip(entry.origin, 60)}")
    else:
        yield note("another program put it into the storage folder: where it came from is not known")
    if entry.manifest_sha1 is not None:
        yield note(f"it travels in chunks, which its manifest {entry.manifest_sha1[:12]}… lists")


def _place(entry: Entry) -> Iterator[Link]:
    match entry.kind:
        case "file":
            yield ok(f"its {size(entry.size)} lie in the storage folder")
        case "link":
            yield ok("it is a link: the bytes lie where they were, and take no room in the storage folder")
            yield note("the link holds as long as that file's size and time stay as they are")
        case "void":
            yield bad(
                "the file that the link leads to was changed, moved or removed: it is not provided any more",
                "Put the file back or link it again, else move the link to the trash",
            )


def _eviction(entry: Entry, totals: Totals) -> Iterator[Link]:
    if entry.pinned:
        yield ok("it is pinned: it is neither evicted nor moved to the trash", "Unpin it to let it go")
    elif entry.kind != "file":
        yield ok("eviction leaves links alone")
    elif totals.limit is None:
        yield ok("no size limit is set, so nothing is evicted", "Set maxCacheSizeGiB in kachery.yaml for one")
    elif totals.bytes > totals.limit:
        over = size(totals.bytes - totals.limit)
        yield bad(
            f"the storage is {over} over its limit: the longest unused files go to the trash",
            "Pin it to keep it",
        )
    else:
        room = size(totals.limit - totals.bytes)
        yield note(
            f"{room} are free below the limit; then the longest unused files go first", "Pin it to keep it"
        )

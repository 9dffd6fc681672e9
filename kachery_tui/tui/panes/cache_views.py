"""The views of the cache's pane: what each is called, which columns it has, and what it says when it is empty."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from kachery_tui.tui.widgets.columns import Column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kachery_tui.node.values import Order


class CacheView(StrEnum):
    """What the pane shows."""

    STORAGE = "storage"
    BUCKET = "bucket"
    TRASH = "trash"
    HORIZON = "horizon"


COLUMNS: Final[Mapping[CacheView, tuple[Column, ...]]] = {
    CacheView.STORAGE: (
        Column("name", 34, share=2),
        Column("size", 7, right=True),
        Column("added", 6, right=True, drop=2),
        Column("used", 6, right=True, drop=3),
        Column("from", 12, share=1, drop=4),
        Column("pinned", 6, drop=1),
        Column("state", 6),
    ),
    CacheView.BUCKET: (
        Column("name", 34, share=1),
        Column("size", 7, right=True),
        Column("changed", 10, right=True, drop=1),
        Column("on disk", 7),
        Column("sha1", 40, drop=2),
    ),
    CacheView.TRASH: (
        Column("name", 34, share=1),
        Column("size", 7, right=True),
        Column("trashed", 10, right=True),
        Column("sha1", 40, drop=1),
    ),
    CacheView.HORIZON: (
        Column("#", 4, right=True, drop=2),
        Column("name", 16, share=1, spills=True),
        Column("size", 7, right=True),
        Column("used", 6, right=True, drop=1),
        Column("freed", 7, right=True),
        Column("", 11),
    ),
}

EMPTY: Final[Mapping[CacheView, tuple[str, ...]]] = {
    CacheView.STORAGE: (
        "The storage folder holds no files yet.",
        "{store} stores a copy of a file, {link} links one where it lies,",
        "{request} requests one by its URI.",
    ),
    CacheView.BUCKET: (
        "The bucket holds no files yet.",
        "Select a file in storage ({bucket-view} goes there), {push} uploads it.",
    ),
    CacheView.TRASH: ("The trash is empty.",),
    CacheView.HORIZON: (
        "Nothing would be evicted.",
        "A line `maxCacheSizeGiB: 100` sets a limit,",
        "in kachery.yaml in the storage folder.",
    ),
}

NOTHING_LEFT: Final = ("No file matches.", "Esc clears the filter.")

ORDERS: Final[Mapping[str, Order]] = {"added": "added", "name": "name", "size": "size", "used": "used"}
"""The order for each column that the files can be sorted by."""

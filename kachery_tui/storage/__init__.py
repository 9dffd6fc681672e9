"""This node's disk: the storage folder, with everything in it that PROTOCOL.md names, and an index of it.

Synchronous, safe from any thread and beside other processes. Knows nothing of channels, nodes or screens.
"""

from typing import TYPE_CHECKING

from kachery_tui.lazy import lazily

if TYPE_CHECKING:
    from kachery_tui.storage.chunk_writer import ChunkWriter
    from kachery_tui.storage.incoming import Incoming
    from kachery_tui.storage.index import Index
    from kachery_tui.storage.problems import (
        DiskFull,
        SourceChanged,
        StillArriving,
        StorageBusy,
        WrongBytes,
        WrongManifest,
    )
    from kachery_tui.storage.storage import Storage
    from kachery_tui.storage.values import (
        ByteSource,
        Entry,
        EntryKind,
        Found,
        Order,
        Progress,
        ScanResult,
        Stored,
        Totals,
    )

__all__ = [
    "ByteSource",
    "ChunkWriter",
    "DiskFull",
    "Entry",
    "EntryKind",
    "Found",
    "Incoming",
    "Index",
    "Order",
    "Progress",
    "ScanResult",
    "SourceChanged",
    "StillArriving",
    "Storage",
    "StorageBusy",
    "Stored",
    "Totals",
    "WrongBytes",
    "WrongManifest",
]

__getattr__ = lazily(
    __name__, __all__, ("chunk_writer", "incoming", "index", "problems", "storage", "values")
)

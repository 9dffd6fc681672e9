"""What others ask for, as it is here: an object, and the file that it belongs to as far as a person is concerned."""

import logging
from dataclasses import dataclass
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.manifest import CHUNK_SIZE, Manifest
from kachery_tui.protocol.messages import FileKey
from kachery_tui.storage.storage import Storage
from kachery_tui.storage.values import ByteSource

_log = logging.getLogger(__name__)

MOST_READ: Final = 1_000
"""Links that were read, and found right or wrong, and are not read again."""

Looks = tuple[str, int, int]
"""Path, size and time of the last change of what a link leads to."""

_MANIFEST_START: Final = b'{"size":'


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object that is wanted."""

    key: FileKey
    source: ByteSource
    root: str
    """sha1 of the file that this is, is a chunk of, or is the manifest of."""
    size: int
    """Bytes of that file."""
    name: str | None
    """What that file is called here."""
    linked: str
    """sha1 of the file or link that the bytes stand in."""
    is_vouched: bool
    """Whether the bytes that a link leads to are known to be the file's: before that, nobody is told of them."""


class Finder:
    """Looks up what others ask for. Methods block on the disk."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._vouched: dict[str, Looks] = {}
        """Links that were read and are right."""
        self._refuted: dict[str, Looks] = {}
        """Links that lead to other bytes."""

    def find(self, key: FileKey) -> Wanted | None:
        """The object that `key` asks for, if it may be here.

        Of a chunk only the bounds are looked at, which anybody can know: to compare its bytes with the hash that was
        asked for, and to answer by that, would tell whoever guesses what the bytes are. See `is_right`.
        """
        try:
            return self._find(key)
        except (KacheryError, OSError) as error:
            _log.warning("looking up %s: %s", key.sha1, error)
            return None

    def _find(self, key: FileKey) -> Wanted | None:
        source = self._storage.find_object(key)
        if source is None:
            return None
        root = key.sha1
        size = source.size
        # What is asked for as a chunk of something may be here by itself, and then that is what a person is asked about.
        if key.chunk_of is not None and self._storage.find(key.sha1) is None:
            root = linked = key.chunk_of.file_key.sha1
        else:
            linked = key.sha1
            described = _described(source)
            if described is not None:
                root, size = described.sha1, described.size
        entry = self._storage.index.get(root)
        name = entry.name or None if entry else None
        is_vouched = self._storage.is_vouched(linked) or self._vouched.get(linked) == _looks(source)
        return Wanted(key, source, root, entry.size if entry else size, name, linked, is_vouched)

    def vouch(self, wanted: Wanted) -> bool:
        """Read through the file that a link leads to; whether it is the one that the link is named after. Not from two
        threads at once.
        """
        sha1, path = wanted.linked, wanted.source.path
        try:
            if self._storage.is_vouched(sha1):
                return True
            looks = _looks(wanted.source)
            if self._refuted.get(sha1) == looks:
                return False
            if self._storage.verify(sha1):
                # The index may not be writable.
                _keep(self._vouched, sha1, looks)
                return True
        except (KacheryError, OSError) as error:
            _log.warning("verifying the link %s: %s", sha1, error)
            return False
        _log.warning("%s is not what the link %s says: nobody is told of it", path, sha1)
        _keep(self._refuted, sha1, looks)
        return False

    def is_right(self, wanted: Wanted) -> bool:
        """Whether a chunk's bytes are those that were asked for. True of all else: it is checked when it is sent."""
        if wanted.key.chunk_of is None:
            return True
        try:
            return self._storage.find_key(wanted.key) is not None
        except KacheryError as error:
            _log.warning("looking up %s: %s", wanted.key.sha1, error)
            return False


def _looks(source: ByteSource) -> Looks:
    status = source.path.stat()
    return (str(source.path), status.st_size, status.st_mtime_ns)


def _keep(known: dict[str, Looks], sha1: str, looks: Looks) -> None:
    if len(known) >= MOST_READ:
        known.pop(next(iter(known)))
    known[sha1] = looks


def _described(source: ByteSource) -> Manifest | None:
    """The manifest that `source` is, or None: a manifest belongs to its file, as chunks do."""
    if source.size > CHUNK_SIZE:
        return None
    with source.path.open("rb") as file:
        file.seek(source.start)
        if file.read(len(_MANIFEST_START)) != _MANIFEST_START:
            return None
        file.seek(source.start)
        data = file.read(source.size)
    try:
        return Manifest.parse(data)
    except ProtocolError:
        return None

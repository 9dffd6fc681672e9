"""A file as the subject of a request."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from typing import Any, ClassVar, Final, Self

from kachery_tui.node import kept_values as read
from kachery_tui.node.subject import Subject
from kachery_tui.protocol.hashes import is_sha1
from kachery_tui.protocol.messages import FileKey
from kachery_tui.protocol.roles import Kind
from kachery_tui.protocol.uris import FileUri

MOST_CHUNKS: Final = 10_000
"""Chunks of a file of 200 GB; the map of a larger one is not read."""


class ChunkState(StrEnum):
    """One chunk of a file in progress, as a chunk map shows it."""

    MISSING = "missing"
    ASKED = "asked"
    MOVING = "moving"
    DONE = "done"


class FileSubject(Subject):
    """A file, by its URI, with how its chunks stand."""

    kind: ClassVar[Kind] = Kind.FILES
    noun: ClassVar[str] = "file"
    wish: ClassVar[str] = "asks for"
    took: ClassVar[str] = "took"
    start_label: ClassVar[str] = "Retry"
    stop_label: ClassVar[str] = "Cancel"
    stopped: ClassVar[str] = "cancelled"
    is_kept: ClassVar[bool] = True

    __slots__ = ("chunks", "peer_sent", "uri")

    uri: FileUri

    def __init__(self, uri: FileUri, chunks: Sequence[ChunkState] = ()) -> None:
        self.uri = uri
        self.chunks = list(chunks)
        """How each chunk stands; empty for a file that travels in one piece."""
        self.peer_sent: dict[str, int] = {}
        """By sha1, how many bytes of the objects that are waited for peers say to have put into the bucket."""

    @property
    def key(self) -> FileKey:
        """The key by which it is asked for."""
        return self.uri.file_key

    @property
    def hash(self) -> str:
        """Its sha1."""
        return self.uri.sha1

    @property
    def known_name(self) -> str:
        """The name that the URI has; empty without one."""
        return self.uri.name or ""

    @property
    def peer_done(self) -> int:
        """Bytes that peers say to have put into the bucket, and that are still to be fetched from there."""
        return sum(self.peer_sent.values())

    def peer_has_sent(self, sha1: str, amount: int | None) -> bool:
        """Keep how much of an object a peer says to have put into the bucket, None once that does not matter.

        Returns whether that is news.
        """
        if self.peer_sent.get(sha1) == amount:
            return False
        others = {each: count for each, count in self.peer_sent.items() if each != sha1}
        self.peer_sent = others if amount is None else {**others, sha1: amount}
        return True

    def start_anew(self) -> None:
        """Forget how its chunks stood."""
        self.chunks = []

    def break_off(self) -> None:
        """Of chunks that were on their way, nothing is there."""
        done = ChunkState.DONE
        self.chunks = [state if state is done else ChunkState.MISSING for state in self.chunks]

    def to_json(self, *, brief: bool = False) -> dict[str, Any]:
        """Its URI in parts, and the chunks' states with equal neighbours together."""
        return {
            "sha1": self.uri.sha1,
            "name": self.uri.name,
            "manifest": self.uri.manifest_sha1,
            "chunks": [] if brief else _runs(list(self.chunks)),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What was kept, checked and bounded."""
        sha1, manifest = value["sha1"], value["manifest"]
        if not is_sha1(sha1) or not (manifest is None or is_sha1(manifest)):
            raise ValueError("a hash that is none")
        uri = FileUri(sha1, read.perhaps(read.text, value["name"]), manifest)
        return cls(uri, _chunks(value["chunks"]))


def _runs(chunks: Sequence[ChunkState]) -> list[tuple[str, int]]:
    if len(chunks) > MOST_CHUNKS:
        return []
    return [(state, sum(1 for _ in run)) for state, run in groupby(chunks)]


def _chunks(value: Any) -> list[ChunkState]:
    runs = [(ChunkState(state), read.amount(count)) for state, count in read.items(value, MOST_CHUNKS)]
    if sum(count for _, count in runs) > MOST_CHUNKS:
        raise ValueError("more chunks than are kept")
    return [state for state, count in runs for _ in range(count)]

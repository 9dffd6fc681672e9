"""One chunk of a file that arrives."""

from typing import Protocol

from kachery_tui.protocol.manifest import Chunk
from kachery_tui.storage.hashing import sha1_of
from kachery_tui.storage.problems import WrongBytes


class Landing(Protocol):
    """Where the bytes of a file's chunks go."""

    def wrote(self, offset: int, data: memoryview) -> None:
        """Take bytes of the file at `offset`."""

    def ended(self, index: int, sha1: str | None) -> None:
        """A chunk is through: `sha1` is what its bytes are, None if it was given up."""


class ChunkWriter:
    """Takes one chunk's bytes in order, from any one thread, and checks them.

    With `trusted` the chunk is not hashed by itself: the hash of the whole file, which decides in any case, finds it out.
    """

    def __init__(self, landing: Landing, index: int, chunk: Chunk, *, trusted: bool) -> None:
        self._landing = landing
        self._index = index
        self._chunk = chunk
        self._position = chunk.start
        self._digest = None if trusted else sha1_of()
        self._ended = False

    def write(self, data: memoryview) -> None:
        """Take the next bytes; WrongBytes if they are more than the chunk has."""
        if self._position + len(data) > self._chunk.end:
            raise WrongBytes(
                f"more bytes arrive for {self._chunk.sha1} than it has",
                f"{self._chunk.end - self._chunk.start:,}",
            )
        self._landing.wrote(self._position, data)
        if self._digest is not None:
            self._digest.update(data)
        self._position += len(data)

    def finish(self) -> None:
        """Check the chunk's hash and record it as verified; WrongBytes if it is not right."""
        if self._ended:
            return
        self._ended = True
        if self._position != self._chunk.end:
            self._landing.ended(self._index, None)
            raise WrongBytes(
                f"{self._chunk.sha1} arrived cut short",
                f"{self._position - self._chunk.start:,} bytes of {self._chunk.end - self._chunk.start:,}",
            )
        self._landing.ended(self._index, self._digest.hexdigest() if self._digest else self._chunk.sha1)

    def abort(self) -> None:
        """Give the chunk up; does nothing after `finish`."""
        if not self._ended:
            self._ended = True
            self._landing.ended(self._index, None)

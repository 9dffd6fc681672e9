"""What an HTTP server answers, read within bounds: every line whole, and an end in bytes and in time.

`http.client` takes the end of a connection for the end of a head or of a line, and reads interim answers and trailers for
as long as a server sends them.
"""

import http.client
import io
import time
from typing import Any, Final, cast

LARGEST_HEAD: Final = 256 * 1024
"""Bytes of an answer's head, with all the interim ones (100 Continue) before it."""
SLOWEST: Final = 1000.0
"""Bytes a second at which a body has to come, on the whole; slower ones would hold a thread for days."""


class Endless(http.client.HTTPException):
    """An answer goes on past what it may have."""


class _Bounded(io.RawIOBase):
    """Reads from a connection as many bytes as are allowed, up to the time that is allowed."""

    def __init__(self, raw: io.RawIOBase, bytes_left: int, deadline: float) -> None:
        self._raw = raw
        self.bytes_left = bytes_left
        self.deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.bytes_left <= 0:
            raise Endless("an answer without an end")
        count = cast("int | None", self._raw.readinto(buffer))
        if count:
            self.bytes_left -= count
            if time.monotonic() > self.deadline:
                raise TimeoutError("the answer came too slowly")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Lines(io.BufferedReader):
    """Lines are whole, or the connection broke off."""

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n") and (size is None or size < 0 or len(line) < size):
            raise http.client.RemoteDisconnected("the connection ended within an answer")
        return line


class Answer(http.client.HTTPResponse):
    """An answer whose head may have `LARGEST_HEAD` bytes and take twice the connection's timeout.

    A body needs `allow_body` before it is read.
    """

    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self._patience = 2 * (sock.gettimeout() or 60.0)
        raw = sock.makefile("rb", buffering=0)
        self._bounded = _Bounded(raw, LARGEST_HEAD, time.monotonic() + self._patience)
        self.fp = _Lines(self._bounded)

    def allow_body(self, size: int) -> None:
        """Let a body of at most `size` bytes be read. One in chunks, each with its own size before it, may be longer."""
        self._bounded.bytes_left = (8 if self.chunked else 1) * size + LARGEST_HEAD
        self._bounded.deadline = time.monotonic() + self._patience + size / SLOWEST

    def _read_next_chunk_size(self) -> int:
        size = cast("int", super()._read_next_chunk_size())  # type: ignore[misc]
        if size < 0:
            # Answered as any other text that is no size.
            raise ValueError(size)
        return size

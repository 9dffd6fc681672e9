"""A caller's side of a node's socket: one call, one connection.

Blocks, and imports next to nothing. It speaks HTTP/1.0, so that an answer is what comes until the connection ends.
"""

import json
import os
import socket
from collections.abc import Generator, Iterator, Mapping
from typing import Any, BinaryIO, Final

from kachery_tui.errors import TryAgain
from kachery_tui.service.failures import failure_of
from kachery_tui.service.peers import Peer

ANSWER_PATIENCE: Final = 5.0
"""Seconds in which a node begins to answer, or it is stopped or hangs."""

SILENCE: Final = 30.0
"""Seconds between two pieces of an answer. A node that works on something says so more often."""

LARGEST_HEAD: Final = 65_536
LONGEST_NUMBER: Final = 16
LARGEST_LINE: Final = 32_000_000
"""Bytes of one line of an answer."""


class NodeSilent(TryAgain):
    """The node does not begin to answer: it is stopped, or hangs.

    A call that streams has not begun then: that it has is said first. Of one with a single answer nothing is known.
    """


class NodeGone(TryAgain):
    """The node went away, or fell silent, before it was done."""


class NodeClient:
    """Calls to one running node."""

    def __init__(self, connection: socket.socket, peer: Peer, place: str) -> None:
        """`connection` is used for the first call; it leads to the process `peer`, whose socket is at `place`."""
        self.peer = peer
        self._first: socket.socket | None = connection
        self.place = place

    @property
    def pid(self) -> int:
        """The node's process."""
        return self.peer.pid

    @property
    def is_ours(self) -> bool:
        """Whether it is this user's."""
        return self.peer.uid == os.geteuid()

    def close(self) -> None:
        """Let go of a connection that was not used."""
        if self._first is not None:
            self._first.close()
            self._first = None

    def ask(self, method: str, target: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A call with one answer. Raises what the node raises, `NodeSilent` and `NodeGone`."""
        return list(self.stream(method, target, body))[-1]

    def stream(
        self, method: str, target: str, body: Mapping[str, Any] | None = None
    ) -> Generator[dict[str, Any], None, None]:
        """A call, and what comes of it as it comes; leaving it gives the call up. Raises as `ask` does."""
        connection = self._connect()
        try:
            data = b"" if body is None else json.dumps(body).encode()
            head = f"{method} {target} HTTP/1.0\r\nHost: node\r\n"
            if body is not None:
                head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
            self._send(connection, head.encode("ascii") + b"\r\n" + data)
            with connection.makefile("rb") as answer:
                yield from self._lines(answer)
        finally:
            connection.close()

    def open_line(self, target: str, protocol: str, body: Mapping[str, Any]) -> tuple[socket.socket, bytes]:
        """A call that turns its connection into a line of another `protocol`; with what has come of that already.

        Raises as `ask` does.
        """
        connection = self._connect()
        try:
            data = json.dumps(body).encode()
            head = (
                f"POST {target} HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
            )
            self._send(connection, head.encode("ascii") + data)
            answer = b""
            while b"\r\n\r\n" not in answer and len(answer) < LARGEST_HEAD:
                if not (piece := connection.recv(4096)):
                    raise NodeGone("the node has gone", "it did not answer")
                answer += piece
            said, _, rest = answer.partition(b"\r\n\r\n")
            if said.split(b" ")[1:2] == [b"101"]:
                return connection, rest
            raise failure_of(self._refusal(connection, said, rest))
        except OSError as error:
            connection.close()
            raise NodeGone("the node has gone", error.strerror or str(error)) from None
        except BaseException:
            connection.close()
            raise

    def _refusal(self, connection: socket.socket, said: bytes, begun: bytes) -> object:
        """The `error` of an answer, of which a part has come."""
        lengths = [
            int(value)
            for name, _, value in (line.partition(b":") for line in said.split(b"\r\n"))
            if name.lower() == b"content-length" and len(value) < LONGEST_NUMBER and value.strip().isdigit()
        ]
        missing = min(lengths[0] if lengths else 0, LARGEST_LINE) - len(begun)
        while missing > 0 and (piece := connection.recv(missing)):
            begun += piece
            missing -= len(piece)
        try:
            value = json.loads(begun)
        except (ValueError, RecursionError):
            return None
        return value.get("error") if isinstance(value, dict) else None

    def _connect(self) -> socket.socket:
        connection, self._first = self._first, None
        if connection is not None:
            return connection
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(ANSWER_PATIENCE)
        try:
            connection.connect(self.place)
        except OSError as error:
            connection.close()
            raise NodeGone("the node has gone", error.strerror or str(error)) from None
        return connection

    def _send(self, connection: socket.socket, data: bytes) -> None:
        """Send a call, and wait until an answer begins."""
        connection.settimeout(ANSWER_PATIENCE)
        try:
            connection.sendall(data)
            begun = connection.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            raise NodeSilent(f"the node (process {self.pid}) does not answer") from None
        except OSError as error:
            raise NodeGone("the node has gone", error.strerror or str(error)) from None
        if not begun:
            raise NodeGone("the node has gone", "it did not answer")
        connection.settimeout(SILENCE)

    def _lines(self, answer: BinaryIO) -> Iterator[dict[str, Any]]:
        try:
            is_good = answer.readline(LARGEST_LINE).split(b" ")[1:2] == [b"200"]
            while answer.readline(LARGEST_LINE).strip():
                pass
            value: dict[str, Any] | None = None
            while line := answer.readline(LARGEST_LINE):
                value = json.loads(line)
                if not isinstance(value, dict):
                    raise ValueError("no object")
                if not is_good or value.get("event") == "failed":
                    break
                yield value
        except TimeoutError:
            raise NodeGone(f"the node (process {self.pid}) has fallen silent") from None
        except (OSError, ValueError, RecursionError) as error:
            raise NodeGone("the node has gone", str(error)) from None
        if not is_good or (value is not None and value.get("event") == "failed"):
            raise failure_of(value.get("error") if value is not None else None)
        if value is None or value.get("event") not in (None, "done"):
            raise NodeGone("the node has gone", "before it was done")

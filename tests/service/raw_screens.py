"""A terminal's side of a screen's line that says whatever one likes, frame by frame."""

import json
import socket
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from kachery_tui.service.screen_frames import UPGRADE, Frames, FromNode, FromTerminal, encoded
from tests.emulator import Emulator

PATIENCE: Final = 60.0


class RawScreen:
    """One line to the node at a socket."""

    def __init__(self, place: str, **wishes: Any) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(PATIENCE)
        self._connection.connect(place)
        self._frames = Frames()
        self._waiting: list[tuple[FromNode, bytes]] = []
        self.terminal = Emulator(wishes.get("columns", 80), wishes.get("rows", 24))
        """What would show it."""
        body = json.dumps({"columns": 80, "rows": 24, "environment": {"TERM": "xterm-256color"}, **wishes})
        self.send(
            f"POST /v1/screen HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: {UPGRADE}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._connection.recv(4096)
        head, _, rest = answer.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        """Of the answer: 101 for a line."""
        if self.status != 101:
            size = int(head.lower().partition(b"content-length:")[2].split()[0])
            while len(rest) < size:
                rest += self._connection.recv(4096)
        self.answer = rest.decode("utf-8", "replace")
        if self.status == 101:
            self._waiting += self._frames.feed(rest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Go without a word."""
        self._connection.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._connection.sendall(data)

    def press(self, keys: str) -> None:
        """Send keys."""
        self.send(encoded(FromTerminal.KEYS, keys.encode()))

    def next_frame(self) -> tuple[FromNode, bytes] | None:
        """The next frame, of which it is said that it was taken; None once the node has ended the line."""
        while not self._waiting:
            data = self._connection.recv(65_536)
            if not data:
                return None
            self._waiting += self._frames.feed(data)
        kind, payload = self._waiting.pop(0)
        if kind is FromNode.PAINT:
            self.terminal.feed(payload)
            with suppress(OSError):
                # The node may have ended the line by now; what it said last is still to be read.
                self.send(encoded(FromTerminal.TAKEN))
        return kind, payload

    def wait_for(self, words: str) -> None:
        """Take frames until these words can be read."""
        deadline = time.monotonic() + PATIENCE
        while not any(words in line for line in self.terminal.lines):
            assert self.next_frame() is not None, "the line has ended"
            assert time.monotonic() < deadline, "\n".join(self.terminal.lines)

    def last_word(self) -> dict[str, Any]:
        """Take frames until the node says goodbye; what it says."""
        while (frame := self.next_frame()) is not None:
            kind, payload = frame
            if kind is FromNode.BYE:
                found: dict[str, Any] = json.loads(payload)
                return found
        raise AssertionError("the line has ended without a word")

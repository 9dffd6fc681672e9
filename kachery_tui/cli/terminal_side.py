"""The terminal's side of the line to a screen of a node: keys go, pictures come (`service.screen_frames`)."""

import os
import re
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from kachery_tui.cli.raw_terminal import RawTerminal
from kachery_tui.errors import KacheryError
from kachery_tui.printable import printable
from kachery_tui.service.client import NodeClient, NodeGone
from kachery_tui.service.screen_frames import (
    Frames,
    FromNode,
    FromTerminal,
    LineBroken,
    decoded_object,
    encoded,
    encoded_object,
    encoded_size,
)
from kachery_tui.tui.terminal import outlet

PIECE: Final = 4_096
"""Bytes of keys that are read at a time."""

PATIENCE: Final = 3.0
"""Seconds that a node has to heed the key that leaves."""

LEAVING_KEYS: Final = (b"\x03", b"\x1b[99;5u")
"""Ctrl+C, as terminals send it."""

_ONLY_A_PICTURE: Final = re.compile(r"(?:\x1b\[[\d;]*+[Hm]|\x1b\[\?2026[hl]|[^\x00-\x1f\x7f-\x9f]++|\n)*+")
"""What paints and does nothing else: no clipboard, no title, no question to the terminal."""

SIGNALS: Final = (
    signal.SIGWINCH,
    signal.SIGCONT,
    signal.SIGTSTP,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGINT,
)
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Opened:
    """A line to a screen of a node, and what has come of it already."""

    client: NodeClient
    line: socket.socket
    begun: bytes


@dataclass(frozen=True, slots=True)
class Ending:
    """How a screen ended: what the node says of it, whether the node runs on, the exit code, and what follows."""

    text: str = ""
    runs: bool = True
    code: int = 0
    following: Opened | None = None


@dataclass
class TerminalSide:
    """One terminal with a screen of the node on it. `is_ours`: whether the node is of this user, who trusts it."""

    line: socket.socket
    terminal: RawTerminal
    guard: int
    """A file descriptor that can be read once the process has gone that the shell knows."""
    signals: int
    """A file descriptor to which the numbers of signals come, a byte each."""
    open_node: Callable[[str], Opened]
    """Opens a screen of another node of this machine, by its label. Raises `KacheryError`."""
    is_ours: bool = field(kw_only=True)
    _paper: bytearray = field(default_factory=bytearray)
    """What is to be painted."""
    _pieces: list[int] = field(default_factory=list)
    """How many bytes of it are left of each piece."""
    _frames: Frames = field(default_factory=Frames)
    _asked_to_leave: float | None = None
    _ending: Ending | None = None

    def run(self, begun: bytes) -> Ending:
        """Hand on keys and paint until either side ends it. Raises `NodeGone`."""
        self.line.settimeout(PATIENCE)
        # It may have changed between the call and here.
        self._say(encoded_size(*self.terminal.size))
        self._hear(begun)
        while self._ending is None:
            paper = [self.terminal.paper] if self._paper else []
            readable, writable, _ = select.select(
                [self.line.fileno(), self.terminal.keys, self.signals, self.guard],
                paper,
                [],
                self._wait(),
            )
            if self.guard in readable:
                return Ending(code=128 + signal.SIGKILL)
            if self.signals in readable:
                self._heed_signals()
            if self.line.fileno() in readable:
                self._hear(self._received())
            if writable:
                self._paint()
            if self.terminal.keys in readable and self._ending is None:
                self._hand_on_keys()
            if self._wait() == 0:
                raise NodeGone(
                    "the node does not answer", "it is stopped, or hangs", "Look: kachery-tui status"
                )
        return self._ending

    def _wait(self) -> float | None:
        """Seconds until the node has not heeded the key that leaves."""
        if self._asked_to_leave is None:
            return None
        return max(0.0, self._asked_to_leave + PATIENCE - time.monotonic())

    # From the node

    def _received(self) -> bytes:
        try:
            data = self.line.recv(65_536)
        except OSError:
            data = b""
        if not data:
            raise NodeGone(
                "the node has gone", "it ended, or was killed", "Start it again: kachery-tui node --detach"
            )
        return data

    def _hear(self, data: bytes) -> None:
        try:
            for kind, payload in self._frames.feed(data):
                self._asked_to_leave = None
                if self._ending is not None:
                    return
                match kind:
                    case FromNode.PAINT:
                        self._take_paint(payload)
                    case FromNode.SUSPEND:
                        self._suspend()
                    case FromNode.LEND:
                        self._lend(decoded_object(payload))
                    case FromNode.GO:
                        self._go(str(decoded_object(payload).get("node", "")))
                    case FromNode.BYE:
                        value = decoded_object(payload)
                        text = printable(str(value.get("text", ""))[:2_000])
                        self._ending = Ending(text, runs=value.get("runs") is True)
        except LineBroken as error:
            raise NodeGone("the screen ends", f"the node sent {error}") from None

    def _take_paint(self, data: bytes) -> None:
        if not self.is_ours:
            # What is looked at is what is written: halves of a character could make one of the terminal's own.
            text = data.decode("utf-8", "replace")
            data = text.encode() if _ONLY_A_PICTURE.fullmatch(text) else b""
        self._paper += data
        self._pieces.append(len(data))
        self._settle(0)

    def _paint(self) -> None:
        try:
            written = os.write(self.terminal.paper, self._paper[: outlet.PIECE])
        except OSError:
            # It was hung up; the signal for that comes, or its keys end.
            written = len(self._paper)
        del self._paper[:written]
        self._settle(written)

    def _settle(self, written: int) -> None:
        """Say which pieces are painted, now that so many bytes more are."""
        while self._pieces and written >= self._pieces[0]:
            written -= self._pieces.pop(0)
            self._say(encoded(FromTerminal.TAKEN))
        if self._pieces:
            self._pieces[0] -= written

    # To the node

    def _say(self, data: bytes) -> None:
        try:
            self.line.sendall(data)
        except TimeoutError:
            raise NodeGone(
                "the node does not answer", "it is stopped, or hangs", "Look: kachery-tui status"
            ) from None
        except OSError:
            # What it said last comes to be read, and then the end.
            return

    def _hand_on_keys(self) -> None:
        try:
            data = os.read(self.terminal.keys, PIECE)
        except OSError:
            data = b""
        if not data:
            # It was hung up.
            self._end_by(signal.SIGHUP)
            return
        if self._asked_to_leave is None and data in LEAVING_KEYS:
            self._asked_to_leave = time.monotonic()
        self._say(encoded(FromTerminal.KEYS, data))

    def _heed_signals(self, only: Sequence[int] = SIGNALS) -> None:
        for number in os.read(self.signals, PIECE):
            if number not in only:
                continue
            if number == signal.SIGWINCH:
                self._say(encoded_size(*self.terminal.size))
            elif number == signal.SIGTSTP:
                self._suspend()
            elif number == signal.SIGCONT:
                self._come_back()
            elif number in _ENDING:
                self._end_by(signal.Signals(number))

    def _end_by(self, number: signal.Signals) -> None:
        self._say(encoded(FromTerminal.LEAVE))
        self._ending = Ending(code=128 + number)

    def _go(self, node: str) -> None:
        try:
            if not self.is_ours:
                raise KacheryError("another node cannot be shown", "this one is another user's")
            following = self.open_node(node)
        except KacheryError as error:
            told = " ".join(part for part in (error.line, error.do) if part)
            self._say(encoded_object(FromTerminal.NOTE, {"text": told}))
        else:
            self._say(encoded(FromTerminal.LEAVE))
            self._ending = Ending(following=following)

    # The terminal is another's for a while

    def _suspend(self) -> None:
        """Give the terminal back, and stop; `guarded` then stops all that the shell takes for this program.

        Where signals that stop a program are ignored, or no shell waits, the terminal is taken again at once.
        """
        if signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN:
            self._say_back({})
            return
        self.terminal.give_back()
        with _by_default(signal.SIGCONT):
            os.kill(os.getpid(), signal.SIGSTOP)
        # What stopped the others may have come here, too.
        self._forget_signals(signal.SIGTSTP, signal.SIGCONT)
        self._come_back()

    def _lend(self, value: dict[str, Any]) -> None:
        command = value.get("command")
        if not self.is_ours:
            self._say_back({"error": "the node is another user's"})
            return
        if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
            self._say_back({"error": "no command"})
            return
        self.terminal.give_back()
        told: dict[str, Any]
        # It stops with the program, and Ctrl+C is for that.
        with _by_default(signal.SIGTSTP), _by_default(signal.SIGCONT):
            try:
                told = {"code": self.terminal.lend(command)}
            except OSError as error:
                told = {"error": error.strerror or str(error)}
        self._forget_signals(signal.SIGINT, signal.SIGTSTP, signal.SIGCONT)
        if not select.select([self.guard], [], [], 0)[0]:
            self.terminal.take()
            self._say_back(told)

    def _forget_signals(self, *numbers: int) -> None:
        """Heed what signals came, but for these."""
        if select.select([self.signals], [], [], 0)[0]:
            self._heed_signals(only=[number for number in SIGNALS if number not in numbers])

    def _come_back(self) -> None:
        self.terminal.take()
        self._say_back({})

    def _say_back(self, told: dict[str, Any]) -> None:
        """What was to be painted goes nowhere any more; all of it is painted anew."""
        self._say(encoded_size(*self.terminal.size) + encoded_object(FromTerminal.BACK, told))
        written = len(self._paper)
        self._paper.clear()
        self._settle(written)


@contextmanager
def _by_default(number: signal.Signals) -> Iterator[None]:
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)

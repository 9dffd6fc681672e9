"""The driver for a terminal that another process holds: keys and sizes come over a line, and pieces of the picture go."""

from __future__ import annotations

import logging
from codecs import getincrementaldecoder
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from textual import constants, events
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.driver import Driver
from textual.geometry import Size
from textual.messages import InBandWindowResize

from kachery_tui.tui.on_display import display_of
from kachery_tui.tui.terminal.painter import Painter
from kachery_tui.tui.terminal.typist import Typist

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from textual.app import App
    from textual.message import Message


_log = logging.getLogger(__name__)

LONGEST_PASTE: Final = 2_000_000
"""Characters that are pasted at one go."""


class Line(Protocol):
    """The way to the process that holds the terminal."""

    def paint(self, data: str) -> None:
        """Have the terminal show this; that it has taken it will be said."""

    def suspend(self) -> None:
        """Have that process stopped by its shell."""

    def lend(self, command: list[str]) -> None:
        """Have a program run on the terminal."""

    def go(self, node: str) -> None:
        """Have another node of that machine shown in the place of this one."""


class RelayDriver(Driver):
    """Textual's driver for a terminal at the other end of a line.

    The process there takes the terminal and gives it back (its modes, its title): here, only the picture is made. All
    methods belong to the loop's thread.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        line: Line,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.line = line
        self.painter = Painter(self._loop, display_of(app), self._terminal_size, self._hand_over)
        self.typist = Typist(app)
        self._is_open = True
        self._parser = XTermParser()
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._unfinished = 0
        """Characters that came since the last key."""
        self._escape: TimerHandle | None = None

    def write(self, data: str) -> None:
        """Take what Textual paints, and hand on what else it tells the terminal."""
        self.painter.write(data)

    # What comes from the terminal

    def send_message(self, message: Message) -> None:
        """Hand on what the terminal says."""
        self.typist.take(message)

    def take_keys(self, data: bytes) -> None:
        """Take what the terminal sent. What cannot be read is dropped."""
        if not self._is_open:
            return
        if self._escape is not None:
            self._escape.cancel()
            self._escape = None
        if text := self._decoder.decode(data):
            self._unfinished += len(text)
            try:
                for message in self._parser.feed(text):
                    self._take(message)
            except (ParseError, ValueError, OverflowError) as error:
                self._begin_anew(repr(error))
            if self._unfinished > LONGEST_PASTE:
                self._begin_anew("more was pasted than is taken")
        # What could be the beginning of a longer sequence is a key of its own if nothing more comes.
        self._escape = self._loop.call_later(2 * constants.ESCAPE_DELAY, self._end_escape)

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size."""
        self._size = (columns, rows)
        self.painter.resized()
        size = Size(columns, rows)
        self._app.post_message(events.Resize(size, size))

    def taken(self) -> None:
        """The terminal has taken a piece."""
        self.painter.taken()

    def pause(self) -> None:
        """Something else has the terminal; nothing is painted until `go_on`."""
        self.painter.stop()

    def go_on(self) -> None:
        """The terminal is there again, and shows nothing of the screen."""
        self.painter.start()

    def _end_escape(self) -> None:
        self._escape = None
        for message in self._parser.tick():
            self._take(message)

    def _begin_anew(self, why: str) -> None:
        _log.warning("keys of a screen are dropped: %s", why)
        self._unfinished = 0
        self._parser = XTermParser()

    def _take(self, message: Message) -> None:
        self._unfinished = 0
        if isinstance(message, events.Resize | InBandWindowResize):
            # The size is told beside the keys, and checked.
            return
        if isinstance(message, events.InputEvent):
            self.painter.key_came()
        self.process_message(message)

    # Textual's hooks

    def start_application_mode(self) -> None:
        """Begin to paint."""
        size = Size(*self._terminal_size())
        self._app.post_message(events.Resize(size, size))
        self.painter.start()

    def disable_input(self) -> None:
        """Hear no more keys."""
        self.typist.stop()
        if self._escape is not None:
            self._escape.cancel()
            self._escape = None

    def close(self) -> None:
        """Let go of what was heard: Textual keeps parsers in a cache, and with them what they said last, and the app."""
        with suppress(EOFError, ParseError):
            for _ in self._parser.feed(""):
                pass

    def stop_application_mode(self) -> None:
        """Paint no more."""
        self._is_open = False
        self.painter.stop()

    def _terminal_size(self) -> tuple[int, int]:
        return self._size or (80, 24)

    def _hand_over(self, data: str) -> bool:
        if self._is_open:
            self.line.paint(data)
        return self._is_open

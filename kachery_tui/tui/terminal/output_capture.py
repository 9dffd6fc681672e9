"""What libraries, threads and children print while the screen is up: it goes to the log, not over what is painted."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from textual import events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.app import App
    from textual.message import Message

_log = logging.getLogger(__name__)

LONGEST_LINE: Final = 2_000
"""Characters that are kept of a line; what has no line end is cut there."""

LAST_WORDS_SECONDS: Final = 0.5
"""How long leaving waits for what is still in the pipe. A child that lives on may hold it open."""


class OutputCapture:
    """Lines that were printed, as lines of the log.

    Where logging itself prints (it does so as long as it has no handler), that is dropped: else it would go round.
    """

    def __init__(self) -> None:
        self._parts: dict[str, str] = {}
        self._lock = threading.Lock()
        self._logging = threading.local()

    def take_text(self, source: str, text: str) -> None:
        """Log the lines that `text` completes."""
        if getattr(self._logging, "now", False):
            return
        with self._lock:
            *lines, rest = (self._parts.get(source, "") + text).split("\n")
            self._parts[source] = rest if len(rest) <= LONGEST_LINE else ""
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
        self._logging.now = True
        try:
            for line in lines:
                if line.strip():
                    _log.warning("printed to %s: %s", source, line.rstrip()[:LONGEST_LINE])
        finally:
            self._logging.now = False

    # What Textual asks of whoever it hands prints to

    def post_message(self, message: Message) -> bool:
        """Take what was printed while the app runs: Textual keeps `print` from the terminal by itself."""
        if isinstance(message, events.Print):
            self.take_text("stderr" if message.stderr else "stdout", message.text)
        return True

    async def _post_message(self, message: Message) -> bool:
        return self.post_message(message)


@contextmanager
def caught_output(app: App[Any]) -> Iterator[None]:
    """Keep everything but the app from the terminal while the block runs; the rest goes to the log.

    That is what is written to the file descriptors of stdout and stderr, by whomever, what is printed, warnings, and
    exceptions in threads and in finalizers. `sys.__stderr__`, on which the app paints, stays the terminal.
    """
    capture = OutputCapture()
    app.begin_capture_print(capture)
    with ExitStack() as stack:
        stack.enter_context(_hooks())
        for number, name in ((1, "stdout"), (2, "stderr")):
            if os.isatty(number):
                stack.enter_context(_diverted(number, name, capture))
        yield


@contextmanager
def _diverted(number: int, name: str, capture: OutputCapture) -> Iterator[None]:
    """Let a file descriptor lead to the log, and Python's own streams still to the terminal that it led to."""
    before = {key: getattr(sys, key) for key in (name, f"__{name}__")}
    terminal = os.dup(number)
    reading, writing = os.pipe()
    os.dup2(writing, number)
    os.close(writing)
    reader = threading.Thread(
        target=_read, args=(reading, name, capture), name=f"capture {name}", daemon=True
    )
    reader.start()
    stream = io.TextIOWrapper(io.FileIO(terminal, "w", closefd=False), write_through=True, errors="replace")
    for key in before:
        setattr(sys, key, stream)
    try:
        yield
    finally:
        stream.flush()
        for key, value in before.items():
            setattr(sys, key, value)
        os.dup2(terminal, number)
        os.close(terminal)
        reader.join(LAST_WORDS_SECONDS)


def _read(reading: int, name: str, capture: OutputCapture) -> None:
    with io.FileIO(reading) as pipe:
        while data := pipe.read(65_536):
            capture.take_text(name, data.decode(errors="replace"))


@contextmanager
def _hooks() -> Iterator[None]:
    """Log warnings, and exceptions that nobody can catch."""

    def in_thread(problem: threading.ExceptHookArgs) -> None:
        if problem.exc_value is not None and problem.exc_type is not SystemExit:
            where = problem.thread.name if problem.thread else "a thread"
            _log.error("%s ended by %r", where, problem.exc_value, exc_info=problem.exc_value)

    def unraisable(problem: sys.UnraisableHookArgs) -> None:
        what = problem.err_msg or "Exception ignored in"
        _log.error("%s %r: %r", what, problem.object, problem.exc_value, exc_info=problem.exc_value)

    before = threading.excepthook, sys.unraisablehook
    threading.excepthook, sys.unraisablehook = in_thread, unraisable
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        threading.excepthook, sys.unraisablehook = before

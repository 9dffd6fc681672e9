"""The node's log as state: the newest lines, for the screen to show."""

import logging
from collections import deque
from dataclasses import dataclass
from typing import Final

KEPT_LINES: Final = 2_000
LONGEST_LINE: Final = 2_000
"""Characters; what peers and services say ends up here, so a line has a bound."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, which was said `times` times in a row, the last time as `number` and `at`.

    `number` counts from 1, `at` is Unix time in seconds, `level` is one of `logging`'s numbers.
    """

    number: int
    at: float
    level: int
    source: str
    text: str
    times: int = 1
    since: float = 0.0
    """When it was said first."""


class LogRing(logging.Handler):
    """A logging handler that keeps the newest lines in memory and writes nothing anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[LogLine] = deque(maxlen=KEPT_LINES)
        self.version = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record as a line; called by `logging`, from any thread, under the handler's lock."""
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001 - a library's broken format string must not end the program
            text = f"(a log record of {record.name} that cannot be formatted: {error!r})"
        self.version += 1
        text, times, since = text[:LONGEST_LINE], 1, record.created
        last = self.lines[-1] if self.lines else None
        if last is not None and (last.level, last.source, last.text) == (record.levelno, record.name, text):
            # A service that is tried again and again would push out all else.
            times, since = last.times + 1, last.since
            self.lines.pop()
        self.lines.append(
            LogLine(self.version, record.created, record.levelno, record.name, text, times, since)
        )

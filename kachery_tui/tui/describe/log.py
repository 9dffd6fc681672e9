"""What is said of a line of the log."""

import logging
from collections.abc import Iterator

from kachery_tui.node.log import LogLine
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone


def log_lines(line: LogLine) -> Iterator[Line]:
    """A line of the log in full."""
    yield (level_cell(line.level), Cell(f"  {present.moment(line.at)}  {line.source}", Tone.MUTED))
    if line.times > 1:
        yield (Cell(f"{line.times:,} times in a row, the first at {present.moment(line.since)}"),)
    yield (BLANK,)
    yield from ((Cell(part),) for part in line.text.split("\n"))


def level_cell(level: int) -> Cell:
    """A level as glyph and word."""
    if level >= logging.ERROR:
        return Cell("✗ error", Tone.BAD)
    if level >= logging.WARNING:
        return Cell("! warning", Tone.WARN)
    return Cell("  info") if level >= logging.INFO else Cell("  debug", Tone.MUTED)

"""The log's pane: which lines show, how they read, and what a held list says."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from kachery_tui.filters import parse_filter
from kachery_tui.node.log import LogLine
from kachery_tui.tui.describe.log import log_lines
from kachery_tui.tui.panes.log import LogPane, level_word, log_cells, log_facts
from tests.nodes import until
from tests.tui.screens import NARROW, at_the_screen, unstarted_node
from tests.tui.words import row_texts, text_of

LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A library's logger, that goes nowhere but where the test sends it."""
    one = logging.getLogger("some.library")
    one.setLevel(logging.DEBUG)
    one.propagate = False
    yield one
    one.handlers.clear()
    one.propagate = True
    one.setLevel(logging.NOTSET)


def test_a_line_as_a_row() -> None:
    line = LogLine(1, 0.0, logging.WARNING, "kachery_tui.node.files", "first\nsecond")
    assert row_texts(log_cells(line, 0.0))[1:] == ["! warning", "node.files", "first …"]


def test_a_line_that_was_said_again_and_again() -> None:
    line = LogLine(30, 60.0, logging.WARNING, "a.b", "no answer", times=30, since=0.0)
    assert row_texts(log_cells(line, 60.0))[-1] == "×30 no answer"
    assert "30 times in a row, the first at " in text_of(log_lines(line))


@pytest.mark.parametrize(
    ("level", "word"),
    [
        (logging.DEBUG, "debug"),
        (5, "debug"),
        (logging.INFO, "info"),
        (logging.WARNING, "warning"),
        (logging.ERROR, "error"),
        (logging.CRITICAL, "error"),
    ],
)
def test_levels_as_words(level: int, word: str) -> None:
    assert level_word(level) == word


def test_faults_are_a_filter_of_the_pane() -> None:
    wanted = parse_filter(LogPane.FAILURES, LogPane.FIELDS)
    assert [term.values for term in wanted.terms] == [("warning", "error")]
    line = LogLine(1, 100.0, logging.ERROR, "a.b", "text")
    assert log_facts(line) == {"level": "error", "source": "a.b", "text": "text", "time": 100.0}


async def test_filter_by_level_source_and_words(tmp_path: Path, logger: logging.Logger) -> None:
    node = unstarted_node(tmp_path / "me", None)
    logger.addHandler(node.log)
    async with at_the_screen(node, NARROW) as me:
        await me.press("7")
        for level in LEVELS:
            logger.log(level, "message of level %d", level)
        await me.reads("4 lines", "✗ 1 error", "! 1 warning", "message of level 10")
        await me.press("e")
        await until(lambda: "message of level 20" not in me.text())
        await me.reads("message of level 30", "message of level 40", "2 of 4 lines")
        await me.press("e")
        await me.reads("message of level 10")
        await me.press("slash")
        await me.type("source:library level:info")
        await until(lambda: "message of level 30" not in me.text())
        await me.reads("message of level 20", "1 of 4 lines")
        await me.press("enter", "enter")
        await me.reads("Log line", "some.library", "message of level 20")
        await me.press("escape", "escape")
        await me.reads("message of level 40")
        await me.press("slash")
        await me.type("nothing-like-this")
        await me.press("enter")
        await me.reads("No line matches")


async def test_a_reader_is_held_and_told_of_the_lines_that_the_filter_leaves(
    tmp_path: Path, logger: logging.Logger
) -> None:
    node = unstarted_node(tmp_path / "me", None)
    logger.addHandler(node.log)
    async with at_the_screen(node, NARROW) as me:
        await me.press("7")
        for number in range(60):
            logger.warning("warning %d", number)
            logger.info("info %d", number)
        await me.reads("info 59")
        await me.press("e")
        await me.reads("warning 59", "60 of 120 lines")
        await me.press("up", "up")
        logger.info("info 60")
        logger.warning("warning 60")
        logger.warning("warning 61")
        await me.reads("+2 new", "warning 57")
        assert "warning 61" not in me.text()
        await me.press("end")
        await me.reads("warning 61")
        await until(lambda: " new" not in me.text())

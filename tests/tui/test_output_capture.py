"""What is printed while the screen is up reaches the log, and not the terminal."""

import logging
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from textual.app import App

from kachery_tui.tui.terminal.output_capture import LONGEST_LINE, OutputCapture, caught_output

NOISE = """
import logging, os, subprocess, sys, threading, warnings
from pathlib import Path
from textual.app import App
from kachery_tui.tui.terminal.output_capture import caught_output

lines = []

class Keep(logging.Handler):
    def emit(self, record):
        lines.append(f"{record.levelname} {record.getMessage()}")

class Bad:
    def __del__(self):
        raise ValueError("in a finalizer")

def fail():
    raise RuntimeError("in a thread")

logging.getLogger().addHandler(Keep())
with caught_output(App()):
    os.write(1, b"raw stdout\\n")
    os.write(2, b"raw stderr without an end")
    os.write(2, b", and its end\\n")
    subprocess.run(["sh", "-c", "echo a child >&2"])
    warnings.warn("a warning")
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    Bad()
    print("painted", file=sys.__stderr__)
    assert os.isatty(sys.__stdout__.fileno())
os.write(1, b"after it\\n")
Path(sys.argv[1]).write_text("\\n".join(lines))
"""


def in_a_terminal(*arguments: str) -> str:
    """Run Python in a terminal; what that shows."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", *arguments], stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    ) as process:
        os.close(slave)
        shown = b""
        try:
            while piece := os.read(master, 65_536):
                shown += piece
        except OSError:
            # The other side is closed: Linux says so by an error.
            pass
        os.close(master)
        assert process.wait(20) == 0, shown
    return shown.decode()


def test_only_the_screen_reaches_the_terminal(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert in_a_terminal(NOISE, str(log)).split("\r\n") == ["painted", "after it", ""]
    lines = log.read_text().split("\n")
    for line in (
        "WARNING printed to stdout: raw stdout",
        "WARNING printed to stderr: raw stderr without an end, and its end",
        "WARNING printed to stderr: a child",
    ):
        assert line in lines
    for words in ("a warning", "in a thread", "in a finalizer"):
        assert any(words in line for line in lines)


async def test_what_is_printed_while_the_app_runs(caplog: pytest.LogCaptureFixture) -> None:
    app = App[None]()
    with caught_output(app), caplog.at_level(logging.WARNING):
        async with app.run_test():
            print("printed")
            print("to stderr", file=sys.stderr)
    assert [record.getMessage() for record in caplog.records] == [
        "printed to stdout: printed",
        "printed to stderr: to stderr",
    ]


def test_lines_are_bounded_and_empty_ones_left_out(caplog: pytest.LogCaptureFixture) -> None:
    stray = OutputCapture()
    stray.take_text("stdout", "\n \nx")
    stray.take_text("stdout", "y" * LONGEST_LINE * 2)
    stray.take_text("stdout", "\nz\n")
    said = [record.getMessage().removeprefix("printed to stdout: ") for record in caplog.records]
    assert [len(line) for line in said] == [LONGEST_LINE, 1]


def test_logging_that_prints_does_not_go_round() -> None:
    stray = OutputCapture()
    logger = logging.getLogger("kachery_tui.tui.terminal.output_capture")

    class Printing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            stray.take_text("stderr", f"{record.getMessage()}\n")

    handler = Printing()
    logger.addHandler(handler)
    try:
        stray.take_text("stderr", "once\n")
    finally:
        logger.removeHandler(handler)

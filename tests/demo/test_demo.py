"""The demo as a person sees it, and what is left of it: nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.commands import processes_of, wait_until
from tests.terminal import Terminal

READY = "1/11  r, then Enter"


@contextmanager
def demo(folder: Path, *paths: Path) -> Iterator[Terminal]:
    """A demo whose temporary files all go into `folder`."""
    folder.mkdir()
    environment = os.environ | {"TMPDIR": str(folder), "HOME": str(folder.parent)}
    with Terminal("demo", *map(str, paths), environment=environment) as terminal:
        yield terminal


def test_the_tour_leads_through_everything_and_nothing_stays(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    with demo(folder) as terminal:
        terminal.wait_for(READY)
        assert len(processes_of(folder)) >= 4
        for number in (1, 2):
            before = terminal.mark
            terminal.press("r")
            terminal.wait_for("Request a file", since=before)
            terminal.press("\r")
            terminal.wait_for(f"{number + 1}/11", since=before)
        assert "recording.npy" in terminal.text()
        terminal.wait_for("now the other way", since=before)
        terminal.wait_for("1 waits for your key", since=before)
        terminal.press("p")
        terminal.wait_for("Decline", since=before)
        terminal.press("p")
        terminal.wait_for("4/11  roles decide")
        terminal.wait_for("ben@cluster has it, verified")
        terminal.press_and_see("1", "j", "j", "j", "g")
        terminal.wait_for("5/11  ana@microscope logs")
        before = terminal.mark
        terminal.press("r")
        terminal.wait_for("follow a feed", since=before)
        terminal.press("\r")
        terminal.wait_for("6/11  its messages", since=before)
        terminal.wait_for("celsius", since=before)
        before = terminal.mark
        terminal.press("p")
        terminal.wait_for("celsius", since=before)
        terminal.press("\r")
        terminal.wait_for("Esc Close", since=before)
        terminal.press("\x1b")
        # A key that follows at once would be taken together with Escape, as Alt and that key.
        terminal.wait_gone("Esc Close")
        terminal.wait_for("7/11  ben@cluster counts spikes", since=before)
        terminal.press_and_see("6", "r")
        terminal.wait_for("✓ arguments")
        before = terminal.mark
        terminal.press("\x0f")
        terminal.wait_for("computed", since=before)
        before = terminal.mark
        terminal.press("\r")
        terminal.wait_for("busiest", since=before)
        terminal.press("\x1b")
        terminal.wait_gone("Esc Close")
        terminal.wait_for("8/11  find a file again", since=before)
        terminal.press_and_see("4", "/")
        terminal.wait_for("filter /")
        terminal.press("hodgki\r")
        terminal.wait_for("9/11  when something fails")
        before = terminal.mark
        terminal.press("r")
        terminal.wait_for("Request a file", since=before)
        terminal.press("\r")
        terminal.wait_for("10/11  it failed")
        before = terminal.mark
        terminal.press("w")
        terminal.wait_for("answer_timeout", since=before)
        terminal.press("\x1b")
        terminal.wait_for("11/11  that was the tour")
        terminal.wait_gone("Esc Close")
        terminal.press("q")
        assert terminal.end() == 0
    assert list(folder.iterdir()) == []
    assert processes_of(folder) == []


@pytest.mark.parametrize(
    ("moment", "number", "code"),
    [
        ("one moment", signal.SIGKILL, -9),
        ("hub and two peers are starting", signal.SIGKILL, -9),
        (READY, signal.SIGKILL, -9),
        ("one moment", signal.SIGTERM, 143),
        (READY, signal.SIGTERM, 143),
        ("one moment", signal.SIGHUP, 129),
    ],
)
def test_however_it_ends_nothing_stays(
    tmp_path: Path, moment: str, number: signal.Signals, code: int
) -> None:
    folder = tmp_path / "tmp"
    with demo(folder) as terminal:
        terminal.wait_for(moment)
        assert terminal.end(number) == code
        wait_until(lambda: processes_of(folder) == [])
    wait_until(lambda: list(folder.iterdir()) == [])


def test_the_peers_provide_what_is_named(tmp_path: Path) -> None:
    first, second = tmp_path / "first file.txt", tmp_path / "second.txt"
    first.write_text("one")
    second.write_text("two")
    with demo(tmp_path / "tmp", first, second) as terminal:
        # Without a recording there is nothing to count spikes in.
        terminal.wait_for(READY.replace("11", "10"))
        assert "asks for first file.txt (3 B; only ana@microscope" in terminal.text()
        terminal.press("r")
        terminal.wait_for("Request a file")
        terminal.press("\r")
        terminal.wait_for("asks for second.txt (3 B; only ben@cluster")
        terminal.press("q")
        assert terminal.end() == 0
    assert first.read_text() == "one"


def test_a_path_that_is_no_file_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with demo(tmp_path / "tmp", tmp_path / "missing") as terminal:
        assert terminal.end() == 2
        assert "missing: it is not a file" in terminal.text()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_stage_whose_screen_has_gone_already_clears_all_the_same(tmp_path: Path) -> None:
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        command = [sys.executable, "-m", "kachery_tui.demo.stage", str(folder)]
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=60)
        assert not folder.exists()

"""What the program does to a terminal, as the terminal says: it is left as it was, and shows nothing but the screen."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import pytest

from kachery_tui.cli.running import HANG_UP_SECONDS
from tests.cli.commands import PATIENCE, Shell
from tests.cli.commands import PROGRAM as COMMAND
from tests.tmux import LEFT_AS_IT_WAS, PROGRAM, PROMPT, Tmux, stopping_pager

pytestmark = pytest.mark.skipif(not which("tmux"), reason="needs tmux: install it, by apt-get or brew")

SIZES = pytest.mark.parametrize("size", [(80, 24), (140, 45)], ids=["80x24", "140x45"])
PANES = {
    "1": "Channels",
    "2": "Streams",
    "3": "Requests",
    "4": "Cache",
    "5": "Feeds",
    "6": "Tasks",
    "7": "Log",
}
FRAME = ("on no channel", "q Quit")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    made.ok("init", "--label", "ana@lab")
    return made


@contextmanager
def screen(shell: Shell, size: tuple[int, int] = (80, 24), **environment: str) -> Iterator[Tmux]:
    """The program in a terminal, painted."""
    with Tmux(size, {**shell.environment, **environment}) as tmux:
        tmux.command(f"clear; stty -g > {shell.folder}/before; {PROGRAM}")
        tmux.wait_for(*FRAME)
        assert tmux.flags["alternate_on"] == 1
        assert tmux.flags["cursor_flag"] == 0
        yield tmux


def settings(shell: Shell, name: str) -> str:
    """What `stty` wrote of the terminal; its size is no part of it."""
    return (shell.folder / name).read_text()


def assert_clean(tmux: Tmux, shell: Shell) -> None:
    """The shell has the terminal again, as it was before."""
    tmux.wait_for(PROMPT)
    tmux.wait_until(lambda: tmux.flags == LEFT_AS_IT_WAS)
    tmux.command(f"stty -g > {shell.folder}/after; echo is${{x}}clean")
    tmux.wait_for("isclean")
    assert settings(shell, "after") == settings(shell, "before")
    assert not any("▶" in line for line in tmux.lines)


def code_of(tmux: Tmux) -> int:
    """The exit code of what ran last."""
    tmux.command("echo code=$?.")
    tmux.wait_until(lambda: re.search(r"code=\d+\.", tmux.text) is not None)
    found = re.search(r"code=(\d+)\.", tmux.text)
    assert found
    return int(found[1])


@SIZES
def test_start_keys_and_quit(shell: Shell, size: tuple[int, int]) -> None:
    with screen(shell, size) as tmux:
        for key, name in PANES.items():
            tmux.type(key)
            tmux.wait_for(f"▶{key} {name}")
        tmux.type("?")
        tmux.wait_for("Esc")
        tmux.press("Escape")
        tmux.wait_for(*FRAME)
        tmux.type("q")
        tmux.wait_until(lambda: tmux.flags["alternate_on"] == 0)
        assert code_of(tmux) == 0
        assert_clean(tmux, shell)


@SIZES
def test_another_size_and_back_leaves_nothing_behind(shell: Shell, size: tuple[int, int]) -> None:
    with screen(shell, size) as tmux:
        tmux.type("4")
        tmux.wait_for("▶4 Cache")
        before = tmux.settled()
        for columns, rows in ((60, 15), (30, 8), size, (200, 60), size):
            tmux.resize(columns, rows)
            tmux.settled()
            assert len(tmux.lines) == rows
        assert tmux.settled() == before
        tmux.resize(60, 15)
        tmux.wait_for("▶4 Cache", "? Help")
        tmux.type("q")
        tmux.wait_until(lambda: tmux.flags["alternate_on"] == 0)
        assert_clean(tmux, shell)


def test_suspended_and_brought_back(shell: Shell) -> None:
    with screen(shell) as tmux:
        tmux.type("7")
        tmux.wait_for("▶7 Log")
        before = tmux.settled()
        for _ in range(2):
            tmux.press("C-z")
            tmux.wait_for("Stopped")
            assert_clean(tmux, shell)
            tmux.command("clear; fg")
            tmux.wait_for(*FRAME)
            assert tmux.settled() == before
            assert tmux.flags["alternate_on"] == 1
        tmux.type("3")
        tmux.wait_for("▶3 Requests")
        tmux.type("q")
        tmux.wait_until(lambda: tmux.flags["alternate_on"] == 0)
        assert_clean(tmux, shell)


def test_suspended_with_the_program_that_it_was_begun_by(shell: Shell) -> None:
    begun = f"{sys.executable} -c 'import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))' {PROGRAM}"
    with Tmux((80, 24), shell.environment) as tmux:
        tmux.command(f"clear; stty -g > {shell.folder}/before; {begun}")
        tmux.wait_for(*FRAME)
        for _ in range(2):
            tmux.press("C-z")
            tmux.wait_for("Stopped")
            assert_clean(tmux, shell)
            tmux.command("clear; fg")
            tmux.wait_for(*FRAME)
            assert tmux.flags["alternate_on"] == 1
        tmux.type("q")
        tmux.wait_until(lambda: tmux.flags["alternate_on"] == 0)
        assert_clean(tmux, shell)


def test_suspended_while_a_pager_has_the_terminal(shell: Shell) -> None:
    (shell.folder / "a.dat").write_text("hello")
    shell.ok("store", "a.dat")
    with screen(shell, PAGER=stopping_pager(shell.folder)) as tmux:
        tmux.type("4")
        tmux.wait_for("a.dat")
        tmux.type("o")
        tmux.wait_for("Where a.dat is", "Open in")
        tmux.type("o")
        tmux.wait_for("page one")
        tmux.press("Enter")
        tmux.wait_for("Stopped")
        tmux.command("fg")
        tmux.wait_for("page two")
        tmux.press("Enter")
        tmux.wait_for("Where a.dat is")
        assert tmux.flags["alternate_on"] == 1


def test_where_no_shell_waits_nothing_is_suspended(shell: Shell) -> None:
    with Tmux((80, 24), shell.environment, PROGRAM.split()) as tmux:
        tmux.wait_for(*FRAME)
        tmux.press("C-z")

        def is_gone_to() -> bool:
            # What is typed while the terminal changes hands is nobody's.
            tmux.type("7")
            return "▶7 Log" in tmux.text

        tmux.wait_until(is_gone_to)
        assert tmux.flags["alternate_on"] == 1


def test_a_terminal_that_goes_while_its_signal_is_ignored(shell: Shell) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    process = subprocess.Popen(
        # The shell hands the ignored signal on, as nohup does.
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *COMMAND],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=shell.environment,
        start_new_session=True,
    )
    os.close(slave)
    painted = b""
    while b"Quit" not in painted:
        painted += os.read(master, 65_536)
    # It does not end while the terminal is there.
    until = time.monotonic() + 3 * HANG_UP_SECONDS
    while time.monotonic() < until:
        if select.select([master], [], [], 0.1)[0]:
            os.read(master, 65_536)
    assert process.poll() is None
    os.close(master)
    assert process.wait(PATIENCE) == 128 + signal.SIGHUP


def test_ended_by_a_signal(shell: Shell) -> None:
    with screen(shell) as tmux:
        subprocess.run(["pkill", "-TERM", "-P", str(tmux.pid)], check=True)
        tmux.wait_until(lambda: tmux.flags["alternate_on"] == 0)
        assert_clean(tmux, shell)


def test_what_comes_in_one_piece_is_typed_key_by_key(shell: Shell) -> None:
    # As a slow line brings it, or somebody pastes it where nothing marks that as pasted.
    with screen(shell) as tmux:
        tmux.type("7/quiet lab")
        tmux.wait_for("▶7 Log", "filter /", "quiet lab")
        tmux.press("Escape")
        # What follows it at once is a key with Alt.
        tmux.wait_until(lambda: "filter /" not in tmux.text)
        tmux.type(":requests")
        tmux.wait_for("jump :", "requests")
        tmux.press("Enter")
        tmux.wait_for("▶3 Requests")
        # Each opens what the next one closes.
        tmux.type("?q" * 10 + "4")
        tmux.wait_for("▶4 Cache", *FRAME)

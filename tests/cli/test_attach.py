"""Screens of a running node on other terminals, as their terminals say; and what a node does when they go."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, cast

import pytest

from kachery_tui.cli.terminal_side import Opened, TerminalSide
from kachery_tui.errors import UsageError
from kachery_tui.file_locks import is_running
from kachery_tui.process_table import has_ended, stat_fields
from kachery_tui.service.screen_frames import FromNode, FromTerminal, encoded, encoded_object
from tests.cli.commands import Shell, running_node, socket_of, wait_until
from tests.service.raw_screens import RawScreen
from tests.tmux import LEFT_AS_IT_WAS, PROGRAM, PROMPT, Tmux, stopping_pager
from tests.users import BEN, LAB, User, make_reachable, need_root

if TYPE_CHECKING:
    from kachery_tui.cli.raw_terminal import RawTerminal

pytestmark = pytest.mark.skipif(not which("tmux"), reason="needs tmux: install it, by apt-get or brew")

FRAME = ("on no channel", "q Leave")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    made.ok("init", "--label", "ana@lab")
    return made


@contextmanager
def node(shell: Shell) -> Iterator[int]:
    """A running node; its process."""
    with running_node(shell, said="on no channel", may_be_killed=True) as process:
        wait_until(lambda: socket_of(shell))
        yield process.pid


@contextmanager
def terminal(shell: Shell, size: tuple[int, int] = (80, 24), **environment: str) -> Iterator[Tmux]:
    """A terminal with the program on it, painted."""
    with Tmux(size, {**shell.environment, **environment}) as tmux:
        open_screen(tmux)
        yield tmux


def open_screen(tmux: Tmux, *options: str) -> None:
    tmux.command(f"cd; clear; stty -g > before; {' '.join((PROGRAM, *options))}")
    tmux.wait_for(*FRAME)
    assert tmux.flags["alternate_on"] == 1


def assert_clean(tmux: Tmux, *words: str, code: int = 0) -> None:
    """The shell has the terminal again, as it was before, and the program has said these words."""
    tmux.wait_until(lambda: tmux.flags == LEFT_AS_IT_WAS)
    tmux.wait_for(PROMPT, *words)
    tmux.command("echo code=$?.; stty -g | cmp - before && echo is${x}clean")
    tmux.wait_for("isclean", f"code={code}.")


def processes(shell: Shell) -> list[int]:
    """The processes of screens of this shell's node."""
    found = subprocess.run(["pgrep", "-f", f"{PROGRAM}$"], capture_output=True, text=True, check=False).stdout
    return [int(pid) for pid in found.split() if is_of(shell, int(pid))]


def is_of(shell: Shell, pid: int) -> bool:
    try:
        return f"KACHERY_STORAGE_DIR={shell.storage}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def runs(pid: int) -> bool:
    return is_running(pid) and not has_ended(stat_fields(pid))


def screens_left(shell: Shell) -> int:
    """How many screens the node's log says were left."""
    return node_log(shell).count("has left the screen")


def node_log(shell: Shell) -> str:
    return (shell.folder / "node.log").read_text()


def test_two_screens_of_different_sizes_and_a_node_that_runs_on(shell: Shell) -> None:
    with node(shell) as pid, terminal(shell, (80, 24)) as small, terminal(shell, (140, 45)) as wide:
        small.type("4")
        small.wait_for("▶4 Cache")
        wide.type("7")
        wide.wait_for("▶7 Log")
        assert "▶4 Cache" in small.text
        small.resize(100, 30)
        small.wait_until(lambda: len(small.lines) == 30 and "q Leave" in small.lines[-1])
        small.type("q")
        assert_clean(small, f"the node ana@lab runs on, process {pid}", "kachery-tui stop")
        wide.type("3")
        wide.wait_for("▶3 Requests")
        # Into the same terminal again, and then the node is ended by the one that is left.
        open_screen(small)
        wide.type("Q")
        wide.wait_for("End the node ana@lab?")
        wide.type("y")
        assert_clean(wide, "the node ana@lab has ended")
        assert_clean(small, "the node ana@lab has ended")
        wait_until(lambda: not runs(pid))


def test_q_ends_nothing_and_asks_nothing(shell: Shell) -> None:
    with node(shell) as pid, terminal(shell) as tmux:
        tmux.type("Q")
        tmux.wait_for("End the node")
        tmux.type("n")
        tmux.type("q")
        assert_clean(tmux, "runs on")
        assert runs(pid)
        assert shell.ok("info").code == 0


def test_stopped_and_brought_back(shell: Shell) -> None:
    with node(shell) as pid, terminal(shell) as tmux:
        for _ in range(2):
            tmux.press("C-z")
            tmux.wait_for("Stopped")
            tmux.wait_until(lambda: tmux.flags == LEFT_AS_IT_WAS)
            assert runs(pid)
            tmux.command("clear; fg")
            tmux.wait_for(*FRAME)
            assert tmux.flags["alternate_on"] == 1
        tmux.type("q")
        assert_clean(tmux, "runs on")


@pytest.mark.parametrize("place", [0, 1], ids=["the one that the shell knows", "the one that paints"])
def test_a_screen_that_is_killed_leaves_its_terminal_clean(shell: Shell, place: int) -> None:
    with node(shell) as pid, terminal(shell) as tmux:
        both = sorted(processes(shell))
        assert len(both) == 2
        os.kill(both[place], signal.SIGKILL)
        # Of the first one the shell tells, perhaps before the terminal is clean.
        tmux.wait_until(lambda: tmux.flags == LEFT_AS_IT_WAS)
        tmux.press("Enter")
        assert_clean(tmux, *(["SIGKILL"] if place else []), code=137)
        wait_until(lambda: not processes(shell))
        wait_until(lambda: screens_left(shell) == 1)
        assert runs(pid)


def test_a_node_that_is_killed_leaves_its_terminals_clean(shell: Shell) -> None:
    with node(shell) as pid, terminal(shell) as tmux:
        os.kill(pid, signal.SIGKILL)
        assert_clean(tmux, "the node has gone", code=4)


def test_a_terminal_that_is_gone_leaves_the_node(shell: Shell) -> None:
    with node(shell) as pid:
        with terminal(shell):
            pass
        wait_until(lambda: screens_left(shell) == 1)
        wait_until(lambda: not processes(shell))
        assert runs(pid)
        assert "failed" not in node_log(shell)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_screen_alone(shell: Shell, number: signal.Signals) -> None:
    with node(shell) as pid, terminal(shell) as tmux:
        os.kill(min(processes(shell)), number)
        assert_clean(tmux, code=128 + number)
        assert runs(pid)


def test_a_node_that_hangs_is_left_by_ctrl_c(shell: Shell) -> None:
    with node(shell) as pid, terminal(shell) as tmux:
        os.kill(pid, signal.SIGSTOP)
        try:
            tmux.press("C-c")
            assert_clean(tmux, "the node does not answer", code=4)
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: screens_left(shell) == 1)


def test_a_screen_that_takes_nothing_costs_the_node_nothing(shell: Shell) -> None:
    with node(shell) as pid, terminal(shell), ExitStack() as stack:
        painter = max(processes(shell))
        other = stack.enter_context(terminal(shell, (140, 45)))
        os.kill(painter, signal.SIGSTOP)
        try:
            other.type("1234567" * 3)
            other.wait_for("▶7 Log")
            before = memory(pid)
            other.type("1234567" * 10 + "37")
            other.wait_for("▶7 Log")
            assert memory(pid) < before + 10_000_000
        finally:
            os.kill(painter, signal.SIGCONT)


def memory(pid: int) -> int:
    """Bytes that a process has in memory."""
    found = re.search(r"VmRSS:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def test_a_pager_has_the_terminal_of_the_screen(shell: Shell) -> None:
    (shell.folder / "a.dat").write_text("hello")
    shell.ok("store", "a.dat")
    with node(shell), terminal(shell, PAGER=stopping_pager(shell.folder)) as tmux:
        tmux.type("4")
        tmux.wait_for("a.dat")
        tmux.type("o")
        tmux.wait_for("Where a.dat is", "Open in")
        tmux.type("o")
        tmux.wait_for("page one of hello True True")
        tmux.press("Enter")
        tmux.wait_for("Stopped")
        tmux.command("fg")
        tmux.wait_for("page two")
        tmux.press("Enter")
        tmux.wait_for("Where a.dat is", "ended with 3")
        assert tmux.flags["alternate_on"] == 1
        tmux.press("Escape")
        tmux.wait_for("q Leave")
        tmux.type("q")
        assert_clean(tmux, "runs on")


def test_another_screen_on_the_node_of_a_screen(shell: Shell) -> None:
    with Tmux((80, 24), shell.environment) as own:
        own.command(f"cd; clear; stty -g > before; {PROGRAM}")
        own.wait_for("on no channel", "q Quit")
        wait_until(lambda: socket_of(shell))
        with terminal(shell) as other:
            own.type("q")
            own.wait_for("1 screen of others is open on this node.")
            own.type("y")
            assert_clean(own)
            assert_clean(other, "the node ana@lab has ended")


def test_a_screen_of_its_own_where_a_node_runs(shell: Shell) -> None:
    with node(shell) as pid, Tmux((80, 24), shell.environment) as tmux:
        tmux.command(f"clear; {PROGRAM} --own")
        tmux.wait_for("is in use", str(pid), PROMPT)
        tmux.command(f"clear; {PROGRAM} --theme nrod")
        tmux.wait_for("there is no theme 'nrod'", PROMPT)


def test_fifty_screens(shell: Shell) -> None:
    with node(shell) as pid, ExitStack() as stack:
        place = socket_of(shell)
        first = stack.enter_context(RawScreen(place))
        first.wait_for("q Leave")
        before = memory(pid)
        others = [stack.enter_context(RawScreen(place)) for _ in range(50)]
        for other in others:
            other.wait_for("q Leave")
        each = (memory(pid) - before) / len(others)
        assert each < 10_000_000
        first.press("7")
        first.wait_for("▶7 Log")
        for other in others:
            other.close()
        wait_until(lambda: screens_left(shell) == 50)
        first.press("q")
        assert first.last_word()["runs"]


SAID = (
    b"k",
    encoded(FromTerminal.SIZE, b"123"),
    encoded(FromTerminal.SIZE, b"\x00\x00\x00\x00"),
    encoded(FromTerminal.SIZE, b"\xff\xff\xff\xff"),
    encoded(FromTerminal.BACK, b"[]"),
    encoded(FromTerminal.BACK, b"{" * 60_000),
    b"k\xff\xff\xff\xff",
    encoded(FromTerminal.KEYS, b"\x1b[200~" + b"x" * 60_000) * 5,
    encoded(FromTerminal.KEYS, bytes(range(256)) * 200) * 5,
    encoded(FromTerminal.KEYS, b"\x1b[48;60000;60000;0;0t"),
    encoded(FromTerminal.KEYS, b"\x1b[99999999;1u\x1b[;;u\x1b[48;;;;t"),
    encoded(FromTerminal.NOTE, b'{"text": "\\u001b[31m"}') * 200,
    encoded(FromTerminal.TAKEN) * 1_000,
    b"?\x00\x00\x00\x01?" * 1_000,
)


def test_whatever_a_terminal_says_the_node_goes_on(shell: Shell) -> None:
    with node(shell) as pid, RawScreen(socket_of(shell)) as honest:
        honest.wait_for("q Leave")
        for number, said in enumerate(SAID, 1):
            with RawScreen(socket_of(shell), read_only=True) as liar:
                liar.wait_for("q Leave")
                liar.send(said)
                honest.press("7" if number % 2 else "3")
                honest.wait_for("▶7 Log" if number % 2 else "▶3 Requests")
            wait_until(lambda number=number: screens_left(shell) == number)  # type: ignore[misc]
        honest.press("q")
        assert honest.last_word()["runs"]
        assert runs(pid)
        assert "failed" not in node_log(shell)


REFUSED: tuple[tuple[dict[str, object], str], ...] = (
    ({"columns": 0}, "columns is to be 1 to 1,000"),
    ({"rows": 100_000}, "rows is to be 1 to 1,000"),
    ({"theme": "nrod"}, "there is no theme 'nrod'"),
    ({"environment": {"LD_PRELOAD": "x"}}, "environment is not to have 'LD_PRELOAD'"),
    ({"environment": {"TERM": 3}}, "environment is not to have 'TERM'"),
    ({"fps": 1_000}, "fps is to be"),
    ({"colour": 3}, "this call knows no 'colour'"),
)


def test_what_no_screen_can_be_made_of(shell: Shell) -> None:
    with node(shell):
        for wishes, why in REFUSED:
            with RawScreen(socket_of(shell), **wishes) as refused:
                assert refused.status in (400, 404)
                assert why in refused.answer
        words = ["curl", "-s", "--unix-socket", socket_of(shell), "http://node/v1/screen"]
        done = subprocess.run(
            [*words, "-d", '{"columns": 80, "rows": 24}'], capture_output=True, text=True, check=True
        )
        assert "Upgrade: kachery-screen" in json.loads(done.stdout)["error"]["do"]


def test_what_went_on_since_the_screen_was_left(shell: Shell) -> None:
    (shell.folder / "a.dat").write_bytes(b"x" * 2_000_000)
    with node(shell), Tmux((80, 24), shell.environment) as tmux:
        open_screen(tmux)
        tmux.type("q")
        assert_clean(tmux, "runs on")
        open_screen(tmux)
        assert "since" not in tmux.text
        tmux.type("q")
        assert_clean(tmux, "runs on")
        shell.ok("store", "a.dat")
        open_screen(tmux)
        tmux.wait_for("since", "storage 0 B → 2", "Esc: read")
        tmux.press("Escape")
        tmux.wait_until(lambda: "since" not in tmux.text)


def test_several_nodes_by_name(shell: Shell) -> None:
    other = Shell(shell.folder / "other")
    other.ok("init", "--label", "ben@lab")
    with node(shell) as ana, node(other) as ben, terminal(shell) as tmux:
        wait_until(lambda: socket_of(other))
        listed = shell.ok("nodes").stdout
        assert re.search(rf"ana@lab +{ana}  {shell.storage}\n", listed)
        assert re.search(rf"ben@lab +{ben}  {other.storage}\n", listed)
        tmux.type(":node nobody")
        tmux.press("Enter")
        tmux.wait_for("no node 'nobody' runs here")
        tmux.type(f":node {ben}")
        tmux.press("Enter")
        tmux.wait_for(" ben@lab")
        wait_until(lambda: screens_left(shell) == 1)
        tmux.type("q")
        assert_clean(tmux, f"the node ben@lab runs on, process {ben}")
        open_screen(tmux, f"--node {ana}")
        tmux.wait_for(" ana@lab")
        tmux.type("q")
        assert_clean(tmux, f"the node ana@lab runs on, process {ana}")
        tmux.command(f"clear; {PROGRAM} --node nobody")
        tmux.wait_for("no node 'nobody' runs here", PROMPT)


def test_a_member_of_the_group_sees_and_changes_nothing(shell: Shell) -> None:
    need_root()
    make_reachable(shell.folder)
    shell.folder.chmod(0o755)
    shell.storage.mkdir(exist_ok=True)
    os.chown(shell.storage, -1, LAB)
    shell.storage.chmod(0o2770)
    with running_node(shell, "--group", said="on no channel") as process:
        wait_until(lambda: socket_of(shell))
        place = socket_of(shell)

        def look() -> None:
            with RawScreen(place) as screen:
                screen.wait_for("read-only")
                screen.press("Q")
                screen.wait_for("read-only")
                screen.press("s")
                screen.wait_for("not now")
                screen.press("X")
                screen.wait_for("another user's")
                screen.press("\x1b[200~kachery://127.0.0.1:1/lab#code\x1b[201~")
                screen.wait_for("not taken")
                screen.press("q")
                assert screen.last_word()["runs"]

        assert User(BEN, [LAB], 0o022, look).ended_well()
        assert runs(process.pid)
        # Nor is how the other one has left the screen taken for how this node's user did.
        assert not (shell.config / "screen.json").exists()


class Paper:
    """A terminal that is a file."""

    def __init__(self, file: Path, keys: int) -> None:
        self.paper = os.open(file, os.O_WRONLY | os.O_CREAT)
        self.keys = keys

    size = (80, 24)

    def take(self) -> None:
        """It is no terminal."""


def test_of_the_node_of_another_user_only_pictures_are_painted(tmp_path: Path) -> None:
    here, there = socket.socketpair()
    reading, writing = os.pipe()
    paper = Paper(tmp_path / "paper", reading)

    def open_node(name: str) -> Opened:
        raise UsageError(f"no node {name}")

    side = TerminalSide(here, cast("RawTerminal", paper), reading, reading, open_node, is_ours=False)
    harmful = (
        "\x1b]52;c;cm0gLXJm\a",
        "\x1b]2;title\a",
        "\x1b[6n",
        "\x1b[?1049l",
        "\x9b31m",
        "a\x1b[21t",
        "\a",
    )
    pictures = ("\x1b[2;3Hhello ü 脳", "\x1b[1;38;2;1;2;3mred\x1b[m", "\x1b[?2026hframe\x1b[?2026l")
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(side.run, b"")
        there.sendall(encoded_object(FromNode.LEND, {"command": ["touch", str(tmp_path / "run")]}))
        there.sendall(encoded_object(FromNode.GO, {"node": "x"}))
        for text in (*harmful, *pictures):
            there.sendall(encoded(FromNode.PAINT, text.encode()))
        for half in (b"\xc2", b"\x9d52;c;ZXZpbA==\xc2", b"\x9c"):
            there.sendall(encoded(FromNode.PAINT, half))
        said = b""
        while (
            said.count(encoded(FromTerminal.TAKEN)) < len(harmful) + len(pictures) + 3 or b"shown" not in said
        ):
            said += there.recv(4096)
        there.sendall(encoded_object(FromNode.BYE, {"text": "over \x1b[31m", "runs": True}))
        assert "\x1b" not in ending.result().text
    # Halves of characters are none, together either.
    painted = (tmp_path / "paper").read_text()
    assert painted.replace("\ufffd", "").removesuffix("52;c;ZXZpbA==") == "".join(pictures)
    assert not (tmp_path / "run").exists()
    assert b"the node is another user's" in said
    for descriptor in (reading, writing, paper.paper):
        os.close(descriptor)
    here.close()
    there.close()


def test_in_the_background_it_waits_and_leaves_the_terminal_alone(shell: Shell) -> None:
    with node(shell), Tmux((80, 24), shell.environment) as tmux:
        tmux.command(f"cd; clear; stty -g > before; {PROGRAM} &")
        # The shell tells of it before its next prompt.
        tmux.wait_until(lambda: len(processes(shell)) == 2)
        tmux.wait_until(lambda: all(stat_fields(pid)[0] == "T" for pid in processes(shell)))
        assert tmux.flags == LEFT_AS_IT_WAS
        tmux.command("clear; fg")
        tmux.wait_for(*FRAME)
        tmux.press("C-z")
        tmux.wait_for("Stopped")
        tmux.command("clear; bg; sleep 1; echo still${x}here")
        tmux.wait_for("stillhere")
        assert tmux.flags == LEFT_AS_IT_WAS
        tmux.command("clear; fg")
        tmux.wait_for(*FRAME)
        tmux.type("q")
        assert_clean(tmux, "runs on")


def test_whichever_process_is_told_to_stop_both_do(shell: Shell) -> None:
    with node(shell), terminal(shell) as tmux:
        for place in (0, 1):
            os.kill(sorted(processes(shell))[place], signal.SIGTSTP)
            tmux.wait_for("Stopped")
            tmux.wait_until(lambda: tmux.flags == LEFT_AS_IT_WAS)
            tmux.command("clear; fg")
            tmux.wait_for(*FRAME)
        tmux.type("q")
        assert_clean(tmux, "runs on")


def test_where_stopping_is_ignored_nothing_stops(shell: Shell) -> None:
    with node(shell), Tmux((80, 24), shell.environment) as tmux:
        tmux.command("trap '' TSTP")
        open_screen(tmux)
        tmux.press("C-z")
        tmux.type("7")
        tmux.wait_for("▶7 Log")
        tmux.type("q")
        assert_clean(tmux, "runs on")


def test_a_terminal_that_goes_while_an_editor_has_it_leaves_no_work(shell: Shell) -> None:
    editor = shell.folder / "editor.sh"
    editor.write_text("#!/bin/sh\necho edits $1\nsleep 60\n")
    editor.chmod(0o755)
    with node(shell):
        with terminal(shell, EDITOR=str(editor)) as tmux:
            tmux.press("C-p")
            tmux.wait_for("Search")
            tmux.type("Edit settings")
            tmux.press("Enter")
            tmux.wait_for("edits")
        wait_until(lambda: screens_left(shell) == 1)
        assert "failed" not in node_log(shell)
        # Nothing of it goes on: the next screen comes to rest, and the node ends at once.
        with RawScreen(socket_of(shell)) as screen:
            screen.wait_for("q Leave")
            screen.press("q")
            assert screen.last_word()["runs"]

"""Commands beside a running node, which does their work; and what happens when it cannot."""

import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.cli.commands import PATIENCE, PROGRAM, Shell, running_node, socket_of, wait_until
from tests.nodes import join_by_file

ROLES = [f"{way}-{kind}" for way in ("request", "provide") for kind in ("files", "feeds", "tasks")]


@contextmanager
def running(shell: Shell) -> Iterator[subprocess.Popen[bytes]]:
    """The shell's node, once it is connected and answers calls."""
    with running_node(shell, may_be_killed=True) as process:
        wait_until(lambda: socket_of(shell))
        yield process


def rows(shell: Shell) -> list[dict[str, object]]:
    """The requests that the running node knows of."""
    done = subprocess.run(
        ["curl", "-s", "--unix-socket", socket_of(shell), "http://node/v1/requests"],
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    )
    found: list[dict[str, object]] = json.loads(done.stdout)["requests"]
    return found


@pytest.fixture
def ana(tmp_path: Path, hub: Path) -> Shell:
    shell = Shell(tmp_path / "ana")
    shell.ok("init", "--label", "ana")
    shell.ok("channel", "join", hub, "--roles", ",".join(ROLES))
    return shell


@pytest.fixture
def ben(tmp_path: Path, hub: Path) -> Shell:
    shell = Shell(tmp_path / "ben")
    shell.ok("init", "--label", "ben")
    join_by_file(shell.config, hub, roles=ROLES, limits={"answer_timeout": 1.5})
    return shell


def store(shell: Shell, *names: str) -> list[str]:
    for name in names:
        (shell.folder / name).write_bytes(name.encode() * 100)
    return shell.ok("store", *names).stdout.splitlines()


def load_from_stdin(shell: Shell, text: str, *more: str) -> tuple[int, list[str], str]:
    process = shell.start("load", "-", *more)
    stdout, stderr = process.communicate(text.encode(), timeout=PATIENCE)
    return process.returncode, stdout.decode().splitlines(), stderr.decode()


def test_the_running_node_gets_files_for_commands(ana: Shell, ben: Shell) -> None:
    uris = store(ana, "a.bin", "b.bin", "c.bin")
    nobody = f"sha1://{'0' * 40}/nobody.bin"
    with running(ana), running(ben):
        path = Path(ben.ok("load", uris[0]).line)
        assert path.read_bytes() == b"a.bin" * 100
        assert ben.ok("cat", uris[1]).stdout == "b.bin" * 100
        assert [row["name"] for row in rows(ben)] == ["b.bin", "a.bin"]
        # Many, from stdin, some of them here: in the order in which they were asked for, each failure by itself.
        wanted = [uris[2], nobody, uris[0], "", uris[1]]
        code, lines, said = load_from_stdin(ben, "\n".join(wanted))
        assert code == 1
        assert [Path(line).read_bytes()[:1] for line in lines] == [b"c", b"a", b"b"]
        assert "1 of 4 files failed: 1 nobody has" in said
        assert said.count("nobody.bin") or said.count("0000000000"), said
        # Into a folder, each by its name.
        (ben.folder / "out").mkdir()
        ben.ok("load", *uris, "--to", "out")
        assert sorted(file.name for file in (ben.folder / "out").iterdir()) == ["a.bin", "b.bin", "c.bin"]
        again = ben.run("load", *uris, "--to", "out")
        assert (again.code, again.stdout) == (1, "")
        assert again.stderr.count("is there already") == 3
        assert ben.run("load", nobody).code == 3
        # The same file again, long after it has come: it is not got twice.
        more = store(ana, *(f"more{number}.bin" for number in range(40)))
        known = len(rows(ben))
        code, lines, _ = load_from_stdin(ben, "\n".join([*more, more[0]]))
        assert (code, len(lines)) == (0, 41)
        assert len(rows(ben)) == known + 40
    # Without the node: the same.
    code, lines, said = load_from_stdin(ben, "\n".join(uris))
    assert (code, len(lines)) == (0, 3)


def test_a_failure_is_told_once_and_counted_for_each_time_it_was_asked_for(ben: Shell) -> None:
    nobody = f"sha1://{'0' * 40}/nobody.bin"
    with running(ben):
        code, lines, said = load_from_stdin(ben, f"{nobody}\n" * 3)
        assert (code, lines) == (1, [])
        assert said.count(f"{nobody}: ") == 1
        assert "3 of 3 files failed" in said


@pytest.mark.parametrize("has_node", [True, False])
def test_a_place_that_cannot_be_looked_at_fails_its_file_alone(ben: Shell, has_node: bool) -> None:
    (here,) = store(ben, "a.bin")
    sha1 = "ab" * 20
    place = ben.storage / "sha1" / "ab" / "ab" / "ab" / sha1
    place.parent.mkdir(parents=True)
    place.symlink_to(place.name)
    with running(ben) if has_node else nullcontext():
        code, lines, said = load_from_stdin(ben, f"sha1://{sha1}/loop.bin\n{here}\n")
    assert code == 1
    assert [Path(line).read_bytes()[:5] for line in lines] == [b"a.bin"]
    assert "loop.bin: " in said
    assert "1 of 2 files failed" in said


def test_two_files_of_one_name_do_not_overwrite_each_other(ben: Shell) -> None:
    (ben.folder / "out").mkdir()
    first, second = store(ben, "a.bin", "b.bin")
    second = second.replace("/b.bin", "/a.bin")
    result = ben.run_apart("load", first, second, first, "--to", "out", "--force")
    assert result.code == 1
    assert "has another file of that name" in result.stderr
    assert (ben.folder / "out" / "a.bin").read_bytes() == b"a.bin" * 100
    assert result.stdout.splitlines() == ["out/a.bin"] * 2


def test_a_node_that_has_too_many_callers_is_done_without(ana: Shell, ben: Shell) -> None:
    (uri,) = store(ana, "a.bin")
    with running(ana), running(ben), ExitStack() as stack:
        for _ in range(210):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.connect(socket_of(ben))
            time.sleep(0.002)
        result = ben.ok("load", uri)
        assert "too many programs call this node" in result.stderr
        assert Path(result.line).read_bytes() == b"a.bin" * 100


def test_without_a_stdin_nothing_is_read_from_it(ben: Shell) -> None:
    line = [*PROGRAM, "load", "-"]
    closed = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *line],
        env=ben.environment,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (closed.returncode, closed.stderr) == (0, b"")


def test_two_nodes_left_running_at_once_are_one(ben: Shell) -> None:
    starts = [ben.start("node", "--detach", "--log", f"{n}.log") for n in range(2)]
    said = [start.communicate(timeout=PATIENCE) for start in starts]
    codes = sorted(start.returncode for start in starts)
    try:
        assert codes[0] == 0
        assert codes[1] in (1, 2)
        (pid,) = [stdout.decode().strip() for stdout, _ in said if stdout]
        assert pid == str(json.loads((ben.storage / "kachery-tui.lock").read_text())["pid"])
    finally:
        ben.ok("stop")
    assert ben.run("stop").code == 1


def test_paths_come_from_stdin(ben: Shell) -> None:
    for name in ("a b.bin", "ü.bin", "c.bin"):
        (ben.folder / name).write_text(name)
    process = ben.start("store", "-")
    stdout, stderr = process.communicate("a b.bin\nü.bin\n\nnone.bin\nc.bin\n".encode(), timeout=PATIENCE)
    assert process.returncode == 1
    assert len(stdout.splitlines()) == 3
    assert b"none.bin" in stderr


def test_a_line_that_is_too_long_is_refused(ben: Shell) -> None:
    code, lines, said = load_from_stdin(ben, "x" * 200_000)
    assert (code, lines) == (2, [])
    assert "a line of stdin has" in said


def test_many_files_without_a_running_node(ana: Shell, ben: Shell) -> None:
    uris = store(ana, "a.bin", "b.bin", "c.bin")
    with running(ana):
        result = ben.run("load", *uris, "--json")
        assert result.code == 0, result
        assert [value["uri"] for value in result.values] == uris
        assert [value["size"] for value in result.values] == [500] * 3
    bad = ben.run("load", uris[0], "sha1://nonsense")
    assert bad.code == 2
    assert ben.run("load", *uris, "--to", "a-file").code == 2


def test_a_node_that_is_stopped_is_done_without(ana: Shell, ben: Shell) -> None:
    (uri,) = store(ana, "a.bin")
    with running(ana), running(ben) as node:
        node.send_signal(signal.SIGSTOP)
        result = ben.ok("load", uri)
        assert Path(result.line).read_bytes() == b"a.bin" * 100
        assert f"process {node.pid}) does not answer: done without it" in result.stderr


def test_a_node_that_is_killed_meanwhile_is_done_without(ana: Shell, ben: Shell) -> None:
    uri = f"sha1://{'0' * 40}/nobody.bin"
    with running(ben) as node:
        process = ben.start("load", uri)
        wait_until(lambda: rows(ben))
        node.kill()
        _, stderr = process.communicate(timeout=PATIENCE)
        assert process.returncode == 3
        assert "the node has gone" in stderr.decode()
    # What it left is no hindrance.
    with running(ben):
        rows(ben)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_ends_gives_up_what_it_asked_for(ben: Shell, number: signal.Signals) -> None:
    with running(ben):
        process = ben.start("load", f"sha1://{'0' * 40}/nobody.bin")
        wait_until(lambda: rows(ben))
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        wait_until(lambda: rows(ben)[0]["step"] == "cancelled")
        assert rows(ben)[0]["callers"]


def test_a_feed_is_followed_through_the_node_and_past_its_end(ana: Shell, ben: Shell) -> None:
    uri = ana.ok("feed", "create", "log").line
    ana.ok("feed", "append", "log", '{"n": 0}')
    with running(ana):
        with running(ben) as node:
            process = ben.start("feed", "cat", uri, "--follow")
            assert process.stdout is not None
            assert json.loads(process.stdout.readline()) == {"n": 0}
            assert any(row["kind"] == "feeds" for row in rows(ben))
            ana.ok("feed", "append", "log", '{"n": 1}')
            assert json.loads(process.stdout.readline()) == {"n": 1}
            node.kill()
            node.wait()
        ana.ok("feed", "append", "log", '{"n": 2}')
        assert json.loads(process.stdout.readline()) == {"n": 2}
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)


def test_what_is_changed_on_channels_is_so_at_once(ben: Shell, hub: Path) -> None:
    with running(ben):
        log = ben.folder / "node.log"
        ben.ok("channel", "leave", "lab")
        began = time.monotonic()
        wait_until(lambda: "connected" not in ben.ok("status", "--oneline").stdout)
        ben.ok("channel", "join", hub, "--roles", "request-files")
        wait_until(lambda: log.read_text().count("channel lab: connected") == 2)
        assert time.monotonic() - began < PATIENCE


def test_two_nodes_started_at_once_make_one(ben: Shell) -> None:
    nodes = [
        subprocess.Popen(
            [*PROGRAM, "node"], env=ben.environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    wait_until(lambda: any(node.poll() is not None for node in nodes))
    (loser,) = [node for node in nodes if node.poll() is not None]
    (winner,) = [node for node in nodes if node is not loser]
    loser.communicate(timeout=PATIENCE)
    wait_until(lambda: socket_of(ben))
    assert loser.returncode == 2
    assert json.loads((ben.storage / "kachery-tui.lock").read_text())["pid"] == winner.pid
    assert Path(socket_of(ben)).is_socket()
    os.kill(winner.pid, signal.SIGTERM)
    winner.communicate(timeout=PATIENCE)


def test_a_node_is_left_running_and_ended(ben: Shell) -> None:
    started = ben.run_apart("node", "--detach", "--json")
    assert started.code == 0, started
    (value,) = started.values
    try:
        assert socket_of(ben) == value["socket"]
        assert os.getsid(value["pid"]) == value["pid"], "no terminal takes it along"
        log = Path(value["log"])
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        wait_until(lambda: "channel lab: connected" in log.read_text())
        again = ben.run_apart("node", "--detach")
        assert again.code == 2
        assert f"process {value['pid']}" in again.stderr
        assert f"process {value['pid']}, socket" in ben.ok("info").stdout
    finally:
        ended = ben.run("stop")
    assert ended.code == 0, ended
    assert ben.run("stop").code == 1
    assert not Path(value["socket"]).exists()


def test_why_a_node_did_not_start_is_told(ben: Shell) -> None:
    (ben.config / "channels" / "lab.toml").write_text("name = 7\n")
    result = ben.run_apart("node", "--detach")
    assert result.code == 1
    assert "the node did not start" in result.stderr
    assert "lab.toml" in result.stderr
    os.mkfifo(ben.folder / "fifo")
    waiting = ben.run_apart("node", "--detach", "--log", str(ben.folder / "fifo"))
    assert waiting.code == 1
    assert "cannot write" in waiting.stderr
    unwritable = ben.run_apart("node", "--detach", "--log", "/dev/null/log")
    assert unwritable.code == 1
    assert "cannot write /dev/null/log" in unwritable.stderr

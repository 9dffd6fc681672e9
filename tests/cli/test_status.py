"""`status`: what a status bar or a script asks of the running node."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kachery_tui.cli.status import lines, one_line
from kachery_tui.node.status_file import ChannelStatus, NodeStatus
from tests.cli.commands import PATIENCE, PROGRAM, Shell, wait_until
from tests.terminal import Terminal

LAB = ChannelStatus("lab", "connected", "", 0.0, ("request-files",), ("request-files",), ("request-files",))
BUSY = NodeStatus(
    label="ana",
    node_id="ab" * 32,
    pid=12,
    born="1",
    host="here",
    started=0.0,
    written=5.0,
    ended=None,
    storage="/s",
    channels=(LAB,),
    down=11_000_000.0,
    up=1_000_000.0,
    mine=3,
    theirs=1,
    waiting=2,
    files=1,
    bytes=2_500_000_000,
    limit=10_000_000_000,
)
IDLE = replace(BUSY, down=0.0, up=0.0, mine=0, theirs=0, waiting=0)


@contextmanager
def running_node(shell: Shell) -> Iterator[subprocess.Popen[bytes]]:
    """A node on a channel whose services do not answer, as far as it says how it stands."""
    with (shell.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*PROGRAM, "node"], env=shell.environment, stdin=subprocess.DEVNULL, stderr=log
        )
    try:
        wait_until(lambda: "channel   lab: " in shell.run("status").stdout)
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE)


def test_a_running_node_is_told_of(shell: Shell, channel_file: Path) -> None:
    shell.ok("init", "--label", "ana")
    shell.ok("channel", "join", channel_file)
    with running_node(shell) as process:
        said = shell.ok("status").stdout
        assert "label     ana\n" in said
        assert f"process   {process.pid} on " in said
        assert "channel   lab: " in said
        assert "in force: no role" in said
        (value,) = shell.ok("status", "--json").values
        assert (value["label"], value["pid"], value["alive"]) == ("ana", process.pid, True)
        assert value["channels"][0]["inForce"] == []
        assert "secret" not in said + str(value)
        assert shell.ok("status", "--oneline").line in ("lab connecting", "lab disconnected")

        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        result = shell.run("status", "--oneline")
    assert (result.code, result.stdout) == (1, "")
    assert "the last one, ana, ended at " in result.stderr


def test_what_a_killed_node_left_is_said_to_be_stale(shell: Shell, channel_file: Path) -> None:
    shell.ok("init", "--label", "ana")
    shell.ok("channel", "join", channel_file)
    with running_node(shell) as process:
        pid = process.pid
    result = shell.run("status", "--json")
    assert (result.code, result.stdout) == (1, "")
    assert f"status.json is left from process {pid}, which is gone" in result.stderr


def test_without_a_node_there_is_a_reason(shell: Shell) -> None:
    result = shell.run("status")
    assert (result.code, result.stdout) == (1, "")
    assert f"no node runs with the settings in {shell.config}" in result.stderr
    assert "Start one" in result.stderr
    assert list(shell.folder.iterdir()) == []


def test_a_screen_is_a_running_node(shell: Shell) -> None:
    shell.ok("init", "--label", "ana")
    with Terminal(environment=shell.environment) as terminal:
        wait_until(lambda: shell.run("status").code == 0)
        assert f"process   {terminal.process.pid} on " in shell.ok("status").stdout
        terminal.press("q")
        assert terminal.end() == 0
    assert "ended at" in shell.run("status").stderr


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (BUSY, "↓3 ↑1 !2 12 MB/s"),
        (IDLE, "idle"),
        (replace(IDLE, waiting=1), "!1"),
        (replace(IDLE, channels=(replace(LAB, state="failed"),)), "lab failed"),
        (replace(BUSY, theirs=0, channels=()), "↓3 !2 12 MB/s"),
    ],
)
def test_one_line(status: NodeStatus, line: str) -> None:
    assert one_line(status) == line


def test_words() -> None:
    assert lines(BUSY, now=8_000.0)[2].endswith("(2 h 13 min)")
    assert lines(BUSY, now=60.0)[3:] == [
        "channel   lab: connected; in force: request-files",
        "rates     ↓ 11 MB/s, ↑ 1.0 MB/s",
        "requests  3 of this node's and 1 of others' under way, 2 wait for a person",
        "storage   2.5 GB of at most 10 GB (25%) in 1 file, /s",
    ]
    refused = replace(LAB, state="failed", reason="no such key", in_force=())
    failed = "channel   lab: failed (no such key); in force: no role; asked and granted: request-files"
    assert failed in lines(replace(BUSY, channels=(refused,)), 9)
    asked = ("provide-feeds", "provide-files", "request-files")
    wishes = replace(LAB, asked=asked, granted=asked[1:], in_force=asked[2:])
    assert lines(replace(BUSY, channels=(wishes,)), 9)[3] == (
        "channel   lab: connected; in force: request-files; asked and granted: provide-files; "
        "asked, not granted: provide-feeds"
    )
    assert "channel   none" in lines(replace(IDLE, channels=()), 9)

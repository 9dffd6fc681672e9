"""A node whose process does not run for a while, and a whole machine that sleeps: told as it is, and healed soon.

For 12 seconds, or as many as KACHERY_STOPPED_SECONDS says.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.commands import PATIENCE, PROGRAM, Shell, read_line, wait_until

SECONDS = float(os.environ.get("KACHERY_STOPPED_SECONDS", "12"))
HEALS = 15.0
ROLES = ("provide-feeds", "provide-files", "provide-tasks", "request-feeds", "request-files", "request-tasks")


@contextmanager
def started(shell: Shell, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours with all that it starts, in a group of its own."""
    with (shell.folder / f"{arguments[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            env=shell.environment,
            cwd=shell.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGCONT)
        process.terminate()
        process.communicate(timeout=PATIENCE)


def channel_line(shell: Shell) -> str:
    lines = shell.run("status").stdout.splitlines()
    return next((line for line in lines if line.startswith("channel")), "")


@pytest.mark.parametrize("all_sleep", [False, True], ids=["node", "machine"])
def test_it_is_in_force_again_soon_after_it_wakes(tmp_path: Path, all_sleep: bool) -> None:
    owner, shell = Shell(tmp_path / "hub"), Shell(tmp_path / "node")
    arguments = ("hub", "--data", "data", "--port", "0", "--s3-port", "0", "--channel", "lab")
    with started(owner, *arguments) as hub:
        file = owner.folder / read_line(hub)
        shell.ok("channel", "join", file, "--roles", ",".join(ROLES))
        with started(shell, "node") as node:
            in_force = f"; in force: {', '.join(ROLES)}"
            wait_until(lambda: "connected" in channel_line(shell) and in_force in channel_line(shell))
            before = channel_line(shell)
            asleep = [node, *([hub] if all_sleep else [])]
            for process in asleep:
                os.killpg(process.pid, signal.SIGSTOP)
                # A busy machine gets to it a moment later.
                os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            assert f"kill -CONT {node.pid}" in shell.run("status").stderr
            assert shell.run("status", "--oneline").stdout == "stopped\n"
            time.sleep(SECONDS)
            for process in reversed(asleep):
                os.killpg(process.pid, signal.SIGCONT)
            wait_until(lambda: before != channel_line(shell), HEALS)
            wait_until(lambda: ": connected" in (line := channel_line(shell)) and in_force in line, HEALS)
            log = (shell.folder / "node.log").read_text()
            assert "this process did not run for" in log
            assert "Traceback" not in log
            assert log.count("\n") < 20, log

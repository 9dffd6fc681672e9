"""`hub`, `node`, `load` and `cat` over a real hub."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kachery_tui.config import load_channel
from tests.cli.commands import PATIENCE, PROGRAM, Shell, finish, read_line, running_node, wait_until
from tests.nodes import join_by_file


@pytest.fixture
def ana(tmp_path: Path, hub: Path) -> Shell:
    """Somebody who provides files on the hub's channel."""
    shell = Shell(tmp_path / "ana")
    shell.ok("init", "--label", "ana")
    shell.ok("channel", "join", hub, "--roles", "provide-files")
    return shell


@pytest.fixture
def ben(tmp_path: Path, hub: Path) -> Shell:
    """Somebody who asks for files there, and does not wait long."""
    shell = Shell(tmp_path / "ben")
    shell.ok("init", "--label", "ben")
    join_by_file(shell.config, hub, roles=["request-files"], limits={"answer_timeout": 1.5})
    return shell


def store(shell: Shell, name: str, data: bytes) -> str:
    (shell.folder / name).write_bytes(data)
    return shell.ok("store", name).line


def test_a_hub_prints_its_channel_files_and_ends_when_told(shell: Shell) -> None:
    process = shell.start(
        *("hub", "--data", "d", "--port", "0", "--s3-port", "0", "--channel", "one", "--channel", "two")
    )
    files = [shell.folder / read_line(process) for _ in range(2)]
    assert [file.name for file in files] == ["one.toml", "two.toml"]
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert load_channel(file).name == file.stem
    again = shell.run("hub", "--data", "d", "--port", "0", "--s3-port", "0")
    assert again.code in (1, 2)
    assert str(process.pid) in again.stderr
    assert finish(process, signal.SIGINT)[0] == 0


def test_a_port_that_is_taken_is_named(shell: Shell, hub: Path) -> None:
    port = (load_channel(hub).pubsub.endpoint or "").rpartition(":")[2]
    result = shell.run("hub", "--data", "d", "--port", port)
    assert result.code in (1, 2)
    assert port in result.stderr
    assert result.stdout == ""


def test_a_file_travels_from_node_to_command_line(ana: Shell, ben: Shell) -> None:
    data = os.urandom(5_000)
    uri = store(ana, "spikes.npy", data)
    with running_node(ana):
        (value,) = ben.ok("load", uri, "--json").values
    assert (value["uri"], value["size"]) == (uri, 5_000)
    assert Path(value["path"]).read_bytes() == data
    assert ben.ok("load", uri).line == value["path"]
    assert list((ben.storage / "tmp").iterdir()) == []


def test_the_program_of_the_readme_gets_a_file(ana: Shell, ben: Shell) -> None:
    readme = Path(__file__).parents[2] / "README.md"
    programs = re.findall(r"```python\n(.*?)```", readme.read_text(), flags=re.DOTALL)
    (program,) = (each for each in programs if "asyncio.run" in each)
    data = os.urandom(5_000)
    uri = store(ana, "spikes.npy", data)
    with running_node(ana):
        done = subprocess.run(
            [sys.executable, "-c", program, uri],
            env=ben.environment,
            capture_output=True,
            text=True,
            check=True,
        )
    assert Path(done.stdout.strip()).read_bytes() == data


def test_a_file_in_chunks_is_written_to_stdout(ana: Shell, ben: Shell) -> None:
    data = os.urandom(1_000_000) * 45
    uri = store(ana, "recording.raw", data)
    with running_node(ana):
        process = ben.start("cat", uri)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout == data) == (0, True), stderr


def test_a_node_beside_it_on_the_same_storage_is_no_hindrance(ana: Shell, ben: Shell) -> None:
    uri = store(ana, "f", os.urandom(2_000))
    with running_node(ana), running_node(ben):
        ben.ok("load", uri)


def test_when_nobody_has_it_the_code_is_3(ben: Shell) -> None:
    began = time.monotonic()
    result = ben.run("load", "sha1://" + "b" * 40, "--channel", "lab")
    assert (result.code, result.stdout) == (3, ""), result
    assert time.monotonic() - began < 20


def test_without_the_role_the_code_is_5(ana: Shell) -> None:
    result = ana.run("load", "sha1://" + "c" * 40)
    assert result.code == 5, result
    assert "request-files" in result.stderr


def test_with_the_service_down_the_code_is_4(shell: Shell, hub: Path) -> None:
    join_by_file(shell.config, hub, limits={"answer_timeout": 1}, pubsub={"endpoint": "127.0.0.1:1"})
    result = shell.run("load", "sha1://" + "d" * 40)
    assert result.code == 4, result
    assert "nothing listens there" in result.stderr


def test_with_a_key_that_is_refused_the_code_is_5(shell: Shell, hub: Path) -> None:
    key = load_channel(hub).pubsub.key.partition(":")[0]
    join_by_file(shell.config, hub, pubsub={"key": f"{key}:another-secret-than-the-hub-has"})
    result = shell.run("load", "sha1://" + "d" * 40)
    assert result.code == 5, result


def test_an_unknown_channel_is_a_matter_of_usage(ben: Shell) -> None:
    result = ben.run("load", "sha1://" + "e" * 40, "--channel", "lap")
    assert result.code == 2
    assert "'lap'" in result.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_load_leaves_nothing(ben: Shell, number: signal.Signals, code: int) -> None:
    file = ben.config / "channels" / "lab.toml"
    file.write_text(file.read_text().replace("answer_timeout = 1.5", "answer_timeout = 600"))
    log = ben.folder / "load.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*PROGRAM, "load", "sha1://" + "f" * 40, "--debug"],
            env=ben.environment,
            stdin=subprocess.DEVNULL,
            stderr=stderr,
        )
    wait_until(lambda: "channel lab: connected" in log.read_text())
    process.send_signal(number)
    assert process.wait(PATIENCE) == code, log.read_text()
    assert list((ben.storage / "tmp").iterdir()) == []


def test_a_second_node_on_a_storage_folder_names_the_first(ana: Shell) -> None:
    with running_node(ana) as first:
        result = ana.run("node")
    assert result.code == 2
    assert f"process {first.pid}" in result.stderr


def test_a_child_ends_with_its_parent_however_that_ends(ana: Shell, tmp_path: Path) -> None:
    parent = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-P", "-m", "kachery_tui", "node", "--exit-with-stdin"],
    stdin=subprocess.PIPE, stderr=open({str(tmp_path / "log")!r}, "wb"))
print(child.pid, flush=True)
time.sleep(1000)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", parent], env=ana.environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    child = int(read_line(process))
    wait_until(lambda: "connected" in (tmp_path / "log").read_text())
    process.kill()
    process.communicate()
    wait_until(lambda: not _runs(child))


def _runs(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has asked after yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"

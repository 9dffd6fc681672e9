"""`task` over a real hub, with a node that computes."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.commands import PATIENCE, PROGRAM, Shell, finish, running_node, wait_until
from tests.nodes import join_by_file
from tests.protocol.vectors import WIRE

FUNCTIONS = """
import os, time
from kachery_tui.tasks import channel_name, load_file, store_file

def lines_of(uri):
    return {"channel": channel_name(), "lines": len(load_file(uri).read_text().splitlines())}

def upper(uri):
    path = load_file(uri)
    with open("upper.txt", "w") as file:
        file.write(path.read_text().upper())
    return store_file("upper.txt")

def now():
    return time.time_ns()

def touch(path):
    open(path, "w").close()

def sleep(path):
    open(path, "w").close()
    time.sleep(3600)

def fails():
    raise ValueError("the recording is empty\x1b[31m")
"""

CONFIG = """
label = "gpu"
[tasks."lines.1"]
type = "pure-calculation"
channels = ["lab"]
function = "lab_functions:lines_of"
[tasks."upper.1"]
type = "pure-calculation"
channels = ["lab"]
function = "lab_functions:upper"
[tasks."now.1"]
type = "query"
channels = ["lab"]
function = "lab_functions:now"
[tasks."touch.1"]
type = "action"
channels = ["lab"]
function = "lab_functions:touch"
[tasks."sleep.1"]
type = "pure-calculation"
channels = ["lab"]
function = "lab_functions:sleep"
[tasks."fails.1"]
type = "pure-calculation"
channels = ["lab"]
function = "lab_functions:fails"
[tasks."cat.1"]
type = "pure-calculation"
channels = ["lab"]
command = ["cat"]
"""

ROLES = ["request-files", "provide-files", "request-tasks", "provide-tasks"]


@pytest.fixture
def gpu(tmp_path: Path, hub: Path) -> Shell:
    """Somebody who computes."""
    shell = Shell(tmp_path / "gpu")
    shell.config.mkdir()
    (shell.config / "config.toml").write_text(CONFIG)
    (shell.config / "lab_functions.py").write_text(FUNCTIONS)
    join_by_file(shell.config, hub, roles=ROLES)
    return shell


@pytest.fixture
def ben(tmp_path: Path, hub: Path) -> Shell:
    """Somebody who wants things computed."""
    shell = Shell(tmp_path / "ben")
    shell.ok("init", "--label", "ben")
    join_by_file(shell.config, hub, roles=ROLES, limits={"answer_timeout": 3})
    return shell


def test_the_hash_of_a_task(shell: Shell) -> None:
    for vector in WIRE["taskHashes"]:
        arguments = json.dumps(vector["kwargs"])
        found = shell.ok("task", "hash", vector["taskFunctionId"], "--kwargs", arguments)
        assert found.line == vector["taskHash"]
    (shell.folder / "kwargs.json").write_text('{"a": "hello world"}')
    from_file = shell.ok("task", "hash", "echo_immediate.2", "--kwargs", "@kwargs.json", "--json").values
    assert from_file == [{"function": "echo_immediate.2", "hash": WIRE["taskHashes"][0]["taskHash"]}]


@pytest.mark.parametrize("kwargs", ["{", "[1]", "NaN", '{"a": NaN}', "@no/such/file", ""])
def test_arguments_that_are_none(shell: Shell, kwargs: str) -> None:
    result = shell.run("task", "hash", "f", "--kwargs", kwargs)
    assert result.code == 2
    assert "Traceback" not in result.stderr


def test_a_day_with_tasks(gpu: Shell, ben: Shell) -> None:
    text = ben.folder / "notes.txt"
    text.write_text("one\ntwo\n")
    uri = ben.ok("store", text).line
    arguments = json.dumps({"uri": uri})
    with running_node(gpu), running_node(ben):
        # What is offered, and by whom.
        offered = ben.ok("task", "list", "--json").values
        assert {(each["function"], each["type"], each["channel"]) for each in offered} == {
            ("cat.1", "pure-calculation", "lab"),
            ("fails.1", "pure-calculation", "lab"),
            ("lines.1", "pure-calculation", "lab"),
            ("now.1", "query", "lab"),
            ("sleep.1", "pure-calculation", "lab"),
            ("touch.1", "action", "lab"),
            ("upper.1", "pure-calculation", "lab"),
        }
        assert all(each["label"].startswith("gpu (") for each in offered)
        # The function gets a file of the channel that its node does not have.
        first = ben.ok("task", "run", "lines.1", "--kwargs", arguments)
        assert json.loads(first.line) == {"channel": "lab", "lines": 2}
        made = json.loads(ben.ok("task", "run", "upper.1", "--kwargs", arguments).line)
        assert Path(ben.ok("load", made).line).read_text() == "ONE\nTWO\n"
        query = ("task", "run", "now.1", "--type", "query")
        assert int(ben.ok(*query).line) < int(ben.ok(*query).line)
        touched = ben.folder / "touched"
        done = ben.ok("task", "run", "touch.1", "--type", "action", "--kwargs", f'{{"path": "{touched}"}}')
        assert (done.stdout, touched.exists()) == ("", True)
        failed = ben.run("task", "run", "fails.1")
        assert failed.code == 1
        assert "ValueError: the recording is empty" in failed.stderr
        assert "\x1b" not in failed.stderr
        absent = ben.run("task", "run", "absent.1")
        assert absent.code == 3
        assert "nobody on lab offers the function absent.1" in absent.stderr
        late = ben.run("task", "run", "sleep.1", "--kwargs", '{"path": "begun"}', "--timeout", "2")
        assert late.code == 4
        assert "no result of sleep.1" in late.stderr
    # Nobody is there any more, and what was computed is.
    again = ben.ok("task", "run", "lines.1", "--kwargs", arguments, "--json").values
    assert again[0]["cached"] is True
    assert again[0]["result"]["lines"] == 2
    assert ben.run("task", "run", "lines.1", "--kwargs", '{"uri": "sha1://other"}').code == 3


def test_a_task_that_is_interrupted_is_not_computed_on(gpu: Shell, ben: Shell) -> None:
    begun = gpu.folder / "begun"
    with running_node(gpu):
        words = ("task", "run", "sleep.1", "--kwargs", json.dumps({"path": str(begun)}))
        process = ben.start(*words)
        wait_until(begun.exists)
        log = gpu.folder / "node.log"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        # The one process of the function is free for the next.
        begun.unlink()
        again = ben.start("task", "run", "sleep.1", "--kwargs", json.dumps({"path": str(begun), "n": 1}))
        wait_until(lambda: again.poll() is not None)
        assert "unexpected keyword argument" in finish(again)[1], log.read_text()


def test_arguments_from_stdin(gpu: Shell, ben: Shell) -> None:
    with running_node(gpu):
        done = subprocess.run(
            [*PROGRAM, "task", "run", "cat.1", "--kwargs", "-", "--channel", "lab"],
            env=ben.environment,
            input=b'{"a": [1, 2.5, "\xc3\xbc"]}',
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
    assert json.loads(done.stdout) == {"a": [1, 2.5, "ü"]}


def test_functions_that_are_wrong_are_named_by_config_check(gpu: Shell) -> None:
    file = gpu.config / "config.toml"
    file.write_text(file.read_text().replace('type = "query"', 'type = "question"'))
    checked = gpu.run("config", "check")
    assert checked.code == 2
    assert "tasks.now.1.type" in checked.stdout

"""The functions that a node offers, as a person writes them into `config.toml`."""

from pathlib import Path

import pytest

from kachery_tui.config import (
    ConfigError,
    NodeConfig,
    TaskConfig,
    check_settings,
    line_of,
    load_node_config,
    save_node_config,
)
from kachery_tui.protocol.messages import TaskFunctionType
from tests.config.files import write

GOOD = """
[tasks."echo.1"]
type = "pure-calculation"
channels = ["lab", "other"]
function = "lab_tools.spikes:count"
path = "tools"
at_once = 4
timeout = 60
memory = 1_000_000_000
max_result = 1_000

[tasks.restart]
type = "action"
channels = ["lab"]
command = ["/usr/bin/systemctl", "restart", "rig"]
"""


def test_functions_are_read_and_written_as_they_are(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", GOOD)
    config = load_node_config(tmp_path)
    pure, action = TaskFunctionType.PURE_CALCULATION, TaskFunctionType.ACTION
    assert config.tasks == (
        TaskConfig(
            "echo.1",
            pure,
            ("lab", "other"),
            function="lab_tools.spikes:count",
            path=tmp_path / "tools",
            at_once=4,
            timeout=60.0,
            memory=1_000_000_000,
            max_result=1_000,
        ),
        TaskConfig("restart", action, ("lab",), command=("/usr/bin/systemctl", "restart", "rig")),
    )
    save_node_config(config)
    assert load_node_config(tmp_path) == config


def test_there_are_defaults(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", '[tasks.f]\ntype = "query"\nchannels = ["lab"]\nfunction = "m:f"')
    (task,) = load_node_config(tmp_path).tasks
    assert (task.at_once, task.timeout, task.memory, task.max_result, task.path) == (
        1,
        600.0,
        4_000_000_000,
        10_000_000,
        None,
    )
    assert load_node_config(tmp_path).tasks != NodeConfig(tmp_path, "x").tasks


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("[tasks]\nf = 1", "tasks.f", "table"),
        ("[tasks.echo.1]\ntype = 'query'", "tasks.echo", r'\[tasks\."echo'),
        ("[tasks.f]\nchannels = ['lab']\nfunction = 'm:f'", "tasks.f.type", "pure-calculation"),
        ("[tasks.f]\ntype = 'pure'\nchannels = ['lab']\nfunction = 'm:f'", "tasks.f.type", "query"),
        ("[tasks.f]\ntype = 'query'\nfunction = 'm:f'", "tasks.f.channels", "list"),
        ("[tasks.f]\ntype = 'query'\nchannels = ['a/b']\nfunction = 'm:f'", "tasks.f.channels", "list"),
        ("[tasks.f]\ntype = 'query'\nchannels = ['lab']", "tasks.f.function", "neither"),
        (
            "[tasks.f]\ntype = 'query'\nchannels = ['lab']\nfunction = 'm:f'\ncommand = ['x']",
            "tasks.f.function",
            "both",
        ),
        ("[tasks.f]\ntype = 'query'\nchannels = ['lab']\nfunction = 'os.system'", "tasks.f.function", "name"),
        ("[tasks.f]\ntype = 'query'\nchannels = ['lab']\ncommand = 'rm x'", "tasks.f.command", "list"),
        ("[tasks.f]\ntype = 'query'\nchannels = ['lab']\ncommand = []", "tasks.f.command", "program"),
        (
            "[tasks.f]\ntype = 'query'\nchannels = ['lab']\nfunction = 'm:f'\nat_once = 0",
            "tasks.f.at_once",
            "1 to 64",
        ),
        (
            "[tasks.f]\ntype = 'query'\nchannels = ['lab']\nfunction = 'm:f'\ntime_out = 3",
            "tasks.f.time_out",
            "timeout",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, key: str, words: str) -> None:
    write(tmp_path / "config.toml", text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_node_config(tmp_path)
    assert caught.value.key == key
    assert len(check_settings(tmp_path)) == 1
    line_of(caught.value)

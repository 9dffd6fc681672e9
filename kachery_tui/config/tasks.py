"""`[tasks."function id"]` of `config.toml`: the functions that this node computes for others."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from kachery_tui.config.reading import Table
from kachery_tui.config.values import TaskConfig
from kachery_tui.protocol.members import is_id
from kachery_tui.protocol.roles import is_channel_name
from kachery_tui.protocol.task_messages import TaskFunctionType

MOST_FUNCTIONS: Final = 200
"""Functions of one node."""

LONGEST_TIMEOUT: Final = 30 * 86_400.0
"""Seconds."""

LARGEST_RESULT: Final = 32_000_000
"""Bytes: no more JSON is parsed at a time."""

_KEYS: Final = (
    *("type", "channels", "function", "command", "path"),
    *("at_once", "timeout", "memory", "max_result"),
)
_FUNCTION: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")


def read_tasks(folder: Path, table: Table) -> tuple[TaskConfig, ...]:
    """The functions of a `tasks` table, of the settings folder `folder`. What is wrong is collected in the table."""
    found: list[TaskConfig] = []
    for name in table.names():
        if len(found) >= MOST_FUNCTIONS:
            table.refuse(name, f"more than {MOST_FUNCTIONS} functions", "Fewer would do")
            break
        if table.holds_tables(name, but=_KEYS):
            table.refuse(name, "a table of tables", f'The whole name in quotes, [tasks."{name}.…"], would do')
            continue
        if not is_id(name):
            table.refuse(name, "a name that is empty or too long", "The name of a function would do")
            continue
        found.append(_task(folder, name, table.table(name, _KEYS)))
    return tuple(found)


def task_values(tasks: Iterable[TaskConfig]) -> dict[str, Any]:
    """What `read_tasks` reads"""
    values: dict[str, Any] = {}
    for task in tasks:
        values[task.function_id] = given = {"type": task.type.value, "channels": list(task.channels)}
        if task.function:
            given["function"] = task.function
        else:
            given["command"] = list(task.command)
        if task.path is not None:
            given["path"] = str(task.path)
        default = TaskConfig(task.function_id, task.type, task.channels)
        given |= {
            key: getattr(task, key)
            for key in ("at_once", "timeout", "memory", "max_result")
            if getattr(task, key) != getattr(default, key)
        }
    return values


def _task(folder: Path, name: str, table: Table) -> TaskConfig:
    types = [each.value for each in TaskFunctionType]
    kind = table.needed("type", f"One of these would do: {', '.join(types)}", lambda text: text in types)
    function = table.text(
        "function", "", '"package.module:name" would do', lambda text: _FUNCTION.fullmatch(text) is not None
    )
    command = table.texts("command", [], "A list of a program and its arguments would do")
    if table.has("function") is table.has("command"):
        found = "both `function` and `command`" if function else "neither `function` nor `command`"
        table.refuse("function", found, "One of them would do")
    elif table.has("command") and (not command or not command[0] or any("\0" in each for each in command)):
        table.refuse("command", "no program", "A list of a program and its arguments would do")
    channels = table.texts("channels", [], "A list of names of channels would do")
    if not channels or not all(map(is_channel_name, channels)):
        table.refuse("channels", "no list of channels", 'A list of names of channels, ["lab"], would do')
    default = TaskConfig(name, TaskFunctionType.ACTION, ())
    return TaskConfig(
        function_id=name,
        type=TaskFunctionType(kind) if kind else TaskFunctionType.ACTION,
        channels=tuple(dict.fromkeys(channels)),
        function=function or "",
        command=tuple(command),
        path=table.path("path", folder),
        at_once=table.integer("at_once", default.at_once, 1, 64),
        timeout=table.number("timeout", default.timeout, 0.1, LONGEST_TIMEOUT),
        memory=table.integer("memory", default.memory, 50_000_000, 10**14),
        max_result=table.integer("max_result", default.max_result, 1, LARGEST_RESULT),
    )

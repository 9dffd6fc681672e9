"""Nodes that request and provide tasks."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kachery_tui.config import TaskConfig
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.protocol.canonical import JsonValue
from kachery_tui.protocol.messages import TaskFunctionType
from kachery_tui.protocol.roles import Role
from tests.nodes import running_node, until

PURE, QUERY, ACTION = TaskFunctionType
HERE = Path(__file__).parent
TASK_ROLES = (Role.REQUEST_TASKS, Role.PROVIDE_TASKS)


def python(name: str, kind: TaskFunctionType = PURE, **more: Any) -> TaskConfig:
    """One of the tests' functions, as `name.1` on `lab`."""
    return TaskConfig(f"{name}.1", kind, ("lab",), function=f"task_functions:{name}", path=HERE, **more)


def command(name: str, *words: str, kind: TaskFunctionType = PURE, **more: Any) -> TaskConfig:
    """A program, as `name.1` on `lab`."""
    return TaskConfig(f"{name}.1", kind, ("lab",), command=words, **more)


@asynccontextmanager
async def providing(
    folder: Path, channel_file: Path, *tasks: TaskConfig, **changes: Any
) -> AsyncIterator[Node]:
    """A node that offers functions, and has found out which of them it can."""
    roles = changes.pop("roles", (Role.PROVIDE_TASKS,))
    async with running_node(folder, channel_file, roles=roles, tasks=tasks, **changes) as node:
        await until(lambda: all(function.known.is_set() for function in node.tasks.functions))
        yield node


@asynccontextmanager
async def requesting(folder: Path, channel_file: Path, **changes: Any) -> AsyncIterator[Node]:
    """A node that requests tasks."""
    async with running_node(folder, channel_file, roles=(Role.REQUEST_TASKS,), **changes) as node:
        yield node


async def result_of(node: Node, name: str, kind: TaskFunctionType = PURE, **kwargs: Any) -> JsonValue:
    """Request a task and wait for its result."""
    return await node.tasks.result(request(node, name, kind, **kwargs))


def request(node: Node, name: str, kind: TaskFunctionType = PURE, **kwargs: Any) -> Request:
    """Request a task of `name.1`."""
    return node.tasks.request(f"{name}.1", kwargs, kind, "lab")


async def offers(node: Node, names: Iterable[str]) -> None:
    """Wait until a node has heard that just these functions are offered on `lab`."""
    wanted = {f"{name}.1" for name in names}
    lab = node.memberships["lab"]
    await until(lambda: {offer.function_id for offer in node.tasks.offers.current(lab)} == wanted)

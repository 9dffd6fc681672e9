"""Real nodes on real storage folders, joined to a channel of a real hub."""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from kachery_tui.config import NodeConfig, TaskConfig, load_channels
from kachery_tui.config.reading import write_private
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.roles import Role
from kachery_tui.storage.storage import Storage

FILE_ROLES = (Role.REQUEST_FILES, Role.PROVIDE_FILES)


def join_by_file(folder: Path, channel_file: Path, **changes: Any) -> Path:
    """Put a channel file into a settings folder, with some of its settings changed; tables are merged."""
    values = tomllib.loads(channel_file.read_text())
    for key, value in changes.items():
        if isinstance(value, dict):
            values[key] = {**values.get(key, {}), **value}
        else:
            values[key] = value
    target = folder / "channels" / channel_file.name
    # Whole at once: a running node may be looking.
    write_private(target, tomli_w.dumps(values).encode())
    return target


async def leave(node: Node, channel: str = "lab") -> None:
    """Remove a channel's file, and have the node see it."""
    node.memberships[channel].config.file.unlink()
    await node.look_at_channel_files()


@asynccontextmanager
async def running_node(
    folder: Path,
    channel_file: Path | None,
    *,
    label: str = "",
    roles: tuple[Role, ...] = FILE_ROLES,
    provides: bool = True,
    wait: bool = True,
    claims: bool = False,
    tasks: Sequence[TaskConfig] = (),
    prepare: Callable[[Node], None] | None = None,
    **changes: Any,
) -> AsyncIterator[Node]:
    """A started node on `folder`; with `wait`, its roles are in force. `claims` makes it the folder's one node.

    `prepare` is called with it before it starts.
    """
    if channel_file is not None:
        join_by_file(folder, channel_file, roles=[role.value for role in roles], **changes)
    loaded = load_channels(folder)
    assert not loaded.errors
    storage = Storage.open(folder / "storage")
    if claims:
        storage.claim()
    config = NodeConfig(folder, label or folder.name, tasks=tuple(tasks))
    node = Node(config, storage, loaded.channels, provide=provides)
    if prepare is not None:
        prepare(node)
    await node.start()
    try:
        if wait:
            await until(lambda: all(member.in_force == member.roles for member in node.memberships.values()))
        yield node
    finally:
        await node.close()


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something holds; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


async def at_step(row: Request, step: Step, seconds: float = 20) -> None:
    """Wait until a row is at a step; fails with how it stands otherwise."""
    try:
        await until(lambda: row.step is step, seconds)
    except TimeoutError:
        steps = [(entered.step.value, round(entered.at - row.started, 2)) for entered in row.steps]
        pytest.fail(f"{row.name} is not {step}: {steps}, {row.notes}, {row.failure}")


def theirs(node: Node) -> list[Request]:
    """The rows of what others asked of a node."""
    return [row for row in node.ledger if row.side is Side.THEIRS]


def put_file(folder: Path, name: str, data: bytes) -> Path:
    """Write a file to store or link."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path

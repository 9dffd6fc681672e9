"""What a Python function of a task may use: the files of the channel on which it was requested.

A command has `kachery-tui load` and `kachery-tui store` for the same; both find the node's folders in the environment.
"""

import asyncio
import os
from pathlib import Path

from kachery_tui.config import config_folder, load_channels, load_node_config, storage_folder
from kachery_tui.errors import UsageError
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.problems import Damaged
from kachery_tui.storage.storage import Storage
from kachery_tui.storage.values import Found
from kachery_tui.task_worker import CHANNEL_VARIABLE

__all__ = ["channel_name", "load_file", "store_file"]


def channel_name() -> str:
    """The channel on which the task was requested. Raises `UsageError` outside of a task."""
    name = os.environ.get(CHANNEL_VARIABLE)
    if not name:
        raise UsageError(
            "there is no channel", f"{CHANNEL_VARIABLE} is not set", "Run this as a task's function"
        )
    return name


def load_file(uri: str) -> Path:
    """Where a file is, got over the channel first if need be; it must not be changed there.

    Raises `ProtocolError` for what is no file URI, `NobodyHasIt` where nobody has it, or another `KacheryError`.
    """
    wanted = FileUri.parse(uri)
    config = load_node_config(config_folder())
    storage = Storage.open(storage_folder(config=config))
    try:
        found = _find_right(storage, wanted.sha1)
        if found is not None:
            storage.touch(wanted.sha1)
            return found.path
    finally:
        storage.close()
    return asyncio.run(_request(wanted, channel_name()))


def _find_right(storage: Storage, sha1: str) -> Found | None:
    try:
        return storage.find_right(sha1)
    except Damaged:
        # It is out of the way now, and got anew.
        return None


def store_file(path: str | Path) -> str:
    """Copy a file into the node's storage, from which it is provided; its URI. Raises `KacheryError`."""
    storage = Storage.open(storage_folder(config=load_node_config(config_folder())))
    try:
        return str(storage.store(Path(path)).uri)
    finally:
        storage.close()


async def _request(uri: FileUri, channel: str) -> Path:
    from kachery_tui.node.node import Node

    config = load_node_config(config_folder())
    channels = [each for each in load_channels(config.folder).channels if each.name == channel]
    node = Node(config, Storage.open(storage_folder(config=config)), channels, provide=False)
    await node.start()
    try:
        path = await node.files.request(uri, channel).outcome()
    finally:
        await node.close()
    assert path is not None, "a request of a file that ends well has a path"
    return path

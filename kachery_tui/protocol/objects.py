"""Names of the objects in a channel's bucket (PROTOCOL.md § The bucket)."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.hashes import pathify
from kachery_tui.protocol.roles import Role, is_channel_name

SUBFEED_COUNT: Final = "subfeed.json"
"""The object that says how many messages of a subfeed are there."""

LONGEST_NAME: Final = 400

_FOLDERS: Final = "[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{2}"
_FILE: Final = re.compile(rf"sha1/{_FOLDERS}/([0-9a-f]{{40}})")
_TASK: Final = re.compile(rf"task_results/{_FOLDERS}/([0-9a-f]{{40}})")
_FEED: Final = re.compile(
    rf"feeds/{_FOLDERS}/([0-9a-f]{{64}})/subfeeds/{_FOLDERS}/([0-9a-f]{{40}})/(0|[1-9][0-9]{{0,15}}|subfeed\.json)"
)


def file_folder(channel: str) -> str:
    """What the names of all file objects of a channel begin with."""
    return f"{channel}/sha1/"


def file_object(channel: str, sha1: str) -> str:
    """Where a file's, or a chunk's, bytes are."""
    return f"{file_folder(channel)}{pathify(sha1)}"


def subfeed_object(channel: str, feed_id: str, subfeed_hash: str, name: str) -> str:
    """Where an object of a subfeed is: `name` is `subfeed.json` or a message's number."""
    return f"{channel}/feeds/{pathify(feed_id)}/subfeeds/{pathify(subfeed_hash)}/{name}"


def task_result_object(channel: str, task_hash: str) -> str:
    """Where the result of a task is."""
    return f"{channel}/task_results/{pathify(task_hash)}"


class Proof(StrEnum):
    """What shows that an object is what its name says."""

    BYTES = "bytes"
    """Their hash is in the name."""
    FEED_KEY = "feed key"
    """The feed's key has signed them, or whoever writes them has it."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ObjectName:
    """What the name of an object says. `hash` is the file's, the feed's id, or the task's hash."""

    channel: str
    role: Role
    """That which it takes to write the object."""
    hash: str
    proof: Proof
    changes: bool
    """Whether one object of that name follows another: a subfeed's count, and a task's result."""


def parse_object(name: str) -> ObjectName:
    """Read the name of an object, as one of the functions here makes it. Raises `ProtocolError` for any other."""
    channel, _, rest = name.partition("/")
    if is_channel_name(channel) and len(name) <= LONGEST_NAME:
        if (found := _FILE.fullmatch(rest)) and file_object(channel, found[1]) == name:
            return ObjectName(channel, Role.PROVIDE_FILES, found[1], Proof.BYTES, changes=False)
        if (found := _TASK.fullmatch(rest)) and task_result_object(channel, found[1]) == name:
            return ObjectName(channel, Role.PROVIDE_TASKS, found[1], Proof.NOTHING, changes=True)
        if (found := _FEED.fullmatch(rest)) and subfeed_object(channel, *found.groups()) == name:
            changes = found[3] == SUBFEED_COUNT
            return ObjectName(channel, Role.PROVIDE_FEEDS, found[1], Proof.FEED_KEY, changes=changes)
    raise ProtocolError(f"{name[:80]!r} is the name of no object of a channel")

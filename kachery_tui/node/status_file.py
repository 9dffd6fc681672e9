"""`status.json` in the settings folder: how the node that runs there stands, for programs that are no node.

It holds names, counts and states of a bounded number of channels, and no secret.
"""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

from kachery_tui.errors import KacheryError
from kachery_tui.process_table import has_ended, stat_fields

FILE_NAME: Final = "status.json"
MOST_BYTES: Final = 1_000_000
MOST_CHANNELS: Final = 200
LONGEST_TEXT: Final = 300
"""Characters of one text, paths aside."""


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """One channel: its connection, why it is so and since when (Unix time), and the roles."""

    name: str
    state: str
    reason: str
    since: float
    asked: tuple[str, ...]
    granted: tuple[str, ...]
    in_force: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A running node. Times are Unix time in seconds, rates bytes a second, sizes bytes.

    `born` tells its process from a later one with the same `pid`; empty where the system does not say. `ended` is None
    as long as it runs. `mine` and `theirs` count the requests that are under way, `waiting` those of others that wait
    for a person. `limit` is None where the storage folder has none.
    """

    label: str
    node_id: str
    pid: int
    born: str
    host: str
    started: float
    written: float
    ended: float | None
    storage: str
    channels: tuple[ChannelStatus, ...]
    down: float
    up: float
    mine: int
    theirs: int
    waiting: int
    files: int
    bytes: int
    limit: int | None

    def is_alive(self) -> bool | None:
        """Whether its process runs; None where that cannot be told, because it is on another machine."""
        if self.ended is not None:
            return False
        if self.host != socket.gethostname():
            return None
        try:
            os.kill(self.pid, 0)
        except PermissionError:
            pass
        except (OSError, OverflowError):
            return False
        return not self.born or birth_of(self.pid) == self.born

    def is_stopped(self) -> bool:
        """Whether somebody has stopped its process (Ctrl+Z), as far as the system says; then it does nothing at all."""
        return self.is_alive() is True and stat_fields(self.pid)[:1] in (["T"], ["t"])

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        return _renamed(asdict(self)) | {"channels": [_renamed(asdict(channel)) for channel in self.channels]}


def birth_of(pid: int) -> str:
    """What tells a process from others that had or will have its number; empty where the system does not say."""
    fields = stat_fields(pid)
    return fields[19] if len(fields) > 19 and not has_ended(fields) else ""


def read_status(folder: Path) -> NodeStatus | None:
    """What the file in a settings folder says; None without one. Raises `KacheryError` for one that makes no sense."""
    file = folder / FILE_NAME
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KacheryError(f"cannot read {file}", error.strerror or str(error)) from None
    try:
        if len(data) > MOST_BYTES:
            raise ValueError(f"over {MOST_BYTES} bytes")
        return _parsed(json.loads(data))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise KacheryError(
            f"{file} makes no sense", "", "A node that is started anew writes it anew"
        ) from None


def _renamed(value: dict[str, Any]) -> dict[str, Any]:
    """With the names that JSON has elsewhere in this program."""
    names = {"node_id": "nodeId", "in_force": "inForce"}
    return {names.get(key, key): each for key, each in value.items()}


def _parsed(value: Any) -> NodeStatus:
    if not isinstance(value, dict):
        raise TypeError("no object")
    channels = _of(value, "channels", list)
    return NodeStatus(
        label=_text(value, "label"),
        node_id=_text(value, "nodeId"),
        pid=_of(value, "pid", int),
        born=_text(value, "born"),
        host=_text(value, "host"),
        started=_number(value, "started"),
        written=_number(value, "written"),
        ended=None if value["ended"] is None else _number(value, "ended"),
        storage=_text(value, "storage"),
        channels=tuple(_parsed_channel(channel) for channel in channels[:MOST_CHANNELS]),
        down=_number(value, "down"),
        up=_number(value, "up"),
        mine=_of(value, "mine", int),
        theirs=_of(value, "theirs", int),
        waiting=_of(value, "waiting", int),
        files=_of(value, "files", int),
        bytes=_of(value, "bytes", int),
        limit=None if value["limit"] is None else _of(value, "limit", int),
    )


def _parsed_channel(value: Any) -> ChannelStatus:
    return ChannelStatus(
        name=_text(value, "name"),
        state=_text(value, "state"),
        reason=_text(value, "reason"),
        since=_number(value, "since"),
        asked=_texts(value, "asked"),
        granted=_texts(value, "granted"),
        in_force=_texts(value, "inForce"),
    )


def _of(value: Mapping[str, Any], key: str, *kinds: type) -> Any:
    found = value[key]
    if isinstance(found, bool) or not isinstance(found, kinds):
        raise TypeError(key)
    return found


def _number(value: Mapping[str, Any], key: str) -> float:
    found = float(_of(value, key, int, float))
    if not isfinite(found):
        raise ValueError(key)
    return found


def _text(value: Mapping[str, Any], key: str) -> str:
    return _shown(_of(value, key, str))


def _texts(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(_shown(text) for text in _of(value, key, list))


def _shown(text: Any) -> str:
    # It goes to a terminal.
    if not isinstance(text, str) or not text.isprintable():
        raise ValueError("no text of one line")
    return text

"""The running node of a storage folder, for a command that may hand its work to it, or show its screen."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.service.client import ANSWER_PATIENCE, NodeClient
from kachery_tui.service.peers import peer_of
from kachery_tui.storage.lock import Holder, read_holder

ROOT = 0


def find_node(storage: Path, config: Path) -> NodeClient | None:
    """A way to the node that runs on a storage folder with these settings; None where none does, or is not for us.

    One whose settings are others has other channels and roles: what it would do is not what the command was told.
    """
    holder = read_holder(storage)
    if holder is None or not _is_same(Path(holder.config), config):
        return None
    return _way_to(holder, storage)


def find_node_of_another(storage: Path) -> NodeClient | None:
    """A way to the node of another user that runs on a storage folder, if it lets this one in."""
    holder = read_holder(storage)
    client = None if holder is None else _way_to(holder, storage)
    if client is None or not client.is_ours:
        return client
    client.close()
    return None


@dataclass(frozen=True, slots=True)
class RunningNode:
    """A node of this user's that runs on this machine, and a way to it."""

    label: str
    pid: int
    storage: str
    client: NodeClient


def running_nodes() -> list[RunningNode]:
    """All of them that answer, by label."""
    # Most commands look for one whose socket the storage folder names.
    from kachery_tui.service.place import sockets_here

    found = []
    for place in sockets_here():
        client = _connected(str(place))
        if client is None:
            continue
        if not client.is_ours:
            client.close()
            continue
        try:
            status = client.ask("GET", "/v1/status")
        except KacheryError:
            continue
        found.append(RunningNode(str(status.get("label")), client.pid, str(status.get("storage")), client))
    return sorted(found, key=lambda node: (node.label, node.pid))


def node_named(name: str) -> RunningNode:
    """The running node of that label, or of the only label that begins so, or of that process.

    Raises `UsageError` where it is none, or more than one.
    """
    nodes = running_nodes()
    exact = [node for node in nodes if name in (node.label, str(node.pid))]
    found = exact or [node for node in nodes if node.label.startswith(name)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{node.label} (process {node.pid}, {node.storage})" for node in found or nodes)
    what = f"more than one node is called {name!r}" if found else f"no node {name!r} runs here"
    raise UsageError(what, "", f"These run: {there}" if there else "None of this user's runs on this machine")


def _connected(place: str) -> NodeClient | None:
    """A way to whoever listens at a socket; None where nobody does."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_PATIENCE)
    try:
        connection.connect(place)
        peer = peer_of(connection)
    except OSError:
        # Left by a node that was killed, of a user who lets nobody in, or so busy that its backlog is full.
        connection.close()
        return None
    return NodeClient(connection, peer, place)


def _way_to(holder: Holder, storage: Path) -> NodeClient | None:
    """A socket says whose process listens there: a node of another user answers only for a folder that is that user's."""
    if not holder.socket or not holder.is_here:
        return None
    client = _connected(holder.socket)
    if client is None:
        return None
    try:
        is_trusted = client.peer.uid in (os.geteuid(), ROOT, storage.stat().st_uid)
    except OSError:
        is_trusted = False
    if is_trusted:
        return client
    client.close()
    return None


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False

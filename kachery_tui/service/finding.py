"""The running node of a storage folder, for a command that may hand its work to it, or show its screen."""

import os
import socket
from pathlib import Path

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


def _way_to(holder: Holder, storage: Path) -> NodeClient | None:
    """A socket says whose process listens there: a node of another user answers only for a folder that is that user's."""
    if not holder.socket or not holder.is_here:
        return None
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_PATIENCE)
    try:
        connection.connect(holder.socket)
        peer = peer_of(connection)
        trusted = (os.geteuid(), ROOT, storage.stat().st_uid)
    except OSError:
        # Left by a node that was killed, of a user who lets nobody in, or so busy that its backlog is full.
        connection.close()
        return None
    if peer.uid not in trusted:
        connection.close()
        return None
    return NodeClient(connection, peer.pid, holder.socket, is_ours=peer.uid == os.geteuid())


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False

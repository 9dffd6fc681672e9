"""The running node of a storage folder, for a command that may hand its work to it."""

import os
import socket
from pathlib import Path

from kachery_tui.service.client import ANSWER_PATIENCE, NodeClient
from kachery_tui.service.peers import peer_of
from kachery_tui.storage.lock import read_holder

ROOT = 0


def find_node(storage: Path, config: Path) -> NodeClient | None:
    """A way to the node that runs on a storage folder with these settings; None where none does, or is not for us.

    One whose settings are others has other channels and roles: what it would do is not what the command was told. And a
    socket says whose process listens there: a node of another user answers only for a folder that is that user's.
    """
    holder = read_holder(storage)
    if holder is None or not holder.socket or not holder.is_here:
        return None
    if not _is_same(Path(holder.config), config):
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
    return NodeClient(connection, peer.pid, holder.socket)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False

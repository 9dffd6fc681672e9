"""Who is at the other end of a Unix socket, as the system says."""

import os
import socket
import struct
import sys
from pathlib import Path
from typing import Final, NamedTuple

from kachery_tui.process_table import stat_fields

_MAC_LEVEL: Final = 0
_MAC_CREDENTIALS: Final = 1
_MAC_PROCESS: Final = 2
"""SOL_LOCAL, LOCAL_PEERCRED and LOCAL_PEERPID of <sys/un.h>, which Python does not name."""

LONGEST_NAME: Final = 40
"""Characters of a program's name."""

_INTERPRETERS: Final = (
    "python",
    "bash",
    "sh",
    "dash",
    "zsh",
    "ksh",
    "fish",
    "perl",
    "ruby",
    "Rscript",
    "node",
)
"""What runs a script, which has the better name."""

_OWN_NAME: Final = "kachery-tui"


class Peer(NamedTuple):
    """A process. Its group is the one it had when it connected; a number that the system does not tell is -1."""

    uid: int
    gid: int
    pid: int


def peer_of(connection: socket.socket) -> Peer:
    """The process at the other end. Raises `OSError`."""
    if sys.platform == "darwin":
        credentials = connection.getsockopt(_MAC_LEVEL, _MAC_CREDENTIALS, 76)
        _version, uid, count = struct.unpack_from("IIh", credentials)
        gid = struct.unpack_from("I", credentials, 12)[0] if count > 0 else -1
        pid = struct.unpack("i", connection.getsockopt(_MAC_LEVEL, _MAC_PROCESS, 4))[0]
        return Peer(uid, gid, pid)
    pid, uid, gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Peer(uid, gid, pid)


def describe(peer: Peer) -> str:
    """The peer in words that fit into a row: user, and program or script."""
    return " · ".join(part for part in (_user(peer.uid), _program(peer.pid)) if part)


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _program(pid: int) -> str:
    """The program's name. Of a command of ours, that of whoever called it, if that is a script; may be empty."""
    words = _command(pid)
    name = _name(words)
    if name != _OWN_NAME:
        return name
    caller = _command(_parent(pid))
    return script if (script := _script(caller)) else name


def _name(words: list[str]) -> str:
    return _script(words) or _base(words[0] if words else "")


def _script(words: list[str]) -> str:
    """The script that an interpreter runs; empty where none does."""
    if not words or not _base(words[0]).lstrip("-").startswith(_INTERPRETERS):
        return ""
    if "-m" in words[1:3]:
        return next(iter(words[words.index("-m") + 1 :]), "")[:LONGEST_NAME]
    if "-c" in words[1:3]:
        return ""
    return next((_base(word) for word in words[1:] if not word.startswith("-")), "")


def _base(path: str) -> str:
    return path.rpartition("/")[2][:LONGEST_NAME]


def _command(pid: int) -> list[str]:
    """The words of a process's command; none where the system does not tell."""
    try:
        with Path(f"/proc/{pid}/cmdline").open("rb") as opened:
            data = opened.read(4096)
    except OSError:
        return []
    return [os.fsdecode(word) for word in data.split(b"\0") if word]


def _parent(pid: int) -> int:
    fields = stat_fields(pid)
    return int(fields[1]) if len(fields) > 1 else 0

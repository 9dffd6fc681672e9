"""`status`: how the running node stands, told by the file that it keeps of that."""

import socket
import time
from argparse import Namespace

from kachery_tui.cli.output import emit, say
from kachery_tui.config import config_folder
from kachery_tui.errors import KacheryError
from kachery_tui.node.status_file import FILE_NAME, ChannelStatus, NodeStatus, read_status
from kachery_tui.words import count, duration, moment, size

CONNECTED = "connected"


def status(args: Namespace) -> int:
    """Print how the node of these settings stands. Raises `KacheryError` where none runs."""
    folder = config_folder(args.config)
    start = "Start one: kachery-tui, or kachery-tui node"
    none = f"no node runs with the settings in {folder}"
    found = read_status(folder)
    if found is None:
        raise KacheryError(none, "", start)
    alive = found.is_alive()
    if found.ended is not None:
        raise KacheryError(none, f"the last one, {found.label}, ended at {moment(found.ended)}", start)
    if alive is False:
        stale = (
            f"{FILE_NAME} is left from process {found.pid}, which is gone; written at {moment(found.written)}"
        )
        raise KacheryError(none, stale, start)
    if alive is None:
        say(f"it runs on {found.host}: from {socket.gethostname()} nobody can tell whether it still does")
    stopped = found.is_stopped()
    if stopped:
        say(
            f"process {found.pid} is stopped, what follows is of {moment(found.written)}: fg, or kill -CONT {found.pid}"
        )
    if args.oneline:
        emit("stopped" if stopped else one_line(found), {}, as_json=False)
    else:
        value = {**found.to_json(), "alive": alive, "stopped": stopped}
        emit("\n".join(lines(found, time.time())), value, as_json=args.as_json)
    return 0


def one_line(found: NodeStatus) -> str:
    """A node in one short line: what it gets, gives, and is asked; how fast; and channels that are not connected."""
    parts = [
        f"↓{found.mine}" if found.mine else "",
        f"↑{found.theirs}" if found.theirs else "",
        f"!{found.waiting}" if found.waiting else "",
        f"{size(found.down + found.up)}/s" if found.down + found.up >= 1 else "",
        *(f"{channel.name} {channel.state}" for channel in found.channels if channel.state != CONNECTED),
    ]
    return " ".join(part for part in parts if part) or "idle"


def lines(found: NodeStatus, now: float) -> list[str]:
    """A node in words."""
    limit = f" of at most {size(found.limit)} ({found.bytes / found.limit:.0%})" if found.limit else ""
    waiting = count(found.waiting, "waits", "wait") if found.waiting else "none waits"
    return [
        f"label     {found.label}",
        f"node id   {found.node_id}",
        f"process   {found.pid} on {found.host}, since {moment(found.started)} ({duration(now - found.started)})",
        *(f"channel   {_channel(channel)}" for channel in found.channels),
        *([] if found.channels else ["channel   none"]),
        f"rates     ↓ {size(found.down)}/s, ↑ {size(found.up)}/s",
        f"requests  {found.mine} of this node's and {found.theirs} of others' under way, {waiting} for a person",
        f"storage   {size(found.bytes)}{limit} in {count(found.files, 'file')}, {found.storage}",
    ]


def _channel(channel: ChannelStatus) -> str:
    since = f" since {moment(channel.since)}" if channel.since else ""
    reason = f" ({channel.reason})" if channel.reason and channel.state != CONNECTED else ""
    refused = [role for role in channel.asked if role not in channel.granted]
    pending = [role for role in channel.asked if role not in (*channel.in_force, *refused)]
    roles = (
        f"in force: {', '.join(channel.in_force) or 'no role'}",
        f"asked and granted: {', '.join(pending)}" if pending else "",
        f"asked, not granted: {', '.join(refused)}" if refused else "",
    )
    return "; ".join((f"{channel.name}: {channel.state}{since}{reason}", *filter(None, roles)))

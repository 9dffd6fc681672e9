"""One request of the command line: a node that lives as long as it takes."""

import asyncio
import logging
import time
from asyncio import FIRST_COMPLETED
from pathlib import Path
from typing import Final

from kachery_tui.cli.logs import log_to_stderr
from kachery_tui.cli.output import Progress, say
from kachery_tui.cli.place import Place
from kachery_tui.cli.service import run_cancellable
from kachery_tui.config import ChannelConfig, load_channels
from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Step
from kachery_tui.node.values import ConnectionState
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.present import byte_rate
from kachery_tui.words import count, size

FIRST_WORD_PATIENCE: Final = 10.0
"""Seconds to wait at the least for a service of which it is not known yet why it cannot be reached: a busy machine takes
long to get there."""

WATCH_SECONDS = 0.1
MOST_HEARD = 160
"""Characters of what another node said, on the line that tells how a request goes."""


def fetch(place: Place, uri: FileUri, channel: str | None, *, debug: bool = False) -> Path:
    """Get a file over the named channel, or over any; where it is in storage.

    Raises what the request ends with, and `UsageError` without any channel.

    What it ends with says what is wrong; the log of the way there would only repeat it, and is for `debug`.
    """
    quiet_log(debug=debug)
    if channel is None and not place.channels():
        raise UsageError(
            f"{uri.name or uri.sha1} is not in this node's storage, and it is on no channel to ask on",
            "",
            "Join one: kachery-tui channel join FILE",
        )
    return run_cancellable(_request(place, uri, channel))


def quiet_log(*, debug: bool) -> None:
    """Leave the log to those who want to `debug`."""
    if debug:
        log_to_stderr(debug=True)
    else:
        logging.getLogger().addHandler(logging.NullHandler())


async def _request(place: Place, uri: FileUri, channel: str | None) -> Path:
    node = Node(place.config, Storage.open(place.storage), channels_for(place, channel), provide=False)
    progress = Progress()
    await node.start()
    try:
        row = node.files.request(uri, channel)
        watching = asyncio.create_task(watch(node, row, progress))
        try:
            await asyncio.wait(
                {watching, asyncio.create_task(row.finished.wait())}, return_when=FIRST_COMPLETED
            )
        finally:
            watching.cancel()
            progress.clear()
            for note in row.notes:
                say(note)
        if row.is_active:
            raise await watching
        path = await row.outcome()
    finally:
        await node.close()
    assert path is not None, "a request that ends well has a path"
    return path


def channels_for(place: Place, channel: str | None) -> list[ChannelConfig]:
    """The channels to look at; a broken file of a channel that nobody asked for is no hindrance."""
    if channel is None:
        return list(place.channels())
    named = [config for config in load_channels(place.folder).channels if config.name == channel]
    return named or list(place.channels())


async def watch(node: Node, row: Request, progress: Progress) -> KacheryError:
    """Show how the request goes; the reason to give it up, once there is one.

    A node that runs on waits for a service to come back. A command has a caller who wants to know.
    """
    unreachable_since: float | None = None
    while True:
        progress.show(_describe(node, row))
        await asyncio.sleep(WATCH_SECONDS)
        if row.step is not Step.RECONNECTING:
            unreachable_since = None
            continue
        unreachable_since = unreachable_since or time.monotonic()
        reason = _why_unreachable(node, row, time.monotonic() - unreachable_since)
        if reason is not None:
            return reason


def _why_unreachable(node: Node, row: Request, seconds: float) -> KacheryError | None:
    """Why to wait for a channel's service no longer, if so."""
    waited_for = [member for name, member in node.memberships.items() if row.channel in ("", name)]
    if all(member.connection.state is ConnectionState.FAILED for member in waited_for):
        refused = [f"{member.name}: {member.connection.reason}" for member in waited_for]
        return NotAllowed(f"cannot ask for {row.name}: the service refuses this node", "; ".join(refused))
    is_known = all(member.connection.reason for member in waited_for)
    patience = max(member.config.limits.answer_timeout for member in waited_for)
    if seconds < (patience if is_known else max(patience, FIRST_WORD_PATIENCE)):
        return None
    states = [f"{member.name}: {member.connection.reason or 'no answer yet'}" for member in waited_for]
    return TryAgain(
        f"cannot ask for {row.name}: no service is reached",
        "; ".join(states),
        "Check the network, then try again",
    )


def _describe(node: Node, row: Request) -> str:
    parts = [f"{row.name}: {row.step}"]
    if row.step is Step.ASKING and row.asks and row.asks[-1].heard:
        parts.append(f"{row.asks[-1].heard[-1][:MOST_HEARD]}; waiting for others")
    if row.answered_by:
        parts.append(f"from {node.label_of(row.answered_by)}")
    if row.subject.messages:
        parts.append(count(row.subject.messages, "message"))
    elif row.size is not None:
        parts.append(f"{size(row.done)} of {size(row.size)}")
        parts.append(byte_rate(row.rate()))
    return ", ".join(parts)

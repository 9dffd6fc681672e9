"""A node of the command line: one that requests only, and lives as long as that takes."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Final

from kachery_tui.cli.jobs import Event, Job, shown
from kachery_tui.cli.logs import log_to_stderr
from kachery_tui.cli.loops import run_cancellable
from kachery_tui.cli.output import Progress
from kachery_tui.cli.place import Place
from kachery_tui.config import ChannelConfig, load_channels
from kachery_tui.node.node import Node
from kachery_tui.service.work import Work
from kachery_tui.storage.storage import Storage

LAST_WORDS: Final = 2.0
"""Seconds for saying to others that something is not wanted any more."""


def by_own_node(
    place: Place, job: Job, progress: Progress, take: Callable[[Event], None] | None, *, debug: bool
) -> Event:
    """Do a job on a node of this command's own; see `do`."""
    quiet_log(debug=debug)
    return run_cancellable(_do(place, job, progress, take))


async def _do(place: Place, job: Job, progress: Progress, take: Callable[[Event], None] | None) -> Event:
    node = Node(place.config, Storage.open(place.storage), channels_for(place, job.channel), provide=False)
    await node.start()
    last: Event = {}
    try:
        async with aclosing(job.begin(Work(node))) as events:
            async for last in events:
                if not shown(last, progress) and take is not None:
                    progress.clear()
                    # Whoever reads may be slow, and the node goes on meanwhile.
                    await asyncio.to_thread(take, last)
    except BaseException:
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await node.wait_idle()
        raise
    finally:
        progress.clear()
        await node.close()
    return last


def quiet_log(*, debug: bool) -> None:
    """Leave the log to those who want to `debug`."""
    if debug:
        log_to_stderr(debug=True)
    else:
        logging.getLogger().addHandler(logging.NullHandler())


def channels_for(place: Place, channel: str | None) -> list[ChannelConfig]:
    """The channels to look at; a broken file of a channel that nobody asked for is no hindrance."""
    if channel is None:
        return list(place.channels())
    named = [config for config in load_channels(place.folder).channels if config.name == channel]
    return named or list(place.channels())

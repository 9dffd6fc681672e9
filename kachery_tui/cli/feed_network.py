"""A node of the command line that reads a feed: as long as that takes, or until it is interrupted."""

import asyncio
from argparse import Namespace
from collections.abc import Callable, Sequence

from kachery_tui.cli.network import channels_for, quiet_log, watch
from kachery_tui.cli.output import Progress, say
from kachery_tui.cli.place import Place
from kachery_tui.cli.service import run_cancellable
from kachery_tui.errors import KacheryError
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Step
from kachery_tui.protocol.feeds import SignedMessage
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri
from kachery_tui.storage.storage import Storage

AT_A_GO = 500
"""Messages that are printed together."""

Show = Callable[[Sequence[SignedMessage]], None]


def sync(place: Place, uri: SubfeedUri, channel: str | None, *, debug: bool) -> dict[str, int]:
    """Get what there is of a subfeed at this moment; by channel, how many messages its bucket has.

    Raises `NobodyHasIt`, `TryAgain` where no service is reached, `BadMessage`, or another `KacheryError`.
    """
    quiet_log(debug=debug)
    return run_cancellable(_sync(place, uri, channel))


def follow(place: Place, uri: SubfeedUri, channel: str | None, show: Show, args: Namespace) -> None:
    """Print what is here of a subfeed and what comes, until interrupted. Raises what ends it before that."""
    quiet_log(debug=args.debug)
    run_cancellable(_follow(place, uri, channel, show, args.start))


async def _sync(place: Place, uri: SubfeedUri, channel: str | None) -> dict[str, int]:
    node = _node(place, channel)
    await node.start()
    progress = Progress()
    try:
        key = await node.feeds.key(uri)
        if await node.feeds.is_own(key):
            return await node.feeds.bucket_counts(key, channel)
        syncing = asyncio.create_task(node.feeds.sync(uri, channel))
        watching = asyncio.create_task(_watch_row(node, key, progress))
        try:
            await asyncio.wait({syncing, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not syncing.done():
                raise await watching
            await syncing
        finally:
            progress.clear()
            for task in (syncing, watching):
                task.cancel()
            await asyncio.gather(syncing, watching, return_exceptions=True)
        state = node.feeds.states.state(key)
        if state.fault is not None:
            raise state.fault
        return dict(state.in_bucket)
    finally:
        await node.close()


async def _watch_row(node: Node, key: SubfeedKey, progress: Progress) -> KacheryError:
    row = node.feeds.states.state(key).row
    while row is None:
        await node.feeds.states.wait_changed(node.feeds.states.version)
        row = node.feeds.states.state(key).row
    return await watch(node, row, progress)


async def _follow(place: Place, uri: SubfeedUri, channel: str | None, show: Show, start: int) -> None:
    node = _node(place, channel)
    await node.start()
    telling: asyncio.Task[None] | None = None
    try:
        key = await node.feeds.key(uri)
        row: Request | None = None
        if await node.feeds.is_own(key):
            node.feeds.watch_folder()
        else:
            row = await node.feeds.follow(uri, channel, remember=False)
            telling = asyncio.create_task(_tell(row))
        printing = asyncio.create_task(_print(node, key, show, start))
        ended = asyncio.create_task(row.finished.wait() if row is not None else asyncio.Event().wait())
        try:
            await asyncio.wait({printing, ended}, return_when=asyncio.FIRST_COMPLETED)
            if printing.done():
                await printing
        finally:
            for task in (printing, ended):
                task.cancel()
            await asyncio.gather(printing, ended, return_exceptions=True)
        if row is not None and row.failure is not None:
            raise row.failure
    finally:
        if telling is not None:
            telling.cancel()
        await node.close()


async def _print(node: Node, key: SubfeedKey, show: Show, start: int) -> None:
    here = await node.feeds.count(key)
    number = start if start >= 0 else max(here + start, 0)
    while True:
        version = node.feeds.states.version
        some = await node.feeds.messages(key, number, AT_A_GO)
        if some:
            # Whoever reads may be slow, and the node goes on meanwhile.
            await asyncio.to_thread(show, some)
            number = some[-1].number + 1
        elif node.feeds.states.state(key).here <= number:
            await node.feeds.states.wait_changed(version)


async def _tell(row: Request) -> None:
    """Say on stderr how following goes, whenever that changes."""
    said, step = 0, None
    while True:
        for note in row.notes[said:]:
            say(note)
        said = len(row.notes)
        if row.step is not step and row.step in (Step.LIVE, Step.RECONNECTING):
            step = row.step
            say(f"{row.name}: {step}")
        await asyncio.sleep(0.2)


def _node(place: Place, channel: str | None) -> Node:
    return Node(place.config, Storage.open(place.storage), channels_for(place, channel), provide=False)

"""Reading feeds on behalf of a caller, and appending to this node's own."""

import asyncio
from contextlib import aclosing
from typing import Any, Final

from kachery_tui.node.ledger import Request
from kachery_tui.node.steps import Step
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri
from kachery_tui.service.rows import describe
from kachery_tui.service.waiting import HEARTBEAT, progress
from kachery_tui.service.work import THIS_COMMAND, Events, Work

AT_A_GO: Final = 500
"""Messages that are told together."""

LOOK_SECONDS: Final = 0.05


async def sync(
    work: Work, uri: SubfeedUri | str, channel: str | None = None, *, caller: str = THIS_COMMAND
) -> Events:
    """Get what there is of a subfeed at this moment; `done` has, by channel, how many messages its bucket has.

    Raises `NobodyHasIt`, `TryAgain` where no service is reached, `BadMessage`, or another `KacheryError`.
    """
    feeds = work.node.feeds
    key = await feeds.key(uri)
    if await feeds.is_own(key):
        yield {"event": "done", "bucket": await feeds.bucket_counts(key, channel)}
        return
    syncing = asyncio.create_task(feeds.sync(uri, channel))
    try:
        while feeds.states.state(key).row is None and not syncing.done():
            await asyncio.wait({syncing}, timeout=LOOK_SECONDS)
        row = feeds.states.state(key).row
        if row is not None:
            work.node.ledger.called(row, caller)
            async with aclosing(progress(work.node, row, syncing)) as events:
                async for event in events:
                    yield event
        await syncing
    finally:
        syncing.cancel()
        await asyncio.gather(syncing, return_exceptions=True)
    state = feeds.states.state(key)
    if state.fault is not None:
        raise state.fault
    yield {"event": "done", "bucket": dict(state.in_bucket)}


async def follow(
    work: Work,
    uri: SubfeedUri | str,
    channel: str | None = None,
    *,
    start: int = 0,
    caller: str = THIS_COMMAND,
) -> Events:
    """A subfeed's messages, those that are here and those that come, in `messages` events, until the caller leaves.

    `start` is the number to begin with; where it is negative, so many from the end. Raises what ends it before that.
    """
    feeds = work.node.feeds
    key = await feeds.key(uri)
    if await feeds.is_own(key):
        feeds.watch_folder()
        async with aclosing(_follow(work, key, None, start)) as events:
            async for event in events:
                yield event
        return
    async with feeds.following(uri, channel) as row:
        work.node.ledger.called(row, caller)
        async with aclosing(_follow(work, key, row, start)) as events:
            async for event in events:
                yield event
        if row.failure is not None:
            raise row.failure


async def _follow(work: Work, key: SubfeedKey, row: Request | None, start: int) -> Events:
    feeds = work.node.feeds
    here = await feeds.count(key)
    number = start if start >= 0 else max(here + start, 0)
    told = _Told(row)
    loop = asyncio.get_running_loop()
    spoke_at = loop.time()
    while row is None or row.is_active:
        version = feeds.states.version
        for event in told.news():
            yield event
        some = await feeds.messages(key, number, AT_A_GO)
        if some:
            # As the text that was signed: not a digit of it is to come out otherwise.
            texts = [message.text for message in some]
            yield {"event": "messages", "first": some[0].number, "signed": texts}
            number, spoke_at = some[-1].number + 1, loop.time()
            continue
        if loop.time() - spoke_at > HEARTBEAT:
            spoke_at = loop.time()
            yield {"event": "progress", "text": describe(work.node, row) if row is not None else "waiting"}
        if feeds.states.state(key).here <= number:
            try:
                async with asyncio.timeout(LOOK_SECONDS * 4):
                    await feeds.states.wait_changed(version)
            except TimeoutError:
                pass
    for event in told.news():
        yield event


class _Told:
    """What was told of how following goes."""

    def __init__(self, row: Request | None) -> None:
        self._row = row
        self._notes = 0
        self._step: Step | None = None

    def news(self) -> list[dict[str, Any]]:
        """What is new of it."""
        row = self._row
        if row is None:
            return []
        texts = row.notes[self._notes :]
        self._notes = len(row.notes)
        if row.step is not self._step and row.step in (Step.LIVE, Step.RECONNECTING):
            self._step = row.step
            texts.append(f"{row.name}: {row.step}")
        return [{"event": "note", "text": text} for text in texts]

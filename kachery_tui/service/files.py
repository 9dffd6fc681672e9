"""Getting a file on behalf of a caller."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from kachery_tui import words
from kachery_tui.errors import TryAgain
from kachery_tui.node.threads import in_thread, in_thread_with_progress
from kachery_tui.protocol.uris import FileUri
from kachery_tui.service.work import THIS_COMMAND, Events, Work
from kachery_tui.storage.problems import Damaged
from kachery_tui.storage.values import Found

LOOK_SECONDS: Final = 0.2
"""How often reading through a file is told."""


async def load_file(
    work: Work, uri: FileUri, channel: str | None = None, *, verify: bool = False, caller: str = THIS_COMMAND
) -> Events:
    """Get a file; `done` has its path and size. With `verify` one that is here is read through.

    Raises what the request ends with.
    """
    found = None
    async with aclosing(_look(work, uri, verify=verify)) as looking:
        async for event in looking:
            if isinstance(event, Found):
                found = event
            else:
                yield event
    path = found.path if found is not None else None
    if path is None:
        row = work.node.files.request(uri, channel, caller=caller)
        async with aclosing(work.wait(row)) as events:
            async for event in events:
                yield event
        path = await row.outcome()
        assert path is not None, "a request that ends well has a path"
    try:
        size = (await in_thread(path.stat)).st_size
    except OSError as error:
        raise TryAgain(f"{path} has gone again", error.strerror or str(error)) from None
    yield {"event": "done", "uri": str(uri), "path": str(path), "size": size}


async def _look(work: Work, uri: FileUri, *, verify: bool) -> AsyncGenerator[dict[str, Any] | Found, None]:
    """Look for a file in storage; the last is where it is, if it is right."""
    storage, read = work.node.storage, 0

    def report(count: int) -> None:
        nonlocal read
        read = count

    looking = asyncio.create_task(
        in_thread_with_progress(lambda tell: storage.find_right(uri.sha1, anew=verify, progress=tell), report)
    )
    try:
        while not (await asyncio.wait({looking}, timeout=LOOK_SECONDS))[0]:
            yield {"event": "progress", "text": f"{uri.name or uri.sha1}: verifying, {words.size(read)} read"}
        found = await looking
    except Damaged as error:
        yield {"event": "note", "text": f"{error.line}: it is got anew. {error.do}"}
        return
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    if found is not None:
        await in_thread(lambda: storage.touch(uri.sha1))
        yield found

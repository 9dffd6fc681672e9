"""Getting a file on behalf of a caller."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from kachery_tui import words
from kachery_tui.node.threads import in_thread, in_thread_with_progress
from kachery_tui.protocol.uris import FileUri
from kachery_tui.service.work import THIS_COMMAND, Events, Work
from kachery_tui.storage.problems import Damaged
from kachery_tui.storage.values import Found

LOOK_SECONDS: Final = 0.2
"""How often reading through a file is told."""


async def load_file(
    work: Work,
    uri: FileUri,
    channel: str | None = None,
    *,
    verify: bool = False,
    caller: str = THIS_COMMAND,
    is_absent: bool = False,
) -> Events:
    """Get a file; `done` has its path and size. With `verify` one that is here is read through; `is_absent` says that
    there is none.

    Raises what the request ends with.
    """
    if not is_absent:
        async with aclosing(_look(work, uri, verify=verify)) as looking:
            async for event in looking:
                if isinstance(event, Found):
                    yield _done(uri, event.path, event.size)
                    return
                yield event
    row = work.node.files.request(uri, channel, caller=caller, is_absent=True)
    async with aclosing(work.wait(row)) as events:
        async for event in events:
            yield event
    path = await row.outcome()
    assert path is not None, "a request that ends well has a path"
    assert row.size is not None, "and a size"
    yield _done(uri, path, row.size)


def _done(uri: FileUri, path: Path, size: int) -> dict[str, Any]:
    return {"event": "done", "uri": str(uri), "path": str(path), "size": size}


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
        yield {"event": "note", "text": f"{error.line}: it is fetched again. {error.do}"}
        return
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    if found is not None:
        await in_thread(lambda: storage.touch(uri.sha1))
        yield found

"""Results of tasks in a channel's bucket."""

import asyncio
import logging
import sys
from contextlib import suppress
from typing import Final

from kachery_tui.channel.errors import UnexpectedSize
from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.node.membership import Membership
from kachery_tui.node.retries import with_retries
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.canonical import MAX_JSON_BYTES, parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.objects import task_result_object

_log = logging.getLogger(__name__)

PAUSES: Final = (0.5, 2.0)
"""Seconds between tries at a bucket that fails in a way that may pass."""

MOST_KEPT: Final = 50_000_000
"""Characters of results, and of the arguments that they are of, that are kept in memory."""

LEAST_COST: Final = 1_000
"""What the smallest of them counts for."""

_LONG: Final = 200_000
"""Bytes of JSON that take so long to be read that another process does it."""

_READER: Final = """
import sys
from kachery_tui.protocol.canonical import parse_json
from kachery_tui.protocol.errors import ProtocolError
try:
    parse_json(sys.stdin.buffer.read())
except ProtocolError as error:
    sys.exit(print(error) or 1)
"""


class BadResult(KacheryError):
    """What lies in the bucket in the place of a result is none."""


class KeptResults:
    """The newest results in memory, up to `MOST_KEPT`; older ones are in the bucket still."""

    def __init__(self) -> None:
        self._tasks: dict[TaskSubject, int] = {}
        self._size = 0

    def keep(self, task: TaskSubject, text: str) -> None:
        """Keep the result of a task on its subject."""
        self._size -= self._tasks.pop(task, 0)
        task.result = text
        # The arguments are held by this, too, and so is what Python needs for any object.
        self._tasks[task] = cost = len(text) + len(task.kwargs or "") + LEAST_COST
        self._size += cost
        while self._size > MOST_KEPT and len(self._tasks) > 1:
            oldest = next(iter(self._tasks))
            self._size -= self._tasks.pop(oldest)
            oldest.result = None


async def find_result(membership: Membership, task_hash: str, *, fresh: bool) -> str | None:
    """The result of a task as JSON text, None if there is none. `fresh` reads past whatever caches lie in between.

    Raises `BadResult` for what is no JSON, `TryAgain` or another `KacheryError` when the bucket cannot be read.
    """
    bucket, name = membership.channel.bucket, task_result_object(membership.name, task_hash)
    try:
        data = await with_retries(
            lambda: bucket.fetch_bytes(name, MAX_JSON_BYTES, fresh=fresh), PAUSES, _passed_over
        )
        if data is None:
            return None
        await _check(data)
    except (ProtocolError, UnexpectedSize) as error:
        raise BadResult(
            f"the result in the bucket of {membership.name} cannot be read",
            error.why or error.what,
            "Ask those who offer the function to compute it again",
        ) from None
    return data.decode().strip()


async def _check(data: bytes) -> None:
    """Raise `ProtocolError` for what is no JSON. What is long is read by another process: Python's reader lets no other
    thread run, and millions of small lists take it seconds."""
    if len(data) <= _LONG:
        parse_json(data)
        return
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", _READER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        said, _ = await process.communicate(data)
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        raise
    if process.returncode:
        raise ProtocolError(said.decode(errors="replace").strip() or "text that takes too much to be read")


async def put_result(membership: Membership, task_hash: str, text: str) -> None:
    """Put a result into the bucket, in place of one that is there. Raises `KacheryError`."""
    bucket, name, data = (
        membership.channel.bucket,
        task_result_object(membership.name, task_hash),
        text.encode(),
    )

    async def put() -> None:
        await bucket.upload_bytes(await membership.channel.authority.upload_url(name, len(data)), data)

    await with_retries(put, PAUSES, _passed_over)


def _passed_over(error: TryAgain) -> None:
    _log.info("%s; tried again", error)

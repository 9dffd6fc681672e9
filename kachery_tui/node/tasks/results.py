"""Results of tasks in a channel's bucket."""

import logging
from typing import Final

from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.node.membership import Membership
from kachery_tui.node.retries import with_retries
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.canonical import MAX_JSON_BYTES, parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.objects import task_result_object

_log = logging.getLogger(__name__)

PAUSES: Final = (0.5, 2.0)
"""Seconds between tries at a bucket that fails in a way that may pass."""

MOST_KEPT: Final = 50_000_000
"""Characters of results that are kept in memory."""

_LONG: Final = 50_000
"""Bytes of JSON that take so long to be read that a thread does it."""


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
        self._tasks[task] = len(text)
        self._size += len(text)
        while self._size > MOST_KEPT and len(self._tasks) > 1:
            oldest = next(iter(self._tasks))
            self._size -= self._tasks.pop(oldest)
            oldest.result = None


async def find_result(membership: Membership, task_hash: str, *, fresh: bool) -> str | None:
    """The result of a task as JSON text, None if there is none. `fresh` reads past whatever caches lie in between.

    Raises `BadResult` for what is no JSON, `TryAgain` or another `KacheryError` when the bucket cannot be read.
    """
    bucket, name = membership.channel.bucket, task_result_object(membership.name, task_hash)
    data = await with_retries(
        lambda: bucket.fetch_bytes(name, MAX_JSON_BYTES, fresh=fresh), PAUSES, _passed_over
    )
    if data is None:
        return None
    try:
        await in_thread(lambda: parse_json(data)) if len(data) > _LONG else parse_json(data)
    except ProtocolError as error:
        raise BadResult(
            f"the result in the bucket of {membership.name} cannot be read",
            str(error),
            "Ask those who offer the function to compute it again",
        ) from None
    return data.decode().strip()


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

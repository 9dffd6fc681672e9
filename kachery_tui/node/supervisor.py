"""Every task of the node runs under one roof, where each failure is seen and idleness is known."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

_log = logging.getLogger(__name__)

KEPT_FAILURES: Final = 50

LAST_WORDS: Final = 1.0
"""Seconds for work that is broken off at the end to say so."""

SHORTEST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
"""Seconds before a service that failed is begun anew."""


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """An exception that nobody expected ended a task, or a turn of a service: a defect, to be shown and reported."""

    name: str
    error: BaseException


class Supervisor:
    """Owner of the node's tasks.

    Work that ends by itself (a request, an upload) counts as busy; what waits for the world for ever (a scan, a
    listener) is a service and does not. Counting starts when the task is made, so idleness is never reported too
    early.
    """

    def __init__(self) -> None:
        self.failures: deque[TaskFailure] = deque(maxlen=KEPT_FAILURES)
        self.failed = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._services: set[asyncio.Task[Any]] = set()
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str, *, service: bool = False) -> asyncio.Task[Any]:
        """Run `work` as a task. An exception that escapes it is kept in `failures` and logged."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        if service:
            self._services.add(task)
            task.add_done_callback(self._services.discard)
        else:
            self._busy += 1
            self._idle.clear()
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda done: self._ended(done, service=service))
        return task

    def serve(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> asyncio.Task[None]:
        """Run a service for as long as the node runs: what nobody expected ends one turn of it, not the service.

        It is begun anew after a pause, which grows while it keeps failing. It ends when it returns.
        """
        return self.spawn(self._keep_serving(work, name), name, service=True)

    async def _keep_serving(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        pause = SHORTEST_PAUSE
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                return await work()
            except Exception as error:  # noqa: BLE001 - a defect, or damage that nobody thought of: it is said
                self._keep(name, error)
            pause = SHORTEST_PAUSE if loop.time() - began > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    def _ended(self, task: asyncio.Task[Any], *, service: bool) -> None:
        if not service:
            self._busy -= 1
            if self._busy == 0:
                self._idle.set()
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._keep(task.get_name(), error)

    def _keep(self, name: str, error: BaseException) -> None:
        self.failed += 1
        self.failures.append(TaskFailure(name, error))
        _log.error("%s failed unexpectedly: %r", name, error, exc_info=error)

    @property
    def is_busy(self) -> bool:
        """Whether work is under way that ends by itself."""
        return self._busy > 0

    async def wait_idle(self) -> None:
        """Wait until no work is under way."""
        await self._idle.wait()

    async def close(self) -> None:
        """Cancel every task and wait until each has let go of what it held.

        Services go last, and not at once: they may have to send what broken-off work has to say.
        """
        current = asyncio.current_task()
        work = [task for task in self._tasks - self._services if task is not current]
        for task in work:
            task.cancel()
        if work:
            await asyncio.wait(work, timeout=LAST_WORDS)
        rest = [task for task in self._tasks if task is not current and task not in work]
        for task in rest:
            task.cancel()
        # Work is cancelled once: what still runs then waits for a thread that it must not leave alone.
        await asyncio.gather(*work, *rest, return_exceptions=True)

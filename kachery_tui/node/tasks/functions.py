"""The functions that this node offers, and who of those that want one runs next."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from kachery_tui.config import TaskConfig
from kachery_tui.errors import KacheryError
from kachery_tui.node.tasks.processes import Runner, make_runner
from kachery_tui.node.turns import Turns

_log = logging.getLogger(__name__)

MOST_WAITING: Final = 100_000
"""Turns of one function; what may wait at all is bounded where tasks are taken."""


class Turnstile:
    """Lets so many through at a time: askers one after the other, what each of them has in order."""

    def __init__(self, at_once: int) -> None:
        self.running = 0
        """How many are through, and not back."""
        self._at_once = at_once
        self._waiting: Turns[asyncio.Future[None]] = Turns(MOST_WAITING)

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the next has to wait."""
        return self.running >= self._at_once

    @asynccontextmanager
    async def turn(self, asker: str) -> AsyncIterator[None]:
        """Be through, on the account of an asker."""
        if self.is_full or self._waiting:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.put(asker, mine)
            try:
                await mine
            except asyncio.CancelledError:
                if mine.done() and not mine.cancelled():
                    self._pass_on()
                raise
        else:
            self.running += 1
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        """Give the turn that has ended to who waits, if anybody does."""
        while self._waiting:
            following = self._waiting.take()
            if not following.done():
                following.set_result(None)
                return
        self.running -= 1


class OwnFunction:
    """A function of this node. Once it is `known` whether it can run, `problem` says why if it cannot."""

    def __init__(self, config: TaskConfig, runner: Runner) -> None:
        self.config = config
        self.runner = runner
        self.known = asyncio.Event()
        self.problem: KacheryError | None = None
        self.turnstile = Turnstile(config.at_once)
        """Through which its tasks go."""

    @property
    def is_ready(self) -> bool:
        """Whether it can run, as far as is known."""
        return self.known.is_set() and self.problem is None

    async def prepare(self) -> None:
        """Find out whether it can run."""
        try:
            await self.runner.prepare()
        except KacheryError as error:
            self.problem = error
            _log.warning("the task function %s is not offered: %s", self.config.function_id, error)
        finally:
            self.known.set()


class OwnFunctions:
    """All of them, by id. `version` grows when it is known of one more whether it can run."""

    def __init__(self, configs: Iterable[TaskConfig], folder: Path, environment: Mapping[str, str]) -> None:
        self.version = 0
        self._functions = {
            config.function_id: OwnFunction(config, make_runner(config, folder, environment))
            for config in configs
        }

    def __iter__(self) -> Iterator[OwnFunction]:
        return iter(self._functions.values())

    def __len__(self) -> int:
        return len(self._functions)

    def get(self, function_id: str) -> OwnFunction | None:
        """The function of that id, whatever is known of it."""
        return self._functions.get(function_id)

    def find(self, channel: str, function_id: str) -> OwnFunction | None:
        """The function of that id, if it is offered on a channel; one of which nothing is known yet included."""
        function = self._functions.get(function_id)
        is_offered = function is not None and function.problem is None and channel in function.config.channels
        return function if is_offered else None

    def on(self, channel: str) -> list[OwnFunction]:
        """The functions that are offered on a channel, those that can run."""
        return [each for each in self if each.is_ready and channel in each.config.channels]

    async def prepare(self) -> None:
        """Find out of each whether it can run."""

        async def prepare(function: OwnFunction) -> None:
            await function.prepare()
            self.version += 1

        await asyncio.gather(*map(prepare, self))

    async def close(self) -> None:
        """End all their processes."""
        await asyncio.gather(*(function.runner.close() for function in self))

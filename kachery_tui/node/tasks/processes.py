"""The processes in which tasks run: one that stays for a Python function, one a task for a command.

Theory of operation. Nothing of a task runs in the node: a function gets its keyword arguments as JSON and gives its
result as JSON, over pipes that only this module reads. A process leads a group of its own, and whatever goes on too
long, is cancelled, or breaks the rules of its pipe is killed with all that it has started; the next task begins a new
one. What a process prints is read for as long as it lives, and as much of it is logged as anybody would read.
"""

import asyncio
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from kachery_tui import task_worker
from kachery_tui.config import TaskConfig
from kachery_tui.node.tasks.process import Process, TaskFailed, exit_words
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.canonical import JsonValue, parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.messages import TaskFunctionType
from kachery_tui.task_worker import CHANNEL_VARIABLE

ANSWER_PATIENCE: Final = 2.0
"""Seconds in which a process that has nothing to do says that it is there."""

START_PATIENCE: Final = 120.0
"""Seconds that a module may take to be imported."""


@dataclass(frozen=True, slots=True)
class Job:
    """One call of a function: the channel on which it was requested, and its arguments as a JSON object."""

    channel: str
    kwargs: str


class Runner(ABC):
    """Runs the tasks of one function. Results are JSON text; failures are `TaskFailed`."""

    def __init__(self, config: TaskConfig, folder: Path, environment: Mapping[str, str]) -> None:
        self._config = config
        self._folder = config.path or folder
        self._environment = environment

    async def prepare(self) -> None:
        """See whether it can run at all. Raises `TaskFailed`."""
        if not await in_thread(self._folder.is_dir):
            raise TaskFailed("it cannot run", f"there is no folder {self._folder}", "Mend `path`")

    @abstractmethod
    async def run(self, job: Job) -> str:
        """Run one task within its limits. Cancelling kills it."""

    @abstractmethod
    async def close(self) -> None:
        """End what runs."""

    async def _limited(self, process: Process, work: Awaitable[str]) -> str:
        """Wait for `work` as long as a task may take; a process that did not end well is killed."""
        try:
            async with asyncio.timeout(self._config.timeout):
                return await work
        except TimeoutError:
            await process.kill()
            raise TaskFailed(f"it took longer than {self._config.timeout:g} s (timeout)") from None
        except asyncio.CancelledError:
            await process.kill()
            raise

    async def _start(
        self, command: Sequence[str], extra: Mapping[str, str], leash: Sequence[int] = ()
    ) -> Process:
        environment = {**os.environ, **self._environment, **extra}
        return await Process.start(command, self._config, self._folder, environment, leash)


class FunctionRunner(Runner):
    """Runs a Python function in processes that stay."""

    def __init__(self, config: TaskConfig, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(config, folder, environment)
        self._idle: list[Process] = []
        self._busy: set[Process] = set()
        self._numbers = count(1)
        self._is_closed = False

    async def prepare(self) -> None:
        """Import the module, in a process that the first task then finds."""
        await super().prepare()
        self._idle.append(await self._begin())

    async def run(self, job: Job) -> str:
        """Run one task in a process that is free, or in a new one."""
        process = await self._free()
        self._busy.add(process)
        try:
            result = await self._limited(process, self._do(process, job))
        finally:
            self._busy.discard(process)
            if process.is_running and not process.is_spoilt and not self._is_closed:
                self._idle.append(process)
            else:
                await process.kill()
        return result

    async def close(self) -> None:
        """End all processes."""
        self._is_closed = True
        await asyncio.gather(*(process.kill() for process in [*self._idle, *self._busy]))

    async def _free(self) -> Process:
        """A process that has nothing to do, and is there: one that died meanwhile is noticed by nobody."""
        while self._idle:
            process = self._idle.pop()
            try:
                async with asyncio.timeout(ANSWER_PATIENCE):
                    await process.write(b"\n")
                    await process.read_line()
            except (TaskFailed, TimeoutError):
                await process.kill()
            except BaseException:
                await process.kill()
                raise
            else:
                return process
        return await self._begin()

    async def _begin(self) -> Process:
        command = [
            # -P: a file in the current folder must not stand in for a module of ours.
            *(sys.executable, "-P", "-m", "kachery_tui.task_worker", "function"),
            *(str(self._config.memory), self._config.function, str(self._folder)),
        ]
        process = await self._start(command, {})
        try:
            async with asyncio.timeout(START_PATIENCE):
                reply = _object(await process.read_line())
        except TimeoutError:
            await process.kill()
            raise TaskFailed(
                f"{self._config.function} was not imported within {START_PATIENCE:.0f} s"
            ) from None
        except BaseException:
            await process.kill()
            raise
        if "error" in reply:
            await process.kill()
            raise TaskFailed(f"{self._config.function} cannot be imported", str(reply["error"]))
        process.is_spoilt = False
        return process

    async def _do(self, process: Process, job: Job) -> str:
        number = next(self._numbers)
        process.is_spoilt = True
        most = self._config.max_result
        head = json.dumps({"job": number, "channel": job.channel, "maxResult": most})
        await process.write(f'{head[:-1]}, "kwargs": {job.kwargs}}}\n'.encode())
        line = await process.read_line()
        reply = await in_thread(lambda: _object(line))
        if reply.get("job") != number or not reply.keys() & {"error", "result"}:
            raise TaskFailed("the function wrote into the pipe of its results")
        process.is_spoilt = False
        process.start_over()
        if "error" in reply:
            raise TaskFailed(str(reply["error"]))
        # The text of the reply without what stands around the result in it: it is not written anew.
        return line.partition(b'"result": ')[2].rstrip()[:-1].decode()


class CommandRunner(Runner):
    """Runs a command, one process a task: arguments as JSON on its stdin, the result as JSON on its stdout."""

    async def run(self, job: Job) -> str:
        """Run one task."""
        held, leash = os.pipe()
        command = [
            *(sys.executable, "-I", "-S", task_worker.__file__, "command"),
            *(str(self._config.memory), str(held), *self._config.command),
        ]
        try:
            process = await self._start(command, {CHANNEL_VARIABLE: job.channel}, [held])
            try:
                return await self._limited(process, self._do(process, job))
            finally:
                await process.kill()
        finally:
            os.close(held)
            os.close(leash)

    async def close(self) -> None:
        """Nothing runs but for a task, and that is cancelled."""

    async def _do(self, process: Process, job: Job) -> str:
        writing = asyncio.ensure_future(process.write(job.kwargs.encode(), close=True))
        try:
            data = await process.read_all(self._config.max_result)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        status = await process.wait()
        if status == task_worker.NOT_FOUND and process.last_line.startswith(self._config.command[0]):
            raise TaskFailed(process.last_line, "", "Mend `command`, or `path`")
        if status:
            raise TaskFailed(exit_words(status) + (f": {process.last_line}" if process.last_line else ""))
        text = data.strip() or b"null"
        if self._config.type is not TaskFunctionType.ACTION:
            await in_thread(lambda: _json(text))
        return text.decode(errors="replace")


def make_runner(config: TaskConfig, folder: Path, environment: Mapping[str, str]) -> Runner:
    """What runs the tasks of a function; `folder` is the settings folder."""
    return (FunctionRunner if config.function else CommandRunner)(config, folder, environment)


def _json(data: bytes) -> JsonValue:
    try:
        return parse_json(data)
    except ProtocolError as error:
        raise TaskFailed("the result is not JSON", str(error)) from None


def _object(line: bytes) -> Mapping[str, object]:
    value = _json(line)
    if not isinstance(value, Mapping):
        raise TaskFailed("the function wrote into the pipe of its results")
    return value

"""The processes in which tasks run: one that stays for a Python function, one a task for a command.

Theory of operation. Nothing of a task runs in the node: a function gets its keyword arguments as JSON and gives its
result as JSON, over pipes that only this module reads. A process leads a group of its own, and whatever goes on too
long, is cancelled, or breaks the rules of its pipe is killed with all that it has started; the next task begins a new
one. What a process prints is read for as long as it lives, and as much of it is logged as anybody would read.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from kachery_tui import task_worker
from kachery_tui.config import TaskConfig
from kachery_tui.errors import KacheryError
from kachery_tui.node.threads import in_thread
from kachery_tui.printable import printable
from kachery_tui.protocol.canonical import JsonValue, parse_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.messages import TaskFunctionType
from kachery_tui.task_worker import CHANNEL_VARIABLE

_log = logging.getLogger(__name__)

ANSWER_PATIENCE: Final = 2.0
"""Seconds in which a process that has nothing to do says that it is there."""

START_PATIENCE: Final = 120.0
"""Seconds that a module may take to be imported."""

LOGGED_LINES: Final = 200
"""Lines that one task may have logged; of more, only how many bytes there were."""

LOGGED_LINE: Final = 500
"""Characters of one of them."""

RARELY: Final = 0.5
"""Seconds between two looks at whether a process has ended whose pipe would say so, but for what it has started."""

_READ: Final = 1 << 16
_SLACK: Final = 100_000
"""Bytes that a reply may have beside the result."""


class TaskFailed(KacheryError):
    """A function failed, or was ended: what the requester is told."""


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

    async def _limited(self, process: "Process", work: Awaitable[str]) -> str:
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
    ) -> "Process":
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

    async def _free(self) -> "Process":
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

    async def _begin(self) -> "Process":
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

    async def _do(self, process: "Process", job: Job) -> str:
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

    async def _do(self, process: "Process", job: Job) -> str:
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
            raise TaskFailed(_exit(status) + (f": {process.last_line}" if process.last_line else ""))
        text = data.strip() or b"null"
        if self._config.type is not TaskFunctionType.ACTION:
            await in_thread(lambda: _json(text))
        return text.decode(errors="replace")


class Process:
    """One process with its pipes, and the group that it leads. See `start`."""

    def __init__(self, process: asyncio.subprocess.Process, function_id: str) -> None:
        self.is_spoilt = True
        """Whether something is still to come of it, so that it cannot be used for anything else."""
        self.last_line = ""
        """The last line that it printed, for who asks why it failed."""
        self._process = process
        self._name = function_id
        self._logged = 0
        self._unlogged = 0
        self._logging = asyncio.create_task(self._log_output(), name=f"{function_id}: output")

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        config: TaskConfig,
        folder: Path,
        environment: Mapping[str, str],
        leash: Sequence[int],
    ) -> "Process":
        """Start a worker's `command`, with the descriptors of `leash`. Raises `TaskFailed` if that cannot be."""
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=folder,
                env=environment,
                limit=config.max_result + _SLACK,
                start_new_session=True,
                pass_fds=tuple(leash),
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise TaskFailed("its process cannot be started", why, "Mend `path`") from None
        return cls(process, config.function_id)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, as far as that is known here."""
        return self._process.returncode is None

    def start_over(self) -> None:
        """Let the next task have as many lines logged as the last."""
        if self._unlogged:
            _log.info("%s: %d bytes more were printed", self._name, self._unlogged)
        self._logged = self._unlogged = 0

    async def write(self, data: bytes, *, close: bool = False) -> None:
        """Write to its stdin; a process that does not want it all says why by how it goes on."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(ConnectionError):
            stdin.write(data)
            await stdin.drain()
        if close:
            stdin.close()

    async def read_line(self) -> bytes:
        """The next line of its stdout. Raises `TaskFailed` if none comes, or one that is too long."""
        assert self._process.stdout is not None
        reading = asyncio.ensure_future(self._process.stdout.readline())
        ending = asyncio.ensure_future(self._exited(RARELY))
        try:
            # What it has started may hold the pipe open when it has gone.
            await asyncio.wait([reading, ending], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await asyncio.wait([reading], timeout=0.5)
            line = reading.result() if reading.done() else b""
        except ValueError:
            self.is_spoilt = True
            raise TaskFailed("the result is larger than is allowed (max_result)") from None
        finally:
            reading.cancel()
            ending.cancel()
        if not line.endswith(b"\n"):
            raise TaskFailed(_exit(await self._exited()))
        return line

    async def read_all(self, most: int) -> bytes:
        """All of its stdout. Raises `TaskFailed` for more than `most` bytes."""
        assert self._process.stdout is not None
        pieces, size = [], 0
        while piece := await self._process.stdout.read(_READ):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise TaskFailed(f"the result has more than the {most:,} bytes that are allowed (max_result)")
        return b"".join(pieces)

    async def wait(self) -> int:
        """Its exit status, and all of its output logged that comes within a moment."""
        status = await self._exited()
        await asyncio.wait([self._logging], timeout=0.5)
        return status

    async def _exited(self, pause: float = 0.01) -> int:
        """Wait for its end; its exit status. Until Python 3.12, asyncio's own waits for its pipes as well, which what it
        has started may hold open for ever."""
        while self._process.returncode is None:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(pause)
        return self._process.returncode

    async def kill(self) -> None:
        """End it and all that it has started, by force; returns when it is gone."""
        # The group outlives its leader for as long as anything is in it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._exited()
        await asyncio.wait([self._logging], timeout=0.5)
        self._logging.cancel()
        await asyncio.gather(self._logging, return_exceptions=True)
        # There is no public way to let go of pipes whose other ends something that has left the group holds open.
        self._process._transport.close()  # type: ignore[attr-defined]

    async def _log_output(self) -> None:
        """Read what it prints, for as long as it does."""
        assert self._process.stderr is not None
        rest = b""
        while data := await self._process.stderr.read(_READ):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._log_line(line)
            if len(rest) > LOGGED_LINE:
                self._log_line(rest)
                rest = b""
        if rest:
            self._log_line(rest)
        self.start_over()

    def _log_line(self, line: bytes) -> None:
        text = printable(line[: 4 * LOGGED_LINE].decode(errors="replace").strip())[:LOGGED_LINE]
        if text:
            self.last_line = text
        if self._logged >= LOGGED_LINES:
            self._unlogged += len(line) + 1
        elif text:
            self._logged += 1
            _log.info("%s: %s", self._name, text)


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


def _exit(status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        return f"its process was killed by {name}"
    return f"its process ended with exit status {status}"

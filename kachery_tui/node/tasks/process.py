"""A process that tasks run in: what is written to it, what it answers and prints, and its end."""

import asyncio
import logging
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from kachery_tui.config import TaskConfig
from kachery_tui.errors import KacheryError
from kachery_tui.printable import printable

_log = logging.getLogger(__name__)

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
            raise TaskFailed(exit_words(await self._exited()))
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


def exit_words(status: int) -> str:
    """How a process ended, by its exit status, which is negative for a signal."""
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        return f"its process was killed by {name}"
    return f"its process ended with exit status {status}"

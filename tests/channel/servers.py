"""Servers for these tests: a real S3 server, and one that answers whatever a test tells it to."""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from kachery_tui.config import BucketConfig

ACCESS_KEY = "test-access-key-1234"
SECRET_KEY = "test-secret-key-123456789"
BUCKET = "kachery"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def bucket_config(port: int, *, secret_key: str = SECRET_KEY, public_url: str | None = None) -> BucketConfig:
    return BucketConfig(
        name=BUCKET,
        endpoint=f"http://127.0.0.1:{port}",
        region="us-east-1",
        access_key=None if public_url else ACCESS_KEY,
        secret_key=None if public_url else secret_key,
        public_url=public_url,
        path_style=True,
    )


@contextlib.asynccontextmanager
async def s3_server(folder: Path, port: int) -> AsyncIterator[None]:
    """`rclone serve s3` of `folder`, whose folders are the buckets."""
    (folder / BUCKET).mkdir(parents=True, exist_ok=True)
    arguments = ("serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}")
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("rclone"),
        *arguments,
        "--vfs-cache-mode",
        "off",
        "--config",
        "/dev/null",
        str(folder),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await answering(port)
        yield
    finally:
        process.kill()
        await process.wait()


async def answering(port: int) -> None:
    """Wait until something listens."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return


Answer = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request as it came, and the way to answer it. `reader` still has the body."""

    method: str
    target: str
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, text: str, body: bytes = b"") -> None:
        """Write a head given by its lines, and a body."""
        head = "\r\n".join(line.strip() for line in text.strip().splitlines())
        self.writer.write(head.encode() + b"\r\n\r\n" + body)
        await self.writer.drain()


@dataclass
class Misbehaving:
    """A server that reads a request's head and then does what `answer` does, once per request."""

    answer: Answer
    port: int = 0
    tls: ssl.SSLContext | None = None
    connections: int = 0
    requests: list[Exchange] = field(default_factory=list)
    _serving: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = field(default_factory=dict)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._serving[asyncio.current_task()] = writer
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, target, _ = lines[0].split(" ")
                headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
                exchange = Exchange(method, target, headers, reader, writer)
                self.requests.append(exchange)
                await self.answer(exchange)
        writer.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Misbehaving"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            tasks = [task for task in self._serving if task is not None]
            for writer in self._serving.values():
                writer.transport.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)

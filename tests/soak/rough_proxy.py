"""A TCP proxy that does to connections what bad networks and overloaded servers do."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.tcp import listening

LONGEST_STALL = 4.0
"""Seconds."""
REFUSALS = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 502 Bad Gate",
    b"",
)


@dataclass
class RoughProxy:
    """Relays to a port of this machine; while it `is_rough`, some connections are refused, cut, stalled, or led nowhere.

    `done` counts what was done to them. `answers` says whether it answers as HTTP servers in trouble do.
    """

    target: int
    chance: random.Random
    answers: bool
    port: int = 0
    is_rough: bool = False
    done: Counter[str] = field(default_factory=Counter)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["RoughProxy"]:
        """Run it on a free port."""
        async with listening(self._serve) as self.port:
            yield self

    def cut_all(self) -> None:
        """Break every connection off at once, as a router does that begins anew."""
        self.done["cut all"] += 1
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            fate = self.chance.random() if self.is_rough else 1.0
            if fate < 0.06 and self.answers:
                await self._refuse(reader, writer)
            elif fate < 0.1:
                self.done["led nowhere"] += 1
                await asyncio.sleep(LONGEST_STALL)
            else:
                await self._relay(reader, writer)
        finally:
            self._open.discard(writer)

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.done["refused"] += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.chance.choice(REFUSALS))
        await writer.drain()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        ways = [
            asyncio.ensure_future(self._pump(reader, far_writer)),
            asyncio.ensure_future(self._pump(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if self.is_rough and self.chance.random() < 0.004:
                self.done["cut"] += 1
                sink.write(data[: self.chance.randrange(len(data))])
                await sink.drain()
                return
            if self.is_rough and self.chance.random() < 0.004:
                self.done["stalled"] += 1
                await asyncio.sleep(self.chance.uniform(0.1, LONGEST_STALL))
            sink.write(data)
            await sink.drain()
        await sink.drain()
        # What was passed on last is to arrive before the connection ends.
        with contextlib.suppress(OSError):
            sink.write_eof()
        await asyncio.sleep(0.05)

"""Proxies of every kind, which take whatever host they are asked for to be this machine."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.tcp import listening


@dataclass
class ProxyServer:
    """A proxy that speaks SOCKS5 (RFC 1928) or answers CONNECT (RFC 9110), by the first byte that it hears.

    `refuses` is a status that it answers every CONNECT with; `asked` are the hosts that it was asked for.
    """

    port: int = 0
    refuses: str = ""
    asked: list[str] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["ProxyServer"]:
        """Run it on a free port."""
        async with listening(self._serve) as self.port:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        port = await (self._socks(reader, writer) if first == b"\5" else self._connect(reader, writer))
        if port is not None:
            await _relay(reader, writer, port)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        methods = await reader.readexactly(1)
        await reader.readexactly(methods[0])
        writer.write(b"\5\0")
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            length = await reader.readexactly(1)
            host = (await reader.readexactly(length[0])).decode()
        else:
            host = ".".join(str(number) for number in await reader.readexactly(4))
        port: int = struct.unpack("!H", await reader.readexactly(2))[0]
        self.asked.append(host)
        writer.write(b"\5\0\0\1\0\0\0\0\0\0")
        return port

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        host, _, port = head.split(" ")[1].rpartition(":")
        self.asked.append(host)
        status = self.refuses or "200 Connection established"
        writer.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
        await writer.drain()
        return None if self.refuses else int(port)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    try:
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
    finally:
        far_writer.transport.abort()

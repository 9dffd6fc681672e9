"""The node's side of the line to a terminal that another process holds (`screen_frames`)."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from kachery_tui.service.screen_frames import (
    HEAD,
    LARGEST_FROM_TERMINAL,
    FromNode,
    FromTerminal,
    LineBroken,
    encoded,
    encoded_object,
)

MOST_UNSENT: Final = 32_000_000
"""Bytes that may wait to be sent. No honest terminal's side lets so much come together."""

LAST_SECONDS: Final = 1.0
"""How long the other side may take to hear the last word."""


class ScreenLine:
    """The node's side. Its methods may be called when the other side has gone: nothing comes of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, begun: bytes) -> None:
        """`begun` is what has been read of the frames already."""
        self._reader = reader
        self._writer = writer
        self._begun = begun

    async def frames(self) -> AsyncGenerator[tuple[FromTerminal, bytes], None]:
        """What the terminal's side says, until it goes. Raises `LineBroken`."""
        try:
            while True:
                kind, length = HEAD.unpack(await self._exactly(HEAD.size))
                if length > LARGEST_FROM_TERMINAL:
                    raise LineBroken(f"a frame of {length:,} bytes")
                payload = await self._exactly(length)
                try:
                    known = FromTerminal(kind)
                except ValueError:
                    continue
                yield known, payload
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    async def _exactly(self, count: int) -> bytes:
        begun, self._begun = self._begun[:count], self._begun[count:]
        return begun + await self._reader.readexactly(count - len(begun))

    def paint(self, data: str) -> None:
        """Have the terminal show this; that it has taken it will be said."""
        self._send(encoded(FromNode.PAINT, data.encode("utf-8", "replace")))

    def suspend(self) -> None:
        """Have the terminal's side stopped by its shell."""
        self._send(encoded(FromNode.SUSPEND))

    def lend(self, command: list[str]) -> None:
        """Have a program run on the terminal."""
        self._send(encoded_object(FromNode.LEND, {"command": command}))

    def go(self, node: str) -> None:
        """Have another node of that machine shown in the place of this one."""
        self._send(encoded_object(FromNode.GO, {"node": node}))

    async def end(self, text: str, *, runs: bool) -> None:
        """Say that this was all, in words for the person; `runs` says whether the node goes on."""
        self._send(encoded_object(FromNode.BYE, {"text": text, "runs": runs}))
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self._writer.drain()
        except (ConnectionError, TimeoutError):
            self._writer.transport.abort()

    def _send(self, data: bytes) -> None:
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() + len(data) > MOST_UNSENT:
            transport.abort()
            return
        self._writer.write(data)

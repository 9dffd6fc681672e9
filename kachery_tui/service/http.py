"""HTTP/1.1 on one connection: requests read within bounds, answers written as they come. Knows nothing of what is asked.

h11 has the grammar; the bounds and the patience are here.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import h11

from kachery_tui.errors import UsageError
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.strict_json import parse_given
from kachery_tui.service.failures import failure_value

LARGEST_HEAD: Final = 16_384
LARGEST_BODY: Final = 16_000_000
"""Bytes of a request: what a feed takes at one go (the messages of one call) fits well."""

REQUEST_SECONDS: Final = 20.0
"""Seconds in which a request has to be there, from its first byte; and how long a connection may rest between two."""

TAKING_SECONDS: Final = 60.0
"""Seconds in which a caller takes a piece of an answer, or it is given up."""

REFUSED_SECONDS: Final = 1.0
"""Seconds in which a caller who is not heard may say what it wanted."""

PIECE: Final = 65_536
MOST_FIELDS: Final = 100
"""Members of a query."""


class BadRequest(Exception):
    """What came is no request that can be answered; the status says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request: its path, what the query and the body say, whether one answer is wanted in place of a stream, and what
    the connection is to be upgraded to (empty: nothing)."""

    method: str
    path: str
    values: Mapping[str, Any] = field(default_factory=dict)
    wants_one: bool = False
    upgrade: str = ""


class Answer:
    """What is written in answer to a request; `begin` comes first, then pieces, then `end`."""

    def __init__(self, connection: "HttpConnection") -> None:
        self._connection = connection
        self.has_begun = False

    async def begin(self, status: int, content_type: str, *, size: int | None = None) -> None:
        """Send the head. Without a `size` the answer is as long as it will be."""
        headers = [("Content-Type", content_type), ("Cache-Control", "no-store")]
        if size is not None:
            headers.append(("Content-Length", str(size)))
        self.has_begun = True
        await self._connection.send(h11.Response(status_code=status, headers=headers))

    async def piece(self, data: bytes) -> None:
        """Send a part of the body."""
        await self._connection.send(h11.Data(data=data))

    async def line(self, value: Mapping[str, Any]) -> None:
        """Send a JSON object as one line of the body."""
        await self.piece(json.dumps(value).encode() + b"\n")

    async def end(self) -> None:
        """Say that this was all."""
        await self._connection.send(h11.EndOfMessage())

    async def switch(self, protocol: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """Speak another protocol from here on; with what has come of it already. Only where the caller proposed it."""
        self.has_begun = True
        return await self._connection.switch(protocol)

    async def whole(self, status: int, value: Mapping[str, Any]) -> None:
        """Send a JSON object as the whole answer."""
        data = json.dumps(value).encode() + b"\n"
        await self.begin(status, "application/json", size=len(data))
        await self.piece(data)
        await self.end()


class HttpConnection:
    """One connection of a caller."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)

    async def serve(
        self,
        respond: Callable[[HttpRequest, Answer], Awaitable[None]],
        takes_over: Callable[[HttpRequest], bool],
    ) -> None:
        """Answer one request after the other, until the caller goes or has to. A caller that goes away ends `respond`,
        unless that `takes_over` the connection, for another protocol.

        Raises nothing but what `respond` does, and CancelledError.
        """
        with contextlib.suppress(ConnectionError, TimeoutError, h11.LocalProtocolError):
            while True:
                answer = Answer(self)
                try:
                    request = await self._next_request()
                    if request is None:
                        return
                except BadRequest as bad:
                    await answer.whole(bad.status, {"error": failure_value(UsageError(bad.why))})
                    return
                if takes_over(request):
                    # Who speaks the other protocol reads, and sees when the caller has gone.
                    await respond(request, answer)
                elif not await self._while_there(respond(request, answer)):
                    return
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    return
                self._http.start_next_cycle()

    async def refuse(self, status: int, value: Mapping[str, Any]) -> None:
        """Answer whatever will be asked, and hear none of it."""
        with contextlib.suppress(ConnectionError, TimeoutError, h11.LocalProtocolError):
            await Answer(self).whole(status, value)
            # What was sent is taken: else the answer would be lost with the connection.
            async with asyncio.timeout(REFUSED_SECONDS):
                await self._reader.read(PIECE)

    async def switch(self, protocol: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """Agree to an upgrade that was proposed. Raises as `send` does."""
        headers = [("Connection", "Upgrade"), ("Upgrade", protocol)]
        await self.send(h11.InformationalResponse(status_code=101, headers=headers))
        return self._reader, self._writer, self._http.trailing_data[0]

    async def send(self, event: h11.Event) -> None:
        """Send a part of an answer. Raises ConnectionError, or TimeoutError for a caller that takes nothing."""
        data = self._http.send(event)
        if data:
            self._writer.write(data)
            try:
                async with asyncio.timeout(TAKING_SECONDS):
                    await self._writer.drain()
            except TimeoutError:
                # To close it would be to wait until the rest is taken.
                self._writer.transport.abort()
                raise

    async def _next_request(self) -> HttpRequest | None:
        async with asyncio.timeout(REQUEST_SECONDS):
            try:
                head = await self._next_event()
                if not isinstance(head, h11.Request):
                    return None
                return _request(head, await self._body(head))
            except h11.RemoteProtocolError as error:
                # Whoever goes away in the middle is not to be answered.
                if self._http.their_state is not h11.ERROR or self._reader.at_eof():
                    return None
                raise BadRequest(error.error_status_hint, f"this is no HTTP request: {error}") from None

    async def _body(self, head: h11.Request) -> bytes:
        if any(name == b"expect" for name, _ in head.headers):
            await self.send(h11.InformationalResponse(status_code=100, headers=[]))
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > LARGEST_BODY:
                raise BadRequest(413, f"a request of over {LARGEST_BODY:,} bytes")
        return bytes(body)

    async def _next_event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            self._http.receive_data(await self._reader.read(PIECE))

    async def _while_there(self, work: Awaitable[None]) -> bool:
        """Do the work as long as the caller is there; whether it was done."""
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._wait_gone())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                return False
            working.result()
            return True
        finally:
            for task in (working, leaving):
                task.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def _wait_gone(self) -> None:
        """Wait until the caller's end is closed. What it sends before its answer is there waits, within a bound."""
        ahead = 0
        while ahead < LARGEST_HEAD:
            data = await self._reader.read(PIECE)
            self._http.receive_data(data)
            if not data:
                return
            ahead += len(data)
        await asyncio.Event().wait()


def _request(head: h11.Request, body: bytes) -> HttpRequest:
    method, target = head.method.decode("ascii"), head.target.decode("ascii")
    headers = dict(head.headers)
    try:
        address = urlsplit(target)
        query = parse_qsl(address.query, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise BadRequest(400, "the address of the call makes no sense") from None
    values: dict[str, Any] = dict(query)
    if body:
        values |= _object(body)
    return HttpRequest(
        method,
        address.path,
        values,
        wants_one=headers.get(b"accept", b"").startswith(b"application/json"),
        upgrade=headers.get(b"upgrade", b"").decode("ascii", "replace"),
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        # As strict as with what a person gives: of it, messages are signed.
        return dict(parse_given(body, max_bytes=LARGEST_BODY))
    except ProtocolError as error:
        raise BadRequest(400, f"the body is no JSON object that can be taken: {error.line}") from None

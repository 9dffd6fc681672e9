"""The node's socket: who calls is checked, and handed to what was called."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from kachery_tui import __version__
from kachery_tui.errors import KacheryError, NotAllowed, UsageError
from kachery_tui.service.calls import Asked, Call, For, Values
from kachery_tui.service.failures import NodeBusy, UnknownCall, failure_value, status_of
from kachery_tui.service.http import Answer, HttpConnection, HttpRequest
from kachery_tui.service.peers import Peer, describe, peer_of
from kachery_tui.service.place import socket_place
from kachery_tui.service.screen_frames import UPGRADE
from kachery_tui.service.screen_line import ScreenLine
from kachery_tui.storage.lock import read_holder

API_VERSION: Final = 1

MOST_CONNECTIONS: Final = 200
"""Callers at a time; the next one is told so, and goes."""

MOST_OF_OTHERS: Final = 50
"""Of them, callers of other users: they do not keep out the one whose node it is."""

BACKLOG: Final = 128
LOOK_EVERY: Final = 5.0
"""Seconds between two looks at whether the socket is where it was: its folder may be cleared away at a logout."""

JSON_LINES: Final = "application/x-ndjson"

_log = logging.getLogger(__name__)


class NodeSocket:
    """Listens on a Unix socket for as long as the node runs."""

    def __init__(self, storage: Path, calls: Iterable[Call], *, group: int | None = None) -> None:
        """`group` is the id of a group whose members may look, and have files got; None for this user alone."""
        self._storage = storage
        self._group = group
        self._calls = {(call.method, call.path): call for call in calls}
        self._server: asyncio.Server | None = None
        self._callers: dict[asyncio.Task[None], bool] = {}
        """Connections, and whether they are of other users."""
        self.place: Path | None = None
        """Where it listens."""

    async def start(self) -> Path:
        """Listen; where. Raises `KacheryError`."""
        place = await asyncio.to_thread(socket_place, self._storage, self._group)
        try:
            listening = await asyncio.to_thread(
                _bound, place, 0o600 if self._group is None else 0o660, self._group
            )
        except OSError as error:
            raise KacheryError(f"cannot listen on {place}", error.strerror or str(error)) from None
        self._server = await asyncio.start_unix_server(self._take, sock=listening, backlog=BACKLOG)
        self.place = place
        return place

    async def keep(self, moved: Callable[[Path], Awaitable[None]]) -> None:
        """See to it that the socket can be found, until cancelled; `moved` is told where it is when that changes."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            # What does not work now, on a disk that is full, is tried again.
            with contextlib.suppress(KacheryError):
                await self._mend(moved)

    async def _mend(self, moved: Callable[[Path], Awaitable[None]]) -> None:
        place = self.place
        if place is None or not await asyncio.to_thread(_is_socket, place):
            self._stop_listening()
            await moved(await self.start())
            _log.info("the node's socket had gone, and is at %s again", self.place)
            return
        holder = await asyncio.to_thread(read_holder, self._storage)
        if holder is None or holder.socket != str(place):
            # Somebody else has written into the lock file.
            await moved(place)

    async def close(self) -> None:
        """Take no more callers, and let go of those that are there."""
        self._stop_listening()
        callers = list(self._callers)
        for task in callers:
            task.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        if self.place is not None:
            await asyncio.to_thread(self.place.unlink, missing_ok=True)
            self.place = None

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._callers[task] = False
        task.add_done_callback(lambda done: self._callers.pop(done, None))
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            # The node ends; nobody waits for this task but `close`.
            pass
        except Exception:  # noqa: BLE001 - a defect, to be seen in the log; the node goes on
            _log.exception("a call on the node's socket failed unexpectedly")
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            peer = peer_of(writer.get_extra_info("socket"))
        except OSError:
            # It has gone already.
            return
        connection = HttpConnection(reader, writer)
        try:
            self._make_room(peer)
        except NodeBusy as error:
            # Before its request: whoever says nothing must not hold a place.
            await connection.refuse(status_of(error), {"error": failure_value(error)})
            return

        async def respond(request: HttpRequest, answer: Answer) -> None:
            try:
                await self._respond(peer, request, answer)
            except KacheryError as error:
                await _fail(answer, error)
            except (asyncio.CancelledError, ConnectionError, TimeoutError):
                raise
            except Exception as error:  # noqa: BLE001 - a defect, to be seen in the log; the caller is told
                _log.exception("%s %s failed unexpectedly", request.method, request.path[:80])
                await _fail(answer, KacheryError("the node failed", type(error).__name__, "See its log"))

        def takes_over(request: HttpRequest) -> bool:
            call = self._calls.get((request.method, request.path))
            return request.upgrade == UPGRADE and call is not None and call.screen is not None

        await connection.serve(respond, takes_over)

    def _make_room(self, peer: Peer) -> None:
        """See that there is room for one more caller. Raises `NodeBusy`."""
        task = asyncio.current_task()
        assert task is not None
        is_other = peer.uid not in (os.geteuid(), 0)
        others = sum(self._callers.values())
        if len(self._callers) > MOST_CONNECTIONS or (is_other and others >= MOST_OF_OTHERS):
            raise NodeBusy("too many programs call this node", f"{len(self._callers) - 1:,} at this moment")
        self._callers[task] = is_other

    async def _respond(self, peer: Peer, request: HttpRequest, answer: Answer) -> None:
        call = self._calls.get((request.method, request.path))
        if request.path == f"/v{API_VERSION}" and request.method == "GET":
            await answer.whole(200, self._contents())
            return
        if call is None:
            raise UnknownCall(
                f"there is no call {request.method} {request.path[:80]}",
                f"this is kachery-tui {__version__}, version {API_VERSION} of its calls",
                f"GET /v{API_VERSION} lists them",
            )
        is_user = peer.uid in (os.geteuid(), 0)
        if call.whom is For.USER and not is_user:
            raise NotAllowed(f"{request.path} is for the user whose node it is")
        values = Values(request.values)
        values.only(call.knows)
        asked = Asked(values, await asyncio.to_thread(describe, peer), is_user)
        if call.answer is not None:
            await answer.whole(200, await call.answer(asked))
        elif call.stream is not None:
            await _stream(call.stream(asked), answer, only_last=request.wants_one)
        elif call.screen is not None:
            if request.upgrade != UPGRADE:
                raise UsageError("a screen needs a terminal", "", f"Ask for it with Upgrade: {UPGRADE}")
            session = await call.screen(asked)
            await session(ScreenLine(*await answer.switch(UPGRADE)))

    def _contents(self) -> Mapping[str, Any]:
        return {
            "program": "kachery-tui",
            "version": __version__,
            "api": API_VERSION,
            "calls": [
                {
                    "call": f"{call.method} {call.path}",
                    "about": call.about,
                    "members": sorted(call.knows),
                    "streams": call.stream is not None,
                    "for": call.whom,
                }
                for call in self._calls.values()
            ],
        }


async def _fail(answer: Answer, error: KacheryError) -> None:
    failure = {"error": failure_value(error)}
    if answer.has_begun:
        await answer.line({"event": "failed", **failure})
        await answer.end()
    else:
        await answer.whole(status_of(error), failure)


async def _stream(events: AsyncGenerator[dict[str, Any], None], answer: Answer, *, only_last: bool) -> None:
    async with aclosing(events) as coming:
        if only_last:
            told = [event async for event in coming if event["event"] in ("done", "file")]
            await answer.whole(200, told[-1] if len(told) == 1 else {**told[-1], "all": told[:-1]})
            return
        await answer.begin(200, JSON_LINES)
        async for event in coming:
            await answer.line(event)
        await answer.end()


def _bound(place: Path, mode: int, group: int | None) -> socket.socket:
    """A socket at that place, which nobody else can reach before it has its mode. Raises `OSError`."""
    making = place.with_suffix(f".{os.getpid()}")
    making.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(str(making))
        if group is not None:
            os.chown(making, -1, group)
        making.chmod(mode)
        # Whatever a node that was killed has left there goes.
        making.rename(place)
    except OSError:
        listening.close()
        making.unlink(missing_ok=True)
        raise
    listening.setblocking(False)
    return listening


def _is_socket(place: Path) -> bool:
    try:
        return place.is_socket()
    except OSError:
        return False

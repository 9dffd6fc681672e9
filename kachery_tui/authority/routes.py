"""The authority over HTTP (PROTOCOL.md § The authority)."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from kachery_tui.authority.bodies import json_body
from kachery_tui.authority.bucket_door import LONGEST_STALL, PIECE, BucketDoor
from kachery_tui.authority.living_client import LivingClient
from kachery_tui.authority.old_daemons import OldDaemons
from kachery_tui.authority.refusals import STATUS, Refused
from kachery_tui.authority.service import AuthorityService
from kachery_tui.authority.uploads import PUBLIC, Uploads, place_of
from kachery_tui.authority.web import Handler, json_answer, json_error
from kachery_tui.errors import KacheryError
from kachery_tui.protocol.authority import RefusalCode


class AuthorityRoutes:
    """The addresses that an authority answers at."""

    def __init__(
        self,
        service: AuthorityService,
        uploads: Uploads,
        door: BucketDoor,
        living: LivingClient,
        old: OldDaemons,
    ) -> None:
        self._living = living
        self._old = old
        self._service = service
        self._uploads = uploads
        self._door = door

    def routes(self) -> list[web.RouteDef]:
        """What to serve."""
        read = "/read/{channel}/{node}/{seal}/{object:.+}"
        return [
            web.get("/api/channels", self._refusing(self._channels)),
            web.get("/api/channel/{channel}", self._refusing(self._hello)),
            web.post("/api/channel/{channel}", self._refusing(self._answer)),
            web.post("/api/channel/{channel}/invitation", self._refusing(self._invitation)),
            web.put("/upload/{code}", self._refusing(self._upload)),
            web.get(read, self._refusing(self._read)),
            web.post("/api/findFile", self._refusing(self._living.find)),
            web.post("/api/initiateFileUpload", self._refusing(self._living.initiate)),
            web.post("/api/finalizeFileUpload", self._refusing(self._living.finalize)),
            *(web.post(path, self._refusing(handler)) for path, handler in self._old.handlers()),
        ]

    def _refusing(self, handler: Handler) -> Handler:
        """Answers with what was refused and why, and with what a request must name to be taken."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except Refused as refused:
                status = STATUS[refused.code]
                return json_error(status, refused.reason, code=refused.code.value, **self._service.moment())
            except KacheryError as error:
                return json_error(503, error.what, code=RefusalCode.BUSY.value)

        return answer

    async def _channels(self, _request: web.Request) -> web.Response:
        return json_answer({"channels": self._service.channels()})

    async def _hello(self, request: web.Request) -> web.Response:
        return json_answer(self._service.hello(request.match_info["channel"]))

    async def _answer(self, request: web.Request) -> web.Response:
        value = await json_body(request)
        address = request.remote or ""
        return json_answer(await self._service.answer(request.match_info["channel"], value, address))

    async def _invitation(self, request: web.Request) -> web.Response:
        value = await json_body(request)
        code = value.get("code")
        if not isinstance(code, str):
            raise Refused(RefusalCode.MALFORMED, "a request without a code")
        channel, address = request.match_info["channel"], request.remote or ""
        return json_answer(await self._service.describe_code(channel, code, address))

    async def _upload(self, request: web.Request) -> web.Response:
        code = request.match_info["code"]
        grant = self._uploads.take(code)
        if grant is None:
            raise Refused(RefusalCode.ROLE, "this upload was not granted, or the grant has been used")
        body = _Body(request)
        is_good = partial(self._service.may_upload, grant)
        try:
            if request.content_length not in (None, grant.size):
                raise Refused(
                    RefusalCode.MALFORMED, f"{request.content_length} bytes, and {grant.size} were granted"
                )
            if not is_good():
                raise Refused(RefusalCode.ROLE, "the owner has taken the role away")
            await self._door.receive(grant, body.pieces(), is_good)
        except BaseException as error:
            if isinstance(error, Refused) and error.code is RefusalCode.BUSY and not body.broke_off:
                self._uploads.put_back(code, grant)
            else:
                self._service.give_back(grant, body.received)
            raise
        return json_answer({"success": True})

    async def _read(self, request: web.Request) -> web.Response:
        channel, node_id, seal, name = (
            request.match_info[part] for part in ("channel", "node", "seal", "object")
        )
        may = self._service.may_find if node_id == PUBLIC else self._service.may_read
        if not (self._uploads.is_reader(channel, node_id, seal) and may(channel, node_id)):
            raise Refused(RefusalCode.NO_MEMBER, "this is no address of a member")
        if place_of(name).channel != channel:
            raise Refused(RefusalCode.ROLE, f"it is not an object of channel {channel}")
        if self._door.is_here and (answer := await self._read_directly(request, name)) is not None:
            return answer
        url = await self._door.read_url(channel, request.method, name)
        return web.Response(status=307, headers={"Location": url, "Cache-Control": "no-store"})

    async def _read_directly(self, request: web.Request, name: str) -> web.Response | None:
        """The answer where the bucket is here, and what is asked for is small: two requests less for a member."""
        if "Range" in request.headers:
            return None
        found = await self._door.look(name)
        if found is None:
            return json_error(404, "there is no such object")
        if found.data is None:
            return None
        return web.Response(body=found.data, headers={"Cache-Control": "no-store", "ETag": found.etag})


class _Body:
    """An upload's bytes as they come."""

    def __init__(self, request: web.Request) -> None:
        self._content = request.content
        self.received = 0
        self.broke_off = False
        """Whether the sender went away, or stood still for too long."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """One after the other. Raises what aiohttp raises, and `TimeoutError`."""
        while True:
            try:
                async with asyncio.timeout(LONGEST_STALL):
                    piece = await self._content.read(PIECE)
            except BaseException:
                self.broke_off = True
                raise
            if not piece:
                return
            self.received += len(piece)
            yield piece

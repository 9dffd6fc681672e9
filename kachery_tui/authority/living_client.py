"""What the living `kachery` client (2.x) asks of a server, whose zone is a channel.

`KACHERY_BASE_URL` is this server, `KACHERY_ZONE` a channel, `KACHERY_API_KEY` what `channel key` printed.
"""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Final

from aiohttp import web

from kachery_tui.authority.asking import ChannelAsker
from kachery_tui.authority.bodies import json_body
from kachery_tui.authority.bucket_door import BucketDoor
from kachery_tui.authority.refusals import Refused
from kachery_tui.authority.service import AuthorityService
from kachery_tui.authority.values import key_id
from kachery_tui.authority.web import json_answer
from kachery_tui.protocol.authority import RefusalCode
from kachery_tui.protocol.canonical import JsonObject
from kachery_tui.protocol.hashes import is_sha1
from kachery_tui.protocol.objects import file_object

WORK_BITS: Final = 13
"""Leading zero bits that the hash of a work token has."""


class LivingClient:
    """Finds files and takes them for clients that show a key. Used by one event loop."""

    def __init__(
        self, service: AuthorityService, door: BucketDoor, askers: Mapping[str, ChannelAsker]
    ) -> None:
        self._service = service
        self._door = door
        self._askers = askers

    async def find(self, request: web.Request) -> web.Response:
        """`/api/findFile`: where a file is read. What is not in the bucket, the channel's nodes are asked for."""
        body = await json_body(request)
        channel, sha1 = _channel(body), _hash(body)
        member = _member(request)
        if not self._service.may_find(channel, member):
            raise Refused(RefusalCode.NO_MEMBER, "this zone is read with a key: set KACHERY_API_KEY")
        name = file_object(channel, sha1)
        look = partial(self._door.size, channel, name)
        size = await look()
        was_there = size is not None
        if size is None and self._service.may_ask(channel, member):
            size = await self._askers[channel].ask(sha1, look)
        if size is None:
            return json_answer({"found": False})
        url = await self._door.read_url(channel, "GET", name)
        return json_answer(
            {"found": True, "url": url, "size": size, "objectKey": name, "cacheHit": was_there}
        )

    async def initiate(self, request: web.Request) -> web.Response:
        """`/api/initiateFileUpload`: a URL to PUT the bytes to."""
        body = await json_body(request)
        channel, sha1, size = _channel(body), _hash(body), _size(body)
        token = body.get("workToken")
        if not isinstance(token, str) or len(token) > 200 or not _is_work(sha1, token):
            raise Refused(RefusalCode.MALFORMED, "the work token does not fit the hash")
        name = file_object(channel, sha1)
        member = _member(request)
        if self._service.may_find(channel, member) and await self._door.size(channel, name) == size:
            return json_answer({"alreadyExists": True})
        path = await self._service.grant_upload(channel, member, name, size)
        return json_answer({"signedUploadUrl": f"{request.url.origin()}{path}", "objectKey": name})

    async def finalize(self, request: web.Request) -> web.Response:
        """`/api/finalizeFileUpload`: whether the bytes have come."""
        body = await json_body(request)
        channel, sha1, size = _channel(body), _hash(body), _size(body)
        if not self._service.may_find(channel, _member(request)):
            raise Refused(RefusalCode.NO_MEMBER, "this zone is read with a key: set KACHERY_API_KEY")
        if await self._door.size(channel, file_object(channel, sha1)) != size:
            raise Refused(RefusalCode.MALFORMED, "the file has not been uploaded")
        return json_answer({"success": True})


def _member(request: web.Request) -> str:
    """The id under which the register has the key that a client shows; empty where it shows none."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key_id(key.strip()) if scheme.lower() == "bearer" and key.strip() else ""


def _channel(body: JsonObject) -> str:
    name = body.get("zoneName")
    if not isinstance(name, str):
        raise Refused(RefusalCode.MALFORMED, "a request without zoneName")
    return name


def _hash(body: JsonObject) -> str:
    sha1 = body.get("hash")
    if body.get("hashAlg") != "sha1" or not is_sha1(sha1):
        raise Refused(RefusalCode.MALFORMED, "a request without a sha1 hash")
    return sha1


def _size(body: JsonObject) -> int:
    size = body.get("size")
    if type(size) is not int or size < 0:
        raise Refused(RefusalCode.MALFORMED, "a request without a size")
    return size


def _is_work(sha1: str, token: str) -> bool:
    digest = hashlib.sha1((sha1 + token).encode("utf-8", "replace"), usedforsecurity=False).digest()
    return int.from_bytes(digest, "big") >> (160 - WORK_BITS) == 0

"""What `kachery-daemon` 1.2 and `kachery-client` 1.2 ask of kacheryhub and bitwooder, answered for a hub's members.

Node ids, roles and quotas are the register's: an old node is a member as any other, let in by its id. A certificate that
kacheryhub gave out, with a key of its own, is what bitwooder takes for a token or an upload.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from kachery_tui.authority.bodies import json_body
from kachery_tui.authority.refusals import Refused
from kachery_tui.authority.service import AuthorityService
from kachery_tui.authority.uploads import PUBLIC
from kachery_tui.authority.values import Member
from kachery_tui.authority.web import Handler, json_answer
from kachery_tui.channel.authority import TOKEN_LIFETIME
from kachery_tui.protocol.authority import RefusalCode
from kachery_tui.protocol.canonical import JsonObject, JsonValue
from kachery_tui.protocol.hashes import is_node_id
from kachery_tui.protocol.keys import PrivateKey, verify
from kachery_tui.protocol.members import is_object
from kachery_tui.protocol.roles import Role, capability

CERTIFICATE_SECONDS: Final = 300.0
MOST_PATHS: Final = 100
"""Uploads that one request may ask for."""
PERMISSIONS: Final[Mapping[str, Role]] = {
    "requestFiles": Role.REQUEST_FILES,
    "provideFiles": Role.PROVIDE_FILES,
    "requestFeeds": Role.REQUEST_FEEDS,
    "provideFeeds": Role.PROVIDE_FEEDS,
    "requestTasks": Role.REQUEST_TASKS,
    "provideTasks": Role.PROVIDE_TASKS,
}
"""The roles as kacheryhub calls them."""
TOKEN_REQUEST_SECONDS: Final = 3_600.0


class OldDaemons:
    """kacheryhub, bitwooder and Ably's `requestToken`, for a hub's channels. Used by one event loop."""

    def __init__(self, service: AuthorityService, secret: bytes) -> None:
        self._service = service
        self._resources = {name: _resource(secret, name) for name in service.names}
        self._channels = {key.node_id: name for name, key in self._resources.items()}

    def handlers(self) -> list[tuple[str, Handler]]:
        """The paths that are POSTed to, and who answers."""
        return [
            ("/api/kacheryNode", self.kachery_node),
            ("/api/resource", self.resource),
            ("/api/getChannelBucketBaseUrl", self.bucket_base_url),
            ("/keys/{key}/requestToken", self.request_token),
        ]

    async def kachery_node(self, request: web.Request) -> web.Response:
        """`/api/kacheryNode`: what a node asks of kacheryhub, signed by it."""
        outer = await json_body(request)
        body, signature, node_id = outer.get("body"), outer.get("signature"), outer.get("nodeId")
        if not is_object(body) or not isinstance(signature, str) or not is_node_id(node_id):
            raise Refused(RefusalCode.MALFORMED, "a request without body, nodeId or signature")
        if body.get("nodeId", node_id) != node_id or not verify(body, signature, node_id):
            raise Refused(RefusalCode.SIGNATURE, "the signature is not that of the node it names")
        base = str(request.url.origin())
        match body.get("type"):
            case "report":
                known = bool(self._service.channels_of(node_id))
                return json_answer({"success": True, "found": known})
            case "getNodeConfig":
                config = self._node_config(base, node_id, str(body.get("ownerId", ""))[:80])
                return json_answer({"found": True, "nodeConfig": config})
            case "getChannelConfig":
                name, member = self._member(body, node_id)
                config = {
                    "channelName": name,
                    "ownerId": str(body.get("ownerId", ""))[:80],
                    "bitwooderResourceId": self._resources[name].node_id,
                    "bucketBaseUrl": base + self._service.read_path(name, member.node_id),
                }
                return json_answer({"found": True, "channelConfig": config})
            case "getBitwooderCertForChannel":
                name, member = self._member(body, node_id)
                return json_answer(self._certificate(name, member))
        raise Refused(RefusalCode.MALFORMED, "a request of an unknown type")

    async def resource(self, request: web.Request) -> web.Response:
        """`/api/resource`: what a node asks of bitwooder, by a certificate."""
        outer = await json_body(request)
        payload = outer.get("payload")
        kind = outer.get("type")
        if kind == "getResourceInfo":
            return self._resource_info(outer)
        if not is_object(payload) or payload.get("type") != kind:
            raise Refused(RefusalCode.MALFORMED, "a request without a payload of its type")
        name, node_id = self._check(payload, outer.get("auth"))
        match kind:
            case "getAblyTokenRequest":
                return json_answer({"type": kind, "ablyTokenRequest": self._token_request(name, node_id)})
            case "getUploadUrls":
                urls = await self._upload_urls(str(request.url.origin()), name, node_id, payload)
                return json_answer({"type": kind, "uploadUrls": urls})
        raise Refused(RefusalCode.MALFORMED, "a request of an unknown type")

    async def request_token(self, request: web.Request) -> web.Response:
        """`/keys/{keyName}/requestToken`: a token for a token request that is signed with the key's secret."""
        asked = await json_body(request)
        key_name = request.match_info["key"]
        name = self._service.channel_of_key(key_name)
        key = self._service.pubsub_key(name) if name else ""
        texts = [_text(asked.get(part)) for part in _SIGNED]
        expected = _mac(key.partition(":")[2], texts)
        given = asked.get("mac")
        if (
            not name
            or not isinstance(given, str)
            or not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
        ):
            raise Refused(RefusalCode.SIGNATURE, "a token request whose mac does not hold")
        now = time.time()
        moment = asked.get("timestamp")
        if not isinstance(moment, int | float) or abs(now - moment / 1000) > TOKEN_REQUEST_SECONDS:
            raise Refused(RefusalCode.CLOCK, "a token request of another time")
        node_id = asked.get("clientId")
        member = self._service.need_role_holder(name, _text(node_id))
        token = self._service.make_token(name, member, member.may)
        return json_answer(
            {
                "token": token,
                "keyName": key_name,
                "issued": int(now * 1000),
                "expires": int((now + TOKEN_LIFETIME) * 1000),
                "capability": json.dumps(capability(name, member.may), sort_keys=True),
                "clientId": member.node_id,
            }
        )

    async def bucket_base_url(self, request: web.Request) -> web.Response:
        """`/api/getChannelBucketBaseUrl`: where everybody reads, in a channel in which everybody may."""
        name = (await json_body(request)).get("channelName")
        if not isinstance(name, str) or not self._service.may_find(name, ""):
            raise Refused(RefusalCode.NO_MEMBER, "this channel is not read without being a member")
        return json_answer({"url": str(request.url.origin()) + self._service.read_path(name, PUBLIC)})

    # kacheryhub

    def _node_config(self, base: str, node_id: str, owner: str) -> JsonObject:
        memberships: list[JsonValue] = []
        for name, member in self._service.channels_of(node_id).items():
            permissions: JsonObject = {word: role in member.may for word, role in PERMISSIONS.items()}
            authorization: JsonObject = {"channelName": name, "nodeId": node_id, "permissions": permissions}
            memberships.append(
                {
                    "nodeId": node_id,
                    "channelName": name,
                    "roles": {},
                    "authorization": authorization,
                    "channelResourceId": self._resources[name].node_id,
                    "channelBucketBaseUrl": base + self._service.read_path(name, node_id),
                }
            )
        return {"nodeId": node_id, "ownerId": owner, "channelMemberships": memberships}

    def _member(self, body: JsonObject, node_id: str) -> tuple[str, Member]:
        name = _text(body.get("channelName"))
        return name, self._service.need_role_holder(name, node_id)

    def _certificate(self, name: str, member: Member) -> JsonObject:
        key = PrivateKey.generate()
        resource = self._resources[name]
        payload: JsonObject = {
            "expires": int((time.time() + CERTIFICATE_SECONDS) * 1000),
            "attributes": {
                "ablyCapability": {
                    stream: [*words] for stream, words in capability(name, member.may).items()
                },
                # Whose it is: bitwooder knows no nodes.
                "nodeId": member.node_id,
            },
            "delegatedSignerId": key.node_id,
        }
        auth: JsonObject = {"signerId": resource.node_id, "signature": resource.sign(payload)}
        return {"cert": {"payload": payload, "auth": auth}, "key": key.seed().hex()}

    # bitwooder

    def _check(self, payload: JsonObject, auth: JsonValue) -> tuple[str, str]:
        """The channel and the node that a request's certificate is of. Raises `Refused`."""
        certificate = auth.get("delegationCertificate") if is_object(auth) else None
        granted = certificate.get("payload") if is_object(certificate) else None
        outer = certificate.get("auth") if is_object(certificate) else None
        if not (is_object(auth) and is_object(granted) and is_object(outer)):
            raise Refused(RefusalCode.MALFORMED, "a request without a certificate")
        now = time.time() * 1000
        for value in (payload.get("expires"), granted.get("expires")):
            if not isinstance(value, int | float) or not now < value < now + 86_400_000:
                raise Refused(RefusalCode.CLOCK, "the request, or its certificate, has run out")
        resource = payload.get("resourceId")
        name = self._channels.get(resource) if isinstance(resource, str) else None
        signer = auth.get("signerId")
        if (
            name is None
            or outer.get("signerId") != resource
            or not isinstance(signer, str)
            or signer != granted.get("delegatedSignerId")
            or not verify(granted, _text(outer.get("signature")), str(resource))
            or not verify(payload, _text(auth.get("signature")), signer)
        ):
            raise Refused(RefusalCode.SIGNATURE, "the certificate, or a signature, does not hold")
        attributes = granted.get("attributes")
        node_id = attributes.get("nodeId") if is_object(attributes) else None
        if not is_node_id(node_id):
            raise Refused(RefusalCode.SIGNATURE, "a certificate of no node")
        return name, node_id

    def _token_request(self, name: str, node_id: str) -> JsonObject:
        member = self._service.need_role_holder(name, node_id)
        key_name, _, secret = self._service.pubsub_key(name).partition(":")
        asked: JsonObject = {
            "keyName": key_name,
            "ttl": int(TOKEN_REQUEST_SECONDS * 1000),
            "capability": json.dumps(capability(name, member.may), sort_keys=True),
            "clientId": node_id,
            "timestamp": int(time.time() * 1000),
            "nonce": secrets.token_hex(12),
        }
        return {**asked, "mac": _mac(secret, [_text(asked.get(part)) for part in _SIGNED])}

    async def _upload_urls(self, base: str, name: str, node_id: str, payload: JsonObject) -> list[JsonValue]:
        paths, sizes = payload.get("filePaths"), payload.get("sizes")
        if (
            not isinstance(paths, list)
            or not isinstance(sizes, list)
            or not len(paths) == len(sizes) <= MOST_PATHS
        ):
            raise Refused(RefusalCode.MALFORMED, "paths and sizes that do not go together")
        urls: list[JsonValue] = []
        for path, size in zip(paths, sizes, strict=True):
            if not isinstance(path, str) or type(size) is not int or size < 0:
                raise Refused(RefusalCode.MALFORMED, "a path, or a size, that is none")
            urls.append(base + await self._service.grant_upload(name, node_id, path, size))
        return urls

    def _resource_info(self, outer: JsonObject) -> web.Response:
        resource = outer.get("resourceId") or outer.get("resourceKey")
        if not isinstance(resource, str) or resource not in self._channels:
            raise Refused(RefusalCode.NO_CHANNEL, "no such resource")
        info: JsonObject = {"resourceId": resource, "resourceType": "kachery"}
        return json_answer({"type": "getResourceInfo", "resourceInfo": info})


_SIGNED: Final = ("keyName", "ttl", "capability", "clientId", "timestamp", "nonce")
"""What the mac of an Ably token request is over, in this order."""


def _resource(secret: bytes, channel: str) -> PrivateKey:
    """The key of a channel as a resource of bitwooder's: the same one after a restart."""
    return PrivateKey.from_seed(hmac.new(secret, f"resource\n{channel}".encode(), hashlib.sha256).digest())


def _text(value: JsonValue) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else str(value)


def _mac(secret: str, texts: list[str]) -> str:
    """Base64 of HMAC-SHA256 over the texts, each with a line feed after it (https://ably.com/docs/api/token-request-spec)."""
    signed = "".join(f"{text}\n" for text in texts).encode("utf-8", "replace")
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()

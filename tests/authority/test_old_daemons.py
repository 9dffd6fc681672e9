"""The requests of `kachery-daemon` 1.2 and `kachery-client` 1.2, word for word, as the hub answers them."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import aiohttp
import pytest
from ably import AblyRealtime

from kachery_tui.authority.values import ChannelRules, Newcomers
from kachery_tui.config import load_channel
from kachery_tui.protocol.feeds import START, count_text, sign_messages
from kachery_tui.protocol.keys import PrivateKey, verify
from kachery_tui.protocol.objects import file_object, subfeed_object
from kachery_tui.protocol.roles import Role, capability
from tests.authority.clubs import Bare, Club, until_async

DATA = b"from an old daemon"
NAME = file_object("lab", hashlib.sha1(DATA).hexdigest())
ROLES = frozenset({Role.REQUEST_FILES, Role.PROVIDE_FILES, Role.PROVIDE_FEEDS})


class Daemon:
    """An old node: what it sends, and where."""

    def __init__(self, bare: Bare) -> None:
        self.key, self.url, self.session = bare.key, bare.url, bare.session

    async def post(self, path: str, value: Any) -> tuple[int, Any]:
        async with self.session.post(self.url + path, json=value) as answer:
            return answer.status, await answer.json()

    async def hub(self, body: dict[str, Any]) -> tuple[int, Any]:
        """A request to kacheryhub."""
        request = {"body": body, "nodeId": self.key.node_id, "signature": self.key.sign(body)}
        return await self.post("/api/kacheryNode", request)

    async def certificate(self) -> Any:
        node = {"nodeId": self.key.node_id, "ownerId": "somebody", "channelName": "lab"}
        status, answer = await self.hub({"type": "getBitwooderCertForChannel", **node})
        assert status == 200, answer
        return answer

    async def bitwooder(self, certificate: Any, kind: str, **more: Any) -> tuple[int, Any]:
        """A request to bitwooder."""
        key = PrivateKey.from_seed(bytes.fromhex(certificate["key"]))
        cert = certificate["cert"]
        expires = int(time.time() * 1000) + 60_000
        payload = {"type": kind, "expires": expires, "resourceId": cert["auth"]["signerId"], **more}
        auth = {"signerId": key.node_id, "signature": key.sign(payload), "delegationCertificate": cert}
        return await self.post("/api/resource", {"type": kind, "payload": payload, "auth": auth})


@pytest.fixture
async def daemon(club: Club) -> Daemon:
    return Daemon(await club.bare(ROLES, "old"))


async def test_what_kacheryhub_says(daemon: Daemon) -> None:
    node = {"nodeId": daemon.key.node_id, "ownerId": "somebody"}
    assert await daemon.hub({"type": "report", **node, "nodeLabel": "old"}) == (
        200,
        {"success": True, "found": True},
    )
    status, answer = await daemon.hub({"type": "getNodeConfig", **node})
    assert (status, answer["found"]) == (200, True)
    config = answer["nodeConfig"]
    assert set(config) == {"nodeId", "ownerId", "channelMemberships"}
    assert (config["nodeId"], config["ownerId"]) == (daemon.key.node_id, "somebody")
    (membership,) = config["channelMemberships"]
    assert membership["channelName"] == "lab"
    assert membership["roles"] == {}
    assert membership["authorization"] == {
        "channelName": "lab",
        "nodeId": daemon.key.node_id,
        "permissions": {
            "requestFiles": True,
            "provideFiles": True,
            "requestFeeds": False,
            "provideFeeds": True,
            "requestTasks": False,
            "provideTasks": False,
        },
    }
    status, answer = await daemon.hub({"type": "getChannelConfig", "channelName": "lab"})
    channel = answer["channelConfig"]
    assert channel["bitwooderResourceId"] == membership["channelResourceId"]
    assert channel["bucketBaseUrl"] == membership["channelBucketBaseUrl"]
    assert len(channel["bitwooderResourceId"]) == 64
    certificate = (await daemon.certificate())["cert"]
    assert set(certificate) == {"payload", "auth"}
    assert certificate["payload"]["attributes"]["ablyCapability"] == capability("lab", ROLES)
    assert verify(certificate["payload"], certificate["auth"]["signature"], channel["bitwooderResourceId"])


async def test_a_token_by_way_of_a_token_request(club: Club, daemon: Daemon) -> None:
    certificate = await daemon.certificate()
    wanted = certificate["cert"]["payload"]["attributes"]["ablyCapability"]
    status, answer = await daemon.bitwooder(certificate, "getAblyTokenRequest", capability=wanted)
    assert (status, answer["type"]) == (200, "getAblyTokenRequest")
    asked = answer["ablyTokenRequest"]
    key_name, _, secret = load_channel(club.hub.channel_files["lab"]).pubsub.key.partition(":")
    assert asked["keyName"] == key_name
    parts = ("keyName", "ttl", "capability", "clientId", "timestamp", "nonce")
    signed = "".join(f"{asked[part]}\n" for part in parts)
    assert asked["mac"] == base64.b64encode(hmac.digest(secret.encode(), signed.encode(), "sha256")).decode()
    status, token = await daemon.post(f"/keys/{key_name}/requestToken", asked)
    assert status == 200
    assert json.loads(token["capability"]) == capability("lab", ROLES)
    assert token["expires"] - token["issued"] == 3_600_000
    for change in ({"capability": "{}"}, {"clientId": "ab" * 32}, {"mac": None}, {"timestamp": 1}):
        assert (await daemon.post(f"/keys/{key_name}/requestToken", asked | change))[0] in (401, 409)
    client = AblyRealtime(token=token["token"], endpoint=f"127.0.0.1:{club.hub.pubsub_port}", tls=False)
    try:
        await client.channels.get("lab-requestFiles").publish("e", "x")
    finally:
        await client.close()


async def test_files_go_up_and_are_read_without_a_signature(daemon: Daemon) -> None:
    certificate = await daemon.certificate()
    status, answer = await daemon.bitwooder(certificate, "getUploadUrls", filePaths=[NAME], sizes=[len(DATA)])
    assert (status, answer["type"]) == (200, "getUploadUrls")
    (url,) = answer["uploadUrls"]
    headers = {"Content-Type": "application/octet-stream"}
    async with daemon.session.put(url, data=DATA, headers=headers) as put:
        assert put.status == 200
    _, answer = await daemon.hub({"type": "getChannelConfig", "channelName": "lab"})
    base = answer["channelConfig"]["bucketBaseUrl"]
    async with daemon.session.head(f"{base}/{NAME}", allow_redirects=True) as head:
        assert (head.status, head.content_length) == (200, len(DATA))
    async with daemon.session.get(f"{base}/{NAME}?cb=abcdefghij") as found:
        assert await found.read() == DATA
    async with daemon.session.head(
        f"{base}/{file_object('lab', 'ab' * 20)}", allow_redirects=True
    ) as missing:
        assert missing.status == 404
    status, answer = await daemon.bitwooder(
        certificate, "getUploadUrls", filePaths=["lab/task_results/ab/ab/ab/" + "ab" * 20], sizes=[1]
    )
    assert (status, answer["code"]) == (403, "role")


async def test_a_feeds_objects_show_for_themselves_whose_they_are(daemon: Daemon) -> None:
    feed = PrivateKey.generate()
    (message,) = sign_messages(feed, START, [{"a": 1}], 0)
    subfeed = "cd" * 20

    async def put(name: str, data: bytes) -> int:
        path = subfeed_object("lab", feed.node_id, subfeed, name)
        certificate = await daemon.certificate()
        _, answer = await daemon.bitwooder(certificate, "getUploadUrls", filePaths=[path], sizes=[len(data)])
        async with daemon.session.put(answer["uploadUrls"][0], data=data) as answer:
            return int(answer.status)

    assert await put("0", b'{"no": "message"}') == 401
    foreign = sign_messages(PrivateKey.generate(), START, [{"a": 1}], 0)
    assert await put("0", foreign[0].encode()) == 401
    assert await put("subfeed.json", count_text(1)) == 401
    assert await put("0", message.encode()) == 200
    assert await put("subfeed.json", count_text(1)) == 200
    assert await put("subfeed.json", count_text(2)) == 401
    assert await put("0", message.encode()) == 409


async def test_what_does_not_hold_is_refused(club: Club, daemon: Daemon) -> None:
    certificate = await daemon.certificate()
    other = json.loads(json.dumps(certificate))
    other["cert"]["payload"]["attributes"]["nodeId"] = "ab" * 32
    assert (await daemon.bitwooder(other, "getAblyTokenRequest", capability={}))[0] == 401
    late = json.loads(json.dumps(certificate))
    late["cert"]["payload"]["expires"] = 1
    assert (await daemon.bitwooder(late, "getAblyTokenRequest", capability={}))[0] == 409
    stolen = {**certificate, "key": PrivateKey.generate().seed().hex()}
    assert (await daemon.bitwooder(stolen, "getAblyTokenRequest", capability={}))[0] == 401
    body = {"type": "getNodeConfig", "nodeId": "ab" * 32}
    assert (await daemon.hub(body))[0] == 401
    assert (await daemon.post("/api/kacheryNode", {"body": body}))[0] == 400
    assert (await daemon.post("/api/resource", {"type": "getUploadUrls"}))[0] == 400
    club.register.remove_member("lab", daemon.key.node_id)
    await club.taken_up()
    assert (await daemon.bitwooder(certificate, "getAblyTokenRequest", capability={}))[0] == 403
    _, answer = await daemon.hub({"type": "getNodeConfig", "nodeId": daemon.key.node_id, "ownerId": "x"})
    assert answer["nodeConfig"]["channelMemberships"] == []


async def test_where_everybody_reads(club: Club, daemon: Daemon) -> None:
    ask = {"channelName": "lab"}
    assert (await daemon.post("/api/getChannelBucketBaseUrl", ask))[0] == 403
    club.register.set_rules("lab", ChannelRules(Newcomers.REQUEST_FILES))

    async def is_open() -> bool:
        return (await daemon.post("/api/getChannelBucketBaseUrl", ask))[0] == 200

    await until_async(is_open)
    _, answer = await daemon.post("/api/getChannelBucketBaseUrl", ask)
    async with aiohttp.ClientSession() as stranger, stranger.get(f"{answer['url']}/{NAME}") as found:
        assert found.status == 404

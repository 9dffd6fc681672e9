"""Publishing, listening and being refused, by the real SDK."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ably import AblyException

from kachery_tui.config import load_channel
from kachery_tui.hub.pubsub.auth import Capability
from kachery_tui.hub.pubsub.frames import Flag
from kachery_tui.protocol.roles import Role, capability
from tests.hub.clients import bare, jwt, pubsub, sdk, until
from tests.hubs import Hub, running_hub

REQUESTER = capability("lab", [Role.REQUEST_FILES])
PROVIDER = capability("lab", [Role.PROVIDE_FILES])


def tokens(hub: Hub, rights: dict[str, list[str]], **options: Any) -> Any:
    async def callback(*_: object, **__: object) -> str:
        return jwt(pubsub(hub).key, rights, **options)

    return callback


@pytest.mark.parametrize("publishes_binary", [True, False], ids=["msgpack", "json"])
@pytest.mark.parametrize("listens_binary", [True, False], ids=["to msgpack", "to json"])
async def test_what_is_published_arrives_as_it_was(
    hub: Hub, publishes_binary: bool, listens_binary: bool
) -> None:
    data = [b"\x00\xff bytes", "text \N{SNOWMAN}", {"a": [1, None]}, b""]
    got: list[Any] = []
    async with (
        sdk(hub, use_binary_protocol=publishes_binary, client_id="speaker") as speaker,
        sdk(hub, use_binary_protocol=listens_binary) as listener,
    ):
        await listener.channels.get("lab-requestFiles").subscribe(lambda message: got.append(message))
        for item in data:
            result = await speaker.channels.get("lab-requestFiles").publish("event", item)
            assert len(result.serials) == 1
        await until(lambda: len(got) == len(data))
    assert [
        bytes(message.data) if isinstance(message.data, bytearray) else message.data for message in got
    ] == data
    assert {(message.name, message.client_id) for message in got} == {("event", "speaker")}
    assert len({message.id for message in got}) == len(data)


async def test_several_messages_at_once_keep_their_order(hub: Hub) -> None:
    got: list[str] = []
    async with sdk(hub) as client:
        channel = client.channels.get("lab-requestFiles")
        await channel.subscribe(lambda message: got.append(message.data))
        await asyncio.gather(*(channel.publish([{"data": f"{i} {j}"} for j in range(3)]) for i in range(100)))
        await until(lambda: len(got) == 300)
    assert got == [f"{i} {j}" for i in range(100) for j in range(3)]


async def test_one_who_wants_no_echo_gets_none(hub: Hub) -> None:
    mine: list[str] = []
    theirs: list[str] = []
    async with sdk(hub, transport_params={"echo": "false"}) as one, sdk(hub) as other:
        await one.channels.get("lab-requestFiles").subscribe(lambda message: mine.append(message.data))
        await other.channels.get("lab-requestFiles").subscribe(lambda message: theirs.append(message.data))
        await one.channels.get("lab-requestFiles").publish("e", "of one")
        await other.channels.get("lab-requestFiles").publish("e", "of the other")
        await until(lambda: mine and len(theirs) == 2)
    assert mine == ["of the other"]


async def test_roles_allow_what_they_allow_and_no_more(hub: Hub) -> None:
    got: list[str] = []
    async with sdk(hub, auth_callback=tokens(hub, REQUESTER)) as client, sdk(hub) as anybody:
        await client.channels.get("lab-provideFiles").subscribe(lambda message: got.append(message.data))
        with pytest.raises(AblyException) as publishing:
            await client.channels.get("lab-provideFiles").publish("e", "x")
        assert publishing.value.code == 40160
        with pytest.raises(AblyException) as attaching:
            await client.channels.get("other-requestFiles").attach()
        assert attaching.value.code == 40160
        await client.channels.get("lab-requestFiles").subscribe(lambda message: got.append(message.data))
        await client.channels.get("lab-requestFiles").publish("e", "not for myself: I may only speak here")
        await anybody.channels.get("lab-provideFiles").publish("e", "for those who listen")
        await until(lambda: got)
    assert got == ["for those who listen"]


@pytest.mark.parametrize(
    ("pattern", "channel", "allowed"),
    [
        ("*", "lab-requestFiles", True),
        ("ns:*", "ns:a:b", True),
        ("ns:*", "other:a", False),
        ("*:a", "ns:a", True),
        ("lab-*", "lab-requestFiles", False),
    ],
)
async def test_capabilities_may_have_patterns(pattern: str, channel: str, allowed: bool) -> None:
    modes = Capability.parse(json.dumps({pattern: ["*"]})).modes(channel)
    assert bool(modes & Flag.PUBLISH) is allowed


async def test_a_key_is_good_for_its_own_channel(tmp_path: Path) -> None:
    async with running_hub(tmp_path / "hub", channels=("lab", "other")) as hub:
        other = load_channel(hub.channel_files["other"]).pubsub.key

        async def signed(*_: object, **__: object) -> str:
            return jwt(other, {"*": ["*"]})

        for credentials in ({"key": other}, {"auth_callback": signed}):
            async with sdk(hub, **credentials) as client:
                await client.channels.get("other-requestFiles").publish("e", "x")
                with pytest.raises(AblyException, match="40160"):
                    await client.channels.get("lab-requestFiles").publish("e", "x")


async def test_who_says_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.authority.web.LONGEST_SILENCE", 0.3)
    async with running_hub(tmp_path / "hub") as hub:
        for opening in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.pubsub_port)
            writer.write(opening)
            async with asyncio.timeout(5):
                await reader.read()
            writer.close()
            await writer.wait_closed()


async def test_what_is_not_known_gets_an_error_as_json(hub: Hub) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{hub.pubsub_port}") as session:
        for method, path, status in (
            ("GET", "/nothing", 404),
            ("POST", "/", 405),
            ("DELETE", "/keys/a", 404),
        ):
            async with session.request(method, path) as answer:
                assert answer.status == status
                assert method in (await answer.json())["error"]


async def test_a_message_takes_64_kib_and_no_more(hub: Hub) -> None:
    got: list[int] = []
    async with sdk(hub) as client, bare(hub) as socket:
        channel = client.channels.get("lab-requestFiles")
        await channel.subscribe(lambda message: got.append(len(message.data)))
        await channel.publish(None, b"x" * 65_500)
        await socket.get(4)
        for serial, size in enumerate((65_536, 65_537)):
            message = {"data": "x" * size}
            await socket.send(action=15, channel="lab-requestFiles", msgSerial=serial, messages=[message])
        assert (await socket.get(1))["msgSerial"] == 0
        refusal = await socket.get(2)
        assert (refusal["msgSerial"], refusal["error"]["code"]) == (1, 40009)
        await until(lambda: len(got) == 2)
    assert got == [65_500, 65_536]


async def test_a_frame_that_is_far_too_large_ends_the_connection(hub: Hub) -> None:
    async with bare(hub) as socket:
        await socket.get(4)
        await socket.socket.send("x" * 600_000)
        await until(lambda: socket.socket.close_code is not None)
        assert socket.socket.close_code == 1009


async def test_a_detached_channel_is_silent(hub: Hub) -> None:
    got: list[str] = []
    async with sdk(hub) as client:
        channel = client.channels.get("lab-requestFiles")
        await channel.subscribe(lambda message: got.append(message.data))
        await channel.detach()
        await channel.publish("e", "nobody hears it")
        await channel.attach()
        await channel.publish("e", "heard")
        await until(lambda: got)
    assert got == ["heard"]


async def test_a_ping_is_answered(hub: Hub) -> None:
    async with sdk(hub) as client:
        await client.connection.once_async("connected")
        assert await client.connection.ping() < 5_000


async def test_what_is_not_supported_is_said_so(hub: Hub) -> None:
    async with bare(hub, form="msgpack") as socket:
        await socket.get(4)
        await socket.send(action=21, channel="lab-requestFiles", msgSerial=0, annotations=[{}])
        assert (await socket.get())["error"]["code"] == 40020


async def test_a_stranger_on_the_port_does_no_harm(hub: Hub) -> None:
    for opening in (
        b"\x00\xff" * 100 + b"\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET //[ HTTP/1.1\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.pubsub_port)
        writer.write(opening)
        assert re.match(rb"HTTP/1\.[01] 4\d\d ", await asyncio.wait_for(reader.readline(), 15))
        writer.close()
        await writer.wait_closed()
    async with sdk(hub) as client:
        await client.channels.get("lab-requestFiles").publish("e", "still there")

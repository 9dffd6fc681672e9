"""Connections that break, and hubs that do: what was said in the meantime is not lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from ably.types.connectionstate import ConnectionState
from websockets import ConnectionClosed

from kachery_tui.hub import Limits
from tests.hub.clients import bare, sdk, until
from tests.hub.proxies import proxy_to
from tests.hubs import Hub, running_hub

NAME = "lab-requestFiles"


async def test_what_was_said_during_a_drop_arrives_once_and_in_order(hub: Hub) -> None:
    got: list[str] = []
    async with (
        proxy_to(hub.pubsub_port) as proxy,
        sdk(hub) as speaker,
        sdk(hub, endpoint=proxy.endpoint) as listener,
    ):
        await listener.channels.get(NAME).subscribe(lambda message: got.append(message.data))
        connection = listener.connection.connection_manager.connection_id
        for number in range(60):
            if number % 20 == 10:
                proxy.accepts = False
                proxy.cut()
            if number % 20 == 15:
                proxy.accepts = True
            await speaker.channels.get(NAME).publish("e", str(number))
            await asyncio.sleep(0.01)
        await until(lambda: len(got) >= 60)
        assert listener.connection.connection_manager.connection_id == connection
    assert got == [str(number) for number in range(60)]


async def test_what_is_said_into_a_drop_is_published_once(hub: Hub) -> None:
    got: list[str] = []
    async with proxy_to(hub.pubsub_port) as proxy, sdk(hub) as listener:
        await listener.channels.get(NAME).subscribe(lambda message: got.append(message.data))
        async with sdk(hub, endpoint=proxy.endpoint) as speaker:
            channel = speaker.channels.get(NAME)
            await channel.attach()
            publishing = []
            for number in range(60):
                if number % 20 == 10:
                    proxy.cut()
                publishing.append(asyncio.create_task(channel.publish("e", str(number))))
                await asyncio.sleep(0.005)
            # The SDK may say that the socket closed under a message that it then sends again.
            answers = await asyncio.gather(*publishing, return_exceptions=True)
            failures = [answer for answer in answers if isinstance(answer, BaseException)]
            assert all(isinstance(failure, ConnectionClosed) for failure in failures), failures
            await until(lambda: len(got) >= 60)
    assert sorted(got, key=int) == [str(number) for number in range(60)]


async def test_an_answer_that_was_lost_is_given_again(hub: Hub) -> None:
    message = {"action": 15, "channel": NAME, "msgSerial": 0, "messages": [{"data": "once"}]}
    refused = {"action": 15, "channel": NAME, "msgSerial": 1, "messages": []}
    async with bare(hub) as listener:
        await listener.send(action=10, channel=NAME)
        await listener.get(11)
        async with bare(hub) as first:
            key = (await first.get(4))["connectionDetails"]["connectionKey"]
            await first.send(**message)
            await first.send(**refused)
            serials = (await first.get(1))["res"]
        async with bare(hub, f"resume={key}") as second:
            assert "error" not in await second.get(4)
            await second.send(**message)
            await second.send(**refused)
            assert (await second.get(1))["res"] == serials
            assert (await second.get(2))["msgSerial"] == 1
            # The SDK counts from nought again after some drops: that is no repetition.
            await second.send(**{**message, "messages": [{"data": "twice"}]})
            assert (await second.get(1))["res"] != serials
        assert [(await listener.get(15))["messages"][0]["data"] for _ in range(2)] == ["once", "twice"]


async def test_a_black_hole_is_noticed_and_got_over(tmp_path: Path) -> None:
    limits = Limits(max_idle_interval=0.5)
    got: list[str] = []
    async with (
        running_hub(tmp_path, limits=limits) as hub,
        proxy_to(hub.pubsub_port) as proxy,
        sdk(hub) as speaker,
        sdk(hub, endpoint=proxy.endpoint, realtime_request_timeout=500) as listener,
    ):
        await listener.channels.get(NAME).subscribe(lambda message: got.append(message.data))
        proxy.passes = False
        await speaker.channels.get(NAME).publish("e", "swallowed")
        transport = listener.connection.connection_manager.transport
        # Noticed; the SDK now waits in vain for the far end to say goodbye.
        await until(lambda: transport.is_disposed)
        proxy.cut()
        proxy.passes = True
        await until(lambda: got == ["swallowed"])


async def test_heartbeats_keep_an_idle_connection(tmp_path: Path) -> None:
    states: list[Any] = []
    async with (
        running_hub(tmp_path, limits=Limits(max_idle_interval=0.3)) as hub,
        sdk(hub, realtime_request_timeout=2_000) as client,
    ):
        client.connection.on(lambda change: states.append(change.current))
        await client.connection.once_async("connected")
        # The SDK waits for the interval and the time for a request.
        await asyncio.sleep(3)
    assert ConnectionState.DISCONNECTED not in states


@pytest.mark.parametrize(
    "limits",
    [
        Limits(history_messages=5),
        Limits(history_bytes=2_000),
        Limits(history_seconds=0.1),
        Limits(outgoing_bytes=9_000),
    ],
    ids=["count", "bytes", "time", "too much at once"],
)
async def test_more_than_is_kept_is_not_taken_for_resumed(tmp_path: Path, limits: Limits) -> None:
    async with running_hub(tmp_path, limits=limits) as hub, bare(hub) as speaker:
        async with bare(hub) as first:
            key = (await first.get(4))["connectionDetails"]["connectionKey"]
            await first.send(action=10, channel=NAME)
            serial = (await first.get(11))["channelSerial"]
        for number in range(10):
            messages = [{"data": str(number)}]
            await speaker.send(action=15, channel=NAME, msgSerial=number, messages=messages)
            await speaker.get(1)
        await asyncio.sleep(1)
        async with bare(hub, f"resume={key}") as second:
            await second.get(4)
            await second.send(action=10, channel=NAME, channelSerial=serial, flags=1 << 5)
            attached = await second.get(11)
            assert not attached["flags"] & 4
            # From here on it is complete again.
            messages = [{"data": "after"}]
            await speaker.send(action=15, channel=NAME, msgSerial=10, messages=messages)
            assert (await second.get(15))["messages"][0]["data"] == "after"


async def test_an_attachment_that_broke_before_the_backlog_came_starts_there_again(hub: Hub) -> None:
    async with bare(hub) as speaker:
        async with bare(hub) as first:
            await first.send(action=10, channel=NAME)
            serial = (await first.get(11))["channelSerial"]
        await speaker.send(action=15, channel=NAME, msgSerial=0, messages=[{"data": "missed"}])
        await speaker.get(1)
        for _ in range(2):
            async with bare(hub) as again:
                await again.send(action=10, channel=NAME, channelSerial=serial, flags=1 << 5)
                attached = await again.get(11)
                assert attached["flags"] & 4
                assert attached["channelSerial"] == serial
                assert (await again.get(15))["messages"][0]["data"] == "missed"


async def test_a_connection_that_is_gone_is_not_resumed_but_replaced(tmp_path: Path) -> None:
    async with running_hub(tmp_path, limits=Limits(connection_state_ttl=0.2)) as hub:
        async with bare(hub) as first:
            connected = await first.get(4)
            key = connected["connectionDetails"]["connectionKey"]
        await asyncio.sleep(1.5)
        for resumed in (key, "nonsense", f"{key}x"):
            async with bare(hub, f"resume={resumed}") as second:
                again = await second.get(4)
                assert again["connectionId"] != connected["connectionId"]
                assert again["error"]["code"] == 80008


async def test_a_connection_moves_to_the_transport_that_resumes_it(hub: Hub) -> None:
    async with bare(hub) as first:
        key = (await first.get(4))["connectionDetails"]["connectionKey"]
        async with bare(hub, f"resume={key}") as second:
            assert "error" not in await second.get(4)
            await first.socket.wait_closed()
            await second.send(action=0, id="ping")
            assert (await second.get(0))["id"] == "ping"


async def test_one_who_does_not_read_is_cut_off_and_holds_up_nobody(tmp_path: Path) -> None:
    limits = Limits(outgoing_bytes=4_000_000)
    data = "x" * 60_000
    async with (
        running_hub(tmp_path, limits=limits) as hub,
        bare(hub) as speaker,
        bare(hub) as slow,
        bare(hub) as quick,
    ):
        for listener in (slow, quick):
            await listener.send(action=10, channel=NAME)
            await listener.get(11)
        slow.socket.transport.pause_reading()
        for number in range(300):
            await speaker.send(action=15, channel=NAME, msgSerial=number, messages=[{"data": data}])
            await speaker.get(1)
            await quick.get(15)
        slow.socket.transport.resume_reading()
        await asyncio.wait_for(slow.socket.wait_closed(), 10)
        await quick.send(action=0, id="ping")
        assert (await quick.get(0))["id"] == "ping"


async def test_a_hub_that_was_restarted_is_the_same_hub(tmp_path: Path) -> None:
    got: list[str] = []
    async with running_hub(tmp_path) as hub:
        files = {name: file.read_bytes() for name, file in hub.channel_files.items()}
        # To the SDK a refused attempt fails when the time for it is over.
        patience: dict[str, Any] = {"realtime_request_timeout": 1_000}
        async with sdk(hub, client_id="ann", **patience) as ann, sdk(hub, **patience) as bob:
            await bob.channels.get(NAME).subscribe(lambda message: got.append(message.data))
            await ann.channels.get(NAME).presence.enter("here")
            await hub.stop()
            await until(lambda: ann.connection.state != ConnectionState.CONNECTED)
            publishing = asyncio.create_task(ann.channels.get(NAME).publish("e", "said while it was away"))
            await hub.start()
            await publishing
            while "afterwards" not in got:
                # What is said before he is attached anew is not for him.
                await bob.channels.get(NAME).publish("e", "afterwards")
                await asyncio.sleep(0.1)
            await until(
                lambda: (
                    [member.client_id for member in bob.channels.get(NAME).presence.members.values()]
                    == ["ann"]
                )
            )
        assert {name: file.read_bytes() for name, file in hub.channel_files.items()} == files

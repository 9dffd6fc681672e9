"""Who is there: entering, leaving, coming late, and going without a word."""

from pathlib import Path
from typing import Any

import pytest
from ably import AblyException

from kachery_tui.hub import Limits
from kachery_tui.protocol.roles import Role, capability
from tests.hub.clients import bare, jwt, pubsub, sdk, until
from tests.hub.proxies import proxy_to
from tests.hubs import Hub, running_hub

NAME = "lab-requestFiles"


async def members(client: Any) -> dict[str, Any]:
    found = await client.channels.get(NAME).presence.get()
    return {member.client_id: member.data for member in found}


@pytest.mark.parametrize("binary", [True, False], ids=["msgpack", "json"])
async def test_members_come_change_and_go(hub: Hub, binary: bool) -> None:
    seen: list[tuple[int, str, Any]] = []
    async with sdk(hub, use_binary_protocol=binary) as watcher, sdk(hub, client_id="ann") as ann:
        await watcher.channels.get(NAME).presence.subscribe(
            lambda member: seen.append((member.action, member.client_id, member.data))
        )
        presence = ann.channels.get(NAME).presence
        await presence.enter("first")
        await presence.update({"a": "second"})
        await until(lambda: len(seen) == 2)
        assert await members(watcher) == {"ann": {"a": "second"}}
        await presence.leave()
        await until(lambda: len(seen) == 3)
        assert await members(watcher) == {}
    assert [(action, data) for action, _, data in seen[:2]] == [(2, "first"), (4, {"a": "second"})]
    assert seen[2][:2] == (3, "ann")


async def test_one_who_comes_late_is_told_all_members(tmp_path: Path) -> None:
    async with running_hub(tmp_path, limits=Limits(sync_page=7)) as hub, sdk(hub) as many, sdk(hub) as late:
        for number in range(30):
            await many.channels.get(NAME).presence.enter_client(f"member {number}", str(number))
        assert await members(late) == {f"member {number}": str(number) for number in range(30)}


async def test_a_member_leaves_with_its_connection(hub: Hub) -> None:
    async with sdk(hub) as watcher:
        async with sdk(hub, client_id="ann") as ann:
            await ann.channels.get(NAME).presence.enter("here")
            assert await members(watcher) == {"ann": "here"}
        left: list[str] = []
        await watcher.channels.get(NAME).presence.subscribe(
            "leave", lambda member: left.append(member.client_id)
        )
        await until(lambda: left == ["ann"] or not watcher.channels.get(NAME).presence.members.values())


async def test_a_member_that_vanished_leaves_after_a_while(tmp_path: Path) -> None:
    events: list[tuple[int, str]] = []
    async with (
        running_hub(tmp_path, limits=Limits(presence_grace=0.5)) as hub,
        proxy_to(hub.pubsub_port) as proxy,
        sdk(hub) as watcher,
        sdk(hub, client_id="ann", endpoint=proxy.endpoint) as ann,
    ):
        await watcher.channels.get(NAME).presence.subscribe(
            lambda member: events.append((member.action, member.client_id))
        )
        await ann.channels.get(NAME).presence.enter("here")
        await until(lambda: events == [(2, "ann")])
        proxy.accepts = False
        proxy.cut()
        await until(lambda: events == [(2, "ann"), (3, "ann")])
        proxy.accepts = True
        # Back again, the SDK enters its members anew.
        await until(lambda: events == [(2, "ann"), (3, "ann"), (2, "ann")])
        assert await members(watcher) == {"ann": "here"}


async def test_a_short_drop_is_not_seen_by_others(hub: Hub) -> None:
    events: list[tuple[int, str]] = []
    async with proxy_to(hub.pubsub_port) as proxy, sdk(hub) as watcher:
        await watcher.channels.get(NAME).presence.subscribe(
            lambda member: events.append((member.action, member.client_id))
        )
        async with sdk(hub, client_id="ann", endpoint=proxy.endpoint) as ann:
            presence = ann.channels.get(NAME).presence
            await presence.enter("here")
            proxy.cut()
            await ann.connection.once_async("connected")
            await presence.update("changed")
            await until(lambda: len(events) >= 2)
            assert await members(watcher) == {"ann": "changed"}
            assert await members(ann) == {"ann": "changed"}
    assert events[:2] == [(2, "ann"), (4, "ann")]


async def test_who_may_only_speak_sees_no_members_but_is_one(hub: Hub) -> None:
    token = jwt(pubsub(hub).key, capability("lab", [Role.REQUEST_FILES]), client_id="ann")

    async def callback(*_: object) -> str:
        return token

    async with sdk(hub, auth_callback=callback) as ann, sdk(hub, client_id="bob") as bob:
        await bob.channels.get(NAME).presence.enter("bob")
        await ann.channels.get(NAME).presence.enter("ann")
        assert await members(bob) == {"ann": "ann", "bob": "bob"}
        assert "bob" not in await members(ann)
        with pytest.raises(AblyException) as refused:
            await ann.channels.get("lab-provideFiles").presence.enter("not here")
        assert refused.value.code == 40160


async def test_presence_is_refused_without_name_room_or_channel(tmp_path: Path) -> None:
    enter = {"action": 2, "data": "x"}
    async with running_hub(tmp_path, limits=Limits(members_per_connection=2)) as hub:
        nobody = jwt(pubsub(hub).key, {"*": ["*"]}, client_id=None)
        async with bare(hub, f"accessToken={nobody}") as socket:
            await socket.get(4)
            await socket.send(action=14, channel=NAME, msgSerial=0, presence=[enter])
            assert (await socket.get(2))["error"]["code"] == 91001
            await socket.send(action=10, channel=NAME)
            await socket.send(action=14, channel=NAME, msgSerial=1, presence=[enter])
            assert (await socket.get(2))["error"]["code"] == 91000
        async with bare(hub) as socket:
            await socket.send(action=10, channel=NAME)
            many = [{**enter, "clientId": str(number)} for number in range(3)]
            await socket.send(action=14, channel=NAME, msgSerial=0, presence=many)
            assert (await socket.get(2))["error"]["code"] == 91003
            await socket.send(action=14, channel=NAME, msgSerial=1, presence=many[:2])
            assert (await socket.get(1))["msgSerial"] == 1
            await socket.send(
                action=14, channel=NAME, msgSerial=2, presence=[{**many[0], "data": "x" * 4097}]
            )
            assert (await socket.get(2))["error"]["code"] == 40009

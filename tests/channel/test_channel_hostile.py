"""What a node that means harm can say over pub-sub, and what comes of it: nothing but a message to refuse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ably import AblyRealtime
from ably.types.tokendetails import TokenDetails

from kachery_tui.channel.authority import OwnerAuthority
from kachery_tui.config import ChannelConfig
from kachery_tui.protocol.roles import Role, Stream, pubsub_name

from .parties import FILES, party


@asynccontextmanager
async def stranger(config: ChannelConfig, client_id: str) -> AsyncIterator[Any]:
    """The SDK's own client, with every right and none of our manners."""

    async def token(_: Any) -> TokenDetails:
        return TokenDetails(
            token=await OwnerAuthority(config, client_id).pubsub_token(set(Role)), client_id=client_id
        )

    client = AblyRealtime(
        auth_callback=token,
        client_id=client_id,
        endpoint=config.pubsub.endpoint,
        tls=False,
        use_binary_protocol=False,
    )
    try:
        yield client
    finally:
        await client.close()


async def say(client: Any, config: ChannelConfig, stream: Stream, **frame: Any) -> None:
    """Send a frame as it is."""
    channel = pubsub_name(config.name, stream)
    await client.connection.connection_manager.send_protocol_message({"channel": channel, **frame})


MESSAGE = 15
STRANGE = [
    {"data": "{not json", "encoding": "json"},
    {"data": "[" * 5000, "encoding": "json"},
    {"data": "%%%", "encoding": "base64"},
    {"data": "x", "encoding": "vcdiff"},
    {"data": "x", "encoding": "cipher+aes-256-cbc"},
    {"data": "x", "encoding": "/".join(["utf-8"] * 40)},
    {"data": "x", "name": "error"},
    {"data": "x", "name": "new_listener"},
    {"data": None},
    {"data": "{}", "encoding": "json"},
    {},
]


async def test_strange_messages_are_handed_on_and_hurt_nobody(config: ChannelConfig) -> None:
    async with party(config, 1, FILES) as one, stranger(config, "mallory") as client:
        await client.channels.get(pubsub_name(config.name, Stream.REQUEST_FILES)).attach()
        for number, item in enumerate(STRANGE):
            good = f"good {number}"
            async with asyncio.timeout(5):
                await say(
                    client, config, Stream.REQUEST_FILES, action=MESSAGE, messages=[item, {"data": good}]
                )
            await one.until(lambda good=good: good in [data for _, data, _ in one.heard])  # type: ignore[misc]
        assert len(one.heard) == 2 * len(STRANGE)
        assert all(isinstance(data, bytes | str) for _, data, _ in one.heard)
        assert {sender for _, _, sender in one.heard} == {client.connection.connection_manager.connection_id}


async def test_two_who_connect_under_one_name_are_told_apart(config: ChannelConfig) -> None:
    """Whoever has the channel's key can connect as anybody; the service says which connection it was."""
    ann, eve = stranger(config, "cd" * 32), stranger(config, "cd" * 32)
    async with party(config, 1, FILES) as one, ann as real, eve as other:
        for client in (real, other):
            await client.channels.get(pubsub_name(config.name, Stream.REQUEST_FILES)).attach()
            await say(client, config, Stream.REQUEST_FILES, action=MESSAGE, messages=[{"data": "x"}])
        await one.until(lambda: len(one.heard) == 2)
        assert len({sender for _, _, sender in one.heard}) == 2


LABELS: list[tuple[Any, str]] = [
    ({"label": "x" * 4_000}, "x" * 64),
    ({"label": "a\x1b[31m\nb\u202ec"}, "a�[31m b�c"),
    ({"label": "node"}, "node"),
    ({"label": 5}, ""),
    ({"label": "again"}, "again"),
    ("just text", ""),
]


async def test_labels_of_members(config: ChannelConfig) -> None:
    async with party(config, 1, [Role.REQUEST_FILES]) as one, stranger(config, "cd" * 32) as client:
        presence = client.channels.get(pubsub_name(config.name, Stream.PROVIDE_FILES)).presence
        for data, label in LABELS:
            await presence.enter(data)
            await one.until(
                lambda label=label: (
                    [  # type: ignore[misc]
                        (found.node_id, found.label) for found in one.pubsub.members(Stream.PROVIDE_FILES)
                    ]
                    == [("cd" * 32, label)]
                )
            )


async def test_members_that_are_no_nodes_are_not_listed(config: ChannelConfig) -> None:
    mallory, node = stranger(config, "mallory"), stranger(config, "ef" * 32)
    async with party(config, 1, FILES) as one, mallory as no_node, node as other:
        name = pubsub_name(config.name, Stream.PROVIDE_FILES)
        await no_node.channels.get(name).presence.enter({"label": "boss"})
        await other.channels.get(name).presence.enter({"label": "node"})
        await one.until(lambda: len(one.pubsub.members(Stream.PROVIDE_FILES)) == 2)
        assert {found.node_id for found in one.pubsub.members(Stream.PROVIDE_FILES)} == {
            one.node_id,
            "ef" * 32,
        }


async def test_a_member_that_cannot_be_decoded_does_not_hide_the_others(config: ChannelConfig) -> None:
    async with stranger(config, "mallory") as client:
        await client.channels.get(pubsub_name(config.name, Stream.PROVIDE_FILES)).attach()
        bad = {"action": 2, "clientId": "mallory", "data": "{bad", "encoding": "json"}
        async with asyncio.timeout(5):
            await say(client, config, Stream.PROVIDE_FILES, action=14, presence=[bad])
        async with party(config, 1, FILES) as one, party(config, 2, FILES) as other:
            await one.until(lambda: len(one.pubsub.members(Stream.PROVIDE_FILES)) == 2)
            await other.until(lambda: len(other.pubsub.members(Stream.PROVIDE_FILES)) == 2)

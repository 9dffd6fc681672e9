"""A node with a feed of its own, readers of it, and the hub's bucket as files."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kachery_tui.errors import UsageError
from kachery_tui.hub.bucket import BUCKET
from kachery_tui.node.feeds.bucket import PAUSES
from kachery_tui.node.feeds.states import SubfeedState
from kachery_tui.node.node import Node
from kachery_tui.node.retries import with_retries
from kachery_tui.protocol.objects import subfeed_object
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import SubfeedUri
from tests.hubs import Hub
from tests.nodes import running_node

OWNER = (Role.PROVIDE_FEEDS,)
READER = (Role.REQUEST_FEEDS,)


@asynccontextmanager
async def owner_of_feed(
    tmp_path: Path, lab: Path, folder: str = "owner", **changes: Any
) -> AsyncIterator[tuple[Node, SubfeedUri]]:
    """A node with a feed `mine`, the same one every time, and the URI of its subfeed `log`."""
    async with running_node(tmp_path / folder, lab, **{"roles": OWNER, **changes}) as node:
        try:
            feed = await node.feeds.parse("mine")
        except UsageError:
            feed = await node.feeds.create("mine")
        yield node, SubfeedUri(feed.feed_id, "log")


@asynccontextmanager
async def reader_of_feeds(
    tmp_path: Path, lab: Path, folder: str = "reader", **changes: Any
) -> AsyncIterator[Node]:
    """A node that may follow feeds."""
    async with running_node(tmp_path / folder, lab, **{"roles": READER, **changes}) as node:
        yield node


def state_of(node: Node, uri: SubfeedUri) -> SubfeedState:
    """What a node knows of a subfeed."""
    return node.feeds.states.state(uri.key(""))


async def add(node: Node, uri: SubfeedUri, start: int, end: int) -> None:
    """Append messages whose `n` is their number."""
    await node.feeds.append(uri, [{"n": n} for n in range(start, end)])


async def numbers(node: Node, uri: SubfeedUri) -> list[Any]:
    """The `n` of every message that a node has; the whole chain is verified on the way."""
    assert await node.feeds.check(uri.key("")) is None
    return [message.message["n"] for message in await node.feeds.messages(uri.key(""), 0, 10_000)]


def in_bucket(hub: Hub, uri: SubfeedUri, name: str) -> Path:
    """Where the hub's S3 server keeps an object of a subfeed."""
    return hub.options.data / "objects" / BUCKET / _object(uri, name)


async def put(node: Node, uri: SubfeedUri, name: str, value: Any) -> None:
    """Put an object of a subfeed into the bucket, JSON unless it is bytes."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    channel = node.memberships["lab"].channel

    async def upload() -> None:
        url = await channel.authority.upload_url(_object(uri, name), len(data))
        await channel.bucket.upload_bytes(url, data)

    # rclone refuses one of two uploads that make the same folder at the same moment.
    await with_retries(upload, PAUSES, lambda _: None)


def _object(uri: SubfeedUri, name: str) -> str:
    key = uri.key("")
    return subfeed_object("lab", key.feed_id, key.subfeed_hash, name)

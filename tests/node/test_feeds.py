"""Feeds between nodes: followed, listened to, over a real hub and a real bucket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kachery_tui.node.feeds.book import SubfeedState
from kachery_tui.node.ledger import Step
from kachery_tui.node.node import Node
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri
from tests.nodes import running_node, theirs, until

OWNER = (Role.PROVIDE_FEEDS,)
READER = (Role.REQUEST_FEEDS,)


@asynccontextmanager
async def owner(tmp_path: Path, lab: Path, **changes: Any) -> AsyncIterator[tuple[Node, SubfeedUri]]:
    """A node with a feed of its own, and the URI of its subfeed `log`."""
    async with running_node(tmp_path / "owner", lab, roles=OWNER, **changes) as node:
        name = await node.feeds._shelf.named("mine")
        feed_id = name or (await node.feeds.create("mine")).feed_id
        yield node, SubfeedUri(feed_id, "log")


def state_of(node: Node, uri: SubfeedUri) -> SubfeedState:
    return node.feeds.book.state(uri.key(""))


async def numbers(node: Node, uri: SubfeedUri) -> list[Any]:
    """The `n` of every message that a node has, whose chain is checked on the way."""
    assert await node.feeds.check(uri.key("")) is None
    return [message.message["n"] for message in await node.feeds.messages(uri.key(""), 0, 10_000)]


async def test_what_was_there_and_what_comes(tmp_path: Path, lab: Path) -> None:
    async with owner(tmp_path, lab) as (mine, uri), running_node(tmp_path / "reader", lab, roles=READER) as reader:
        await mine.feeds.append(uri, [{"n": n} for n in range(3)])
        row = await reader.feeds.follow(uri)
        await until(lambda: state_of(reader, uri).here == 3)
        await until(lambda: row.step is Step.LIVE)
        await mine.feeds.append(uri, [{"n": 3}])
        await until(lambda: state_of(reader, uri).here == 4)
        assert await numbers(reader, uri) == [0, 1, 2, 3]
        await until(lambda: state_of(mine, uri).in_bucket.get("lab") == 4)
        (served,) = theirs(mine)
        assert served.step is Step.LIVE

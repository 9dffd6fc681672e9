"""Feeds: how fast messages are appended, how soon a follower has them, how fast a bucket is read.

Run: python -m tests.benchmarks.bench_feeds
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from kachery_tui.node.feeds.bucket import READ_AT_ONCE
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Step
from kachery_tui.protocol.canonical import JsonObject
from kachery_tui.protocol.objects import subfeed_object
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri
from kachery_tui.storage.chain_check import check_subfeed
from kachery_tui.storage.feeds import FeedStore
from tests.hubs import running_hub
from tests.nodes import at_step, running_node, until

ONE_BY_ONE = 2_000
IN_BATCHES = 50_000
A_BATCH = 1_000
LIVE = 200
IN_BUCKET = 10_000


def message(number: int) -> JsonObject:
    """What a training run might log."""
    return {"step": number, "loss": 1 / (number + 1), "note": "validation"}


def append(folder: Path) -> None:
    """Messages a second, each call on disk when it returns; and the flushes alone that one call cannot do without."""
    store = FeedStore(folder)
    feed, subfeed = store.create(), "ab" * 20
    store.append(feed, subfeed, [message(0)])
    began = time.perf_counter()
    for number in range(ONE_BY_ONE):
        store.append(feed, subfeed, [message(number)])
    one_by_one = ONE_BY_ONE / (time.perf_counter() - began)
    began = time.perf_counter()
    for start in range(0, IN_BATCHES, A_BATCH):
        store.append(feed, subfeed, [message(start + place) for place in range(A_BATCH)])
    in_batches = IN_BATCHES / (time.perf_counter() - began)
    began = time.perf_counter()
    assert check_subfeed(store, None, feed, subfeed) is None
    checked = (ONE_BY_ONE + IN_BATCHES) / (time.perf_counter() - began)
    store.close()
    print(f"append one by one   {one_by_one:10,.0f} a second (500 wanted: {one_by_one / 500:.1f} x)")
    print(f"append in batches   {in_batches:10,.0f} a second (5,000 wanted: {in_batches / 5_000:.1f} x)")
    print(f"verify on disk      {checked:10,.0f} a second")


async def append_in_a_node(node: Node, uri: SubfeedUri, about: str) -> None:
    """The same from a coroutine of a node; the hub and who listens run on the same cores, in the same process."""
    began = time.perf_counter()
    for number in range(500):
        await node.feeds.append(uri, [message(number)])
    print(f"append by a node    {500 / (time.perf_counter() - began):10,.0f} a second, one by one, {about}")


async def see(owner: Node, reader: Node, uri: SubfeedUri) -> None:
    """From the call that appends on one node until the follower on another has it on disk."""
    key, seconds = uri.key(""), []
    state = reader.feeds.states.state(key)
    for number in range(LIVE):
        count = state.here + 1
        began = time.perf_counter()
        await owner.feeds.append(uri, [message(number)])
        while state.here < count:
            await reader.feeds.states.wait_changed(reader.feeds.states.version)
        seconds.append(time.perf_counter() - began)
        await asyncio.sleep(0.02)
    middle, worst = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    print(f"seen by a follower  {middle * 1000:10.1f} ms median, {worst * 1000:.1f} ms p95 (20 wanted)")


async def bare(reader: Node, key: SubfeedKey) -> float:
    """Seconds for the GETs alone, nothing looked at."""
    bucket, slots = reader.memberships["lab"].channel.bucket, asyncio.Semaphore(READ_AT_ONCE)

    async def get(number: int) -> None:
        async with slots:
            name = subfeed_object("lab", key.feed_id, key.subfeed_hash, str(number))
            assert await bucket.fetch_bytes(name, 10_000)

    began = time.perf_counter()
    await asyncio.gather(*(get(number) for number in range(IN_BUCKET)))
    return time.perf_counter() - began


async def read_bucket(folder: Path, lab: Path, uri: SubfeedUri) -> None:
    """Reading into an empty node, all verified, beside the bare GETs; in turn, several times."""
    key, ours, theirs = uri.key(""), [], []
    for turn in range(3):
        async with running_node(folder / f"empty{turn}", lab, roles=()) as reader:
            theirs.append(await bare(reader, key))
            began = time.perf_counter()
            await reader.feeds.sync(uri)
            ours.append(time.perf_counter() - began)
            assert reader.feeds.states.state(key).here >= IN_BUCKET
    us, them = statistics.median(ours), statistics.median(theirs)
    print(
        f"read {IN_BUCKET:,} of a bucket {us:7.2f} s, bare GETs {them:.2f} s, {READ_AT_ONCE} at once:"
        f" {us / them:.2f} x (2 wanted)"
    )


async def exchange(folder: Path) -> None:
    """All that needs a hub."""
    async with running_hub(folder / "hub") as hub:
        lab = hub.channel_files["lab"]
        async with (
            running_node(folder / "owner", lab, roles=(Role.PROVIDE_FEEDS,)) as owner,
            running_node(folder / "reader", lab, roles=(Role.REQUEST_FEEDS,)) as reader,
        ):
            uri = SubfeedUri((await owner.feeds.create("log")).feed_id, "live")
            row = await reader.feeds.follow(uri)
            await at_step(row, Step.LIVE)
            await see(owner, reader, uri)
            await append_in_a_node(owner, SubfeedUri(uri.feed_id, "quiet"), "nobody listens")
            await append_in_a_node(owner, uri, "told to a listener meanwhile")
            large = SubfeedUri(uri.feed_id, "large")
            await owner.feeds.append(large, [message(number) for number in range(IN_BUCKET)])
            await reader.feeds.follow(large)
            key = large.key("")
            await until(lambda: owner.feeds.states.state(key).in_bucket.get("lab") == IN_BUCKET, 120)
            await until(lambda: reader.feeds.states.state(key).here == IN_BUCKET, 120)
            reader.cancel(reader.feeds.states.state(key).row or row)
            await read_bucket(folder, lab, large)


def main() -> None:
    """Run all of it in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "disk").mkdir()
        append(folder / "disk")
        asyncio.run(exchange(folder))


if __name__ == "__main__":
    main()

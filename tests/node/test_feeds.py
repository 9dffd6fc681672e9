"""Feeds between nodes: followed, listened to, over a real hub and a real bucket."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from kachery_tui.config.reading import write_private
from kachery_tui.errors import NobodyHasIt, NotAllowed, UsageError
from kachery_tui.node.feeds.states import Listener
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.feeds import MAX_SIGNED_BYTES
from kachery_tui.protocol.keys import verify
from kachery_tui.protocol.messages import SubscribeToSubfeed
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.uris import SubfeedUri
from kachery_tui.storage.feeds import FeedStore
from tests.hubs import Hub
from tests.node.feed_nodes import (
    OWNER,
    READER,
    add,
    in_bucket,
    numbers,
    owner_of_feed,
    reader_of_feeds,
    state_of,
)
from tests.nodes import at_step, leave, running_node, theirs, until


async def test_what_was_there_and_what_comes(tmp_path: Path, lab: Path, hub: Hub) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        await add(owner, uri, 0, 3)
        row = await reader.feeds.follow(uri)
        await until(lambda: state_of(reader, uri).here == 3)
        await at_step(row, Step.LIVE)
        assert row.answered_by == owner.node_id
        await add(owner, uri, 3, 4)
        await until(lambda: state_of(reader, uri).here == 4)
        assert await numbers(reader, uri) == [0, 1, 2, 3]
        (served,) = theirs(owner)
        assert served.step is Step.LIVE
        assert served.asked_by == [reader.node_id]
        assert list(state_of(owner, uri).listeners) == [Listener("lab", reader.node_id)]
        await until(lambda: state_of(owner, uri).in_bucket.get("lab") == 4)
        assert json.loads(in_bucket(hub, uri, "subfeed.json").read_bytes()) == {"messageCount": 4}
        third = json.loads(in_bucket(hub, uri, "3").read_bytes())
        assert third["body"]["message"] == {"n": 3}
        assert verify(third["body"], third["signature"], uri.feed_id)


async def test_the_bucket_alone_will_do(tmp_path: Path, lab: Path) -> None:
    """What was uploaded once is had without the owner, and without any role."""
    async with owner_of_feed(tmp_path, lab) as (owner, uri):
        await add(owner, uri, 0, 250)
        async with reader_of_feeds(tmp_path, lab) as reader:
            await reader.feeds.sync(uri)
    async with running_node(tmp_path / "late", lab, roles=()) as late:
        await late.feeds.sync(uri)
        assert await numbers(late, uri) == list(range(250))
        assert not any(one.count for one in late.memberships["lab"].activity.values())


async def test_following_goes_on_after_a_restart_of_either_side(tmp_path: Path, lab: Path) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri):
        await add(owner, uri, 0, 2)
        async with reader_of_feeds(tmp_path, lab) as reader:
            await reader.feeds.follow(uri)
            await until(lambda: state_of(reader, uri).here == 2)
        await add(owner, uri, 2, 5)
    async with reader_of_feeds(tmp_path, lab) as reader:
        await until(lambda: state_of(reader, uri).row is not None)
        async with owner_of_feed(tmp_path, lab) as (again, same):
            assert same == uri
            await until(lambda: state_of(reader, uri).here == 5)
            await add(again, uri, 5, 6)
            await until(lambda: state_of(reader, uri).here == 6)
        # While it is away a new one of its kind appends; the reader hears of it when it comes back.
        async with owner_of_feed(tmp_path, lab) as (again, _):
            await add(again, uri, 6, 7)
            await until(lambda: state_of(reader, uri).here == 7)
            assert await numbers(reader, uri) == list(range(7))


async def test_who_stops_following_is_not_told_any_more(tmp_path: Path, lab: Path) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri):
        await add(owner, uri, 0, 2)
        async with reader_of_feeds(tmp_path, lab) as reader:
            row = await reader.feeds.follow(uri)
            await until(lambda: state_of(reader, uri).here == 2)
            assert await reader.feeds.follow(uri) is row
            reader.cancel(row)
            await at_step(row, Step.CANCELLED)
            assert not state_of(reader, uri).follows
            await add(owner, uri, 2, 3)
            await until(lambda: reader.memberships["lab"].activity[Stream.PROVIDE_FEEDS].count >= 2)
            assert await numbers(reader, uri) == [0, 1]
            assert reader.retry(row) is row
            await until(lambda: state_of(reader, uri).here == 3)
        async with reader_of_feeds(tmp_path, lab) as reader:
            await until(lambda: state_of(reader, uri).follows)


async def test_two_who_listen_cost_one_upload(tmp_path: Path, lab: Path) -> None:
    async with (
        owner_of_feed(tmp_path, lab) as (owner, uri),
        reader_of_feeds(tmp_path, lab, "ana") as ana,
        reader_of_feeds(tmp_path, lab, "ben") as ben,
    ):
        await add(owner, uri, 0, 40)
        await asyncio.gather(ana.feeds.follow(uri), ben.feeds.follow(uri))
        await until(lambda: state_of(ana, uri).here == state_of(ben, uri).here == 40)
        (served,) = theirs(owner)
        await until(lambda: set(served.asked_by) == {ana.node_id, ben.node_id})
        texts = await owner.feeds.messages(uri.key(""), 0, 100)
        whole = sum(len(one.text) for one in texts)
        await until(lambda: served.done > 0 and served.step is Step.LIVE)
        assert served.done == whole


async def test_what_is_too_large_for_pubsub_comes_by_way_of_the_bucket(tmp_path: Path, lab: Path) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        row = await reader.feeds.follow(uri)
        await at_step(row, Step.LIVE)
        await owner.feeds.append(uri, [{"n": 0}, {"n": 1, "x": "y" * 1_000_000}, {"n": 2}])
        await until(lambda: state_of(reader, uri).here == 3)
        assert await numbers(reader, uri) == [0, 1, 2]
        with pytest.raises(UsageError, match="sha1://"):
            await owner.feeds.append(uri, [{"x": "y" * MAX_SIGNED_BYTES}])
        assert state_of(owner, uri).here == 3


async def test_only_the_owner_appends(tmp_path: Path, lab: Path) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        await add(owner, uri, 0, 1)
        await reader.feeds.sync(uri)
        with pytest.raises(NotAllowed, match="another's"):
            await add(reader, uri, 1, 2)
        with pytest.raises(UsageError, match="own"):
            await owner.feeds.follow(uri)
        assert await numbers(reader, uri) == [0]


async def test_what_another_process_appends_is_told_at_once(tmp_path: Path, lab: Path) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        row = await reader.feeds.follow(uri)
        await at_step(row, Step.LIVE)
        code = (
            "import sys, pathlib; from kachery_tui.storage.feeds import FeedStore\n"
            "store = FeedStore(pathlib.Path(sys.argv[1]))\n"
            "store.append(sys.argv[2], sys.argv[3], [{'n': 0}, {'n': 1}])"
        )
        key = uri.key("")
        command = [sys.executable, "-c", code, str(owner.storage.folder), key.feed_id, key.subfeed_hash]
        await asyncio.to_thread(subprocess.run, command, check=True)
        await until(lambda: state_of(reader, uri).here == 2)
        await add(owner, uri, 2, 3)
        await until(lambda: state_of(reader, uri).here == 3)
        assert await numbers(reader, uri) == await numbers(owner, uri) == [0, 1, 2]


async def test_what_another_process_appends_gets_into_the_bucket(tmp_path: Path, lab: Path) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        row = await reader.feeds.follow(uri)
        await at_step(row, Step.LIVE)
        key = uri.key("")
        beside = FeedStore(owner.storage.folder)
        for n in range(5):
            await asyncio.to_thread(beside.append, key.feed_id, key.subfeed_hash, [{"n": n}])
            await until(lambda n=n: state_of(owner, uri).in_bucket.get("lab") == n + 1)  # type: ignore[misc]
        beside.close()


async def test_two_nodes_on_one_folder_keep_a_feed_once(tmp_path: Path, lab: Path) -> None:
    """A command of the command line reads beside the node that follows."""
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        await add(owner, uri, 0, 300)
        async with running_node(tmp_path / "reader", None, provides=False) as beside:
            await reader.feeds.follow(uri)
            await beside.feeds.sync(uri)
            await until(lambda: state_of(reader, uri).here == 300)
        assert await numbers(reader, uri) == list(range(300))


async def test_roles_are_heeded(tmp_path: Path, lab: Path) -> None:
    async with (
        owner_of_feed(tmp_path, lab, roles=READER) as (mute, uri),
        running_node(tmp_path / "reader", lab, roles=OWNER) as deaf,
    ):
        await add(mute, uri, 0, 1)
        row = await deaf.feeds.follow(uri)
        await until(lambda: any("request-feeds" in note for note in row.notes))
        assert not deaf.memberships["lab"].activity[Stream.REQUEST_FEEDS].count
        await deaf.set_role("lab", Role.REQUEST_FEEDS, asked=True)
        deaf.cancel(row)
        await at_step(row, Step.CANCELLED)
        deaf.retry(row)
        await until(lambda: deaf.memberships["lab"].activity[Stream.REQUEST_FEEDS].count > 0)
        assert not theirs(mute)
        await mute.set_role("lab", Role.PROVIDE_FEEDS, asked=True)
        await until(lambda: state_of(deaf, uri).here == 1)
        for node in (mute, deaf):
            for stream, activity in node.memberships["lab"].activity.items():
                assert activity.sent.total == 0 or stream in (Stream.REQUEST_FEEDS, Stream.PROVIDE_FEEDS)


async def test_ask_mode_waits_for_a_person(tmp_path: Path, lab: Path) -> None:
    async with (
        owner_of_feed(tmp_path, lab, provide="ask") as (owner, uri),
        reader_of_feeds(tmp_path, lab) as reader,
    ):
        await add(owner, uri, 0, 1)
        await reader.feeds.follow(uri)
        await until(lambda: bool(theirs(owner)))
        (row,) = theirs(owner)
        await at_step(row, Step.WAITING)
        assert state_of(reader, uri).here == 0
        owner.answer(row, yes=True)
        await until(lambda: state_of(reader, uri).here == 1)
        assert row.step is not Step.WAITING


async def test_a_no_lasts(tmp_path: Path, lab: Path) -> None:
    async with (
        owner_of_feed(tmp_path, lab, provide="ask") as (owner, uri),
        reader_of_feeds(tmp_path, lab) as reader,
    ):
        await add(owner, uri, 0, 1)
        await reader.feeds.follow(uri)
        await until(lambda: bool(theirs(owner)))
        owner.answer(theirs(owner)[0], yes=False)
        body = SubscribeToSubfeed(uri.feed_id, uri.key("").subfeed_hash, 0)
        await reader.memberships["lab"].publish(body)
        activity = owner.memberships["lab"].activity[Stream.REQUEST_FEEDS]
        await until(lambda: activity.received.total >= 2)
        await asyncio.sleep(0.2)
        assert [row.step for row in theirs(owner)] == [Step.DECLINED]
        assert state_of(reader, uri).here == 0


async def test_nothing_is_found(tmp_path: Path, lab: Path) -> None:
    async with reader_of_feeds(tmp_path, lab) as reader:
        with pytest.raises(NobodyHasIt, match="nothing of"):
            await reader.feeds.sync("feed://" + "ab" * 32 + "/log")
        assert not any(row.is_active for row in reader.ledger if row.side is Side.MINE)
        with pytest.raises(UsageError, match="neither a URI nor the name"):
            await reader.feeds.sync("losses")
        with pytest.raises(UsageError, match="no channel"):
            await reader.feeds.follow("feed://" + "ab" * 32, "elsewhere")


async def test_without_a_channel_it_says_so(tmp_path: Path) -> None:
    async with running_node(tmp_path / "alone", None) as alone:
        with pytest.raises(NobodyHasIt, match="no channel is joined"):
            await alone.feeds.sync("feed://" + "ab" * 32)


async def test_a_channel_that_is_joined_later_is_followed_on_too(tmp_path: Path, lab: Path) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        await add(owner, uri, 0, 2)
        file = reader.memberships["lab"].config.file
        joined = file.read_bytes()
        await leave(reader)
        row = await reader.feeds.follow(uri)
        await until(lambda: any("no channel" in note for note in row.notes))
        write_private(file, joined)
        await reader.look_at_channel_files()
        await until(lambda: state_of(reader, uri).here == 2)
        await leave(reader)
        await add(owner, uri, 2, 3)
        write_private(file, joined)
        await reader.look_at_channel_files()
        await until(lambda: state_of(reader, uri).here == 3)
        assert row.is_active


@pytest.mark.parametrize("name", ["ü/ 100 %", "日本語", "a#b?c=d&e", "\U0001f600", "..", "~x", "x" * 500])
async def test_any_subfeed_name(tmp_path: Path, lab: Path, name: str) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        named = SubfeedUri(uri.feed_id, name)
        await add(owner, named, 0, 2)
        await reader.feeds.sync(str(named))
        assert await numbers(reader, named) == [0, 1]
        assert state_of(reader, named).uri == named
        by_hash = SubfeedUri(uri.feed_id, f"~{named.subfeed_hash}")
        assert await numbers(reader, by_hash) == [0, 1]


async def test_a_feed_is_deleted_with_its_key(tmp_path: Path, lab: Path) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri):
        await add(owner, uri, 0, 2)
        await owner.feeds.delete(uri)
        assert not [state for state in owner.feeds.states if state.key.feed_id == uri.feed_id]
        with pytest.raises(NotAllowed):
            await add(owner, uri, 2, 3)
        assert not FeedStore(owner.storage.folder).is_own(uri.feed_id)

"""Feeds and what goes wrong: forks, gaps, lies in the bucket, lies of peers, services that go away."""

import asyncio
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.node.feeds.following import FollowOnChannel
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Step
from kachery_tui.protocol.feeds import START, BadMessage, Fault, Head, SignedMessage, sign_messages
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.messages import (
    NewSubfeedMessages,
    NumSubfeedMessagesUploaded,
    SubscribeToSubfeed,
)
from kachery_tui.protocol.roles import Stream
from kachery_tui.protocol.uris import SubfeedUri
from kachery_tui.tui.describe.feeds import MISSING_SECONDS, state_cell
from tests.hubs import Hub
from tests.node.feed_nodes import (
    OWNER,
    add,
    in_bucket,
    numbers,
    owner_of_feed,
    put,
    reader_of_feeds,
    state_of,
)
from tests.nodes import at_step, running_node, theirs, until

KEY = PrivateKey.from_seed(b"\7" * 32)
OTHER = PrivateKey.from_seed(bytes(32))
URI = SubfeedUri(KEY.node_id, "log")


def chain(count: int, *, key: PrivateKey = KEY, head: Head = START, **more: Any) -> list[SignedMessage]:
    """Messages whose `n` is their number."""
    return sign_messages(key, head, [{"n": head.count + n, **more} for n in range(count)], 1_700_000_000_000)


async def put_chain(node: Node, messages: list[SignedMessage], claimed: int | None = None) -> None:
    """Put messages into the bucket, and a count that may be another."""
    await asyncio.gather(*(put(node, URI, str(message.number), message.raw) for message in messages))
    await put(node, URI, "subfeed.json", {"messageCount": len(messages) if claimed is None else claimed})


def head_of(messages: list[SignedMessage]) -> Head:
    return Head(len(messages), messages[-1].signature)


GOOD = chain(3)


def fork() -> list[SignedMessage]:
    """A message 2 that the owner has signed, too, and one after it."""
    return chain(2, head=head_of(GOOD[:2]), other=True)


BAD: dict[str, tuple[Fault, Any]] = {
    "another's signature": (Fault.SIGNATURE, chain(1, key=OTHER, head=head_of(GOOD))[0].raw),
    "a changed message": (
        Fault.SIGNATURE,
        {**(one := chain(1, head=head_of(GOOD))[0].raw), "body": {**one["body"], "message": {"n": 4}}},  # type: ignore[dict-item]
    ),
    "a wrong previous signature": (Fault.CHAIN, chain(1, head=Head(3, GOOD[0].signature))[0].raw),
    "no previous signature": (Fault.CHAIN, chain(1, head=Head(3, None))[0].raw),
    "a gap": (Fault.FORM, chain(1, head=Head(5, GOOD[2].signature))[0].raw),
    "an earlier number": (Fault.FORM, chain(1, head=Head(1, GOOD[0].signature))[0].raw),
    "no JSON": (Fault.FORM, b"\xff\xfe rubbish"),
    "no message": (Fault.FORM, {"body": [], "signature": "x"}),
    "50 MB": (Fault.SIZE, b'{"body":"' + b"x" * 50_000_000 + b'"}'),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_message_in_the_bucket_stops_there(
    tmp_path: Path, hub: Hub, lab: Path, what: str
) -> None:
    fault, lie = BAD[what]
    async with reader_of_feeds(tmp_path, lab) as reader:
        await put_chain(reader, GOOD, 4)
        await put(reader, URI, "3", lie)
        row = await reader.feeds.follow(URI)
        await at_step(row, Step.FAILED)
        assert isinstance(row.failure, BadMessage)
        assert row.failure.fault is fault
        assert row.failure.do
        assert await numbers(reader, URI) == [0, 1, 2]
        # Once it is mended, it goes on where it stopped.
        await put(reader, URI, "3", chain(1, head=head_of(GOOD))[0].raw)
        reader.retry(row)
        await until(lambda: state_of(reader, URI).here == 4)
        assert await numbers(reader, URI) == [0, 1, 2, 3]
        assert state_of(reader, URI).fault is None


async def test_a_count_that_promises_more_than_there_is(tmp_path: Path, hub: Hub, lab: Path) -> None:
    async with reader_of_feeds(tmp_path, lab) as reader:
        await put_chain(reader, GOOD, 2**53 - 1)
        row = await reader.feeds.follow(URI)
        await until(lambda: state_of(reader, URI).fault is not None)
        assert row.is_active
        assert any("message 3 is not good: it is not in the bucket" in note for note in row.notes)
        assert await numbers(reader, URI) == [0, 1, 2]


async def test_an_object_that_is_missing_in_the_middle(tmp_path: Path, lab: Path) -> None:
    messages = chain(300)
    async with reader_of_feeds(tmp_path, lab) as reader:
        await put_chain(reader, [one for one in messages if one.number != 250], 300)
        await reader.feeds.sync(URI)
        fault = state_of(reader, URI).fault
        assert fault is not None
        assert (fault.fault, fault.number) == (Fault.MISSING, 250)
        assert await numbers(reader, URI) == list(range(250))
        await put(reader, URI, "250", messages[250].raw)
        await reader.feeds.sync(URI)
        assert await numbers(reader, URI) == list(range(300))
        assert state_of(reader, URI).fault is None


@pytest.mark.parametrize(
    "text", [b"", b"rubbish", b"[]", b'{"messageCount":-1}', b'{"messageCount":"3"}', b"x" * 10**6]
)
async def test_a_count_that_makes_no_sense(tmp_path: Path, hub: Hub, lab: Path, text: bytes) -> None:
    async with reader_of_feeds(tmp_path, lab) as reader:
        await put(reader, URI, "subfeed.json", text)
        row = await reader.feeds.follow(URI)
        await until(lambda: bool(row.notes))
        assert state_of(reader, URI).here == 0
        assert row.is_active


async def test_what_a_peer_says_is_no_reason_to_stop(tmp_path: Path, hub: Hub, lab: Path) -> None:
    """Anybody may publish there: rubbish is counted and shown, and the owner's messages come all the same."""
    key = URI.key("")
    async with (
        reader_of_feeds(tmp_path, lab) as reader,
        running_node(tmp_path / "liar", lab, roles=OWNER) as liar,
    ):
        await put_chain(liar, GOOD)
        row = await reader.feeds.follow(URI)
        await until(lambda: state_of(reader, URI).here == 3)
        lies = [
            chain(1, key=OTHER, head=head_of(GOOD))[0].raw,
            chain(1, key=OTHER)[0].raw,
            {**chain(1, head=head_of(GOOD))[0].raw, "signature": "ab" * 64},
            {"body": {"message": {}, "messageNumber": 2.5, "timestamp": 0}, "signature": "ab" * 64},
        ]
        for lie in lies:
            body = NewSubfeedMessages(key.feed_id, key.subfeed_hash, (lie,))  # type: ignore[arg-type]
            await liar.memberships["lab"].publish(body)
        for number in (0, 10, 2**53 - 1):
            await liar.memberships["lab"].publish(
                NumSubfeedMessagesUploaded(key.feed_id, key.subfeed_hash, number)
            )
        true = chain(1, head=head_of(GOOD))[0]
        await liar.memberships["lab"].publish(NewSubfeedMessages(key.feed_id, key.subfeed_hash, (true.raw,)))
        await until(lambda: state_of(reader, URI).here == 4)
        assert await numbers(reader, URI) == [0, 1, 2, 3]
        assert row.is_active
        assert reader.memberships["lab"].activity[Stream.PROVIDE_FEEDS].refused >= 3
        await until(lambda: state_of(reader, URI).lag == 0)


@pytest.mark.parametrize("by", ["bucket", "pub-sub"])
async def test_a_fork_is_seen(tmp_path: Path, hub: Hub, lab: Path, by: str) -> None:
    key = URI.key("")
    async with (
        reader_of_feeds(tmp_path, lab) as reader,
        running_node(tmp_path / "owner", lab, roles=OWNER) as owner,
    ):
        await put_chain(owner, GOOD)
        row = await reader.feeds.follow(URI)
        await until(lambda: state_of(reader, URI).here == 3)
        if by == "pub-sub":
            raws = tuple(one.raw for one in fork())
            await owner.memberships["lab"].publish(NewSubfeedMessages(key.feed_id, key.subfeed_hash, raws))
        else:
            await put_chain(owner, [*GOOD[:2], *fork()])
            await owner.memberships["lab"].publish(
                NumSubfeedMessagesUploaded(key.feed_id, key.subfeed_hash, 4)
            )
        await at_step(row, Step.FAILED)
        assert isinstance(row.failure, BadMessage)
        assert row.failure.fault in (Fault.FORK, Fault.CHAIN)
        assert await numbers(reader, URI) == [0, 1, 2]


async def test_a_gap_in_what_comes_is_filled_from_the_bucket(tmp_path: Path, hub: Hub, lab: Path) -> None:
    messages = chain(6)
    key = URI.key("")
    async with (
        reader_of_feeds(tmp_path, lab) as reader,
        running_node(tmp_path / "owner", lab, roles=OWNER) as owner,
    ):
        await put_chain(owner, messages[:3])
        await reader.feeds.follow(URI)
        await until(lambda: state_of(reader, URI).here == 3)
        await put_chain(owner, messages)
        raws = tuple(one.raw for one in messages[5:])
        await owner.memberships["lab"].publish(NewSubfeedMessages(key.feed_id, key.subfeed_hash, raws))
        await until(lambda: state_of(reader, URI).here == 6)
        assert await numbers(reader, URI) == list(range(6))


async def test_an_owner_that_vanishes_is_seen(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kachery_tui.node.feeds.following.SILENT_AFTER", 1.0)
    monkeypatch.setattr("kachery_tui.node.feeds.following.RENEWAL", 0.4)
    async with reader_of_feeds(tmp_path, lab, limits={"answer_timeout": 1.0}) as reader:
        async with owner_of_feed(tmp_path, lab) as (owner, uri):
            await add(owner, uri, 0, 1)
            row = await reader.feeds.follow(uri)
            await at_step(row, Step.LIVE)
            assert state_of(reader, uri).silent_since is None
        await until(lambda: state_of(reader, uri).silent_since is not None)
        assert row.step is Step.ASKING
        async with owner_of_feed(tmp_path, lab) as (owner, _):
            await add(owner, uri, 1, 2)
            await until(lambda: state_of(reader, uri).here == 2)
            await at_step(row, Step.LIVE)
            assert state_of(reader, uri).silent_since is None


async def test_waiting_for_an_answer_costs_nothing(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody is present who might answer, and does not."""
    monkeypatch.setattr("kachery_tui.node.feeds.following.ALONE_PATIENCE", 0.2)
    looks = 0
    look = FollowOnChannel._next_look

    def counted(following: FollowOnChannel) -> float:
        nonlocal looks
        looks += 1
        return look(following)

    monkeypatch.setattr(FollowOnChannel, "_next_look", counted)
    async with (
        reader_of_feeds(tmp_path, lab, limits={"answer_timeout": 1.5}) as reader,
        running_node(tmp_path / "silent", lab, roles=OWNER),
    ):
        await reader.feeds.follow(URI)
        await until(lambda: state_of(reader, URI).silent_since is not None)
        assert looks < 50


async def test_who_listened_and_vanished_is_forgotten(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kachery_tui.node.feeds.providing.LISTENS", 0.5)
    async with owner_of_feed(tmp_path, lab) as (owner, uri):
        await add(owner, uri, 0, 1)
        async with reader_of_feeds(tmp_path, lab) as reader:
            await reader.feeds.follow(uri)
            await until(lambda: state_of(reader, uri).here == 1)
        (row,) = theirs(owner)
        await at_step(row, Step.DONE)
        assert not state_of(owner, uri).listeners
        assert not owner.feeds._provider.is_listened_to


async def test_subfeeds_that_do_not_exist_leave_nothing_behind(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kachery_tui.node.feeds.providing.LISTENS", 0.3)
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as stranger:
        await add(owner, uri, 0, 1)
        for number in range(20):
            body = SubscribeToSubfeed(uri.feed_id, f"{number:040x}", 0)
            await stranger.memberships["lab"].publish(body)
        await until(lambda: len(theirs(owner)) == 20)
        await until(lambda: not any(row.is_active for row in theirs(owner)))
        known = {state.key.subfeed_hash for state in owner.feeds.states if state.key.feed_id == uri.feed_id}
        assert known <= {uri.subfeed_hash, ""}


async def test_one_who_listens_to_much_leaves_room_for_others(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("kachery_tui.node.feeds.providing.MOST_OF_ONE", 2)
    async with (
        owner_of_feed(tmp_path, lab) as (owner, uri),
        reader_of_feeds(tmp_path, lab, "greedy") as greedy,
        reader_of_feeds(tmp_path, lab) as reader,
    ):
        subfeeds = [SubfeedUri(uri.feed_id, f"{number}") for number in range(4)]
        for subfeed in subfeeds:
            await add(owner, subfeed, 0, 1)
        for subfeed in subfeeds[:3]:
            await greedy.memberships["lab"].publish(
                SubscribeToSubfeed(uri.feed_id, subfeed.key("").subfeed_hash, 0)
            )
        activity = owner.memberships["lab"].activity[Stream.REQUEST_FEEDS]
        await until(lambda: activity.refused == 1)
        await until(lambda: len(theirs(owner)) == 2)
        assert "listened to by one node" in caplog.text
        await reader.feeds.follow(subfeeds[3])
        await until(lambda: state_of(reader, subfeeds[3]).here == 1)


async def test_hub_and_bucket_go_away_while_messages_are_appended(
    tmp_path: Path, hub: Hub, lab: Path
) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        row = await reader.feeds.follow(uri)
        await at_step(row, Step.LIVE)
        for n in range(60):
            if n == 20:
                await hub.stop()
            if n == 40:
                await hub.start()
            await add(owner, uri, n, n + 1)
            await asyncio.sleep(0.01)
        assert await numbers(owner, uri) == list(range(60))
        await until(lambda: state_of(reader, uri).here == 60, 60)
        assert await numbers(reader, uri) == list(range(60))
        await until(lambda: state_of(owner, uri).in_bucket.get("lab") == 60, 60)


async def test_a_disk_that_lost_messages_gets_them_back_from_the_bucket(
    tmp_path: Path, hub: Hub, lab: Path
) -> None:
    """An old copy of the folder was brought back: going on from it would fork the feed."""
    async with owner_of_feed(tmp_path, lab) as (owner, uri):
        await add(owner, uri, 0, 2)
        await asyncio.to_thread(shutil.copytree, owner.storage.folder, tmp_path / "copy")
        await add(owner, uri, 2, 5)
        async with reader_of_feeds(tmp_path, lab) as reader:
            await reader.feeds.sync(uri)
    await asyncio.to_thread(shutil.rmtree, tmp_path / "owner/storage")
    await asyncio.to_thread(shutil.copytree, tmp_path / "copy", tmp_path / "owner/storage")
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab, "new") as reader:
        await reader.feeds.follow(uri)
        await until(lambda: state_of(reader, uri).here == 5)
        await until(lambda: state_of(owner, uri).here == 5)
        await add(owner, uri, 5, 6)
        await until(lambda: state_of(reader, uri).here == 6)
        assert await numbers(reader, uri) == await numbers(owner, uri) == list(range(6))


async def test_a_fork_of_ones_own_is_not_uploaded(tmp_path: Path, hub: Hub, lab: Path) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri):
        await add(owner, uri, 0, 2)
        await asyncio.to_thread(shutil.copytree, owner.storage.folder, tmp_path / "copy")
        await add(owner, uri, 2, 4)
        async with reader_of_feeds(tmp_path, lab) as reader:
            await reader.feeds.sync(uri)
    before = in_bucket(hub, uri, "2").read_bytes()
    await asyncio.to_thread(shutil.rmtree, tmp_path / "owner/storage")
    await asyncio.to_thread(shutil.copytree, tmp_path / "copy", tmp_path / "owner/storage")
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab, "new") as reader:
        await owner.feeds.append(uri, [{"n": "other"}])
        await reader.feeds.follow(uri)
        await until(lambda: bool(theirs(owner)))
        row = theirs(owner)[0]
        await at_step(row, Step.FAILED)
        assert isinstance(row.failure, BadMessage)
        assert in_bucket(hub, uri, "2").read_bytes() == before
        assert await numbers(owner, uri) == [0, 1, "other"]


async def test_rubbish_in_the_bucket_is_overwritten_by_the_owner(tmp_path: Path, lab: Path) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri):
        await add(owner, uri, 0, 3)
        await put(owner, uri, "1", {"not": "a message"})
        await put(owner, uri, "subfeed.json", {"messageCount": 9})
        async with reader_of_feeds(tmp_path, lab, "early") as early:
            await early.feeds.follow(uri)
            await until(lambda: state_of(owner, uri).in_bucket.get("lab") == 3)
        async with reader_of_feeds(tmp_path, lab, "late") as late:
            await late.feeds.sync(uri)
            assert await numbers(late, uri) == [0, 1, 2]


async def test_a_database_that_another_program_has_locked(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kachery_tui.storage.old_database.BUSY_TIMEOUT", 0.2)
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        await add(owner, uri, 0, 1)
        row = await reader.feeds.follow(uri)
        await at_step(row, Step.LIVE)
        for node in (owner, reader):
            lock = sqlite3.connect(node.storage.folder / "feeds.db", isolation_level=None)
            lock.execute("BEGIN EXCLUSIVE")
            began = time.monotonic()
            with pytest.raises(TryAgain, match="locked"):
                await owner.feeds.append(uri, [{"n": 1}]) if node is owner else await reader.feeds.check(
                    uri.key("")
                )
            assert time.monotonic() - began < 5
            if node is reader:
                await add(owner, uri, 1, 2)
                await asyncio.sleep(0.5)
            lock.execute("ROLLBACK")
            lock.close()
        await add(owner, uri, 2, 3)
        await until(lambda: state_of(reader, uri).here == 3, 30)
        assert await numbers(reader, uri) == [0, 1, 2]
        assert not reader.supervisor.failed
        assert not owner.supervisor.failed


async def test_what_cannot_be_stored_is_said_and_comes_once_there_is_room(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kachery_tui.node.feeds.following.TROUBLE_PAUSE", 0.2)
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        await add(owner, uri, 0, 3)
        row = await reader.feeds.follow(uri)
        await until(lambda: state_of(reader, uri).here == 3)

        def allow(pages: int) -> None:
            database = reader.storage.feeds._db
            with database.lock:
                database.opened().execute(f"PRAGMA max_page_count={pages}")

        allow(1)
        await owner.feeds.append(uri, [{"n": 3, "text": "x" * 200_000}])
        await until(lambda: state_of(reader, uri).trouble is not None)
        trouble = state_of(reader, uri).trouble
        assert trouble is not None
        assert "full" in trouble.line
        assert any("full" in note for note in row.notes)
        allow(1_000_000)
        await until(lambda: state_of(reader, uri).here == 4)
        assert state_of(reader, uri).trouble is None
        assert await numbers(reader, uri) == [0, 1, 2, 3]


async def test_getting_all_there_is_ends_where_it_cannot_be_stored(tmp_path: Path, lab: Path) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        await owner.feeds.append(uri, [{"n": 0, "text": "x" * 200_000}])
        await until(lambda: owner.feeds.states.state(uri.key("")).here == 1)
        database = reader.storage.feeds._db
        await reader.feeds.count(uri.key(""))
        with database.lock:
            database.opened().execute("PRAGMA max_page_count=1")
        with pytest.raises(KacheryError, match="full"):
            await asyncio.wait_for(reader.feeds.sync(uri), 30)


async def test_what_is_promised_and_nowhere_is_told(tmp_path: Path, lab: Path) -> None:
    key = URI.key("")
    async with (
        reader_of_feeds(tmp_path, lab) as reader,
        running_node(tmp_path / "owner", lab, roles=OWNER) as owner,
    ):
        await put_chain(owner, GOOD)
        row = await reader.feeds.follow(URI)
        await until(lambda: state_of(reader, URI).here == 3)
        said = NumSubfeedMessagesUploaded(key.feed_id, key.subfeed_hash, 10)
        await owner.memberships["lab"].publish(said)
        await until(lambda: state_of(reader, URI).missing == 7)
        assert state_of(reader, URI).lag == 0
        await at_step(row, Step.LIVE)
        assert state_cell(state_of(reader, URI), None, time.time()).text == "● live"
        late = time.time() + MISSING_SECONDS
        assert state_cell(state_of(reader, URI), None, late).text == "! 7 nowhere"
        true = chain(1, head=head_of(GOOD))[0]
        await owner.memberships["lab"].publish(NewSubfeedMessages(key.feed_id, key.subfeed_hash, (true.raw,)))
        await until(lambda: state_of(reader, URI).here == 4)
        assert state_of(reader, URI).missing == 0

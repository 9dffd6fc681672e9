"""What comes in: peers are heard in turn, and what is too much is refused from those who say most."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kachery_tui.node.activity import StreamActivity
from kachery_tui.node.inbox import LONGEST_QUEUE, MESSAGE_BYTES, Inbox
from kachery_tui.protocol.envelope import Envelope, seal
from kachery_tui.protocol.file_keys import FileKey
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.messages import RequestFile, RequestTask, TaskFunctionType
from kachery_tui.protocol.roles import Stream
from tests.nodes import until

STREAM = Stream.REQUEST_FILES


def message(key: PrivateKey, number: int) -> str:
    return json.dumps(seal(RequestFile(FileKey(f"{number:040x}")), key))


@asynccontextmanager
async def hearing(rate: float = 1_000) -> AsyncIterator[tuple[Inbox, StreamActivity, list[str]]]:
    """An inbox at work, what it counts, and the senders of what it delivered."""
    activity = {stream: StreamActivity(stream) for stream in Stream}
    heard: list[str] = []

    def deliver(_stream: Stream, envelope: Envelope, _number: int) -> None:
        heard.append(envelope.from_node_id)

    inbox = Inbox(activity, deliver, requests_per_second=rate)
    running = asyncio.create_task(inbox.process_messages())
    try:
        yield inbox, activity[STREAM], heard
    finally:
        running.cancel()


async def test_a_flood_over_one_connection_starves_no_other_whatever_name_it_claims() -> None:
    ann, eve = PrivateKey.generate(), PrivateKey.generate()
    async with hearing(rate=10) as (inbox, activity, heard):
        for number in range(400):
            # Signed by the one, and in the name of the other, whose signature it lacks.
            claims = json.loads(message(eve, number)) | {"fromNodeId": ann.node_id}
            inbox.put_message(STREAM, json.dumps(claims), "connection of eve")
        for number in range(20):
            inbox.put_message(STREAM, message(ann, number), "connection of ann")
        await until(lambda: len(heard) == 20)
        await until(lambda: activity.refused == 400)
    assert set(heard) == {ann.node_id}


async def test_a_share_is_of_bytes() -> None:
    ann = PrivateKey.generate()
    long = json.dumps({"messages": [], "padding": "x" * 60_000})
    async with hearing(rate=10) as (inbox, activity, heard):
        for _ in range(100):
            inbox.put_message(STREAM, long, "loud")
        inbox.put_message(STREAM, message(ann, 1), "quiet")
        await until(lambda: activity.refused > 95 and len(heard) == 1)
        # They are looked at until the share is used up, and the one that goes beyond it.
        assert (
            50 * MESSAGE_BYTES // len(long) <= 100 - activity.refused <= 50 * MESSAGE_BYTES // len(long) + 1
        )


async def test_envelopes_in_one_message_count_each() -> None:
    ann = PrivateKey.generate()
    many = json.dumps({"messages": [json.loads(message(ann, number)) for number in range(100)]})
    async with hearing(rate=4) as (inbox, activity, heard):
        inbox.put_message(STREAM, many, "loud")
        await until(lambda: activity.refused + len(heard) == 100)
        assert 20 <= len(heard) <= 20 + len(many) / MESSAGE_BYTES


async def test_what_takes_long_to_read_holds_nobody_up() -> None:
    """The loop goes on while a message of thousands of fractions is read and verified."""
    ann = PrivateKey.generate()
    kwargs = {"x": [number + 0.5 for number in range(6_000)]}
    body = RequestTask("a" * 10, "f", TaskFunctionType.QUERY, kwargs)
    said = json.dumps(seal(body, ann))
    assert len(said) > 40_000
    async with hearing() as (inbox, _activity, heard):
        turns = 0
        # Each hop into a thread gives the loop its turn.
        inbox.put_message(Stream.REQUEST_TASKS, said, "ann")
        while not heard:
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 2


async def test_who_asks_once_is_heard_at_once_while_another_asks_without_end() -> None:
    activity = {stream: StreamActivity(stream) for stream in Stream}
    heard: list[str] = []

    def deliver(_stream: Stream, envelope: Envelope, _number: int) -> None:
        heard.append(envelope.from_node_id)

    inbox = Inbox(activity, deliver, requests_per_second=1_000)
    loud, quiet = PrivateKey.generate(), PrivateKey.generate()
    said = message(loud, 1)
    for _ in range(LONGEST_QUEUE + 20):
        inbox.put_message(STREAM, said, loud.node_id)
    inbox.put_message(STREAM, message(quiet, 2), quiet.node_id)
    assert activity[STREAM].refused == 21
    assert "more messages than this node can open" in activity[STREAM].last_refusal
    running = asyncio.create_task(inbox.process_messages())
    async with asyncio.timeout(20):
        while len(heard) < LONGEST_QUEUE:
            await asyncio.sleep(0)
    running.cancel()
    assert heard.index(quiet.node_id) == 1
    assert Counter(heard) == {loud.node_id: LONGEST_QUEUE - 1, quiet.node_id: 1}

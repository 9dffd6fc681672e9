"""What comes in: peers are heard in turn, and what is too much is refused from those who say most."""

import asyncio
import json
from collections import Counter

from kachery_tui.node.activity import StreamActivity
from kachery_tui.node.inbox import LONGEST_QUEUE, Inbox
from kachery_tui.protocol.envelope import Envelope, seal
from kachery_tui.protocol.file_keys import FileKey
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.messages import RequestFile
from kachery_tui.protocol.roles import Stream

STREAM = Stream.REQUEST_FILES


def message(key: PrivateKey, number: int) -> str:
    return json.dumps(seal(RequestFile(FileKey(f"{number:040x}")), key))


async def test_who_asks_once_is_heard_at_once_while_another_asks_without_end() -> None:
    activity = {stream: StreamActivity(stream) for stream in Stream}
    heard: list[str] = []

    def deliver(_stream: Stream, envelope: Envelope, _number: int) -> None:
        heard.append(envelope.from_node_id)

    inbox = Inbox(activity, deliver, requests_per_second=1_000)
    loud, quiet = PrivateKey.generate(), PrivateKey.generate()
    said = message(loud, 1)
    for _ in range(LONGEST_QUEUE + 20):
        inbox.put(STREAM, said, loud.node_id)
    inbox.put(STREAM, message(quiet, 2), quiet.node_id)
    assert activity[STREAM].refused == 21
    assert "more messages than this node can open" in activity[STREAM].last_refusal
    running = asyncio.create_task(inbox.run())
    async with asyncio.timeout(20):
        while len(heard) < LONGEST_QUEUE:
            await asyncio.sleep(0)
    running.cancel()
    assert heard.index(quiet.node_id) == 1
    assert Counter(heard) == {loud.node_id: LONGEST_QUEUE - 1, quiet.node_id: 1}

"""Nodes that say much: a process that signs and publishes at a steady rate, for the benchmarks of the screen.

    python -m tests.benchmarks.senders CHANNEL_FILE ROLE PEERS RATE

Joins the channel with so many identities, says `ready`, and publishes with each of them RATE messages a second, as the
role allows, from the line `go` on its stdin until the line `stop`. Then it says how many it has published, and waits for
the next `go`. What it publishes is valid, goes through a node's own outbox, and leads nowhere: requests are for files
that nobody has.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from hashlib import sha1
from pathlib import Path
from typing import Final

from kachery_tui.channel.channel import Channel
from kachery_tui.config import ChannelConfig, load_channel
from kachery_tui.node.activity import StreamActivity
from kachery_tui.node.outbox import Outbox
from kachery_tui.protocol.file_keys import FileKey
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.messages import (
    Body,
    NumSubfeedMessagesUploaded,
    RequestFile,
    UpdateTaskStatus,
    UploadFileProgress,
)
from kachery_tui.protocol.roles import ROLE_TABLE, Role, Stream
from kachery_tui.protocol.task_messages import TaskStatus

TICK: Final = 0.01
"""Seconds between two looks at how many messages are due."""


def _hash(*parts: object) -> str:
    return sha1(repr(parts).encode()).hexdigest()


BODIES: Final[dict[Role, Callable[[str, int], Body]]] = {
    Role.REQUEST_FILES: lambda who, number: RequestFile(FileKey(_hash(who, number))),
    Role.PROVIDE_FILES: lambda who, number: UploadFileProgress(FileKey(_hash(who)), number, 10**9),
    Role.PROVIDE_FEEDS: lambda who, number: NumSubfeedMessagesUploaded(who, _hash(who), number),
    Role.PROVIDE_TASKS: lambda _who, number: UpdateTaskStatus(_hash(number), TaskStatus.RUNNING),
}


class Peer:
    """One identity on the channel."""

    def __init__(self, config: ChannelConfig, role: Role, number: int) -> None:
        self.sent = 0
        self._stream = ROLE_TABLE[role].publishes
        self._body = BODIES[role]
        self._key = PrivateKey.generate()
        self._due: set[asyncio.Task[None]] = set()
        self._channel = Channel(
            replace(config, roles=frozenset((role,))),
            key=self._key,
            label=f"sender-{role}-{number}",
            on_message=lambda *_: None,
            on_change=lambda: None,
        )
        activity = {stream: StreamActivity(stream) for stream in Stream}
        self._outbox = Outbox(self._channel.pubsub.publish, activity, self._key)
        self._service: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Peer":
        await self._channel.start()
        async with asyncio.timeout(30):
            while not self._channel.pubsub.in_force[self._stream].may_publish:
                await asyncio.sleep(0.01)
        self._service = asyncio.create_task(self._outbox.send_messages(self._stream))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._service is not None:
            self._service.cancel()
        await self._channel.close()

    async def send(self, rate: float, stop: asyncio.Event) -> None:
        """Publish `rate` messages a second."""
        began, first = time.monotonic(), self.sent
        while not stop.is_set():
            due = int((time.monotonic() - began) * rate) - (self.sent - first)
            for _ in range(due):
                self.sent += 1
                task = asyncio.create_task(self._put(self.sent))
                self._due.add(task)
                task.add_done_callback(self._due.discard)
            await asyncio.sleep(TICK)
        await asyncio.gather(*self._due)

    async def _put(self, number: int) -> None:
        await self._outbox.put_body(self._stream, self._body(self._key.node_id, number))


async def main(file: Path, role: Role, peers: int, rate: float) -> None:
    """Join, and do what stdin says."""
    config = load_channel(file)
    async with AsyncExitStack() as stack:
        joined = [await stack.enter_async_context(Peer(config, role, number)) for number in range(peers)]
        print("ready", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            stop = asyncio.Event()
            before = sum(peer.sent for peer in joined)
            sending = [asyncio.create_task(peer.send(rate, stop)) for peer in joined]
            await asyncio.to_thread(sys.stdin.readline)
            stop.set()
            await asyncio.gather(*sending)
            print(sum(peer.sent for peer in joined) - before, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Role(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))

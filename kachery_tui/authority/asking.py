"""Asking a channel's nodes for a file, on behalf of those who speak no pub-sub."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from kachery_tui.channel.authority import OwnerAuthority
from kachery_tui.channel.pubsub import PubSub
from kachery_tui.config import ChannelConfig
from kachery_tui.errors import KacheryError
from kachery_tui.protocol.envelope import Refusal, encode_batches, open_envelope, seal, split_batch
from kachery_tui.protocol.file_keys import FileKey
from kachery_tui.protocol.file_messages import (
    RequestFile,
    UploadFileProgress,
    UploadFileStatus,
    UploadStatus,
)
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.roles import Role, Stream

_log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 5.0
"""How long somebody has to say that he has the file."""
PROGRESS_SECONDS: Final = 30.0
"""How long he may be silent after that."""
MOST_QUESTIONS: Final = 200
"""Files that are asked for at a time, in one channel."""
LABEL: Final = "authority"

Look = Callable[[], Awaitable[int | None]]
"""Tells how large a file in the bucket is, None if it is not there."""


@dataclass(slots=True)
class _Question:
    """A file that is asked for. `heard` is set whenever somebody has said something of it."""

    heard: asyncio.Event = field(default_factory=asyncio.Event)
    is_coming: bool = False
    finished: bool = False
    asking: "asyncio.Task[int | None] | None" = None


class ChannelAsker:
    """Asks in one channel, as a node of its own that may request files. Connects when it is first needed."""

    def __init__(self, config: ChannelConfig, key: PrivateKey) -> None:
        self._config = replace(config, roles=frozenset({Role.REQUEST_FILES}), granted=frozenset(Role))
        self._key = key
        self._pubsub: PubSub | None = None
        self._questions: dict[str, _Question] = {}
        self._changed = asyncio.Event()

    async def ask(self, sha1: str, look: Look) -> int | None:
        """Have a file put into the bucket; its size there. Several who ask for one file wait for one answer."""
        question = self._questions.get(sha1)
        if question is None:
            if len(self._questions) >= MOST_QUESTIONS:
                return None
            question = self._questions[sha1] = _Question()
            question.asking = asyncio.create_task(self._ask(sha1, question, look), name=f"ask for {sha1}")
        assert question.asking is not None, "it is made with the question"
        return await asyncio.shield(question.asking)

    async def close(self) -> None:
        """Ask no more."""
        tasks = [question.asking for question in self._questions.values() if question.asking is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._pubsub is not None:
            await self._pubsub.close()

    async def _ask(self, sha1: str, question: _Question, look: Look) -> int | None:
        try:
            pubsub = await self._connected()
            (data,) = encode_batches([seal(RequestFile(FileKey(sha1)), self._key)])
            await pubsub.publish(Stream.REQUEST_FILES, data)
            while True:
                patience = PROGRESS_SECONDS if question.is_coming else ANSWER_SECONDS
                async with asyncio.timeout(patience):
                    await question.heard.wait()
                question.heard.clear()
                if question.finished:
                    question.finished = False
                    # Whoever says so may be wrong, or a liar.
                    if (size := await look()) is not None:
                        return size
        except TimeoutError:
            return await look()
        except KacheryError as error:
            _log.info("channel %s: cannot ask for %s: %s", self._config.name, sha1, error)
            return None
        finally:
            del self._questions[sha1]

    async def _connected(self) -> PubSub:
        if self._pubsub is None:
            self._pubsub = PubSub(
                self._config,
                OwnerAuthority(self._config, self._key.node_id),
                node_id=self._key.node_id,
                label=LABEL,
                on_message=self._hear,
                on_change=self._changed.set,
            )
            await self._pubsub.start()
        await self._pubsub.wait_connected(CONNECT_SECONDS)
        async with asyncio.timeout(CONNECT_SECONDS):
            while not (
                self._pubsub.in_force[Stream.REQUEST_FILES].may_publish
                and self._pubsub.in_force[Stream.PROVIDE_FILES].subscribed
            ):
                self._changed.clear()
                await self._changed.wait()
        return self._pubsub

    def _hear(self, stream: Stream, data: bytes | str, _connection: str | None) -> None:
        if stream is not Stream.PROVIDE_FILES or not self._questions:
            return
        for raw in split_batch(data):
            if isinstance(raw, Refusal) or not self._is_of_interest(raw.body):
                continue
            envelope = open_envelope(raw, stream)
            if isinstance(envelope, Refusal):
                continue
            body = envelope.body
            if not isinstance(body, UploadFileStatus | UploadFileProgress):
                continue
            question = self._questions.get(body.file_key.sha1)
            if question is not None:
                question.is_coming = True
                question.finished |= (
                    isinstance(body, UploadFileStatus) and body.status is UploadStatus.FINISHED
                )
                question.heard.set()

    def _is_of_interest(self, body: object) -> bool:
        """Whether it names a file that is asked for: what does not is not worth a look at its signature."""
        key = body.get("fileKey") if isinstance(body, dict) else None
        return isinstance(key, dict) and key.get("sha1") in self._questions


def askers(channels: Iterable[ChannelConfig], secret: bytes) -> dict[str, ChannelAsker]:
    """One for each channel, all with the node key that `secret` makes."""
    key = PrivateKey.from_seed(hmac.new(secret, b"node key", hashlib.sha256).digest())
    return {config.name: ChannelAsker(config, key) for config in channels}

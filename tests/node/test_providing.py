"""What a provider tells and does not tell, to whom, and what happens at its bounds."""

import asyncio
import hashlib
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.channel.ably_sdk import Timing, load_sdk, make_client
from kachery_tui.channel.authority import OwnerAuthority
from kachery_tui.config import load_channel
from kachery_tui.errors import TryAgain
from kachery_tui.node.files import providing, servings, uploading
from kachery_tui.node.files.wanted import Wanted
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Step
from kachery_tui.protocol.envelope import encode_batches, seal
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.manifest import CHUNK_SIZE
from kachery_tui.protocol.messages import ChunkOf, FileKey, RequestFile, UploadStatus
from kachery_tui.protocol.roles import Role, Stream, pubsub_name
from kachery_tui.storage.values import ByteSource
from tests.nodes import put_file, running_node, theirs, until

REQUEST, PROVIDE = (Role.REQUEST_FILES,), (Role.PROVIDE_FILES,)


class OldNode:
    """A node as the old program's: it shows no presence, and hears everything on provideFiles."""

    def __init__(self, client: Any, key: PrivateKey) -> None:
        self.key = key
        self._client = client
        self.heard: list[dict[str, Any]] = []

    async def ask(self, key: FileKey) -> None:
        (data,) = encode_batches([seal(RequestFile(key), self.key)])
        await self._client.channels.get(pubsub_name("lab", Stream.REQUEST_FILES)).publish(None, data)

    def said(self, sha1: str) -> list[str]:
        """What was said of an object, in order: `started`, `finished`, or a type."""
        bodies = [body for body in self.heard if body["fileKey"]["sha1"] == sha1]
        return [body.get("status") or body["type"] for body in bodies]


@asynccontextmanager
async def old_node(channel_file: Path) -> AsyncIterator[OldNode]:
    config, key = load_channel(channel_file), PrivateKey.generate()

    async def token(_: object) -> Any:
        from ably.types.tokendetails import TokenDetails

        text = await OwnerAuthority(config, key.node_id).pubsub_token(set(REQUEST))
        return TokenDetails(token=text, client_id=key.node_id)

    sdk = await load_sdk()
    client = await make_client(
        sdk, token=token, client_id=key.node_id, endpoint=config.pubsub.endpoint, tls=False, timing=Timing()
    )
    node = OldNode(client, key)

    def hear(message: Any) -> None:
        batch = json.loads(message.data)
        node.heard += [envelope["body"] for envelope in batch["messages"]]

    client.connect()
    await client.channels.get(pubsub_name("lab", Stream.PROVIDE_FILES)).subscribe(hear)
    await client.channels.get(pubsub_name("lab", Stream.REQUEST_FILES)).attach()
    try:
        yield node
    finally:
        await client.close()


# Old nodes


async def test_a_node_of_the_old_program_hears_started_while_a_person_is_asked(
    tmp_path: Path, lab: Path
) -> None:
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben, old_node(lab) as old:
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"x" * 1000))).uri
        await old.ask(uri.file_key)
        await until(lambda: old.said(uri.sha1) == ["started"])
        (row,) = theirs(ben)
        assert row.step is Step.WAITING
        assert providing.ASKER_OLD in row.notes
        ben.answer(row, yes=True)
        await until(lambda: old.said(uri.sha1)[-1] == "finished")
        assert set(old.said(uri.sha1)) == {"started", "finished"}


async def test_progress_is_said_only_where_it_is_understood(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "PROGRESS_INTERVAL", 0.001)
    data = os.urandom(19_000_000)
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        old_node(lab) as old,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", data))).uri
        await old.ask(uri.file_key)
        await until(lambda: "finished" in old.said(uri.sha1))
        assert set(old.said(uri.sha1)) == {"started", "finished"}
        other = (await ben.store(put_file(tmp_path, "b.bin", data[::-1]))).uri
        async with running_node(tmp_path / "ana", lab, roles=REQUEST) as ana:
            await until(lambda: len(ben.memberships["lab"].members(Stream.REQUEST_FILES)) == 1)
            await ana.files.request(other).outcome()
        await until(lambda: "finished" in old.said(other.sha1))
        assert "uploadFileProgress" in old.said(other.sha1)


# What is not told


async def test_who_guesses_learns_nothing_before_a_person_says_yes(tmp_path: Path, lab: Path) -> None:
    """Right and wrong guesses of a chunk are answered alike, and bytes that are no chunk's not at all."""
    # All bytes that are guessed differ.
    data = b"\x01" + os.urandom(4) + b"\x09" + os.urandom(CHUNK_SIZE - 6) + b"\x03"
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben, old_node(lab) as old:
        uri = (await ben.store(put_file(tmp_path, "a.bin", data))).uri
        small = (await ben.store(put_file(tmp_path, "small.bin", b"1234"))).uri

        async def guess(of: str, start: int, end: int, piece: bytes) -> str:
            sha1 = hashlib.sha1(piece).hexdigest()
            await old.ask(FileKey(sha1, chunk_of=ChunkOf(FileKey(of), start, end)))
            return sha1

        last = CHUNK_SIZE + 1
        right = await guess(uri.sha1, CHUNK_SIZE, last, data[CHUNK_SIZE:])
        wrong = await guess(uri.sha1, CHUNK_SIZE, last, bytes([data[CHUNK_SIZE] ^ 1]))
        nothing = [
            await guess(uri.sha1, 5, 6, data[5:6]),
            await guess(uri.sha1, 0, 1, data[:1]),
            await guess(uri.sha1, CHUNK_SIZE - 1, last, data[CHUNK_SIZE - 1 :]),
            await guess(small.sha1, 1, 2, b"2"),
        ]
        await until(lambda: bool(old.said(right)) and bool(old.said(wrong)))
        await ben.wait_idle()
        assert old.said(right) == old.said(wrong) == ["started"]
        assert [old.said(sha1) for sha1 in nothing] == [[]] * 4
        (row,) = theirs(ben)
        ben.answer(row, yes=True)
        await until(lambda: "finished" in old.said(right))
        await until(lambda: "uploadFileFailed" in old.said(wrong))


def plant(node: Node, sha1: str, target: Path) -> None:
    """A link that somebody else put into the folder."""
    place = node.storage.folder / "sha1" / sha1[:2] / sha1[2:4] / sha1[4:6] / f"{sha1}.link"
    place.parent.mkdir(parents=True, exist_ok=True)
    status = target.stat()
    stat = {"size": status.st_size, "mtime": status.st_mtime}
    place.write_text(json.dumps({"path": str(target), "manifestSha1": None, "stat": stat}))


@pytest.mark.parametrize("provide", ["auto", "ask"])
async def test_of_a_planted_link_nothing_is_told(tmp_path: Path, lab: Path, provide: str) -> None:
    secret = put_file(tmp_path, "secret.key", os.urandom(CHUNK_SIZE) + b"7")
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide=provide) as ben,
        old_node(lab) as old,
    ):
        plant(ben, "ab" * 20, secret)
        await old.ask(FileKey("ab" * 20))
        guess = FileKey(
            hashlib.sha1(b"7").hexdigest(), chunk_of=ChunkOf(FileKey("ab" * 20), CHUNK_SIZE, CHUNK_SIZE + 1)
        )
        await old.ask(guess)
        # The same under the name of a chunk of something else.
        await old.ask(FileKey("ab" * 20, chunk_of=ChunkOf(FileKey("cd" * 20), 0, CHUNK_SIZE)))
        honest = (await ben.store(put_file(tmp_path, "a.bin", b"x"))).uri
        await old.ask(honest.file_key)
        await until(lambda: bool(old.said(honest.sha1)))
        await ben.wait_idle()
        assert old.said("ab" * 20) == old.said(guess.sha1) == []
        assert len(theirs(ben)) == 1


async def test_a_link_that_says_what_is_so_is_served_once_it_was_read(tmp_path: Path, lab: Path) -> None:
    """The old daemon's links are not known to be right; ours are, from when they were made."""
    old_one, new_one = put_file(tmp_path, "old.bin", b"old"), put_file(tmp_path, "new.bin", b"new")
    sha1 = hashlib.sha1(b"old").hexdigest()
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        plant(ben, sha1, old_one)
        linked = await ben.link(new_one)
        assert ben.storage.is_vouched(linked.uri.sha1)
        assert not ben.storage.is_vouched(sha1)
        # Many who ask wait for one reading.
        for _ in range(20):
            await ana.memberships["lab"].publish(RequestFile(FileKey(sha1)))
        for uri in (f"sha1://{sha1}", str(linked.uri)):
            assert await ana.files.request(uri).outcome() is not None
        await ben.wait_idle()
        assert not ben.files._provider._unvouched
        assert ben.storage.is_vouched(sha1)
        # Another file in its place is another matter.
        old_one.write_bytes(b"else")
        plant(ben, sha1, old_one)
        assert not ben.storage.is_vouched(sha1)


# Bounds


async def test_thousands_of_files_are_no_bound(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has ended makes room: none of it needs ten minutes to be forgotten."""
    monkeypatch.setattr(servings, "KEPT_ENDED", 10)
    monkeypatch.setattr(servings, "MOST_OF_ONE", 8)
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uris = [ben.storage.store_bytes(f"{number}".encode()).uri for number in range(60)]
        for first in range(0, 60, 6):
            rows = [ana.files.request(uri) for uri in uris[first : first + 6]]
            for row in rows:
                assert await asyncio.wait_for(row.outcome(), 10) is not None


async def test_more_than_one_may_ask_is_refused_aloud_and_others_are_served(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(servings, "MOST_OF_ONE", 2)
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "greedy", lab, roles=REQUEST) as greedy,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uris = [ben.storage.store_bytes(f"{number}".encode()).uri for number in range(4)]
        held = [greedy.files.request(uri) for uri in uris[:2]]
        await until(lambda: all(row.step is Step.HELD for row in held))
        began = time.monotonic()
        with pytest.raises(TryAgain, match="ask again later"):
            await asyncio.wait_for(greedy.files.request(uris[2]).outcome(), 20)
        assert time.monotonic() - began < 10
        assert "requestFiles: refused: 2 files at a time" in caplog.text
        other = ana.files.request(uris[3])
        await until(lambda: other.step is Step.HELD)


async def test_what_a_person_cannot_go_through_is_refused_aloud(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servings, "MOST_HELD_OF_ONE", 1)
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uris = [ben.storage.store_bytes(f"{number}".encode()).uri for number in range(2)]
        first = ana.files.request(uris[0])
        await until(lambda: first.step is Step.HELD)
        with pytest.raises(TryAgain, match="a person's yes"):
            await asyncio.wait_for(ana.files.request(uris[1]).outcome(), 10)


async def test_what_lies_in_the_bucket_is_not_read_again(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    digest = uploading.digest

    def counted(source: ByteSource, report: Callable[[int], None]) -> uploading.Digest:
        read.append(source.path)
        return digest(source, report)

    monkeypatch.setattr(uploading, "digest", counted)
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben, old_node(lab) as old:
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"x" * 1000))).uri
        for times in range(1, 4):
            await old.ask(uri.file_key)
            await until(lambda times=times: old.said(uri.sha1).count("finished") == times)  # type: ignore[misc]
        assert len(read) == 1


async def test_a_no_leaves_what_an_earlier_yes_sends_alone(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        row = ana.files.request(ben.storage.store_bytes(b"asked for twice").uri)
        await until(lambda: row.step is Step.HELD)
        (asked,) = theirs(ben)
        serving = ben.files._provider._servings.of_row(asked.number)
        assert serving is not None
        sending = asyncio.create_task(asyncio.sleep(60))
        serving.under_way["ab" * 20] = sending
        ben.answer(asked, yes=False)
        assert (asked.step, asked.is_active, serving.held) == (Step.UPLOADING, True, {})
        with pytest.raises(TryAgain, match="declined"):
            await row.outcome()
        ben.cancel(asked)
        assert asked.step is Step.CANCELLED
        await asyncio.wait([sending])


async def test_a_try_that_is_cancelled_while_it_looks_for_the_file_stays_cancelled(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        ana.files.request(ben.storage.store_bytes(b"on second thoughts").uri)
        await until(lambda: [row.step for row in theirs(ben)] == [Step.WAITING])
        (asked,) = theirs(ben)
        ben.answer(asked, yes=False)
        finder, looked = ben.files._provider._finder, threading.Event()
        find = finder.find

        def slowly(key: FileKey) -> Wanted | None:
            looked.wait(10)
            return find(key)

        monkeypatch.setattr(finder, "find", slowly)
        ben.retry(asked)
        ben.cancel(asked)
        looked.set()
        await ben.wait_idle()
        assert asked.step is Step.CANCELLED
        assert ben.supervisor.failed == 0


async def test_a_row_that_is_tried_again_at_once_is_not_ended_by_what_was_cancelled(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uploader, began, said = ben.files._uploader, asyncio.Event(), asyncio.Event()
        send, say_failed = uploader._send, uploader._say_failed

        async def held(*arguments: Any) -> None:
            began.set()
            await asyncio.sleep(600)

        async def say_slowly(*arguments: Any) -> None:
            await said.wait()
            await say_failed(*arguments)

        monkeypatch.setattr(uploader, "_send", held)
        monkeypatch.setattr(uploader, "_say_failed", say_slowly)
        row = ana.files.request(ben.storage.store_bytes(b"again at once").uri)
        await asyncio.wait_for(began.wait(), 20)
        (asked,) = theirs(ben)
        ben.cancel(asked)
        await asyncio.sleep(0)
        monkeypatch.setattr(uploader, "_send", send)
        ben.retry(asked)
        await asyncio.sleep(0.1)
        said.set()
        await until(lambda: asked.step is Step.DONE)
        assert ben.supervisor.failed == 0
        await until(lambda: not row.is_active)


async def test_who_asks_while_it_is_said_that_it_is_there_hears_it_once_more(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben, old_node(lab) as old:
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"x" * 1000))).uri
        membership, asked = ben.memberships["lab"], asyncio.Event()
        publish = membership.publish_patiently

        async def slow_to_return(body: Any, *, request: int | None = None) -> None:
            await publish(body, request=request)
            if getattr(body, "status", None) is UploadStatus.FINISHED and not asked.is_set():
                await until(lambda: old.said(uri.sha1).count("finished") == 1)
                await old.ask(uri.file_key)
                await until(lambda: old.said(uri.sha1).count("started") == 2)
                asked.set()

        monkeypatch.setattr(membership, "publish_patiently", slow_to_return)
        await old.ask(uri.file_key)
        await until(lambda: old.said(uri.sha1).count("finished") == 2)
        await until(lambda: [row.step for row in theirs(ben)] == [Step.DONE])

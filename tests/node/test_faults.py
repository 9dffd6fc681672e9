"""What goes wrong: services that go away, peers that lie, buckets that hold rubbish."""

import asyncio
import hashlib
import json
import os
from pathlib import Path

import pytest

from kachery_tui.errors import KacheryError, NotAllowed, TryAgain
from kachery_tui.hub.bucket import BUCKET
from kachery_tui.node.files.subject import ChunkState, FileSubject
from kachery_tui.node.ledger import Origin
from kachery_tui.node.steps import Step
from kachery_tui.protocol.envelope import encode_batches, seal
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.manifest import CHUNK_SIZE, Manifest
from kachery_tui.protocol.messages import (
    FileKey,
    RequestFile,
    RequestTask,
    TaskFunctionType,
    UploadFileStatus,
    UploadStatus,
)
from kachery_tui.protocol.objects import file_object
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage import Storage
from tests.hubs import Hub, running_hub
from tests.nodes import at_step, join_by_file, put_file, running_node, theirs, until

REQUEST = (Role.REQUEST_FILES,)
PROVIDE = (Role.PROVIDE_FILES,)


def in_bucket(hub: Hub, sha1: str) -> Path:
    """Where the hub's S3 server keeps an object."""
    return hub.options.data / "objects" / BUCKET / file_object("lab", sha1)


def spoil(hub: Hub, sha1: str, data: bytes) -> None:
    """Put wrong bytes into the bucket under a hash."""
    put_file(in_bucket(hub, sha1).parent, sha1, data)


async def test_hub_down_at_start_then_up(tmp_path: Path, hub: Hub, lab: Path) -> None:
    await hub.stop()
    async with running_node(tmp_path / "ana", lab, wait=False) as ana:
        row = ana.files.request("sha1://" + "ab" * 20)
        assert not ana.memberships["lab"].in_force
        await hub.start()
        await until(lambda: len(ana.memberships["lab"].in_force) == 2, 30)
        assert row.is_active or row.failure


async def test_hub_restarted_in_mid_request(tmp_path: Path, hub: Hub, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"all the same"))).uri
        row = ana.files.request(uri)
        await at_step(row, Step.HELD)
        await hub.stop()
        await until(
            lambda: not ana.memberships["lab"].is_connected and not ben.memberships["lab"].is_connected
        )
        await hub.start()
        ben.files.answer(theirs(ben)[0], yes=True)
        path = await row.outcome()
        assert path is not None
        assert path.read_bytes() == b"all the same"


async def test_wrong_bytes_in_the_bucket_do_not_end_a_request(tmp_path: Path, hub: Hub, lab: Path) -> None:
    """Peers are asked all the same, the bad object is overwritten, and it is said."""
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"the right bytes"))).uri
        spoil(hub, uri.sha1, b"the wrong bytes")
        row = ana.files.request(uri)
        path = await row.outcome()
        assert path is not None
        assert path.read_bytes() == b"the right bytes"
        assert row.origins.get(Origin.PEER) == 15
        assert any("wrong bytes" in note for note in row.notes)
        assert in_bucket(hub, uri.sha1).read_bytes() == b"the right bytes"


async def test_wrong_bytes_and_nobody_to_ask(tmp_path: Path, hub: Hub, lab: Path) -> None:
    sha1 = "ab" * 20
    spoil(hub, sha1, b"rubbish")
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 0.5}) as ana:
        with pytest.raises(TryAgain, match="wrong bytes"):
            await ana.files.request(f"sha1://{sha1}").outcome()
        assert ana.storage.find(sha1) is None
        assert not list((tmp_path / "ana/storage/tmp").iterdir())


@pytest.mark.parametrize("outruns", [0, 10**15], ids=["trusted until the end", "hashed as it comes"])
async def test_a_wrong_chunk_is_fetched_from_a_peer(
    tmp_path: Path, hub: Hub, lab: Path, monkeypatch: pytest.MonkeyPatch, outruns: int
) -> None:
    monkeypatch.setattr("kachery_tui.storage.incoming.OUTRUNS", outruns)
    monkeypatch.setattr("kachery_tui.storage.incoming._PACE_KNOWN", 0)
    data = os.urandom(1 << 20) * 41
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "big.bin", data))).uri
        await ben.files.push(uri, "lab").outcome()
        manifest = ben.storage.manifest_of(uri.sha1)
        assert manifest is not None
        spoil(hub, manifest.chunks[1].sha1, b"x" * CHUNK_SIZE)
        spoil(hub, manifest.chunks[2].sha1, b"y" * 100_000_000)
        row = ana.files.request(uri)
        path = await row.outcome()
        assert path is not None
        assert path.read_bytes() == data
        assert row.done == row.size == sum(row.origins.values())
        assert any("wrong bytes" in note for note in row.notes)


@pytest.mark.parametrize(
    "lie",
    [
        b"not json",
        b"{}",
        b'{"size":1,"sha1":"' + b"ab" * 20 + b'","chunks":[]}',
        json.dumps({"size": 30_000_000, "sha1": "cd" * 20, "chunks": []}).encode(),
        json.dumps(
            {
                "size": 10**6,
                "sha1": "ab" * 20,
                "chunks": [{"start": i, "end": i + 1, "sha1": "ab" * 20} for i in range(10**5)],
            }
        ).encode(),
    ],
    ids=["not json", "empty", "no chunks", "another file", "too many chunks"],
)
async def test_a_manifest_that_is_none(tmp_path: Path, lab: Path, lie: bytes) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        manifest = (await ben.store(put_file(tmp_path, "m", lie))).uri.sha1
        with pytest.raises(KacheryError, match="the manifest that the URI names is not this file's"):
            await ana.files.request(FileUri("ab" * 20, manifest_sha1=manifest)).outcome()


async def test_a_manifest_whose_chunks_make_another_file(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "big.bin", os.urandom(1 << 20) * 21))).uri
        true = ben.storage.manifest_of(uri.sha1)
        assert true is not None
        lie = Manifest(true.size, "ab" * 20, true.chunks)
        manifest = (await ben.store(put_file(tmp_path, "m", lie.encode()))).uri.sha1
        # Its chunks have to be in the bucket: as chunks of a file that nobody has, no peer would find them.
        await ben.files.push(uri, "lab").outcome()
        with pytest.raises(KacheryError, match="the manifest lies"):
            await ana.files.request(FileUri("ab" * 20, manifest_sha1=manifest)).outcome()
        assert ana.storage.find("ab" * 20) is None
        assert not list((tmp_path / "ana/storage/tmp").glob("ab*"))


async def test_cancelled_download_resumes_from_verified_chunks_after_a_restart(
    tmp_path: Path, hub: Hub, lab: Path
) -> None:
    data = os.urandom(1 << 20) * 62
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben:
        uri = (await ben.store(put_file(tmp_path, "big.bin", data))).uri
        await ben.files.push(uri, "lab").outcome()
        manifest = ben.storage.manifest_of(uri.sha1)
        assert manifest is not None
    last = in_bucket(hub, manifest.chunks[-1].sha1)
    kept = last.read_bytes()
    last.unlink()
    async with running_node(tmp_path / "ana", lab, roles=REQUEST) as ana:
        row = ana.files.request(uri)
        await until(
            lambda: row.done >= 3 * CHUNK_SIZE and FileSubject.of(row).chunks.count(ChunkState.DONE) == 3
        )
        ana.files.cancel(row)
        await ana.wait_idle()
    last.write_bytes(kept)
    async with running_node(tmp_path / "ana", lab, roles=REQUEST) as ana:
        row = ana.files.request(uri)
        path = await row.outcome()
        assert path is not None
        assert path.read_bytes() == data
        assert row.origins == {Origin.DISK: 3 * CHUNK_SIZE, Origin.BUCKET: len(data) - 3 * CHUNK_SIZE}


async def test_bucket_down(tmp_path: Path, hub: Hub, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.node.files.obtaining.BUCKET_PAUSES", (0.05, 0.1))
    limits = {"answer_timeout": 0.5}
    bucket = {"endpoint": "http://127.0.0.1:9"}
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, limits=limits, bucket=bucket) as ana:
        row = ana.files.request("sha1://" + "ab" * 20)
        with pytest.raises(TryAgain, match="nobody on lab said that it has the file"):
            await row.outcome()
        assert any("tried again" in note for note in row.notes)


async def test_where_the_bucket_is_shut_nobody_is_asked(tmp_path: Path, lab: Path) -> None:
    """Who has the file could only send it by that bucket: it is not said that nobody has it."""
    shut = {"secret_key": "another-secret-key-of-some-length"}
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, bucket=shut) as ana:
        row = ana.files.request("sha1://" + "ab" * 20)
        async with asyncio.timeout(10):
            with pytest.raises(NotAllowed, match="SignatureDoesNotMatch"):
                await row.outcome()
        assert row.asks == []


async def test_a_bucket_that_is_shut_keeps_no_other_back(tmp_path: Path, lab: Path) -> None:
    shut = {"secret_key": "another-secret-key-of-some-length"}
    async with (
        running_hub(tmp_path / "other", channels=("other",)) as other,
        running_node(tmp_path / "ben", other.channel_files["other"], roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST, bucket=shut, limits={"answer_timeout": 1}) as ana,
    ):
        join_by_file(tmp_path / "ana", other.channel_files["other"], roles=["request-files"])
        await ana.look_at_channel_files()
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"over the other"))).uri
        row = ana.files.request(uri)
        path = await row.outcome()
        assert path is not None
        assert path.read_bytes() == b"over the other"
        assert {ask.channel for ask in row.asks} == {"other"}
        missing = ana.files.request("sha1://" + "cd" * 20)
        with pytest.raises(NotAllowed, match="SignatureDoesNotMatch") as caught:
            await missing.outcome()
        assert "nobody" in caught.value.why


async def test_a_provider_whose_upload_fails_says_so(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("kachery_tui.node.files.uploading.UPLOAD_PAUSES", (0.05,))
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, bucket={"endpoint": "http://127.0.0.1:9"}) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"stuck"))).uri
        await until(lambda: len(ana.memberships["lab"].members(Stream.PROVIDE_FILES)) == 1)
        row = ana.files.request(uri)
        with pytest.raises(TryAgain, match=r"nobody on lab could send it: ben .*connection refused"):
            await row.outcome()
        await ben.wait_idle()
        assert theirs(ben)[0].step is Step.FAILED
        said = [line for line in caplog.messages if line.startswith("request of others")]
        assert len(said) == 1
        assert "connection refused" in said[0]


async def test_a_damaged_file_is_never_sent(tmp_path: Path, hub: Hub, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        stored = await ben.store(put_file(tmp_path, "a.bin", b"whole"))
        found = ben.storage.find(stored.uri.sha1)
        assert found is not None
        found.path.chmod(0o644)
        found.path.write_bytes(b"rot!!")
        await until(lambda: len(ana.memberships["lab"].members(Stream.PROVIDE_FILES)) == 1)
        with pytest.raises(TryAgain, match="no longer what its hash says"):
            await ana.files.request(stored.uri).outcome()
        assert not in_bucket(hub, stored.uri.sha1).exists()


async def test_a_lie_that_it_is_in_the_bucket(tmp_path: Path, lab: Path) -> None:
    """Somebody keeps saying `finished` for what never arrives: the request ends, with a reason."""
    sha1 = "ab" * 20
    async with (
        running_node(tmp_path / "liar", lab, roles=PROVIDE) as liar,
        running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 2}) as ana,
    ):
        row = ana.files.request(f"sha1://{sha1}")

        async def lie() -> None:
            while row.is_active:
                await liar.memberships["lab"].publish(UploadFileStatus(FileKey(sha1), UploadStatus.FINISHED))
                await asyncio.sleep(0.05)

        lying = asyncio.create_task(lie())
        await row.finished.wait()
        await lying
        assert row.step is Step.FAILED
        assert "said that it is in the bucket" in str(row.failure)


async def test_messages_without_effect_are_counted(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "eve", lab) as eve,
        running_node(tmp_path / "ana", lab, roles=PROVIDE) as ana,
    ):
        uri = (await ana.store(put_file(tmp_path, "a.bin", b"x"))).uri
        other = PrivateKey.generate()
        request = seal(RequestFile(uri.file_key), other)
        publish = eve.memberships["lab"].channel.pubsub.publish
        body = request["body"]
        assert isinstance(body, dict)
        bad: list[bytes] = [
            b"\xff\xfe",
            b"[1, 2",
            b'{"messages": 3}',
            json.dumps({**request, "signature": "00" * 64}).encode(),
            json.dumps({**request, "extra": 1}).encode(),
            json.dumps({**request, "body": {**body, "extra": 1}}).encode(),
            *encode_batches([seal(UploadFileStatus(uri.file_key, UploadStatus.STARTED), other)]),
            (b"[" * 30_000) + (b"]" * 30_000),
        ]
        for data in bad:
            await publish(Stream.REQUEST_FILES, data)
        await publish(Stream.REQUEST_FILES, json.dumps({**request, "body": {"type": "newThing"}}).encode())
        activity = ana.memberships["lab"].activity[Stream.REQUEST_FILES]
        await until(lambda: activity.refused == len(bad) and activity.passed_over == 1)
        await ana.wait_idle()
        assert not theirs(ana)
        assert not ana.supervisor.failed
        reasons = " ".join(message.reason for message in activity.messages)
        for word in ("malformed", "bad signature", "unknown member", "wrong stream", "unknown type"):
            assert word in reasons


async def test_a_flood_from_one_peer_leaves_the_others_served(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "eve", lab) as eve,
        running_node(tmp_path / "ben", lab, roles=PROVIDE, limits={"requests_per_second": 50}) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"still served"))).uri
        key = PrivateKey.generate()
        envelopes = [seal(RequestFile(FileKey(f"{number:040x}")), key) for number in range(10_000)]
        publish = eve.memberships["lab"].channel.pubsub.publish
        batches = encode_batches(envelopes)
        flood = asyncio.gather(*(publish(Stream.REQUEST_FILES, batch) for batch in batches))
        path = await ana.files.request(uri).outcome()
        assert path is not None
        await flood
        activity = ben.memberships["lab"].activity[Stream.REQUEST_FILES]
        # Whole messages are refused before they are read, so they are what is counted.
        await until(lambda: activity.refused > len(batches) // 2, 40)
        assert activity.received.total < 1_500
        assert not ben.supervisor.failed


async def test_too_large_is_refused(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"max_file_size": 1000}) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", bytes(1001)))).uri
        with pytest.raises(KacheryError, match="max_file_size"):
            await ana.files.request(uri).outcome()


async def test_nobody_answers_but_it_lands_in_the_bucket(tmp_path: Path, lab: Path) -> None:
    """An announcement that got lost does not matter: the bucket is looked at once more before a request fails."""
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 1}) as ana:
        async with running_node(tmp_path / "ben", lab) as ben:
            uri = (await ben.store(put_file(tmp_path, "a.bin", b"silent"))).uri
        row = ana.files.request(uri)
        await at_step(row, Step.ASKING)
        channel = ana.memberships["lab"].channel
        url = await channel.authority.upload_url(file_object("lab", uri.sha1), 6)
        await channel.bucket.upload(url, tmp_path / "a.bin", 0, 6, lambda _: None)
        path = await row.outcome()
        assert path is not None


async def test_service_that_stays_away(
    tmp_path: Path, hub: Hub, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kachery_tui.node.membership.RECONNECT_PATIENCE", 0.5)
    monkeypatch.setattr("kachery_tui.node.files.obtaining.BUCKET_PAUSES", (0.05,))
    await hub.stop()
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, wait=False) as ana:
        with pytest.raises(TryAgain):
            await ana.files.request("sha1://" + "ab" * 20).outcome()


async def test_a_message_that_is_too_large_fails_alone(tmp_path: Path, lab: Path) -> None:
    def task(kwargs: str) -> RequestTask:
        return RequestTask("a" * 10, "echo.1", TaskFunctionType.QUERY, {"text": kwargs})

    async with running_node(tmp_path / "ana", lab, roles=(Role.REQUEST_TASKS,)) as ana:
        publish = ana.memberships["lab"].publish
        results = await asyncio.gather(
            publish(task("short")),
            publish(task("x" * 70_000)),
            publish(task("short")),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [type(None), ProtocolError, type(None)]


async def test_a_file_that_another_program_is_receiving_is_waited_for(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab) as ana:
        data = b"received by another"
        async with running_node(tmp_path / "ben", lab) as ben:
            uri = (await ben.store(put_file(tmp_path, "a.bin", data))).uri
            await ben.files.push(uri, "lab").outcome()
        other = Storage.open(tmp_path / "ana" / "storage")
        incoming = other.receive(uri.sha1, len(data))
        row = ana.files.request(uri)
        await until(lambda: any("another program" in note for note in row.notes))
        writer = incoming.writer(0)
        writer.write(memoryview(data))
        writer.finish()
        incoming.commit()
        await row.outcome()
        assert row.origins == {Origin.DISK: len(data)}
        other.close()


async def test_a_file_that_came_since_it_was_looked_for_is_taken(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 0.3}) as ana:
        stored = await ana.store(put_file(tmp_path, "a.bin", b"here by now"))
        row = ana.files.request(stored.uri, is_absent=True)
        path = await asyncio.wait_for(row.outcome(), 10)
        assert path is not None
        assert path.read_bytes() == b"here by now"
        assert row.size == 11


async def test_a_file_that_cannot_be_put_into_storage_is_not_asked_for_again(
    tmp_path: Path, hub: Hub, lab: Path
) -> None:
    data = b"there is no place for it"
    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    put_file(in_bucket(hub, sha1).parent, sha1, data)
    async with running_node(tmp_path / "ana", lab, roles=REQUEST) as ana:
        storage = tmp_path / "ana" / "storage"
        # A file stands where a folder has to be.
        put_file(storage / "sha1", sha1[:2], b"")
        row = ana.files.request(f"sha1://{sha1}")
        with pytest.raises(KacheryError, match="cannot receive"):
            await asyncio.wait_for(row.outcome(), 10)
        assert not row.asks
        assert not list((storage / "tmp").glob("*.part"))

"""What the rows of the ledger say, in the corners of an exchange."""

import os
import time
from pathlib import Path

import pytest

from kachery_tui.config import NodeConfig
from kachery_tui.errors import UsageError
from kachery_tui.node.files.asking import Asker
from kachery_tui.node.files.obtaining import Obtainer
from kachery_tui.node.files.providing import ASKER_GONE
from kachery_tui.node.files.pushing import ALREADY_THERE
from kachery_tui.node.files.subject import ChunkState, FileSubject
from kachery_tui.node.ledger import Origin
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.why import why_request
from kachery_tui.protocol.messages import FileKey, UploadFileProgress, UploadFileStatus, UploadStatus
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.storage import Storage
from tests.nodes import at_step, put_file, running_node, theirs, until

REQUEST = (Role.REQUEST_FILES,)
PROVIDE = (Role.PROVIDE_FILES,)
NOWHERE = "sha1://" + "ab" * 20


async def test_a_request_that_is_cancelled_at_once_ends(tmp_path: Path) -> None:
    async with running_node(tmp_path / "ana", None) as ana:
        row = ana.files.request(NOWHERE)
        ana.files.cancel(row)
        await ana.wait_idle()
        assert row.step is Step.CANCELLED
        assert row.finished.is_set()
        assert row.failure is not None
        assert "was cancelled" in row.failure.what


async def test_a_row_that_is_tried_again_by_whoever_waited_for_its_end_can_be_cancelled(
    tmp_path: Path, lab: Path
) -> None:
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 0.1}) as ana:
        row = ana.files.request(NOWHERE)
        await row.finished.wait()
        ana.files.retry(row)
        await at_step(row, Step.ASKING)
        ana.files.cancel(row)
        await row.finished.wait()
        assert row.step is Step.CANCELLED


async def test_a_peers_progress_tells_the_size_and_how_far_it_is(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "eve", lab, roles=PROVIDE) as eve,
        running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"max_file_size": 5000}) as ana,
    ):
        row = ana.files.request(NOWHERE)
        await at_step(row, Step.ASKING)
        say = eve.memberships["lab"].publish
        await say(UploadFileProgress(FileKey("ab" * 20), 0, 9000))
        await at_step(row, Step.HELD)
        assert row.size is None
        await say(UploadFileProgress(FileKey("ab" * 20), 0, 4000))
        await until(lambda: row.size == 4000)
        assert row.subject.peer_done == 0
        await say(UploadFileProgress(FileKey("ab" * 20), 2500, 4000))
        await until(lambda: row.subject.peer_done == 2500)
        assert (row.step, row.done) == (Step.PEER_UPLOADS, 0)
        assert any("2.5 kB so far" in link.text for link in why_request(ana, row, time.time()))
        await say(UploadFileProgress(FileKey("ab" * 20), 8000, 8000))
        await until(lambda: row.subject.peer_done == 4000)
        await say(UploadFileStatus(FileKey("ab" * 20), UploadStatus.FINISHED))
        await until(lambda: row.subject.peer_done == 0)


def used(node: Node, sha1: str) -> float:
    """When a file was used last."""
    entry = node.storage.index.get(sha1)
    assert entry is not None
    return entry.used


async def test_a_push_that_finds_all_in_the_bucket_says_so_and_counts_nothing_as_sent(
    tmp_path: Path, lab: Path
) -> None:
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben:
        uri = (await ben.store(put_file(tmp_path, "a.bin", os.urandom(1000)))).uri
        stored = used(ben, uri.sha1)
        row = ben.files.push(uri, "lab")
        await row.outcome()
        assert (row.notes, ben.uploaded.total, row.meter.total) == ([], 1000, 1000)
        pushed = used(ben, uri.sha1)
        assert pushed > stored
        row = ben.files.push(uri, "lab")
        await row.outcome()
        assert row.notes == [ALREADY_THERE]
        assert (row.origins, row.meter.total, ben.uploaded.total) == ({Origin.BUCKET: 1000}, 0, 1000)
        assert used(ben, uri.sha1) > pushed
        texts = [link.text for link in why_request(ben, row, time.time())]
        assert sum("already" in text for text in texts) == 1


async def test_a_file_that_is_provided_was_used(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"x"))).uri
        stored = used(ben, uri.sha1)
        await ana.files.request(uri).outcome()
        await ben.wait_idle()
        assert used(ben, uri.sha1) > stored


async def test_an_asker_that_has_gone_is_noted_until_it_is_back(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kachery_tui.node.files.providing.PRESENCE_INTERVAL", 0.02)
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben:
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"x"))).uri
        async with running_node(tmp_path / "ana", lab, roles=REQUEST) as ana:
            await at_step(ana.files.request(uri), Step.HELD)
            (row,) = theirs(ben)
            assert row.notes == []
        await until(lambda: row.notes == [ASKER_GONE])
        assert row.step is Step.WAITING
        async with running_node(tmp_path / "ana", lab, roles=REQUEST):
            await until(lambda: row.notes == [])


@pytest.mark.parametrize("how", ["declined", "cancelled"])
async def test_a_no_holds_at_once(tmp_path: Path, lab: Path, how: str) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"x"))).uri
        asking = ana.files.request(uri)
        await at_step(asking, Step.HELD)
        (row,) = theirs(ben)
        if how == "declined":
            ben.files.answer(row, yes=False)
        else:
            ben.files.cancel(row)
        with pytest.raises(UsageError, match="does not wait"):
            ben.files.answer(row, yes=True)
        await asking.finished.wait()
        await ben.wait_idle()
        assert row.step == how
        assert [step.step for step in row.steps][-2:] == [Step.WAITING, row.step]


async def test_an_upload_that_the_end_of_the_program_breaks_off_is_not_done(
    tmp_path: Path, lab: Path
) -> None:
    async with running_node(tmp_path / "ana", lab, roles=REQUEST) as ana:
        async with running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben:
            uri = (await ben.store(put_file(tmp_path, "a.bin", b"x"))).uri
            slots = ben.memberships["lab"].upload_slots
            while not slots.locked():
                await slots.acquire()
            ana.files.request(uri)
            await until(lambda: bool(theirs(ben)))
            (row,) = theirs(ben)
            await at_step(row, Step.QUEUED)
        assert row.step is Step.CANCELLED


def test_a_row_of_several_chunks_shows_the_one_that_is_furthest(tmp_path: Path) -> None:
    """Chunks are at different steps: the row follows the one in front, and does not flicker between them."""
    node = Node(NodeConfig(tmp_path, "ana"), Storage.open(tmp_path / "storage"), ())
    file = FileSubject(FileUri("ab" * 20))
    row = node.ledger.open(Side.MINE, "lab", file, Step.STORAGE)
    obtainer = Obtainer(row, file, [], node.parts, Asker(node.ledger, node.parts.people))
    walk = [
        Step.BUCKET, Step.RECONNECTING, Step.BUCKET, Step.ASKING, Step.HELD, Step.ASKING, Step.PEER_UPLOADS,
        Step.HELD, Step.DOWNLOADING, Step.BUCKET, Step.PEER_UPLOADS,
    ]  # fmt: skip
    file.chunks = [ChunkState.MISSING] * 2
    for step in walk:
        obtainer._step(step)
    shown = [each.step for each in row.steps]
    assert shown == [
        Step.STORAGE, Step.BUCKET, Step.RECONNECTING, Step.ASKING, Step.HELD, Step.PEER_UPLOADS, Step.DOWNLOADING,
    ]  # fmt: skip
    file.chunks = []
    obtainer._step(Step.BUCKET)
    assert row.step is Step.BUCKET

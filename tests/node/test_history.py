"""The ledger's rows outlive the program."""

import asyncio
import json
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.errors import KacheryError, NobodyHasIt, UsageError
from kachery_tui.node.files.subject import ChunkState, FileSubject
from kachery_tui.node.history_rows import kept, revived
from kachery_tui.node.kept_values import LONGEST_TEXT
from kachery_tui.node.ledger import BROKEN_OFF, KEPT_STEPS, Cancelled, Ledger, Origin, Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import ENDS, Side, Step
from kachery_tui.node.why import why_request
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.history import KEPT_ENDED, LONGEST_DATA, Kept
from tests.nodes import at_step, leave, put_file, running_node, theirs, until

NOWHERE = "sha1://" + "ab" * 20
REQUEST = (Role.REQUEST_FILES,)
PROVIDE = (Role.PROVIDE_FILES,)


@pytest.fixture(autouse=True)
def _save_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.node.history.SAVE_INTERVAL", 0.02)


def file_of(folder: Path) -> Path:
    return folder / "storage" / "kachery-tui-history.db"


def kept_in(file: Path) -> int:
    """How many rows a history has, looked at by somebody who mends nothing."""
    if not file.exists():
        return 0
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return int(db.execute("SELECT count(*) FROM requests").fetchone()[0])
    except sqlite3.Error:
        return -1
    finally:
        db.close()


async def row_of(node: Node, number: int) -> Request:
    """A row that comes back from an earlier run."""
    await until(lambda: node.ledger.get(number) is not None)
    row = node.ledger.get(number)
    assert row is not None
    return row


async def ask_in_vain(node: Node, uri: str = NOWHERE) -> Request:
    row = node.files.request(uri)
    await row.finished.wait()
    return row


async def test_what_ended_comes_back_as_it_was(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE, claims=True) as ben:
        uri = (await ben.store(put_file(tmp_path, "a?.bin", b"0123456789"))).uri
        async with running_node(
            tmp_path / "ana", lab, roles=REQUEST, claims=True, limits={"answer_timeout": 0.2}
        ) as ana:
            path = await ana.files.request(uri).outcome()
            failed = await ask_in_vain(ana)
            await ben.wait_idle()
        file = file_of(tmp_path / "ana")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert not list(file.parent.glob("*history*-wal"))
        async with running_node(tmp_path / "ana", lab, roles=REQUEST, claims=True) as ana:
            row, again = await row_of(ana, 1), await row_of(ana, 2)
            assert (row.earlier, row.is_active, row.step, row.path) == (True, False, Step.DONE, path)
            assert (row.uri, row.size, row.origins) == (uri, 10, {Origin.PEER: 10})
            assert await row.outcome() == path
            assert isinstance(again.failure, NobodyHasIt)
            assert failed.failure is not None
            assert str(again.failure) == str(failed.failure)
            assert again.steps == failed.steps
            assert [ask.ended for ask in again.asks] == ["answer_timeout 0.2 s"]
            assert again.asks[0].listening == failed.asks[0].listening
            assert "earlier run" in why_request(ana, again, time.time())[0].text
            assert (await ask_in_vain_soon(ana)).number == 3


async def ask_in_vain_soon(node: Node) -> Request:
    row = node.files.request(NOWHERE)
    node.files.cancel(row)
    await row.finished.wait()
    return row


async def test_a_killed_program_leaves_a_cancelled_row_that_can_be_tried_again(
    tmp_path: Path, lab: Path
) -> None:
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben:
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"late"))).uri
        command = [sys.executable, "-m", "tests.node.asking_for_ever", str(tmp_path / "ana"), str(lab)]
        nobodys = str(FileUri("cd" * 20, name="b.bin"))
        process = await asyncio.create_subprocess_exec(*command, nobodys, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"written\n"
        process.kill()
        await process.wait()
        async with running_node(tmp_path / "ana", lab, roles=REQUEST, claims=True) as ana:
            row = await row_of(ana, 1)
            assert (row.step, row.earlier, row.name) == (Step.CANCELLED, True, "b.bin")
            assert row.failure is not None
            assert (row.failure.what, row.failure.do) == (
                BROKEN_OFF,
                "Retry goes on from the verified chunks",
            )
            assert row.ended is not None
            assert row.started <= row.ended <= time.time()
            assert row.asks[-1].ended == BROKEN_OFF
            assert why_request(ana, row, time.time())[-1].text.startswith(BROKEN_OFF)
            assert ana.retry(row) is row
            assert not row.earlier
            await at_step(row, Step.ASKING)
            assert await (ana.files.request(uri)).outcome() is not None


async def test_what_the_end_of_the_program_breaks_off_says_so(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask", claims=True) as ben:
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"held"))).uri
        async with running_node(tmp_path / "ana", lab, roles=REQUEST, claims=True) as ana:
            row = ana.files.request(uri)
            await at_step(row, Step.HELD)
        assert row.failure is not None
        assert row.failure.what == BROKEN_OFF
        (asked,) = theirs(ben)
        assert asked.step is Step.WAITING
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask", claims=True) as ben:
        asked = await row_of(ben, 1)
        assert (asked.side, asked.step, asked.is_active) == (Side.THEIRS, Step.CANCELLED, False)
        with pytest.raises(UsageError, match="earlier run") as refused:
            ben.retry(asked)
        assert refused.value.do == "Push the file instead"


async def test_mine_and_pushes_are_tried_again_after_a_restart(tmp_path: Path, lab: Path) -> None:
    folder = tmp_path / "ben"
    async with running_node(folder, lab, limits={"answer_timeout": 0.2}, claims=True) as ben:
        await ask_in_vain(ben)
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"pushed"))).uri
        await ben.set_role("lab", Role.PROVIDE_FILES, asked=False)
        await ben.set_role("lab", Role.PROVIDE_FILES, asked=True)
        await until(lambda: Role.PROVIDE_FILES in ben.memberships["lab"].in_force)
        await ben.files.push(uri, "lab").outcome()
    async with running_node(folder, lab, limits={"answer_timeout": 0.2}, claims=True) as ben:
        mine, push = await row_of(ben, 1), await row_of(ben, 2)
        assert ben.retry(push) is push
        await push.outcome()
        assert push.step is Step.DONE
        assert not push.earlier
        ben.retry(mine)
        with pytest.raises(NobodyHasIt):
            await mine.outcome()
        await leave(ben)
        with pytest.raises(UsageError, match="no channel"):
            ben.retry(push)


async def test_only_the_node_of_the_folder_writes_and_reads(tmp_path: Path, lab: Path) -> None:
    folder = tmp_path / "ana"
    async with running_node(folder, lab, roles=REQUEST, limits={"answer_timeout": 0.2}, claims=True) as ana:
        await ask_in_vain(ana)
        async with running_node(folder, lab, roles=REQUEST, provides=False) as beside:
            assert len(beside.ledger) == 0
            assert (await ask_in_vain_soon(beside)).number == 1
    async with running_node(folder, lab, roles=REQUEST) as unclaimed:
        assert (await ask_in_vain_soon(unclaimed)).number == 1
    async with running_node(folder, lab, roles=REQUEST, claims=True) as ana:
        await row_of(ana, 1)
        assert len(ana.ledger) == 1


async def test_a_damaged_history_is_moved_aside_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "ana"
    file = file_of(folder)
    put_file(file.parent, file.name, b"no database " * 1000)
    async with running_node(folder, None, claims=True) as ana:
        (aside,) = file.parent.glob(f"{file.name}.damaged-*")
        assert aside.read_bytes() == b"no database " * 1000
        assert aside.name in caplog.text
        assert (await ask_in_vain(ana)).number == 1
    async with running_node(folder, None, claims=True) as ana:
        assert (await row_of(ana, 1)).earlier


async def test_a_history_that_is_taken_away_while_the_node_runs_is_written_anew(tmp_path: Path) -> None:
    folder = tmp_path / "ana"
    file = file_of(folder)
    async with running_node(folder, None, claims=True) as ana:
        await ask_in_vain(ana)
        await until(lambda: kept_in(file) == 1)
        for each in file.parent.glob(f"{file.name}*"):
            each.unlink()
        await ask_in_vain(ana, "sha1://" + "cd" * 20)
        await until(lambda: kept_in(file) == 2)
    async with running_node(folder, None, claims=True) as ana:
        await row_of(ana, 2)
        assert [row.number for row in ana.ledger] == [1, 2]


async def test_a_history_that_cannot_be_used_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "ana"
    file_of(folder).mkdir(parents=True)
    async with running_node(folder, None, claims=True) as ana:
        assert (await ask_in_vain(ana)).number == 1
    assert caplog.text.count("cannot use the history of requests") == 1


async def test_rows_that_make_no_sense_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "ana"
    async with running_node(folder, None, claims=True) as ana:
        await ask_in_vain(ana)
    db = sqlite3.connect(file_of(folder))
    with db:
        db.execute("INSERT INTO requests SELECT 5, ended, seen, replace(data, 'abab', 'zzzz') FROM requests")
        db.execute("INSERT INTO requests SELECT 9223372036854775807, ended, seen, data FROM requests LIMIT 1")
    db.close()
    async with running_node(folder, None, claims=True) as ana:
        await row_of(ana, 1)
        assert [row.number for row in ana.ledger] == [1]
        assert (await ask_in_vain(ana)).number == 6
    assert "1 rows of the history" in caplog.text or "1 row of the history" in caplog.text


def full_row(ledger: Ledger, step: Step = Step.FAILED) -> Request:
    """A row with something in every field."""
    uri = FileUri("ab" * 20, name="ä?b", manifest_sha1="cd" * 20)
    row = ledger.open(Side.MINE, "lab", FileSubject(uri), Step.STORAGE)
    row.only_channel, row.asked_by, row.answered_by = "lab", ["e" * 64], "f" * 64
    FileSubject.of(row).chunks = [ChunkState.DONE, ChunkState.DONE, ChunkState.MOVING]
    row.size = 30
    ledger.count(row, 20, Origin.PEER)
    ledger.note(row, "worth knowing")
    ask = ledger.asked(row, "lab", Stream.REQUEST_FILES, "chunk 3", ["ben"])
    ledger.heard(row, ask, "ben uploads it")
    if step in ENDS:
        ledger.answered(row, ask, "nobody could send it")
        ledger.end(row, step, failure=NobodyHasIt("a", "b", "c"), path=Path("/x/\udcff"))
    else:
        ledger.enter(row, step)
    return row


def facts(row: Request) -> dict[str, Any]:
    left_out = ("meter", "version", "finished", "earlier", "subject")
    values = {name: getattr(row, name) for name in Request.__slots__ if name not in left_out}
    file = FileSubject.of(row)
    values["file"] = (file.uri, file.chunks)
    values["asks"] = [[getattr(ask, name) for name in type(ask).__slots__] for ask in row.asks]
    values["failure"] = row.failure and (type(row.failure), row.failure.args)
    return values


def test_every_field_comes_back() -> None:
    row = full_row(Ledger())
    back = revived(kept(row, time.time()))
    assert facts(back) == facts(row)
    assert back.earlier
    assert back.finished.is_set()


def test_a_row_under_way_comes_back_as_cancelled() -> None:
    row = full_row(Ledger(), Step.DOWNLOADING)
    back = revived(kept(row, row.started + 5))
    assert (back.step, back.ended, back.steps[-1].step) == (
        Step.CANCELLED,
        row.started + 5,
        Step.CANCELLED,
    )
    assert isinstance(back.failure, Cancelled)
    assert FileSubject.of(back).chunks == [ChunkState.DONE, ChunkState.DONE, ChunkState.MISSING]
    assert (back.asks[0].ended, back.asks[0].ended_at) == (BROKEN_OFF, row.started + 5)


def test_a_row_is_kept_within_bounds() -> None:
    ledger = Ledger()
    row = full_row(ledger, Step.ASKING)
    row.notes = ["n" * 10_000] * 50
    row.failure = KacheryError("w" * 10_000)
    for number in range(100):
        ask = ledger.asked(row, "lab", Stream.REQUEST_FILES, str(number), ["x" * 100] * 30)
        for each in range(20):
            ledger.heard(row, ask, f"{each} " + "y" * 300)
    for number in range(KEPT_STEPS * 2):
        ledger.enter(row, (Step.ASKING, Step.DOWNLOADING)[number % 2])
    ledger.end(row, Step.FAILED, failure=row.failure)
    FileSubject.of(row).chunks = [ChunkState.DONE, ChunkState.MISSING] * 5_000
    saved = kept(row, 1.0)
    assert len(saved.data) <= LONGEST_DATA
    back = revived(saved)
    assert back.failure is not None
    assert len(back.failure.what) == LONGEST_TEXT


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=6,
)


@given(st.sampled_from(sorted(json.loads(kept(full_row(Ledger()), 1.0).data))), JSON)
def test_whatever_stands_there_is_a_row_or_refused(name: str, value: object) -> None:
    data = json.loads(kept(full_row(Ledger()), 1.0).data)
    data[name] = value
    try:
        row = revived(Kept(1, None, 1.0, json.dumps(data)))
    except ValueError:
        return
    assert not row.is_active
    assert row.steps


@given(st.text() | JSON.map(json.dumps))
def test_garbage_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match="request 1"):
        revived(Kept(1, None, 1.0, data))


def test_the_ledger_keeps_its_bound_and_its_order() -> None:
    ledger = Ledger()
    ledger.count_on(5_000)
    row = full_row(ledger)
    assert row.number == 5_001
    old = [revived(Kept(number, 1.0, 1.0, kept(row, 1.0).data)) for number in range(1, KEPT_ENDED + 10)]
    ledger.bring_back(old)
    numbers = [each.number for each in ledger]
    assert len(numbers) == KEPT_ENDED
    assert numbers[-1] == 5_001
    assert numbers == sorted(numbers)


def test_rows_of_an_earlier_version_come_back_as_they_were() -> None:
    """Written by version 0.1.0 before a row said of which kind it is: done, failed, under way, pushed."""
    rows = json.loads((Path(__file__).parents[1] / "vectors" / "history-rows.json").read_text())
    done, failed, cut, pushed = (revived(Kept(*row)) for row in rows)
    file = FileSubject.of(done)
    assert str(file.uri) == f"sha1://{'ab' * 20}/spikes.dat?manifest={'cd' * 20}"
    assert (done.side, done.step, done.channel, done.size) == (Side.MINE, Step.DONE, "lab", 40_000_000)
    assert file.chunks == [ChunkState.DONE] * 2
    assert done.origins == {Origin.BUCKET: 20_000_000, Origin.PEER: 20_000_000}
    assert done.asks[0].heard == ["ben uploads it"]
    assert [each.step for each in done.steps][:3] == [Step.STORAGE, Step.BUCKET, Step.ASKING]
    assert (failed.step, failed.only_channel, failed.subject.known_name) == (Step.FAILED, "lab", "")
    assert isinstance(failed.failure, NobodyHasIt)
    assert failed.notes == ["the bucket of lab: ill; tried again"]
    assert (cut.side, cut.step, cut.asked_by) == (Side.THEIRS, Step.CANCELLED, ["34" * 32])
    assert (pushed.side, pushed.step, pushed.name) == (Side.PUSH, Step.DONE, "plot.png")
    for row, (number, ended, _, data) in zip(
        (done, failed, pushed), (rows[0], rows[1], rows[3]), strict=True
    ):
        again = json.loads(kept(row, 0.0).data)
        assert again.pop("kind") == "files"
        assert (row.number, row.ended, again) == (number, ended, json.loads(data))


def test_a_row_with_a_step_of_another_side_is_refused() -> None:
    saved = kept(full_row(Ledger()), 1.0)
    planted = saved.data.replace('"step": "failed"', '"step": "declined"')
    assert planted != saved.data
    with pytest.raises(ValueError, match="a step that mine has none of"):
        revived(Kept(saved.number, saved.ended, saved.seen, planted))

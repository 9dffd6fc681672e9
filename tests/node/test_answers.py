"""What other nodes say of a file that is asked for: lies, failures, silence, and who comes later."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.errors import KacheryError, NobodyHasIt, TryAgain
from kachery_tui.hub import Hub
from kachery_tui.node.files.waiter import MOST_WAITING, WAITING_OF_ONE, Heard, Waiter
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Step
from kachery_tui.protocol.messages import (
    FileKey,
    UploadFileFailed,
    UploadFileProgress,
    UploadFileStatus,
    UploadStatus,
)
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import FileUri
from tests.nodes import at_step, put_file, running_node, until

REQUEST, PROVIDE = (Role.REQUEST_FILES,), (Role.PROVIDE_FILES,)
NOWHERE = FileUri("ab" * 20, "nowhere.dat")


@asynccontextmanager
async def talking(
    node: Node, *bodies: UploadFileStatus | UploadFileProgress | UploadFileFailed
) -> AsyncIterator[None]:
    """A node that says the same things over and over."""

    async def talk() -> None:
        while True:
            for body in bodies:
                await node.memberships["lab"].publish(body)
                await asyncio.sleep(0.02)

    talking = asyncio.create_task(talk())
    try:
        yield
    finally:
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)


def lies(sha1: str) -> dict[str, tuple[UploadFileStatus | UploadFileProgress | UploadFileFailed, ...]]:
    key = FileKey(sha1)
    return {
        "finished": (UploadFileStatus(key, UploadStatus.FINISHED),),
        "held": (UploadFileProgress(key, 0, 10),),
        "started": (UploadFileStatus(key, UploadStatus.STARTED),),
        "failed": (UploadFileFailed(key, "never"),),
        "all of it": (
            UploadFileStatus(key, UploadStatus.STARTED),
            UploadFileProgress(key, 5, 10),
            UploadFileStatus(key, UploadStatus.FINISHED),
            UploadFileFailed(key, "never"),
        ),
    }


@pytest.mark.parametrize("lie", list(lies("ab" * 20)))
async def test_a_liar_keeps_no_file_from_coming(tmp_path: Path, lab: Path, lie: str) -> None:
    """The honest node takes its time: a person there says yes later."""
    async with (
        running_node(tmp_path / "liar", lab, roles=PROVIDE) as liar,
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"it is here"))).uri
        async with talking(liar, *lies(uri.sha1)[lie]):
            row = ana.files.request(uri)
            await until(lambda: any(one.step is Step.WAITING for one in ben.ledger))
            await asyncio.sleep(0.5)
            assert row.is_active
            ben.files.answer(next(iter(ben.ledger)), yes=True)
            path = await asyncio.wait_for(row.outcome(), 20)
        assert path is not None
        assert path.read_bytes() == b"it is here"
        assert "ben" in ana.label_of(row.answered_by)


async def test_a_liar_alone_is_told_of(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "liar", lab, roles=PROVIDE) as liar,
        running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 20}) as ana,
        talking(liar, *lies(NOWHERE.sha1)["finished"]),
    ):
        with pytest.raises(TryAgain, match=r"liar .* said that it is in the bucket"):
            await asyncio.wait_for(ana.files.request(NOWHERE).outcome(), 10)


async def test_when_the_one_that_has_it_fails_only_the_first_wait_is_left(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "other", lab, roles=PROVIDE),
        running_node(
            tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 3, "progress_timeout": 60}
        ) as ana,
    ):
        row = ana.files.request(NOWHERE)
        began = time.monotonic()
        await until(lambda: bool(row.asks))
        key = FileKey(NOWHERE.sha1)
        await ben.memberships["lab"].publish(UploadFileStatus(key, UploadStatus.STARTED))
        await at_step(row, Step.PEER_UPLOADS)
        await ben.memberships["lab"].publish(UploadFileFailed(key, "the bucket answered 403"))
        await at_step(row, Step.ASKING)
        with pytest.raises(TryAgain, match="403"):
            await asyncio.wait_for(row.outcome(), 20)
        assert time.monotonic() - began < 10


async def test_a_provider_that_comes_is_asked(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "other", lab, roles=PROVIDE),
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        folder = tmp_path / "ben"
        async with running_node(folder, None) as ben:
            uri = (await ben.store(put_file(tmp_path, "a.bin", b"it is here"))).uri
        row = ana.files.request(uri)
        await until(lambda: bool(row.asks))
        async with running_node(folder, lab, roles=PROVIDE):
            came = time.monotonic()
            path = await asyncio.wait_for(row.outcome(), 20)
            assert path is not None
            assert time.monotonic() - came < 10
        assert "a node has come" in " ".join(ask.ended for ask in row.asks)


async def test_who_was_never_asked_is_not_named(tmp_path: Path, hub: Hub, lab: Path) -> None:
    """What is said to have listened did so when the question went out."""
    async with (
        running_node(tmp_path / "early", lab, roles=PROVIDE),
        running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 2}) as ana,
    ):
        row = ana.files.request(NOWHERE)
        await until(lambda: bool(row.asks))
        with pytest.raises(NobodyHasIt) as raised:
            await row.outcome()
        assert "listening: early" in raised.value.why


async def test_whoever_comes_and_goes_without_end_does_not_keep_a_question_open(
    tmp_path: Path, lab: Path
) -> None:
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 0.7}) as ana:
        row = ana.files.request(NOWHERE)
        began = time.monotonic()

        async def come_and_go() -> None:
            for number in range(100):
                async with running_node(tmp_path / f"guest{number}", lab, roles=PROVIDE):
                    pass

        coming = asyncio.create_task(come_and_go())
        with pytest.raises(KacheryError):
            await asyncio.wait_for(row.outcome(), 60)
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        assert len(row.asks) <= 20
        assert time.monotonic() - began < 50


async def test_an_answer_that_got_lost_costs_seconds(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a provider says may be more than one peer may say: whoever waits looks into the bucket now and then."""
    monkeypatch.setattr("kachery_tui.node.files.question.FIRST_LOOK", 0.5)
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"it is here"))).uri
        monkeypatch.setattr(ana.files._asker, "hear_announcement", lambda *_: None)
        began = time.monotonic()
        assert await asyncio.wait_for(ana.files.request(uri).outcome(), 20) is not None
        assert time.monotonic() - began < 10


async def test_a_question_that_got_lost_is_asked_again(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kachery_tui.node.files.question.FIRST_LOOK", 0.5)
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"it is here"))).uri
        hear, lost = ben.files._provider.hear_request, 0

        def sometimes(*arguments: Any) -> None:
            nonlocal lost
            lost += 1
            if lost > 1:
                hear(*arguments)

        monkeypatch.setattr(ben.files._provider, "hear_request", sometimes)
        assert await asyncio.wait_for(ana.files.request(uri).outcome(), 20) is not None
        assert lost == 2


def test_one_nodes_words_never_push_out_anothers_and_all_are_bounded() -> None:
    waiter = Waiter(1)
    key = FileKey("ab" * 20)
    finished = UploadFileStatus(key, UploadStatus.FINISHED)
    waiter.put_announcement(Heard(finished, "honest"))
    for number in range(1_000):
        waiter.put_announcement(Heard(UploadFileProgress(key, number, 10**6), "loud"))
    assert len(waiter._waiting) == 1 + WAITING_OF_ONE
    for number in range(10_000):
        waiter.put_announcement(Heard(UploadFileProgress(key, 0, 10), f"{number}"))
    assert len(waiter._waiting) == MOST_WAITING
    waiter.put_announcement(Heard(finished, "late"))
    for number in range(10_000):
        waiter.put_announcement(Heard(finished, f"liar {number}"))
    assert len(waiter._waiting) == 4 * MOST_WAITING
    heard = []
    while (one := waiter.next_announcement()) is not None:
        heard.append(one.node_id)
    assert heard[0] == "honest"
    assert "late" in heard
    # The newest of the one that says much are what is left of it.
    assert heard.count("loud") == WAITING_OF_ONE
    assert not waiter._of_one


async def test_what_was_asked_often_enough_is_waited_for_in_peace(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that comes when the question has been published often enough is not asked, and the loop goes on."""
    monkeypatch.setattr("kachery_tui.node.files.question.MOST_QUESTIONS", 1)
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 3}) as ana:
        row = ana.files.request(NOWHERE)
        await until(lambda: bool(row.asks))
        async with running_node(tmp_path / "late", lab, roles=PROVIDE):
            for _ in range(10):
                began = time.monotonic()
                await asyncio.sleep(0.02)
                assert time.monotonic() - began < 10
            with pytest.raises(NobodyHasIt):
                await asyncio.wait_for(row.outcome(), 20)
        assert len(row.asks) == 1

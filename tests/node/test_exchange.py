"""Two nodes, one hub: a file travels."""

import asyncio
import os
from pathlib import Path

import pytest

from kachery_tui.errors import NobodyHasIt, NotAllowed, UsageError
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.ledger import Origin
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.roles import Role, Stream
from tests.hubs import Hub
from tests.nodes import at_step, leave, put_file, running_node, theirs, until

REQUEST = (Role.REQUEST_FILES,)
PROVIDE = (Role.PROVIDE_FILES,)


def steps(row: object) -> list[Step]:
    return [entry.step for entry in row.steps]  # type: ignore[attr-defined]


async def test_a_file_that_only_a_peer_has(tmp_path: Path, lab: Path) -> None:
    data = os.urandom(1000)
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        stored = await ben.store(put_file(tmp_path, "a.bin", data))
        row = ana.files.request(str(stored.uri))
        path = await row.outcome()
        assert path is not None
        assert path.read_bytes() == data
        assert steps(row) == [
            Step.STORAGE,
            Step.BUCKET,
            Step.ASKING,
            Step.PEER_UPLOADS,
            Step.BUCKET,
            Step.DOWNLOADING,
            Step.DONE,
        ]
        assert row.origins == {Origin.PEER: 1000}
        assert row.channel == "lab"
        assert row.answered_by == ben.node_id
        assert ana.label_of(ben.node_id).startswith("ben")
        await ben.wait_idle()
        served = theirs(ben)
        assert [(each.step, each.done, each.asked_by) for each in served] == [
            (Step.DONE, 1000, [ana.node_id])
        ]


async def test_the_second_asker_gets_it_from_the_bucket(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab) as ana:
        async with running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben:
            uri = (await ben.store(put_file(tmp_path, "a.bin", b"for all"))).uri
            await ana.files.request(uri).outcome()
        async with running_node(tmp_path / "cleo", lab, roles=REQUEST) as cleo:
            row = cleo.files.request(uri)
            await row.outcome()
            assert row.origins == {Origin.BUCKET: 7}
            assert Step.ASKING not in steps(row)


async def test_what_is_here_is_done_at_once(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab) as ana:
        uri = (await ana.store(put_file(tmp_path, "a.bin", b"mine"))).uri
        row = ana.files.request(uri)
        await row.outcome()
        assert row.origins == {Origin.DISK: 4}


async def test_a_large_file_travels_in_chunks(tmp_path: Path, lab: Path) -> None:
    data = os.urandom(1 << 20) * 44
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "big.bin", data))).uri
        assert uri.manifest_sha1
        row = ana.files.request(uri)
        path = await row.outcome()
        assert path is not None
        assert path.read_bytes() == data
        assert row.done == row.size == len(data)
        assert len(FileSubject.of(row).chunks) == 3
        await ben.wait_idle()
        # One row for the file, its manifest and all its chunks.
        assert len(theirs(ben)) == 1
        assert theirs(ben)[0].name == "big.bin"
        # And the other way: what came in chunks can be provided by the one who got it.
        manifest = ana.storage.manifest_of(uri.sha1)
        assert manifest is not None
        assert manifest.object_sha1 == uri.manifest_sha1


async def test_an_empty_file(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ben", lab) as ben, running_node(tmp_path / "ana", lab) as ana:
        uri = (await ben.store(put_file(tmp_path, "empty", b""))).uri
        path = await ana.files.request(uri).outcome()
        assert path is not None
        assert path.read_bytes() == b""


async def test_one_upload_however_many_ask(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
        running_node(tmp_path / "cleo", lab, roles=REQUEST) as cleo,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", os.urandom(5_000_000)))).uri
        rows = [node.files.request(uri) for node in (ana, cleo)]
        await asyncio.gather(*(row.outcome() for row in rows))
        await ben.wait_idle()
        assert ben.uploaded.total == 5_000_000


async def test_a_second_request_for_the_same_file_joins_the_first(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ben", lab) as ben, running_node(tmp_path / "ana", lab) as ana:
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"once"))).uri
        assert ana.files.request(uri) is ana.files.request(uri)


async def test_ask_mode_waits_for_a_yes(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"on demand"))).uri
        row = ana.files.request(uri)
        await at_step(row, Step.HELD)
        (asked,) = theirs(ben)
        assert asked.step == "waits for your key"
        ben.files.answer(asked, yes=True)
        await row.outcome()
        await ben.wait_idle()
        assert asked.step is Step.DONE


async def test_ask_mode_takes_a_no(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"never"))).uri
        row = ana.files.request(uri)
        await at_step(row, Step.HELD)
        ben.files.answer(theirs(ben)[0], yes=False)
        await row.finished.wait()
        assert row.step is Step.FAILED
        assert "declined" in str(row.failure)
        assert theirs(ben)[0].step is Step.DECLINED
        with pytest.raises(UsageError):
            ben.files.answer(theirs(ben)[0], yes=True)
        # Another try asks again.
        ana.files.retry(row)
        await at_step(row, Step.HELD)
        ben.files.answer(theirs(ben)[-1], yes=True)
        await row.outcome()


async def test_who_asks_again_hears_again_that_a_person_is_asked(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"patience"))).uri
        row = ana.files.request(uri)
        await at_step(row, Step.HELD)
        ana.files.cancel(row)
        await row.finished.wait()
        ana.files.retry(row)
        await at_step(row, Step.HELD)
        assert len(theirs(ben)) == 1


async def test_one_yes_covers_all_chunks_of_a_file(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "big.bin", os.urandom(1 << 20) * 42))).uri
        row = ana.files.request(uri)
        await at_step(row, Step.HELD)
        ben.files.answer(theirs(ben)[0], yes=True)
        await row.outcome()
        assert len(theirs(ben)) == 1


async def test_push_without_being_asked(tmp_path: Path, lab: Path) -> None:
    data = os.urandom(1 << 20) * 25
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben:
        uri = (await ben.store(put_file(tmp_path, "big.bin", data))).uri
        row = ben.files.push(uri, "lab")
        await row.outcome()
        assert row.done == row.size
    async with running_node(tmp_path / "ana", lab, roles=REQUEST) as ana:
        path = await ana.files.request(uri).outcome()
        assert path is not None
        assert path.read_bytes() == data


async def test_pushing_again_sends_nothing(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben:
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"0123456789"))).uri
        await ben.files.push(uri, "lab").outcome()
        row = ben.files.push(uri, "lab")
        await row.outcome()
        assert row.origins == {Origin.BUCKET: 10}
        assert ben.uploaded.total == 10


async def test_nobody_has_it_says_who_was_listening(tmp_path: Path, lab: Path) -> None:
    limits = {"answer_timeout": 0.5}
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE),
        running_node(tmp_path / "ana", lab, roles=REQUEST, limits=limits) as ana,
    ):
        await until(lambda: len(ana.memberships["lab"].members(Stream.PROVIDE_FILES)) == 1)
        row = ana.files.request("sha1://" + "ab" * 20)
        with pytest.raises(NobodyHasIt, match=r"0\.5 s \(answer_timeout\); listening: ben"):
            await row.outcome()
        assert row.step is Step.FAILED


async def test_nobody_listens(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 0.5}) as ana:
        with pytest.raises(NobodyHasIt, match="listening: nobody that shows itself"):
            await ana.files.request("sha1://" + "ab" * 20).outcome()


async def test_without_the_role_nothing_is_published(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab, roles=PROVIDE) as ana:
        with pytest.raises(NotAllowed, match="no role request-files on lab"):
            await ana.files.request("sha1://" + "ab" * 20).outcome()
        assert ana.memberships["lab"].activity[Stream.REQUEST_FILES].sent.total == 0
        uri = (await ana.store(put_file(tmp_path, "a.bin", b"x"))).uri
        await ana.set_role("lab", Role.PROVIDE_FILES, asked=False)
        with pytest.raises(NotAllowed):
            ana.files.push(uri, "lab")


async def test_words_that_are_off(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab) as ana:
        for uri in ("sha1://" + "AB" * 20, "sha1://" + "ab" * 19, "http://x", ""):
            with pytest.raises(ProtocolError):
                ana.files.request(uri)
        with pytest.raises(UsageError, match="joined: lab"):
            ana.files.request("sha1://" + "ab" * 20, "labb")
        assert len(ana.ledger) == 0


async def test_a_node_without_channels_says_so(tmp_path: Path) -> None:
    async with running_node(tmp_path / "ana", None) as ana:
        with pytest.raises(NobodyHasIt, match="joined no channel"):
            await ana.files.request("sha1://" + "ab" * 20).outcome()


async def test_roles_change_while_running(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=()) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 0.5}) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"later"))).uri
        row = ana.files.request(uri)
        with pytest.raises(NobodyHasIt):
            await row.outcome()
        await ben.set_role("lab", Role.PROVIDE_FILES, asked=True)
        await until(lambda: Role.PROVIDE_FILES in ben.memberships["lab"].in_force)
        assert '"provide-files"' in ben.memberships["lab"].config.file.read_text()
        ana.files.retry(row)
        await row.outcome()
        assert row.step is Step.DONE
        await ben.set_role("lab", Role.PROVIDE_FILES, asked=False)
        assert not ben.memberships["lab"].in_force


async def test_cancel_lets_go_and_retry_finishes(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab, roles=REQUEST) as ana:
        data = b"in the end"
        async with running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben:
            uri = (await ben.store(put_file(tmp_path, "a.bin", data))).uri
            row = ana.files.request(uri)
            await at_step(row, Step.HELD)
            ana.files.cancel(row)
            await row.finished.wait()
            assert row.step is Step.CANCELLED
            await ana.wait_idle()
            assert not list((tmp_path / "ana/storage/tmp").iterdir())
            ben.files.answer(theirs(ben)[0], yes=True)
            await ben.wait_idle()
        ana.files.retry(row)
        path = await row.outcome()
        assert path is not None
        assert path.read_bytes() == data


async def test_a_link_is_provided_like_a_file(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ben", lab) as ben, running_node(tmp_path / "ana", lab) as ana:
        uri = (await ben.link(put_file(tmp_path, "a.bin", b"over there"))).uri
        path = await ana.files.request(uri).outcome()
        assert path is not None
        assert path.read_bytes() == b"over there"


async def test_leaving_ends_what_goes_on_there(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab) as ana:
        row = ana.files.request("sha1://" + "ab" * 20, "lab")
        await at_step(row, Step.ASKING)
        await leave(ana)
        await row.finished.wait()
        assert row.step is Step.CANCELLED
        assert not ana.memberships


async def test_a_requesting_node_beside_a_running_one(tmp_path: Path, lab: Path) -> None:
    """What `load` does while the screen runs on the same storage folder."""
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben, running_node(tmp_path / "ana", lab):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"beside"))).uri
        async with running_node(tmp_path / "ana", lab, provides=False, wait=False) as second:
            path = await second.files.request(uri).outcome()
            assert path is not None
            assert path.read_bytes() == b"beside"
            assert all(row.side is Side.MINE for row in second.ledger)


async def test_messages_know_their_request(tmp_path: Path, lab: Path, hub: Hub) -> None:
    async with running_node(tmp_path / "ben", lab) as ben, running_node(tmp_path / "ana", lab) as ana:
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"x"))).uri
        row = ana.files.request(uri)
        await row.outcome()
        await ben.wait_idle()
        heard = [
            m
            for m in ana.memberships["lab"].activity[Stream.PROVIDE_FILES].messages
            if m.from_node_id == ben.node_id
        ]
        assert {message.request for message in heard} == {row.number}
        asked = list(ben.memberships["lab"].activity[Stream.REQUEST_FILES].messages)
        assert [message.request for message in asked] == [theirs(ben)[0].number]


async def test_a_damaged_file_is_got_anew(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"for all"))).uri
        await ana.store(tmp_path / "a.bin")
        found = ana.storage.find(uri.sha1)
        assert found is not None
        found.path.write_bytes(b"for none")
        row = ana.files.request(uri)
        path = await row.outcome()
        assert path is not None
        assert path.read_bytes() == b"for all"
        assert "in storage is damaged" in row.notes[0]

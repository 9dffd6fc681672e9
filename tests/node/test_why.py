"""The causal chain in words, over real nodes and a real hub."""

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kachery_tui.errors import KacheryError
from kachery_tui.node.activity import Direction, Verdict
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import TRANSITIONS, Side, Step
from kachery_tui.node.values import Entry, Totals
from kachery_tui.node.why import Link, Mark, why_entry, why_message, why_request, why_role, why_stream
from kachery_tui.node.why.links import LONGEST_DO, LONGEST_TEXT, pieces, several
from kachery_tui.protocol.envelope import encode_batches, seal
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.messages import FileKey, RequestFile, UploadFileStatus, UploadStatus
from kachery_tui.protocol.roles import Role, Stream
from tests.hubs import Hub
from tests.node.test_faults import spoil
from tests.nodes import at_step, leave, put_file, running_node, theirs, until

if TYPE_CHECKING:
    from kachery_tui.protocol.canonical import JsonObject

REQUEST = (Role.REQUEST_FILES,)
PROVIDE = (Role.PROVIDE_FILES,)
NOWHERE = "sha1://" + "ab" * 20
SOON = {"answer_timeout": 0.3}


def chain(node: Node, row: Request) -> tuple[Link, ...]:
    """The chain of a row, whose every link is short and speaks plainly."""
    return plain(why_request(node, row, time.time()))


def plain(links: tuple[Link, ...]) -> tuple[Link, ...]:
    assert links
    for link in links:
        assert 0 < len(link.text) <= LONGEST_TEXT
        assert len(link.do) <= LONGEST_DO
        assert not link.text.endswith(".")
        assert "\n" not in link.text
    return links


def says(links: tuple[Link, ...], mark: Mark, pattern: str) -> Link:
    """The link of that mark whose text has `pattern`."""
    found = [link for link in links if link.mark is mark and re.search(pattern, link.text)]
    assert found, [f"{link.mark}: {link.text}" for link in links]
    return found[0]


async def ended(row: Request) -> None:
    await row.finished.wait()


async def test_nobody_has_it(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE),
        running_node(tmp_path / "ana", lab, roles=REQUEST, limits=SOON) as ana,
    ):
        await until(lambda: len(ana.memberships["lab"].members(Stream.PROVIDE_FILES)) == 1)
        row = ana.files.request(NOWHERE)
        await ended(row)
        (ask,) = row.asks
        assert (ask.channel, ask.stream, ask.about, ask.present) == (
            "lab",
            Stream.REQUEST_FILES,
            "the file",
            1,
        )
        assert ask.listening[0].startswith("ben")
        assert ask.ended == "answer_timeout 0.3 s"
        assert ask.ended_at is not None
        links = chain(ana, row)
        says(links, Mark.NOTE, "not in this node's own storage")
        says(links, Mark.OK, "request-files on lab: asked for, granted and in force")
        says(links, Mark.NOTE, "bucket of lab did not have it")
        says(links, Mark.OK, r"the file was asked for on requestFiles of lab \d.* ago")
        says(links, Mark.OK, r"ben .* was listening")
        says(links, Mark.BAD, r"nobody answered within 0\.3 s \(answer_timeout\)")
        assert "run a node" in links[-1].do


async def test_nobody_listens_and_then_somebody_does(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, limits=SOON) as ana:
        row = ana.files.request(NOWHERE)
        await ended(row)
        link = says(chain(ana, row), Mark.BAD, "no node that shows itself was listening")
        assert "provide-files" in link.do
        async with running_node(tmp_path / "ben", lab, roles=PROVIDE):
            await until(lambda: len(ana.memberships["lab"].members(Stream.PROVIDE_FILES)) == 1)
            last = chain(ana, row)[-1]
            assert re.search("now ben .* on lab would hear it, too", last.text)
            assert last.do.startswith("Retry")


async def test_who_was_heard_lately_may_listen_without_showing_itself(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, limits=SOON) as ana:
        ana.memberships["lab"].activity[Stream.PROVIDE_FILES].record(
            at=time.time() - 90,
            direction=Direction.IN,
            verdict=Verdict.VERIFIED,
            type="fileUploaded",
            summary="",
            from_node_id="cd" * 32,
            raw="",
        )
        row = ana.files.request(NOWHERE)
        await ended(row)
        link = says(
            chain(ana, row), Mark.NOTE, "no node that shows itself was listening, as old daemons never do"
        )
        assert "cdcdcd" in link.text


async def test_no_role(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab, roles=PROVIDE) as ana:
        row = ana.files.request(NOWHERE)
        await ended(row)
        link = says(chain(ana, row), Mark.BAD, "does not ask for request-files on lab")
        assert link.do.startswith("Ask for the role")
        links = plain(why_role(ana, "lab", Role.REQUEST_FILES))
        says(links, Mark.BAD, "does not ask for")
        says(links, Mark.NOTE, "would publish on requestFiles and hear provideFiles")
        stream = plain(why_stream(ana, "lab", Stream.PROVIDE_FILES))
        says(stream, Mark.OK, "may publish on provideFiles, by the role provide-files")
        says(stream, Mark.NOTE, "does not listen to provideFiles: it does not ask for request-files")


async def test_a_role_that_is_not_granted(tmp_path: Path, lab: Path) -> None:
    async with running_node(
        tmp_path / "ana", lab, roles=REQUEST, granted=["provide-files"], wait=False
    ) as ana:
        row = ana.files.request(NOWHERE)
        await ended(row)
        link = says(chain(ana, row), Mark.BAD, "lab does not grant request-files to this node")
        assert "owner" in link.do
        says(plain(why_role(ana, "lab", Role.REQUEST_FILES)), Mark.OK, "asks for request-files on lab")
        link = says(plain(why_stream(ana, "lab", Stream.REQUEST_FILES)), Mark.BAD, "may not publish")
        assert "owner" in link.do


async def test_a_role_in_force(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab) as ana:
        links = plain(why_role(ana, "lab", Role.PROVIDE_FILES))
        assert [link.mark for link in links] == [Mark.OK] * 4 + [Mark.NOTE]
        says(links, Mark.NOTE, "publishes on provideFiles and hears requestFiles")
        assert why_role(ana, "nowhere", Role.PROVIDE_FILES)[0].mark is Mark.BAD
        assert why_stream(ana, "nowhere", Stream.PROVIDE_FILES)[0].mark is Mark.BAD


async def test_the_channel_is_disconnected(
    tmp_path: Path, hub: Hub, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kachery_tui.node.files.obtaining.BUCKET_PAUSES", (0.05,))
    async with running_node(tmp_path / "ana", lab, roles=REQUEST) as ana:
        await hub.stop()
        await until(lambda: not ana.memberships["lab"].is_connected)
        row = ana.files.request(NOWHERE)
        await at_step(row, Step.RECONNECTING)
        links = chain(ana, row)
        says(links, Mark.BAD, "lab has been without connection for")
        says(links, Mark.WAIT, "asked as soon as the connection is there")
        says(links, Mark.WAIT, "waiting for the connection for")
        says(plain(why_stream(ana, "lab", Stream.PROVIDE_FILES)), Mark.BAD, "without connection")
        says(plain(why_role(ana, "lab", Role.REQUEST_FILES)), Mark.BAD, "without connection")


async def test_held_by_a_person_and_declined(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"x"))).uri
        row = ana.files.request(uri)
        await at_step(row, Step.HELD)
        links = chain(ana, row)
        says(links, Mark.NOTE, r"ben .* has it and asks a person")
        assert "ask that person" in says(links, Mark.WAIT, "a person there is asked").do
        (asked,) = theirs(ben)
        links = chain(ben, asked)
        says(links, Mark.OK, r"ana .* asked for it on requestFiles of lab")
        assert "decline" in says(links, Mark.WAIT, "a person here has been asked for").do
        ben.files.answer(asked, yes=False)
        await ended(row)
        says(chain(ana, row), Mark.BAD, r"ben .* could not send it: declined")
        assert row.asks[-1].ended == "nobody could send it"
        await ben.wait_idle()
        says(chain(ben, asked), Mark.NOTE, "it was declined after")


async def test_a_peer_whose_upload_fails(tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.node.files.uploading.UPLOAD_PAUSES", (0.05,))
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, bucket={"endpoint": "http://127.0.0.1:9"}) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"stuck"))).uri
        await until(lambda: len(ana.memberships["lab"].members(Stream.PROVIDE_FILES)) == 1)
        row = ana.files.request(uri)
        await ended(row)
        says(chain(ana, row), Mark.BAD, "ben .* could not send it")
        await ben.wait_idle()
        links = chain(ben, theirs(ben)[0])
        says(links, Mark.BAD, "bucket")
        assert links[-1].do


async def test_a_bad_object_in_the_bucket(tmp_path: Path, hub: Hub, lab: Path) -> None:
    spoil(hub, "ab" * 20, b"rubbish")
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, limits=SOON) as ana:
        row = ana.files.request(NOWHERE)
        await ended(row)
        links = chain(ana, row)
        says(links, Mark.NOTE, "bucket of lab holds wrong bytes under this hash")
        assert links[-1].do


async def test_done_from_disk_from_the_bucket_and_from_a_peer(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
        running_node(tmp_path / "cleo", lab, roles=REQUEST) as cleo,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", os.urandom(2000)))).uri
        row = ana.files.request(uri)
        await row.outcome()
        links = chain(ana, row)
        says(links, Mark.OK, r"answered by ben .* after .*: it is in the bucket")
        says(links, Mark.OK, r"2\.0 kB were sent by ben .* on this request")
        assert links[-1].mark is Mark.OK
        assert "hash" in links[-1].text
        await ben.wait_idle()
        links = chain(ben, theirs(ben)[0])
        says(links, Mark.OK, r"lab is provided for without asking a person \(provide = auto\)")
        says(links, Mark.OK, r"2\.0 kB were uploaded")
        row = ana.files.request(uri)
        await row.outcome()
        (link,) = chain(ana, row)
        assert "own storage already" in link.text
        row = cleo.files.request(uri)
        await row.outcome()
        links = chain(cleo, row)
        says(links, Mark.OK, "bucket of lab had it: nobody needed to be asked")
        says(links, Mark.OK, r"2\.0 kB came from the bucket")


async def test_push(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ben", lab, roles=PROVIDE) as ben:
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"0123456789"))).uri
        row = ben.files.push(uri, "lab")
        await row.outcome()
        links = chain(ben, row)
        says(links, Mark.OK, "10 B were uploaded")
        says(links, Mark.OK, "was said on provideFiles of lab")
        row = ben.files.push(uri, "lab")
        await row.outcome()
        says(chain(ben, row), Mark.OK, "had all of it already: nothing was sent")
        await ben.set_role("lab", Role.PROVIDE_FILES, asked=False)
        ben.files.retry(row)
        await ended(row)
        links = chain(ben, row)
        assert says(links, Mark.BAD, "does not ask for provide-files").do.startswith("Ask for the role")
        assert links[-1].mark is Mark.BAD


async def test_cancelled_and_left(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab, roles=REQUEST) as ana:
        row = ana.files.request(NOWHERE, "lab")
        await until(lambda: bool(row.asks))
        links = chain(ana, row)
        says(links, Mark.WAIT, r"no answer yet; it is waited for .* more \(answer_timeout\)")
        ana.files.cancel(row)
        await ended(row)
        links = chain(ana, row)
        says(links, Mark.NOTE, "the answer is not waited for any more")
        assert "Retry" in links[-1].do
        await leave(ana)
        says(chain(ana, row), Mark.BAD, "has not joined lab, or has left it")


async def test_messages(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "eve", lab) as eve,
        running_node(tmp_path / "ana", lab, roles=PROVIDE) as ana,
    ):
        uri = (await ana.store(put_file(tmp_path, "a.bin", b"x"))).uri
        publish = eve.memberships["lab"].channel.pubsub.publish
        key = PrivateKey.generate()
        request = seal(RequestFile(uri.file_key), key)
        bodies: list[list[JsonObject]] = [
            [{**request, "signature": "00" * 64}],
            [{**request, "body": {"type": "newThing"}}],
            [seal(UploadFileStatus(uri.file_key, UploadStatus.STARTED), key)],
            [seal(RequestFile(FileKey("cd" * 20)), key)],
            [request],
        ]
        for body in bodies:
            (data,) = encode_batches(body)
            await publish(Stream.REQUEST_FILES, data)
        activity = ana.memberships["lab"].activity[Stream.REQUEST_FILES]
        await until(lambda: activity.count == len(bodies))
        await ana.wait_idle()
        refused, passed_over, misplaced, unknown, led = [
            plain(why_message(ana, "lab", Stream.REQUEST_FILES, message)) for message in activity.messages
        ]
        says(refused, Mark.BAD, "signature is not of the node that it names")
        says(refused, Mark.BAD, "refused: bad signature")
        says(passed_over, Mark.NOTE, "this version does not know")
        says(misplaced, Mark.BAD, "does not belong on this stream")
        says(unknown, Mark.NOTE, "does not have the file, so it says nothing")
        says(led, Mark.OK, "its signature holds")
        says(led, Mark.OK, "belongs to request 1, ")
        sent = next(
            message
            for message in ana.memberships["lab"].activity[Stream.PROVIDE_FILES].messages
            if message.verdict is Verdict.SENT
        )
        says(plain(why_message(ana, "lab", Stream.PROVIDE_FILES, sent)), Mark.OK, "this node signed it")
        stream = plain(why_stream(ana, "lab", Stream.REQUEST_FILES))
        says(stream, Mark.BAD, "2 refused, the last one: wrong stream")
        says(stream, Mark.NOTE, "1 of types that this version does not know")
        says(stream, Mark.OK, r"eve .* is present there")


async def test_stored_files(tmp_path: Path, lab: Path) -> None:
    totals = Totals(1, 800, 0, 0, 1000)

    def entry(**changes: object) -> Entry:
        values: dict[str, object] = {
            "sha1": "ab" * 20,
            "size": 800,
            "name": "a",
            "added": 1.0,
            "used": 2.0,
            "origin": "",
            "pinned": False,
            "kind": "file",
            "manifest_sha1": None,
        }
        return Entry(**{**values, **changes})  # type: ignore[arg-type]

    async with running_node(tmp_path / "ana", lab) as ana:
        stored = (await ana.store(put_file(tmp_path, "a.bin", b"x"))).uri.sha1
        found = ana.storage.index.get(stored)
        assert found is not None
        says(plain(why_entry(ana, found, totals)), Mark.OK, f"stored on this machine from {tmp_path}"[:40])
        says(plain(why_entry(ana, entry(origin="lab"), totals)), Mark.OK, "came over lab")
        says(plain(why_entry(ana, entry(), totals)), Mark.NOTE, "another program put it")
        says(plain(why_entry(ana, entry(origin="manifest"), totals)), Mark.NOTE, "is a manifest")
        void = plain(why_entry(ana, entry(kind="void", origin="/x/" + "y" * 300), totals))
        assert "link it again" in says(void, Mark.BAD, "changed, moved or removed").do
        says(plain(why_entry(ana, entry(kind="link"), totals)), Mark.OK, "take no room")
        says(plain(why_entry(ana, entry(), totals)), Mark.NOTE, "200 B are free below the limit")
        over = plain(why_entry(ana, entry(), Totals(1, 1500, 0, 0, 1000)))
        assert "Pin" in says(over, Mark.BAD, "500 B over its limit").do
        says(plain(why_entry(ana, entry(pinned=True), totals)), Mark.OK, "is pinned")
        says(plain(why_entry(ana, entry(), Totals(1, 1, 0, 0, None))), Mark.OK, "no size limit is set")


async def test_every_row_at_every_step_has_a_chain(tmp_path: Path) -> None:
    """Whatever a row looks like: one that has just begun, one that lost its channel, one with endless words in it."""
    async with running_node(tmp_path / "ana", None) as ana:
        uri = (await ana.store(put_file(tmp_path, "a.bin", b"x"))).uri
        for side, step in ((each, step) for each in Side for step in TRANSITIONS[each]):
            row = ana.ledger.open(side, "gone", FileSubject(uri), step)
            ana.ledger.note(row, "word " * 500)
            chain(ana, row)
            row.failure = KacheryError("what\n" * 200, "why " * 200, "do " * 200)
            chain(ana, row)


def test_words() -> None:
    assert several(["a"]) == "a"
    assert several(["a", "b"]) == "a and b"
    assert several(["a", "b", "c", "d"], 9) == "a, b, c and 6 more"
    links = pieces(Mark.BAD, "it " + "x" * 50 + " " + "y" * 120)
    assert [link.text for link in links] == ["it " + "x" * 50, "y" * 99 + "…"]
    (link,) = pieces(Mark.BAD, "lab/sha1/ab/cd/ef/" + "abcdef12" * 5 + " is gone")
    assert link.text == "abcdef12… is gone"

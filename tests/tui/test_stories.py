"""What a person does at the screen, over real nodes and a real hub."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from kachery_tui.config import load_channel
from kachery_tui.hub import Hub
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.values import Stored
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.uris import FileUri
from kachery_tui.tui.tour import Hint, has_come
from tests.nodes import put_file, running_node, until
from tests.tui.screens import NARROW, WIDE, at_the_screen, unstarted_node

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["140x45", "80x24"])


@SIZES
async def test_request_by_paste(tmp_path: Path, lab: Path, size: tuple[int, int]) -> None:
    async with running_node(tmp_path / "alice", lab) as alice:
        stored = await alice.store(put_file(tmp_path, "brain.nwb", b"x" * 5_000))
        async with at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me:
            await me.paste(str(stored.uri))
            await me.reads("Request a file", "brain.nwb")
            await me.press("enter")
            await me.reads("✓ done", "brain.nwb", "5.0 kB")
            await me.reads("answered by alice")
            await me.press("enter")
            await me.reads("Request #1: brain.nwb", "own storage", "? asking", "5,000 B of 5,000 B", "alice")
            await me.press("escape")
            found = me.node.storage.find(stored.uri.sha1)
            assert found is not None
            assert found.path.read_bytes() == b"x" * 5_000
            await me.press("2")
            await me.reads("requestFile", "uploadFileStatus", "✓ verified")
            await me.press("4")
            await me.reads("1 file, 5.0 kB", "brain.nwb")


@SIZES
async def test_a_request_that_nobody_can_serve_says_why(
    tmp_path: Path, lab: Path, size: tuple[int, int]
) -> None:
    node = unstarted_node(tmp_path / "me", lab, limits={"answer_timeout": 0.3})
    async with at_the_screen(node, size) as me:
        await me.press("r")
        await me.type("sha1://ABC")
        await me.reads("✗")
        await me.press("enter")
        assert len(me.node.ledger) == 0
        await me.type("sha1://" + "ab" * 20)
        await me.press("enter")
        await me.reads("✗ failed", "what", "why", "do")
        await me.press("x")
        await me.reads("x Cancel: not now", "this request has ended (failed)")
        await me.press("R")
        await until(lambda: all(row.step is Step.FAILED for row in me.node.ledger))
        assert len(me.node.ledger) == 1


@SIZES
async def test_answer_a_request_that_waits(tmp_path: Path, lab: Path, size: tuple[int, int]) -> None:
    async with (
        running_node(tmp_path / "bob", lab) as bob,
        at_the_screen(unstarted_node(tmp_path / "me", lab, provide="ask"), size) as me,
    ):
        wanted = await me.node.store(put_file(tmp_path, "spikes.dat", b"spikes"))
        unwanted = await me.node.store(put_file(tmp_path, "secret.dat", b"secret"))
        await me.press("7")
        row = bob.files.request(wanted.uri)
        await me.reads("! 1 waits for your key", "p goes there")
        await me.press("p")
        await me.reads("! waits for your key", "bob", "p Provide", "n Decline")
        await me.press("p")
        path = await asyncio.wait_for(row.outcome(), 20)
        assert path is not None
        assert path.read_bytes() == b"spikes"
        await me.reads("✓ done")
        bob.files.request(unwanted.uri)
        await me.reads("! 1 waits for your key", "p goes there")
        await me.press("p", "n")
        await me.reads("○ declined")


@SIZES
async def test_grant_a_role_and_see_the_stream_open(tmp_path: Path, lab: Path, size: tuple[int, int]) -> None:
    node = unstarted_node(tmp_path / "me", lab, roles=[Role.REQUEST_FILES])
    async with at_the_screen(node, size) as me:
        await me.press("1", "down", "down")
        await me.reads("g asks for it: will listen on lab-requestFiles", "g Ask for role")
        await me.press("g")
        membership = me.node.memberships["lab"]
        await until(lambda: Role.PROVIDE_FILES in membership.in_force)
        await me.reads("g Give up role", "✓ in force: listens on lab-requestFiles")
        assert load_channel(membership.config.file).roles == {Role.REQUEST_FILES, Role.PROVIDE_FILES}
        await me.press("2", "down")
        await me.reads("requestFiles")
        assert membership.activity[Stream.REQUEST_FILES].subscribed
        await me.press("1", "space")
        await until(lambda: not membership.activity[Stream.REQUEST_FILES].subscribed)
        assert load_channel(membership.config.file).roles == {Role.REQUEST_FILES}


@SIZES
async def test_cancel_then_try_again(tmp_path: Path, lab: Path, size: tuple[int, int]) -> None:
    wanted = FileUri("0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33", "foo.txt")
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me:
        await me.paste(str(wanted))
        await me.press("enter")
        await me.reads("? asking", "x Cancel")
        await me.press("x")
        await me.reads("○ cancelled", "R Retry")
        async with running_node(tmp_path / "late", lab) as late:
            await late.store(put_file(tmp_path, "foo.txt", b"foo"))
            await me.press("R")
            await me.reads("✓ done")
        assert [row.step for row in me.node.ledger] == [Step.DONE]


@SIZES
async def test_store_a_file_and_push_it(tmp_path: Path, lab: Path, size: tuple[int, int]) -> None:
    path = put_file(tmp_path, "table.csv", b"a,b\n1,2\n")
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me:
        await me.press("4", "s")
        await me.reads("Store a file")
        await me.type(str(tmp_path / "missing.csv"))
        await me.press("enter")
        await me.reads("no such file or directory")
        assert (await me.node.cache.totals()).files == 0
        await me.press("s")
        await me.type(str(path))
        await me.press("enter")
        await me.reads("table.csv is in storage", "1 file", "u Push")
        await me.press("u")
        await me.reads("↑ push", "✓ done")
        (row,) = me.node.ledger
        assert row.side is Side.PUSH
        await me.press("4", "S")
        await me.type(str(put_file(tmp_path, "linked.csv", b"c")))
        await me.press("enter")
        await me.reads("linked.csv is in storage", "linked, nothing copied", "1 link")


async def test_storing_shows_how_far_it_is_and_can_be_stopped(tmp_path: Path) -> None:
    node = unstarted_node(tmp_path / "me", None)
    path = put_file(tmp_path, "large.dat", b"x" * 1_000)

    async def endless_store(path: Path, *, progress: Callable[[int], None] | None = None) -> Stored:
        assert progress is not None
        progress(430)
        await asyncio.Event().wait()
        raise AssertionError(path)

    node.store = endless_store  # type: ignore[method-assign]
    async with at_the_screen(node, NARROW) as me:
        await me.press("4", "s")
        await me.type(str(path))
        await me.press("enter")
        await me.reads("storing large.dat", "43 %", "x Stop storing")
        await me.press("q")
        await me.reads("1 transfer is under way", "y Yes")
        await me.press("n", "x")
        await me.reads("storing large.dat was stopped")
        await until(lambda: "43 %" not in me.text())


@SIZES
async def test_the_raw_envelope(tmp_path: Path, lab: Path, size: tuple[int, int]) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me:
        await me.press("2")
        me.node.files.request("sha1://" + "ab" * 20)
        await me.reads("requestFile ", "✓ sent", "↑ this")
        await me.press("enter", "up", "enter")
        await me.reads(
            "Message on lab-requestFiles", '"fromNodeId"', me.node.node_id[:40], '"sha1": "abababab'
        )
        await me.press("escape", "escape")
        assert me.main.focused is me.main.pane.focus_target


async def test_the_hub_goes_and_comes_back(tmp_path: Path, hub: Hub, lab: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab)) as me:
        await me.reads("● lab connected")
        await hub.stop()
        await me.reads("○ lab disconnected")
        await me.press("1")
        await me.reads("! ")
        await hub.start()
        await me.reads("● lab connected")


async def test_quit_closes_the_node(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "alice", lab) as alice:
        node = unstarted_node(tmp_path / "me", lab)
        async with at_the_screen(node) as me:
            channel = alice.memberships["lab"]
            await until(lambda: any(one.label == "me" for one in channel.members(Stream.REQUEST_FILES)))
            await me.press("q")
            await until(lambda: not me.app.is_running)
            await until(lambda: not any(one.label == "me" for one in channel.members(Stream.REQUEST_FILES)))


async def test_the_tour_leads_through_a_request(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "alice", lab) as alice:
        stored = await alice.store(put_file(tmp_path, "brain.nwb", b"brain"))
        uri = str(stored.uri)
        tour = [
            Hint(f"Press {{request}}, then Enter: asks for {uri}", uri=uri, done=has_come(uri)),
            Hint("Press 2 to see what was said"),
        ]
        async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW, tour=tour) as me:
            await me.reads("1/2  Press r", "t: next")
            await me.press("r")
            await me.reads(str(stored.uri))
            await me.press("enter")
            await me.reads("2/2  Press 2")
            await me.press("t")
            await until(lambda: "2/2" not in me.text())

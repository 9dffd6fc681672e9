"""A channel that is left while something goes on over it."""

import asyncio
from pathlib import Path

from kachery_tui.node.steps import Step
from kachery_tui.protocol.roles import Role
from tests.nodes import at_step, leave, put_file, running_node, theirs, until

REQUEST = (Role.REQUEST_FILES,)
PROVIDE = (Role.PROVIDE_FILES,)
NOWHERE = "sha1://" + "ab" * 20


async def test_a_channel_is_left_while_a_person_is_asked(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", lab, roles=PROVIDE, provide="ask") as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        uri = (await ben.store(put_file(tmp_path, "a.bin", b"x"))).uri
        asking = ana.files.request(uri)
        await at_step(asking, Step.HELD)
        (row,) = theirs(ben)
        await leave(ben)
        async with asyncio.timeout(5):
            await ben.wait_idle()
        assert row.step is Step.CANCELLED


async def test_a_channel_is_left_while_its_nodes_are_asked(tmp_path: Path, lab: Path) -> None:
    """A request that may go over any channel ends on the one that is left, instead of waiting for nobody."""
    async with running_node(tmp_path / "ana", lab, roles=REQUEST) as ana:
        row = ana.files.request(NOWHERE)
        await at_step(row, Step.ASKING)
        await until(lambda: bool(row.asks))
        await leave(ana)
        async with asyncio.timeout(5):
            await row.finished.wait()
        assert row.failure is not None
        assert "left" in row.failure.why
        assert row.asks[0].ended == "the channel was left"

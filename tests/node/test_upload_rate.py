"""Sending no faster than somebody wants."""

import asyncio
import time
from pathlib import Path

import pytest

from kachery_tui.channel.throttle import AT_ONCE
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Step
from kachery_tui.protocol.roles import Role
from tests.nodes import put_file, running_node, until

RATE = 2_000_000
PROVIDE, REQUEST = (Role.PROVIDE_FILES,), (Role.REQUEST_FILES,)


def with_rate(folder: Path, lab: Path, rate: int) -> Path:
    file = put_file(folder, "lab.toml", f"{lab.read_text()}\n[limits]\nupload_rate = {rate}\n".encode())
    file.chmod(0o600)
    return file


@pytest.fixture
def slow(tmp_path: Path, lab: Path) -> Path:
    """The channel, for a node that uploads slowly."""
    file = put_file(
        tmp_path / "slow", "lab.toml", f"{lab.read_text()}\n[limits]\nupload_rate = {RATE}\n".encode()
    )
    file.chmod(0o600)
    return file


async def uploading(node: Node) -> Request:
    """The request of others that a node sends for, once it does."""
    await until(lambda: any(row.step is Step.UPLOADING for row in node.ledger))
    return next(row for row in node.ledger if row.step is Step.UPLOADING)


async def test_a_node_uploads_at_its_rate(tmp_path: Path, slow: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", slow, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        stored = await ben.store(put_file(tmp_path, "a.bin", b"\0" * RATE))
        began = time.monotonic()
        assert await ana.files.request(stored.uri).outcome() is not None
        assert time.monotonic() - began > 1 - 2 * AT_ONCE


@pytest.mark.parametrize("by", ["cancelling", "closing"])
async def test_an_upload_that_is_broken_off_says_so(tmp_path: Path, slow: Path, lab: Path, by: str) -> None:
    async with (
        running_node(tmp_path / "ben", slow, roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        stored = await ben.store(put_file(tmp_path, "b.bin", b"\1" * 19_000_000))
        asking = ana.files.request(stored.uri)
        sending = await uploading(ben)
        if by == "cancelling":
            ben.cancel(sending)
        await asyncio.wait_for(ben.close(), 10)
        await until(lambda: any("cancelled there" in heard for ask in asking.asks for heard in ask.heard))


async def test_cancelling_does_not_wait_for_a_slow_uploads_turn(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ben", with_rate(tmp_path / "slow", lab, 1_000), roles=PROVIDE) as ben,
        running_node(tmp_path / "ana", lab, roles=REQUEST) as ana,
    ):
        stored = await ben.store(put_file(tmp_path, "c.bin", b"\2" * 1_000_000))
        ana.files.request(stored.uri)
        sending = await uploading(ben)
        await until(lambda: sending.done > 0)
        began = time.monotonic()
        ben.cancel(sending)
        await ben.wait_idle()
        assert time.monotonic() - began < 1

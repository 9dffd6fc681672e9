"""Sending no faster than somebody wants."""

import asyncio
import time
from pathlib import Path

import pytest

from kachery_tui.node import throttle
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Step
from kachery_tui.node.throttle import AT_ONCE, Throttle
from kachery_tui.protocol.roles import Role
from tests.nodes import put_file, running_node, until

RATE = 2_000_000
PROVIDE, REQUEST = (Role.PROVIDE_FILES,), (Role.REQUEST_FILES,)


class Clock:
    """A clock that goes on only while somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 1_000.0, 0.0
        monkeypatch.setattr(throttle, "time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


def test_what_is_sent_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slow = Clock(monkeypatch), Throttle(1_000)
    slow.sent(int(900 * AT_ONCE))
    assert clock.slept == 0
    slow.sent(int(100 * AT_ONCE))
    for _ in range(10):
        slow.sent(1_000)
    assert clock.slept == pytest.approx(10)
    clock.now += 60
    slow.sent(1_000)
    assert clock.slept == pytest.approx(11 - AT_ONCE), "what was not sent before is not made up for"


def test_without_a_limit_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    Throttle(0).sent(1 << 40)
    assert clock.slept == 0


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

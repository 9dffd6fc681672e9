"""Nodes on a bad network for a while: nothing that arrives is wrong, nothing hangs, and what fails says to try again.

For half a minute; KACHERY_SOAK_SECONDS says for how long instead.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.errors import TryAgain
from kachery_tui.node.node import Node
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import FileUri, SubfeedUri
from tests.hubs import running_hub
from tests.nodes import join_by_file, running_node, until

from .rough_proxy import RoughProxy

SECONDS = float(os.environ.get("KACHERY_SOAK_SECONDS", "30"))
SEED = int(os.environ.get("KACHERY_SOAK_SEED", "1"))
CALM = 90.0
"""Seconds, at the most, until everything has come through once the network is good again."""
SIZES = (0, 1_000, 300_000, 3_000_000, 21_000_000)
LIMITS = {"answer_timeout": 8, "progress_timeout": 10}


class Soak:
    """What was asked for and what came of it."""

    def __init__(self, owner: Node, asker: Node, chance: random.Random, folder: Path) -> None:
        self.owner = owner
        self.asker = asker
        self.chance = chance
        self.folder = folder
        self.came: Counter[str] = Counter()
        self.unfinished: list[FileUri] = []
        self.appended = 0

    async def make(self) -> FileUri:
        """A new file of the owner's."""
        data = self.chance.randbytes(self.chance.choice(SIZES) + self.chance.randrange(1_000))
        self.came["made"] += 1
        path = self.folder / f"{self.came['made']}.dat"
        await asyncio.to_thread(path.write_bytes, data)
        stored = await self.owner.store(path)
        path.unlink()
        return stored.uri

    async def ask(self, uri: FileUri) -> bool:
        """Ask for a file; whether it came. What fails is worth another try, and says so."""
        row = self.asker.files.request(uri)
        try:
            async with asyncio.timeout(CALM):
                path = await row.outcome()
        except TryAgain as error:
            self.came[type(error).__name__] += 1
            return False
        assert path is not None
        digest = await asyncio.to_thread(lambda: hashlib.sha1(path.read_bytes()).hexdigest())
        assert digest == uri.sha1, "what came is what was asked for"
        self.came["files"] += 1
        return True

    async def files(self, until_: float) -> None:
        """Files, several at a time."""

        async def one_after_another() -> None:
            while time.monotonic() < until_:
                uri = await self.make()
                if not await self.ask(uri):
                    self.unfinished.append(uri)

        await asyncio.gather(*(one_after_another() for _ in range(3)))

    async def messages(self, uri: SubfeedUri, until_: float) -> None:
        """Messages of a feed that is followed."""
        while time.monotonic() < until_:
            await self.owner.feeds.append(uri, [{"n": self.appended + n} for n in range(5)])
            self.appended += 5
            await asyncio.sleep(self.chance.uniform(0.05, 0.6))

    async def kills(self, folder: Path, until_: float) -> None:
        """A program of its own that gets a file, killed at any moment; the next one goes on."""
        while time.monotonic() < until_:
            uri = await self.make()
            for last in (False, False, True):
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", "kachery_tui", "load", str(uri)),
                    env={
                        **os.environ,
                        "KACHERY_TUI_CONFIG_DIR": str(folder),
                        "KACHERY_STORAGE_DIR": str(folder / "storage"),
                    },
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                )
                if not last:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self.chance.uniform(1.0, 4.0)):
                            await process.wait()
                    with contextlib.suppress(ProcessLookupError):
                        process.send_signal(signal.SIGKILL)
                out, said = await process.communicate()
                self.came[f"load ended by {process.returncode}"] += 1
                assert process.returncode in (0, 4, -signal.SIGKILL), said.decode()
                if process.returncode == 0:
                    data = Path(out.decode().strip()).read_bytes()
                    assert hashlib.sha1(data).hexdigest() == uri.sha1
                    break

    async def finish(self) -> None:
        """All that did not come, now that nothing is in the way."""
        for uri in self.unfinished:
            async with asyncio.timeout(CALM):
                while not await self.ask(uri):
                    await asyncio.sleep(0.5)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What fails is meant to fail here."""
    logger = logging.getLogger("kachery_tui")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


async def test_a_bad_network(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(SEED)
    async with running_hub(tmp_path / "hub") as hub, contextlib.AsyncExitStack() as stack:
        pubsub = await stack.enter_async_context(RoughProxy(hub.pubsub_port, chance, answers=False).running())
        bucket = await stack.enter_async_context(RoughProxy(hub.s3_port, chance, answers=True).running())
        by_proxy: dict[str, Any] = {
            "pubsub": {"endpoint": f"127.0.0.1:{pubsub.port}"},
            "bucket": {"endpoint": f"http://127.0.0.1:{bucket.port}"},
            "limits": LIMITS,
        }
        lab = hub.channel_files["lab"]
        roles = (Role.REQUEST_FILES, Role.PROVIDE_FILES, Role.REQUEST_FEEDS, Role.PROVIDE_FEEDS)
        owner = await stack.enter_async_context(
            running_node(tmp_path / "owner", lab, roles=roles, provide="auto", **by_proxy)
        )
        asker = await stack.enter_async_context(
            running_node(tmp_path / "asker", lab, roles=roles, **by_proxy)
        )
        join_by_file(tmp_path / "killed", lab, roles=["request-files"], **by_proxy)
        feed = await owner.feeds.create("log")
        uri = SubfeedUri(feed.feed_id, "messages")
        await owner.feeds.append(uri, [{"n": -1}])
        await asker.feeds.follow(uri)

        soak = Soak(owner, asker, chance, tmp_path)
        stop = time.monotonic() + SECONDS
        pubsub.is_rough = bucket.is_rough = True

        async def cuts() -> None:
            while time.monotonic() < stop:
                await asyncio.sleep(chance.uniform(3.0, 12.0))
                chance.choice((pubsub, bucket)).cut_all()

        with quiet():
            async with asyncio.TaskGroup() as group:
                group.create_task(cuts())
                group.create_task(soak.files(stop))
                group.create_task(soak.messages(uri, stop))
                group.create_task(soak.kills(tmp_path / "killed", stop))
            pubsub.is_rough = bucket.is_rough = False
            await until(
                lambda: all(
                    membership.in_force == membership.roles
                    for node in (owner, asker)
                    for membership in node.memberships.values()
                ),
                15,
            )
            await soak.finish()
            async with asyncio.timeout(CALM):
                while await asker.feeds.count(uri.key("")) <= soak.appended:
                    await asyncio.sleep(0.2)
        found = await asker.feeds.messages(uri.key(""), 0, soak.appended + 10)
        assert [message.message["n"] for message in found] == list(range(-1, soak.appended))
        assert await asker.feeds.check(uri.key("")) is None
        for node in (owner, asker):
            assert list(node.supervisor.failures) == []
        errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        assert [error for error in errors if "No activity seen" not in error] == []
        print(dict(soak.came), f"{soak.appended} messages", dict(pubsub.done), dict(bucket.done))
        assert soak.came["files"] > 0
        assert soak.appended > 0
        assert bucket.done["cut"] > 0

"""Members of a channel: real nodes that have nothing but the address of its authority, and bare ones for attacks."""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from kachery_tui.authority.register import Register
from kachery_tui.config import TaskConfig
from kachery_tui.config.channels import install_membership
from kachery_tui.node.node import Node
from kachery_tui.protocol.authority import Ask, seal_request
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import FileUri
from tests.hubs import Hub
from tests.nodes import put_file, running_node, until


def has(node: Node, roles: frozenset[Role]) -> bool:
    """Whether a node has exactly these roles in force."""
    return node.memberships["lab"].in_force == roles


class Club:
    """A hub with one channel, its owner's register, and nodes as members."""

    def __init__(
        self, folder: Path, hub: Hub, stack: AsyncExitStack, *, url: str = "", data: str = "hub"
    ) -> None:
        """`url` is where members reach the authority, if that is not the hub's own port; `data` has its register."""
        self.folder = folder
        self.hub = hub
        self.url = url or f"http://127.0.0.1:{hub.pubsub_port}"
        self.register = Register(folder / data)
        stack.callback(self.register.close)
        self._stack = stack

    async def bare(self, granted: frozenset[Role], label: str = "eve") -> "Bare":
        """A member that asks for whatever one likes."""
        session = await self._stack.enter_async_context(aiohttp.ClientSession())
        bare = Bare(self, session)
        if granted:
            self.register.put_member("lab", bare.key.node_id, granted, label=label)
            # The service looks a few times a second.
            await until_async(bare.is_member)
        return bare

    async def taken_up(self) -> None:
        """Wait until the service has read what the register says: it looks a few times a second."""
        desk = self.hub._front._office._service._desks.need("lab")  # type: ignore[union-attr]
        await until(
            lambda: (desk.rules, desk.members) == (self.register.rules("lab"), self.register.members("lab"))
        )

    async def member(
        self,
        name: str,
        granted: frozenset[Role],
        asked: frozenset[Role] | None = None,
        tasks: Sequence[TaskConfig] = (),
    ) -> Node:
        """A running node that was made a member, with what it is granted in force."""
        install_membership(self.folder / name, "lab", self.url, granted if asked is None else asked)
        node = await self._stack.enter_async_context(running_node(self.folder / name, None, tasks=tasks))
        self.register.put_member("lab", node.node_id, granted, label=name)
        await until(partial(has, node, granted))
        return node


async def travels(folder: Path, provider: Node, asker: Node, data: bytes) -> None:
    """Have a file that only one node has come to the other."""
    uri = (await provider.store(put_file(folder, "a.bin", data))).uri
    await arrives(asker, uri, data)


async def arrives(asker: Node, uri: FileUri, data: bytes) -> None:
    """Have a node get a file."""
    path = await asker.files.request(uri).outcome()
    assert path is not None
    assert path.read_bytes() == data


class Bare:
    """One that signs requests by hand. `server` and `ahead` are what it signs with, once it has said hello."""

    def __init__(self, club: Club, session: aiohttp.ClientSession) -> None:
        self.key = PrivateKey.generate()
        self.url = club.url
        self.session = session

    async def hello(self) -> str:
        """The run of the server, to be signed."""
        async with self.session.get(f"{self.url}/api/channel/lab") as answer:
            return str((await answer.json())["server"])

    async def sealed(self, ask: Ask, channel: str = "lab", *, late: float = 0.0, **fields: Any) -> Any:
        """A request as it is sent; `late` seconds too late."""
        moment = int((time.time() - late) * 1000)
        server = fields.pop("server", None) or await self.hello()
        return seal_request(self.key, ask, channel, url=self.url, server=server, time=moment, fields=fields)

    async def send(self, request: Any, channel: str = "lab") -> tuple[int, Any]:
        """Status and answer."""
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        async with self.session.post(f"{self.url}/api/channel/{channel}", data=body) as answer:
            return answer.status, await answer.json()

    async def ask(self, ask: Ask, **fields: Any) -> tuple[int, Any]:
        """Ask as one should."""
        return await self.send(await self.sealed(ask, **fields))

    async def is_member(self) -> bool:
        """Whether the service knows it as one."""
        _, answer = await self.ask(Ask.STANDING)
        return bool(answer["standing"]["isMember"])

    async def upload(self, name: str, size: int, **fields: Any) -> tuple[int, Any]:
        """Ask for a grant."""
        return await self.ask(Ask.UPLOAD, object=name, size=size, **fields)

    async def put(self, path: str, data: Any) -> tuple[int, str]:
        """PUT to what was granted; status, and what was said."""
        async with self.session.put(self.url + path, data=data) as answer:
            return answer.status, await answer.text()

    async def read(self, name: str, **options: Any) -> tuple[int, bytes]:
        """GET an object as a member does."""
        _, answer = await self.ask(Ask.STANDING)
        url = f"{self.url}{answer['standing']['readUrl']}/{name}"
        async with self.session.get(url, **options) as found:
            return found.status, await found.read()


async def until_async(holds: Any, seconds: float = 10) -> None:
    """Wait until a coroutine function says so."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.05)

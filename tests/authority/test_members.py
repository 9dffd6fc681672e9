"""Members of a hub's channel, by its authority alone: what travels, and what each of them is kept from."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kachery_tui.authority.register import Register
from kachery_tui.config.channels import install_membership
from kachery_tui.errors import NotAllowed
from kachery_tui.node.node import Node
from kachery_tui.protocol.roles import Role
from tests.hubs import Hub, running_hub
from tests.nodes import put_file, running_node, until

REQUEST = frozenset({Role.REQUEST_FILES})
PROVIDE = frozenset({Role.PROVIDE_FILES})
FEEDS = frozenset({Role.REQUEST_FEEDS}), frozenset({Role.PROVIDE_FEEDS})


class Club:
    """A hub with one channel, its owner's register, and nodes as members."""

    def __init__(self, folder: Path, hub: Hub, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.hub = hub
        self.register = Register(folder / "hub")
        stack.callback(self.register.close)
        self._stack = stack

    @property
    def url(self) -> str:
        """Where the authority is."""
        return f"http://127.0.0.1:{self.hub.pubsub_port}"

    async def member(self, name: str, granted: frozenset[Role], asked: frozenset[Role] | None = None) -> Node:
        """A running node that was made a member, with what it is granted in force."""
        install_membership(self.folder / name, "lab", self.url, granted if asked is None else asked)
        node = await self._stack.enter_async_context(running_node(self.folder / name, None))
        self.register.put_member("lab", node.node_id, granted, label=name)
        await until(lambda: node.memberships["lab"].in_force == granted, seconds=20)
        return node


@pytest.fixture
async def club(tmp_path: Path) -> AsyncIterator[Club]:
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(running_hub(tmp_path / "hub"))
        yield Club(tmp_path, hub, stack)


async def test_a_file_travels_between_members(club: Club, tmp_path: Path) -> None:
    ben = await club.member("ben", PROVIDE)
    ana = await club.member("ana", REQUEST)
    uri = (await ben.store(put_file(tmp_path, "a.bin", b"between members"))).uri
    path = await ana.files.request(uri).outcome()
    assert path is not None
    assert path.read_bytes() == b"between members"
    files = [file.read_text() for file in (tmp_path / "ana" / "channels").iterdir()]
    assert not any("key" in text for text in files)


async def test_who_has_no_role_cannot_upload(club: Club) -> None:
    ana = await club.member("ana", REQUEST)
    with pytest.raises(NotAllowed, match="provide-files"):
        await ana.memberships["lab"].channel.authority.upload_url(f"lab/sha1/ab/ab/ab/{'ab' * 20}", 10)


async def test_roles_that_change_are_in_force_within_a_second(club: Club) -> None:
    ana = await club.member("ana", REQUEST, asked=frozenset(Role))
    for roles in (REQUEST | PROVIDE, PROVIDE, frozenset(Role), REQUEST):
        club.register.put_member("lab", ana.node_id, roles)
        await until(lambda roles=roles: ana.memberships["lab"].in_force == roles, seconds=3)
    club.register.remove_member("lab", ana.node_id)
    await until(lambda: not ana.memberships["lab"].in_force, seconds=3)
    await until(lambda: "no member" in ana.memberships["lab"].connection.reason, seconds=10)

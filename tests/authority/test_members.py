"""Nodes that are members by a channel's authority alone: what travels, and how fast what they may do changes."""

import json
from functools import partial
from pathlib import Path

import pytest

from kachery_tui.errors import NotAllowed
from kachery_tui.protocol.roles import Role
from tests.authority.clubs import Club, has, travels
from tests.hubs import running_hub
from tests.node.task_nodes import python, result_of
from tests.nodes import put_file, until

REQUEST = frozenset({Role.REQUEST_FILES})
PROVIDE = frozenset({Role.PROVIDE_FILES})
READ_FEEDS = frozenset({Role.REQUEST_FEEDS})
WRITE_FEEDS = frozenset({Role.PROVIDE_FEEDS})


async def test_a_file_travels_between_members(club: Club, tmp_path: Path) -> None:
    ben = await club.member("ben", PROVIDE)
    ana = await club.member("ana", REQUEST)
    await travels(tmp_path, ben, ana, b"between members")
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
        await until(partial(has, ana, roles), seconds=3)
    club.register.remove_member("lab", ana.node_id)
    await until(lambda: not ana.memberships["lab"].in_force, seconds=3)
    await until(lambda: "no member" in ana.memberships["lab"].connection.reason, seconds=10)
    club.register.put_member("lab", ana.node_id, REQUEST)
    await until(partial(has, ana, REQUEST), seconds=10)


async def test_a_feed_travels_between_members(club: Club) -> None:
    owner = await club.member("owner", WRITE_FEEDS)
    reader = await club.member("reader", READ_FEEDS)
    uri = await owner.feeds.create("log")
    await owner.feeds.append(uri, [{"n": 0}, {"n": 1}])
    row = await reader.feeds.follow(str(uri))
    await until(lambda: row.subject.messages == 2)
    await owner.feeds.append(uri, [{"n": 2}])
    await until(lambda: row.subject.messages == 3)


async def test_a_task_travels_between_members(club: Club) -> None:
    await club.member("ben", frozenset({Role.PROVIDE_TASKS}), tasks=[python("add")])
    ana = await club.member("ana", frozenset({Role.REQUEST_TASKS}))
    assert await result_of(ana, "add", a=1, b=2.5) == 3.5


async def test_the_hub_goes_and_comes_back_with_all_that_it_knew(club: Club, tmp_path: Path) -> None:
    ben = await club.member("ben", PROVIDE)
    ana = await club.member("ana", REQUEST)
    before = (await ben.store(put_file(tmp_path, "a.bin", b"before"))).uri
    assert await ana.files.request(before).outcome()
    code = club.register.invite("lab", REQUEST, uses=1, seconds=60)
    ports = {"port": club.hub.pubsub_port, "s3_port": club.hub.s3_port}
    await club.hub.stop()
    await until(lambda: not ana.memberships["lab"].is_connected)
    async with running_hub(tmp_path / "hub", channels=("lab", "other"), **ports):
        await until(partial(has, ana, REQUEST), seconds=60)
        await until(partial(has, ben, PROVIDE), seconds=60)
        after = (await ben.store(put_file(tmp_path, "b.bin", b"after"))).uri
        path = await ana.files.request(after).outcome()
        assert path is not None
        assert path.read_bytes() == b"after"
        assert club.register.code("lab", code) is not None
        assert {line.node_id for line in club.register.lines("lab")} == {ana.node_id, ben.node_id}
    assert not ana.supervisor.failed
    assert not ben.supervisor.failed
    assert json.dumps([line.text for line in ana.log.lines]).count("Traceback") == 0

"""A running node follows the channel files in its settings folder."""

import asyncio
import logging
from pathlib import Path

import pytest

from kachery_tui.config import Provide, load_channel, save_provide, save_roles
from kachery_tui.errors import UsageError
from kachery_tui.protocol.roles import Role
from tests.nodes import join_by_file, running_node, until

REQUEST = frozenset({Role.REQUEST_FILES})


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.node.channel_files.LOOK_INTERVAL", 0.02)


async def test_a_file_that_is_dropped_in_joins_and_one_that_goes_leaves(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", None) as ana:
        file = join_by_file(tmp_path / "ana", lab, roles=["request-files"])
        await until(lambda: "lab" in ana.memberships and ana.memberships["lab"].in_force == REQUEST)
        file.unlink()
        await until(lambda: not ana.memberships)


async def test_who_looks_now_and_who_follows_join_a_channel_once(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", None) as ana:
        for _ in range(20):
            file = join_by_file(tmp_path / "ana", lab, roles=["request-files"])
            await asyncio.gather(*(ana.look_at_channel_files() for _ in range(3)))
            assert list(ana.memberships) == ["lab"]
            file.unlink()
            await ana.look_at_channel_files()
            assert not ana.memberships
        assert not ana.supervisor.failed
        assert not [line for line in ana.log.lines if line.level >= logging.WARNING]


async def test_changed_roles_take_effect_over_the_same_connection(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab, roles=(Role.PROVIDE_FILES,)) as ana:
        membership = ana.memberships["lab"]
        save_roles(membership.config.file, REQUEST)
        await until(lambda: membership.in_force == REQUEST)
        assert ana.memberships["lab"] is membership
        assert membership.reconnects == 1


async def test_whether_a_person_is_asked_changes_over_the_same_connection(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab) as ana:
        membership = ana.memberships["lab"]
        save_provide(membership.config.file, Provide.ASK)
        await until(lambda: membership.config.provide is Provide.ASK)
        await ana.set_provide("lab", Provide.AUTO)
        assert load_channel(membership.config.file).provide is Provide.AUTO
        await ana.look_at_channel_files()
        assert ana.memberships["lab"] is membership
        assert membership.config.provide is Provide.AUTO
        assert membership.reconnects == 1
        with pytest.raises(UsageError, match="no channel 'labb'"):
            await ana.set_provide("labb", Provide.AUTO)


async def test_two_settings_that_change_at_a_time_are_both_kept(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab, roles=(Role.PROVIDE_FILES,)) as ana:
        file = ana.memberships["lab"].config.file
        await asyncio.gather(
            ana.set_role("lab", Role.REQUEST_FILES, asked=True),
            ana.set_provide("lab", Provide.ASK),
            ana.set_role("lab", Role.REQUEST_FEEDS, asked=True),
        )
        assert load_channel(file).provide is Provide.ASK
        assert load_channel(file).roles == {Role.PROVIDE_FILES, Role.REQUEST_FILES, Role.REQUEST_FEEDS}


async def test_other_changes_join_anew(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab) as ana:
        join_by_file(tmp_path / "ana", lab, limits={"uploads": 7})
        await until(
            lambda: (
                ana.memberships.get("lab") is not None and ana.memberships["lab"].config.limits.uploads == 7
            )
        )
        await until(lambda: len(ana.memberships["lab"].in_force) == 2)


async def test_a_file_that_cannot_be_read_changes_nothing(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab) as ana:
        membership = ana.memberships["lab"]
        before = membership.config
        membership.config.file.write_text("name = ")
        other = tmp_path / "ana" / "channels" / "zz.toml"
        other.write_text(lab.read_text().replace('name = "lab"', 'name = "zz"', 1))
        other.chmod(0o600)
        await until(lambda: "zz" in ana.memberships)
        assert ana.memberships["lab"] is membership
        assert membership.config == before
        assert not ana.supervisor.failed


async def test_the_nodes_own_change_of_a_role_is_no_news(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "ana", lab) as ana:
        membership = ana.memberships["lab"]
        await ana.set_role("lab", Role.REQUEST_TASKS, asked=True)
        await until(lambda: Role.REQUEST_TASKS in membership.in_force)
        other = tmp_path / "ana" / "channels" / "other.toml"
        other.write_text(lab.read_text().replace('name = "lab"', 'name = "other"', 1))
        other.chmod(0o600)
        await until(lambda: "other" in ana.memberships)
        assert ana.memberships["lab"] is membership
        assert membership.reconnects == 1

"""The channels pane: roles before and after, and everything about a channel but its secrets."""

from pathlib import Path

import pytest

from kachery_tui.config import Provide, load_channel
from kachery_tui.hub import Hub
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.tui.here import ChannelRow
from tests.hubs import running_hub
from tests.nodes import join_by_file, until
from tests.tui.screens import NARROW, WIDE, at_the_screen, unstarted_node

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW, (60, 15)], ids=["140x45", "80x24", "60x15"])


@SIZES
async def test_a_role_says_before_and_after_what_it_means(
    tmp_path: Path, lab: Path, size: tuple[int, int]
) -> None:
    node = unstarted_node(tmp_path / "me", lab, roles=[Role.REQUEST_FILES])
    async with at_the_screen(node, size) as me:
        await me.press("1", "down", "down")
        await me.reads("g asks for it: will listen on lab-requestFiles and", "g Ask for role")
        await me.press("g")
        await me.reads("provide-files is in force", "granted: this node may now listen on lab-requestFiles")
        await me.reads("✓ in force: listens on lab-requestFiles", "g Give up role")
        membership = node.memberships["lab"]
        assert load_channel(membership.config.file).roles == {Role.REQUEST_FILES, Role.PROVIDE_FILES}
        await me.press("space")
        await me.reads("provide-files given up")
        await until(lambda: not membership.activity[Stream.REQUEST_FILES].subscribed)
        await me.press("U")
        await until(lambda: Role.PROVIDE_FILES in membership.in_force)


@SIZES
async def test_sending_by_itself_or_asking_first_is_a_keys_matter(
    tmp_path: Path, lab: Path, size: tuple[int, int]
) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me:
        config = me.node.memberships["lab"].config
        await me.press("1")
        await me.reads("a Ask first")
        await me.press("a")
        await me.reads("asks before", "lab: ask first")
        assert load_channel(config.file).provide is Provide.ASK
        await me.press("U")
        await me.reads("provides auto")
        assert load_channel(config.file).provide is Provide.AUTO


async def test_enter_tells_of_a_role_and_changes_nothing(tmp_path: Path, lab: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        membership = me.node.memberships["lab"]
        before = membership.asked
        await me.press("1", "down")
        await me.reads("✓ in force")
        await me.press("enter")
        await me.reads("The role request-files on lab", "granted", "publish on lab-requestFiles")
        await me.press("escape", *["down"] * 2, "enter")
        await me.reads("The role request-feeds on lab", "no: this node does not ask for it")
        await me.press("escape")
        assert membership.asked == before


async def test_a_role_that_the_channel_does_not_grant(tmp_path: Path, lab: Path) -> None:
    node = unstarted_node(tmp_path / "me", lab, granted=["request-files"])
    async with at_the_screen(node, NARROW) as me:
        await me.reads("● lab connected")
        await me.press("1")
        await me.reads("● connected, provides nothing")
        await me.press(*["down"] * 3)
        await me.reads("once the channel grants it")
        await me.press("g")
        await me.reads("request-feeds is asked for, not in force", "! not granted by the channel")


@SIZES
async def test_details_of_a_channel(tmp_path: Path, lab: Path, size: tuple[int, int]) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me:
        config = me.node.memberships["lab"].config
        await me.press("1")
        await me.reads("details")
        await me.press("enter")
        await me.reads("Channel lab", "● connected since", "✓ in force")
        await me.press(*["down"] * 10)
        await me.reads(f"{config.pubsub.endpoint}, without TLS", "automatically (provide = auto)")
        for secret in (config.pubsub.key.partition(":")[2], config.bucket.secret_key):
            assert secret
            assert secret not in me.text()
        await me.press("escape")


async def test_a_lost_channel_gives_its_whole_reason(tmp_path: Path, hub: Hub, lab: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        await me.press("1", "down")
        await hub.stop()
        await me.reads("! waits for the connection")
        await me.press("up", "enter")
        reason = me.node.memberships["lab"].connection.reason
        assert reason
        await me.reads("Channel lab", "○ disconnected since", reason[:60])
        await me.press("escape")


async def test_the_next_of_several_channels(tmp_path: Path) -> None:
    async with running_hub(tmp_path / "hub", channels=("atlas", "lab", "zoo")) as hub:
        for name in ("atlas", "zoo"):
            join_by_file(tmp_path / "me", hub.channel_files[name], roles=["request-files"])
        node = unstarted_node(tmp_path / "me", hub.channel_files["lab"])
        async with at_the_screen(node, (60, 15)) as me:
            await me.press("1")
            await me.reads("3 of 3 channels connected", "1/21", "atlas")
            await me.press("c", "c")
            await me.reads("15/21", "zoo ● connected since")
            assert me.main.here.selection == ChannelRow("zoo")
            await me.press("2")
            await me.reads("2 Streams  zoo")
            await me.press("c")
            await me.reads("2 Streams  atlas")

"""Coming into a channel on the screen, by a line that is pasted, and leaving it again."""

from pathlib import Path

import pytest

from kachery_tui.protocol.invitations import Invitation
from kachery_tui.protocol.roles import Role
from tests.authority.clubs import Club
from tests.authority.conftest import club
from tests.nodes import until
from tests.tui.screens import NARROW, WIDE, at_the_screen, unstarted_node

__all__ = ["club"]


@pytest.mark.parametrize("size", [WIDE, NARROW, (60, 15)], ids=["140x45", "80x24", "60x15"])
async def test_a_pasted_line_joins_and_undo_takes_leaving_back(
    club: Club, tmp_path: Path, size: tuple[int, int]
) -> None:
    code = club.register.invite("lab", {Role.REQUEST_FILES}, uses=1, seconds=3600)
    line = str(Invitation(club.url, "lab", code))
    node = unstarted_node(tmp_path / "me", None)
    async with at_the_screen(node, size) as me:
        await until(lambda: node.is_started)
        await me.paste(line)
        await me.reads("Join a channel", "#" + code[:4])
        await me.press("enter")
        await me.reads("Join lab?", "request-files, until")
        assert not node.memberships
        await me.press("y")
        await until(lambda: "lab" in node.memberships and bool(node.memberships["lab"].in_force))
        assert code not in node.memberships["lab"].config.file.read_text()
        await me.press("1", "L")
        await me.reads("Leave lab?")
        await me.press("y")
        await until(lambda: not node.memberships)
        await me.press("U")
        await until(lambda: "lab" in node.memberships and bool(node.memberships["lab"].in_force))


async def test_a_line_that_lets_nobody_in_says_why(club: Club, tmp_path: Path) -> None:
    node = unstarted_node(tmp_path / "me", None)
    async with at_the_screen(node, NARROW) as me:
        await until(lambda: node.is_started)
        await me.press("1", "J")
        await me.reads("Join a channel")
        await me.paste("kachery://nowhere")
        await me.press("enter")
        await me.reads("without a channel's name")
        await me.press("escape", "J")
        await me.paste(str(Invitation(club.url, "lab", "a-code-that-is-none")))
        await me.press("enter")
        await me.reads("used up, out of date")
        assert not node.memberships


async def test_without_a_code_the_owner_is_asked(club: Club, tmp_path: Path) -> None:
    node = unstarted_node(tmp_path / "me", None)
    async with at_the_screen(node, NARROW) as me:
        await until(lambda: node.is_started)
        await me.paste(str(Invitation(club.url, "lab")))
        await me.press("enter")
        await me.reads("Its owner will be asked")
        await me.press("y")
        await me.reads("its owner is asked")
        await until(lambda: "yet to let" in node.memberships["lab"].connection.reason)
        club.register.put_member("lab", node.node_id, {Role.REQUEST_FILES})
        await until(lambda: bool(node.memberships["lab"].in_force))

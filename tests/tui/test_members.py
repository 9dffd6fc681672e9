"""A channel's owner at the screen: who is in, who asks, roles by key, inviting, throwing out, and undo of each."""

from pathlib import Path

import pytest

from kachery_tui.authority.owner import Owner
from kachery_tui.config import OwnerConfig, load_channel
from kachery_tui.errors import KacheryError
from kachery_tui.protocol.authority import Ask
from kachery_tui.protocol.invitations import parse_invitation
from kachery_tui.protocol.roles import Role
from kachery_tui.tui.actions.members import read_terms
from tests.authority.clubs import Club, until_async
from tests.authority.conftest import club
from tests.nodes import until
from tests.tui.screens import NARROW, WIDE, at_the_screen, unstarted_node

__all__ = ["club"]

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW, (60, 15)], ids=["140x45", "80x24", "60x15"])
FILES = frozenset({Role.REQUEST_FILES, Role.PROVIDE_FILES})


def test_a_hubs_channel_file_says_where_its_register_is(club: Club) -> None:
    config = load_channel(club.hub.channel_files["lab"])
    assert config.owner == OwnerConfig(club.folder / "hub")


@SIZES
async def test_roles_are_given_and_taken_by_key(club: Club, tmp_path: Path, size: tuple[int, int]) -> None:
    ana = await club.member("ana", FILES)
    node = unstarted_node(tmp_path / "me", club.hub.channel_files["lab"])
    async with at_the_screen(node, size) as me:
        await me.press("m")
        await me.reads("1 member", "ana", "request+provide files", "Set its roles")
        # The second of the six: provide-files.
        await me.press("g")
        await me.reads("Roles of ana on lab", "[x] provide-files", "[ ] request-feeds")
        await me.press("down", "space")
        await me.reads("[ ] provide-files")
        await me.press("enter")
        await me.reads("ana may request files")
        await until(lambda: ana.memberships["lab"].in_force == {Role.REQUEST_FILES})
        await me.press("U")
        await until(lambda: ana.memberships["lab"].in_force == FILES)
        await me.reads("changing the roles of ana on lab", "taken back")


async def test_who_asks_is_told_of_let_in_and_sent_away(club: Club, tmp_path: Path) -> None:
    eve, bob = await club.bare(frozenset()), await club.bare(frozenset())
    node = unstarted_node(tmp_path / "me", club.hub.channel_files["lab"])
    async with at_the_screen(node, NARROW) as me:
        await eve.ask(Ask.APPLY, label="eve\x1b[31m@lab", roles=["request-files", "provide-feeds"])
        await me.reads("eve", "@lab asks to join lab, to request files · provide feeds; m goes")
        await me.press("m")
        await me.reads("1 asks to join", "asks to request files · provide feeds", "Let in", "Turn away")
        await me.press("g")
        await me.reads("into lab", "[x] request-files", "[x] provide-feeds")
        await me.press("enter")
        await me.reads("may request files · provide feeds")
        await until(lambda: not me.main.notices.line)
        assert club.register.members("lab")[eve.key.node_id].may == {Role.REQUEST_FILES, Role.PROVIDE_FEEDS}
        await me.press("U")
        await me.reads("1 asks to join")
        assert not club.register.members("lab")[eve.key.node_id].may
        await me.press("d")
        await me.reads("is turned away", "0 members")
        assert not club.register.waits("lab", eve.key.node_id)
        await me.press("U")
        await me.reads("1 asks to join")
        await bob.ask(Ask.APPLY, label="bob", roles=["request-files"])
        await me.reads("2 ask to join")
        assert "and 1 other asks" in me.main.notices.line


async def test_who_was_let_in_by_mistake_is_not_banned(club: Club, tmp_path: Path) -> None:
    eve = await club.bare(frozenset())
    node = unstarted_node(tmp_path / "me", club.hub.channel_files["lab"])
    async with at_the_screen(node, NARROW) as me:
        await eve.ask(Ask.APPLY, label="eve", roles=["request-files"])
        await me.press("m")
        await me.reads("1 asks to join")
        await me.press("g")
        await me.reads("Let eve into lab")
        await me.press("enter")
        await until_async(eve.is_member)
        await me.press("U")
        await me.reads("1 asks to join", "0 members")
        await club.taken_up()
        assert not await eve.is_member()
        await me.press("d")
        await me.reads("is turned away", "Nobody is a member yet.")
        code = club.register.invite("lab", {Role.REQUEST_FEEDS}, uses=1, seconds=60)
        assert (await eve.ask(Ask.JOIN, code=code, label="eve"))[0] == 200
        assert club.register.members("lab")[eve.key.node_id].may == {Role.REQUEST_FEEDS}


@pytest.mark.parametrize("mode", [0o622, 0o602, None])
async def test_a_register_of_others_is_not_read(club: Club, tmp_path: Path, mode: int | None) -> None:
    file = club.folder / "hub" / "register.sqlite"
    if mode is None:
        # One that is none: nothing is written to it.
        data = b""
        folder = tmp_path / "other"
        folder.mkdir()
        file = folder / "register.sqlite"
        file.write_bytes(data)
        file.chmod(0o600)
    else:
        file.chmod(mode)
    with pytest.raises(KacheryError, match="is no register" if mode is None else "is not yours alone"):
        Owner.at(file.parent, "lab")
    if mode is None:
        assert file.read_bytes() == b""


async def test_thrown_out_asked_first_and_let_in_again(club: Club, tmp_path: Path) -> None:
    ana = await club.member("ana", FILES)
    node = unstarted_node(tmp_path / "me", club.hub.channel_files["lab"])
    async with at_the_screen(node, NARROW) as me:
        await me.press("m")
        await me.reads("ana")
        await me.press("d")
        await me.reads("Remove ana from lab?")
        await me.press("n", "d", "y")
        await me.reads("removed", "0 members", "makes it one again")
        await until(lambda: not ana.memberships["lab"].in_force)
        await me.press("d")
        await me.reads("already removed; g lets it back in")
        await me.press("U")
        await until(lambda: ana.memberships["lab"].in_force == FILES)
        await me.press("d", "y")
        await until(lambda: not ana.memberships["lab"].in_force)
        await me.press("g")
        await me.reads("Let ana into lab", "[x] provide-files")
        await me.press("enter")
        await until(lambda: ana.memberships["lab"].in_force == FILES)


@SIZES
async def test_an_invitation_is_made_used_and_taken_back(
    club: Club, tmp_path: Path, size: tuple[int, int]
) -> None:
    node = unstarted_node(tmp_path / "me", club.hub.channel_files["lab"])
    async with at_the_screen(node, size) as me:
        await me.press("1", "I")
        await me.reads("Invite to lab as", "[x] request-files")
        await me.press("space")
        await me.reads("can do nothing")
        await me.press("enter", "a", "enter")
        await me.reads("How many, and for how long?")
        await me.type("2 fortnight")
        await me.reads("then how long it is good")
        await me.type("2 12h 5G")
        await me.press("enter")
        await me.reads("It lets 2 nodes in within 12 h 00 min, to all roles.")
        shown = me.app.screen._copies  # type: ignore[attr-defined]
        invitation = parse_invitation(shown)
        await me.press("escape")
        issued = club.register.code("lab", invitation.code)
        assert issued is not None
        assert (issued.uses, issued.quota, issued.roles) == (2, 5_000_000_000, frozenset(Role))
        eve = await club.bare(frozenset())
        status, _ = await eve.ask(Ask.JOIN, code=invitation.code, label="eve")
        assert status == 200
        await me.press("m")
        await me.reads("1 member", "1 invitation open", "1 node until", "all roles")
        await me.press("down", "d")
        await me.reads("Revoke invitation 1?")
        await me.press("y")
        await until(lambda: club.register.code("lab", invitation.code) is None)


async def test_undo_takes_an_invitation_back(club: Club, tmp_path: Path) -> None:
    node = unstarted_node(tmp_path / "me", club.hub.channel_files["lab"])
    async with at_the_screen(node, NARROW) as me:
        await me.press("1", "I", "enter")
        await me.reads("How many")
        await me.press("enter")
        await me.reads("It lets 1 node in within 7 d 0 h")
        assert club.register.codes("lab")
        await me.press("escape", "U")
        await until(lambda: not club.register.codes("lab"))


async def test_what_a_member_was_granted(club: Club, tmp_path: Path) -> None:
    eve = await club.bare(FILES)
    _, answer = await eve.upload(f"lab/sha1/0a/0b/0c/{'0a0b0c' + 'd' * 34}", 5)
    assert answer["url"]
    node = unstarted_node(tmp_path / "me", club.hub.channel_files["lab"])
    async with at_the_screen(node, NARROW) as me:
        await me.press("m")
        await me.reads("eve", "5 B")
        await me.press("enter")
        await me.reads(
            "eve on lab", eve.key.node_id[:30], "upload", "0a0b0cd", "5 B in all; no limit of its own"
        )
        await me.press("escape", "slash")
        await me.type("role:provide-tasks")
        await me.press("enter")
        await me.reads("No member matches.")
        await me.press("escape")
        await me.reads("5 B")
        await me.press("escape")
        await me.reads("granted")


async def test_others_than_the_owner_see_no_members(club: Club, tmp_path: Path) -> None:
    node = await club.member("ana", FILES)
    assert node.memberships["lab"].config.owner is None
    me_node = unstarted_node(tmp_path / "me", None)
    async with at_the_screen(me_node, NARROW) as me:
        await me.press("1", "m")
        await me.reads("this node owns no channel that has members")
        await me.press("I")
        await me.reads("select a channel of your own")


async def test_a_register_that_is_not_here_is_told_and_none_is_made(club: Club, tmp_path: Path) -> None:
    text = club.hub.channel_files["lab"].read_text()
    elsewhere = tmp_path / "elsewhere"
    file = tmp_path / "lab.toml"
    file.write_text(text.replace(str(club.folder / "hub"), str(elsewhere)))
    async with at_the_screen(unstarted_node(tmp_path / "me", file), NARROW) as me:
        await me.press("1", "m")
        await me.reads("The register of lab cannot be read:", "there is none in")
        await me.press("I", "enter")
        await me.reads("How many")
        await me.press("enter")
        await me.reads("the register of lab is not here")
    assert not elsewhere.exists()


async def test_ten_thousand_members_scroll(club: Club, tmp_path: Path) -> None:
    with club.register._change() as database:
        for number in range(10_000):
            club.register._put(database, "lab", f"{number:064x}", FILES, f"node {number:05}", None)
    node = unstarted_node(tmp_path / "me", club.hub.channel_files["lab"])
    async with at_the_screen(node, WIDE) as me:
        await me.press("m")
        await me.reads("10,000 members", "node 00000")
        await me.press("end")
        await me.reads("node 09999", "10,000/10,000")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1 7d", (1, 604_800.0, None)),
        ("3 12h 10G", (3, 43_200.0, 10_000_000_000)),
        ("3 90 0", (3, 90.0, 0)),
    ],
)
def test_terms_of_an_invitation(text: str, found: object) -> None:
    assert read_terms(text) == found

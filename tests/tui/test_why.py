"""`w`: why what is chosen is as it is, with the keys that help."""

from pathlib import Path

import pytest

from kachery_tui.node.steps import Step
from kachery_tui.node.why import Link, Mark
from kachery_tui.protocol.roles import Role
from kachery_tui.tui.actions import BY_ID
from kachery_tui.tui.describe.why import _NAMED, why_groups, why_lines, with_keys
from tests.nodes import put_file, until
from tests.tui.screens import NARROW, WIDE, at_the_screen, unstarted_node
from tests.tui.words import text_of

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW, (60, 15)], ids=["140x45", "80x24", "60x15"])
KEYS = {"retry": "R", "role": "g", "pane-channels": "1", "pin": "P", "provide": "p", "decline": "n"}


def key_of(action_id: str) -> str:
    return KEYS.get(action_id, "")


@pytest.mark.parametrize(
    ("advice", "told"),
    [
        ("Retry: they are asked now", "Retry (R): they are asked now"),
        ("Provide it, or decline it", "Provide it (p), or decline it (n)"),
        ("Unpin it to let it go", "Unpin it (P) to let it go"),
        ("Ask for the role: it is one key", "Ask for the role (1, then g): it is one key"),
        ("Wait, or cancel it", "Wait, or cancel it"),
        ("Ask the channel's owner to grant it", "Ask the channel's owner to grant it"),
        ("Retrying is in vain", "Retrying is in vain"),
    ],
)
def test_advice_has_the_keys_of_what_it_names(advice: str, told: str) -> None:
    assert with_keys(advice, key_of) == told


def test_every_action_that_advice_may_name_is_there() -> None:
    named = {action for _, actions in _NAMED for action in actions} - {"go"}
    assert named <= BY_ID.keys()


def test_a_link_a_line_and_what_would_help_under_it() -> None:
    links = [Link(mark, f"link {mark}") for mark in Mark] + [Link(Mark.BAD, "it failed", "Retry")]
    assert text_of(why_lines(links, key_of)).split("\n") == [
        "✓ ok     link ok",
        "… wait   link wait",
        "✗ fault  link bad",
        "· note   link note",
        "✗ fault  it failed",
        "     do: Retry (R)",
    ]


def test_several_chains_say_what_they_share_once() -> None:
    shared, own = Link(Mark.OK, "lab is connected"), Link(Mark.OK, "granted")
    told = text_of(why_groups([("one", [shared]), ("two", [shared, own])], key_of))
    assert told.split("\n") == ["one", "✓ ok     lab is connected", "", "two", "✓ ok     granted"]


@SIZES
async def test_why_a_request_failed_and_what_to_do(tmp_path: Path, lab: Path, size: tuple[int, int]) -> None:
    node = unstarted_node(tmp_path / "me", lab, limits={"answer_timeout": 0.3})
    async with at_the_screen(node, size) as me:
        row = me.node.files.request("sha1://" + "ab" * 20)
        await until(lambda: row.step is Step.FAILED)
        await me.press("3")
        await me.reads("✗ failed")
        await me.press("w")
        await me.reads(f"Why request #{row.number} failed", "· note   the file was not in this")
        await me.press(*["down"] * 15)
        await me.reads("✗ fault", "do:", "try again (R)")
        await me.press("escape", "R")
        await until(lambda: row.step is not Step.FAILED)


async def test_why_a_role_is_not_in_force(tmp_path: Path, lab: Path) -> None:
    node = unstarted_node(tmp_path / "me", lab, roles=[Role.REQUEST_FILES])
    async with at_the_screen(node, NARROW) as me:
        await me.press("1", "down", "down", "w")
        await me.reads("Why provide-files on lab", "does not ask for provide-files", "Ask for the role (g)")
        await me.press("escape", "home", "w")
        await me.reads(
            "Roles on lab, explained",
            "lab grants it",
            "Not asked for",
            "· note   provide-files, request-feeds",
        )
        assert "fault" not in me.text()
        await me.press("escape", "2", "down", "w")
        await me.reads("Access to lab-requestFiles", "Ask for the role (1, then g)")
        await me.press("escape", "up", "w")
        await me.reads("Access to the streams of lab")


async def test_why_a_message_had_its_effect(tmp_path: Path, lab: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        me.node.files.request("sha1://" + "ab" * 20)
        await me.press("2", "enter")
        await me.reads("requestFile ", "✓ sent")
        await me.press("w")
        await me.reads(
            "this node signed it and published it", "request 1", "Look at that request (Enter, then g)"
        )


async def test_why_a_file_is_here(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        await me.node.store(put_file(tmp_path, "table.csv", b"a,b"))
        await me.press("4")
        await me.reads("table.csv")
        await me.press("w")
        await me.reads("Why table.csv is here", "stored on this machine from")


async def test_what_has_no_chain_says_so(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        await me.press("1", "w")
        await me.reads("w Why: not now", "nothing is selected")

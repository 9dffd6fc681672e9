"""The feeds' pane: rows, order, filter, details."""

from pathlib import Path

import pytest

from kachery_tui.filters import matches, parse_filter
from kachery_tui.node.node import Node
from kachery_tui.node.values import FeedInfo
from kachery_tui.tui.panes.feeds import FeedsPane, feed_cells, feed_facts, feed_lines, feed_uri
from tests.nodes import until
from tests.tui.screens import NARROW, WIDE, Person, at_the_screen, unstarted_node
from tests.tui.words import text_of

OWN = FeedInfo("ab" * 32, "losses", own=True, subfeeds=2, messages=1_200, last_at=1_000.0)
OTHERS = FeedInfo("cd" * 32, "", own=False, subfeeds=1, messages=3, last_at=None)


def test_a_feed_as_a_row() -> None:
    cells = [cell.text for cell in feed_cells(OWN)]
    assert cells[:5] == ["losses", "abababab…", "● own", "2", "1,200"]
    assert [cell.text for cell in feed_cells(OTHERS)] == ["–", "cdcdcdcd…", "○ others'", "1", "3", "–"]


def test_a_feed_in_full() -> None:
    assert feed_uri(OWN) == "feed://" + "ab" * 32
    assert "its private key is here" in text_of(feed_lines(OWN))
    words = text_of(feed_lines(OTHERS))
    assert feed_uri(OTHERS) in words
    assert "none is known here" in words
    assert "no message has a time" in words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("own", [OWN]),
        ("!own", [OTHERS]),
        ("cdcd", [OTHERS]),
        ("messages>1000", [OWN]),
        ("name:loss", [OWN]),
        ("last<1m", []),
    ],
)
def test_a_filter_for_feeds(text: str, found: list[FeedInfo]) -> None:
    wanted = parse_filter(text, FeedsPane.FIELDS)
    assert [feed for feed in (OWN, OTHERS) if matches(wanted, feed_facts(feed), 5_000.0)] == found


def node_with_feeds(folder: Path, feeds: list[FeedInfo]) -> Node:
    node = unstarted_node(folder, None)

    async def read() -> list[FeedInfo]:
        return feeds

    node.feeds = read  # type: ignore[method-assign]
    return node


def order(me: Person) -> list[str]:
    rows = me.main.pane.focus_target.rows
    return [rows.item(index).name for index in range(len(rows))]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["140x45", "80x24"])
async def test_look_through_the_feeds(tmp_path: Path, size: tuple[int, int]) -> None:
    feeds = [OWN, OTHERS, FeedInfo("ef" * 32, "curation", False, 5, 70, 2_000.0)]
    async with at_the_screen(node_with_feeds(tmp_path / "me", feeds), size) as me:
        await me.press("5")
        await me.reads("3 feeds, 1 of this node", "losses", "curation")
        assert order(me) == ["curation", "losses", ""]
        await me.press("right", "i")
        await until(lambda: order(me) == ["", "curation", "losses"])
        await me.press("slash")
        await me.type("own")
        await me.press("enter")
        await me.reads("1 of 3 feeds")
        await me.press("enter")
        await me.reads("feed://abab", "written by", "y Copy")
        await me.press("escape", "y")
        await me.reads("Copied")
        assert me.app.clipboard == feed_uri(OWN)


async def test_without_feeds_it_says_what_will_show(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        await me.press("5")
        await me.reads("holds no feeds", "create_feed")

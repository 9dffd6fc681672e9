"""The feeds' pane: own feeds and followed ones between real nodes, their messages, and what can be done with them."""

import csv
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import TextArea

from kachery_tui.node.feeds.states import SubfeedState
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Step
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.feeds import BadMessage, Fault
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri
from kachery_tui.storage.feeds import FeedStore
from kachery_tui.tui.here import FeedMessage, PaneName
from kachery_tui.tui.panes.feed_messages import PAGE, WINDOW
from kachery_tui.tui.panes.feeds import FeedsPane
from tests.node.feed_nodes import add, numbers, owner_of_feed, reader_of_feeds, state_of
from tests.nodes import at_step, running_node, until
from tests.tui.screens import NARROW, WIDE, Person, at_the_screen, unstarted_node

TINY = (60, 15)
SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["140x45", "80x24"])
ALL_SIZES = pytest.mark.parametrize("size", [WIDE, NARROW, TINY], ids=["140x45", "80x24", "60x15"])
FEED_ROLES = (Role.REQUEST_FEEDS, Role.PROVIDE_FEEDS)


def pane_of(me: Person) -> FeedsPane:
    pane = me.main.pane_of(PaneName.FEEDS)
    assert isinstance(pane, FeedsPane)
    return pane


def names(me: Person) -> list[str]:
    """The subfeeds' names, as the list has them."""
    rows = pane_of(me).feeds.rows
    return [rows.item(index).name for index in range(len(rows))]


def shown(me: Person) -> list[int]:
    """The numbers of the messages that the list has, as far as they were read."""
    rows = pane_of(me).messages.rows
    found = (rows.item(index) for index in range(len(rows)))
    return [message.number for message in found if message is not None]


@asynccontextmanager
async def with_own_feed(
    folder: Path, messages: list[dict[str, Any]], size: tuple[int, int] = NARROW
) -> AsyncIterator[tuple[Person, SubfeedUri]]:
    """Somebody at the feeds' pane, whose one subfeed has these messages."""
    async with at_the_screen(unstarted_node(folder / "me", None), size) as me:
        feed = await me.node.feeds.create("mine")
        uri = SubfeedUri(feed.feed_id, "log")
        await me.node.feeds.append(uri, messages)
        await me.node.feeds.reload()
        await me.press("5")
        yield me, uri


# Following


@SIZES
async def test_follow_look_stop_and_follow_again(tmp_path: Path, lab: Path, size: tuple[int, int]) -> None:
    async with (
        owner_of_feed(tmp_path, lab) as (owner, uri),
        at_the_screen(unstarted_node(tmp_path / "me", lab, FEED_ROLES), size) as me,
    ):
        await owner.feeds.append(uri, [{"n": n, "word": f"line-{n}"} for n in range(3)])
        await me.press("5")
        await me.reads("No feeds yet", "F follows one by its URI")
        await me.press("F")
        await me.type("feed://abc")
        await me.reads("✗ not a feed URI", "64 lower-case")
        await me.type(str(uri))
        await me.press("enter")
        await me.reads("1 subfeed: 0 own, 1 followed", "● live", "line-2", str(uri))
        await owner.feeds.append(uri, [{"n": 3, "word": "line-3"}])
        await me.reads("line-3", "4 messages")
        await me.press("x")
        await me.reads("○ stopped", "R Follow")
        await owner.feeds.append(uri, [{"n": 4, "word": "line-4"}])
        await me.press("R")
        await me.reads("● live", "line-4")
        await me.press("R")
        await me.reads("it is followed already")
        await me.press("y")
        await until(lambda: me.app.clipboard == str(uri))
        await me.press("w")
        await me.reads(
            "Why ", "another's", "request-feeds on lab: asked for, granted", "has told what is new"
        )
        await me.press("escape", "A")
        await me.reads("A Append: not now", "its private key is not here")
        await me.press("d")
        await me.reads("with 5 messages in 1 subfeed?", "Copies that others have stay")
        await me.press("y")
        await me.reads("1 feed deleted", "No feeds yet")


@SIZES
async def test_a_pasted_feed_is_followed_and_the_prompt_for_requests_takes_it_too(
    tmp_path: Path, lab: Path, size: tuple[int, int]
) -> None:
    async with (
        owner_of_feed(tmp_path, lab) as (owner, uri),
        at_the_screen(unstarted_node(tmp_path / "me", lab, FEED_ROLES), size) as me,
    ):
        await add(owner, uri, 0, 2)
        other = SubfeedUri(uri.feed_id, "other")
        await add(owner, other, 0, 1)
        await me.press("3")
        await me.paste(f"{uri} and more")
        await me.reads("follow a feed", "Enter Follow")
        await me.press("enter")
        await until(lambda: me.main.here.pane is PaneName.FEEDS)
        await until(lambda: names(me) == ["log"])
        await me.press("r")
        await me.type("feed://nothing")
        await me.reads("✗ not a feed URI")
        await me.type(str(other))
        await me.press("enter")
        await until(lambda: names(me) == ["log", "other"])
        chosen = me.main.here.selection
        assert isinstance(chosen, SubfeedState)
        assert chosen.name == "other"
        await at_step(_row(me, uri), Step.LIVE)
        await me.press("3")
        await me.reads("● live", "live")
        await me.press("u")
        await me.reads("u Push: not now", "feeds come to the bucket by themselves")
        await me.press("slash")
        await me.type("kind:feed messages>1")
        await me.press("enter")
        await me.reads("1 of 2 requests", "log")
        await me.press("enter")
        await me.reads("2 messages came", str(uri)[:60])


def _row(me: Person, uri: SubfeedUri) -> Any:
    return state_of(me.node, uri).row


async def test_what_cannot_be_followed_says_why_and_stays_to_be_mended(tmp_path: Path) -> None:
    async with with_own_feed(tmp_path, [{"n": 0}]) as (me, uri):
        await me.press("F")
        await me.type(str(uri))
        await me.press("enter")
        await me.reads("✗ this feed is this node's own")
        await me.press("escape", "x")
        await me.reads("x Cancel: not now", "it is not followed")
        await me.press("R")
        await me.reads("it is this node's own")


async def test_who_waits_is_answered_among_the_feeds(tmp_path: Path, lab: Path) -> None:
    node = unstarted_node(tmp_path / "me", lab, FEED_ROLES, provide="ask")
    async with (
        at_the_screen(node, NARROW) as me,
        reader_of_feeds(tmp_path, lab) as ana,
        reader_of_feeds(tmp_path, lab, "ben") as ben,
    ):
        feed = await node.feeds.create("mine")
        uris = [SubfeedUri(feed.feed_id, name) for name in ("log", "other")]
        for uri in uris:
            await add(node, uri, 0, 2)
        await node.feeds.reload()
        await me.press("5")
        await me.reads("· nobody listens")
        await ana.feeds.follow(uris[0])
        await me.reads("! waits for you", "wants to follow", "p Provide", "n Decline")
        await me.press("p")
        await me.reads("● live", "told to reader")
        await until(lambda: state_of(ana, uris[0]).here == 2)
        await me.press("x")
        await me.reads("it goes on as long as somebody listens")
        await ben.feeds.follow(uris[1])
        await me.reads("! waits for you", "p Go to waiting")
        await me.press("down", "n")
        await until(lambda: [row.step for row in node.ledger] == [Step.LIVE, Step.DECLINED])
        await me.press("p")
        await me.reads("Draw a number")


# Own feeds


@SIZES
async def test_create_append_and_delete(tmp_path: Path, size: tuple[int, int]) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), size) as me:
        await me.press("5", "A")
        await me.reads("choose a feed of your own; N creates one")
        await me.press("N")
        await me.type(" " * 3 + "training" + "\u200b")
        await me.press("enter")
        await me.reads("cannot be a feed's name")
        await me.type("training")
        await me.press("enter")
        await me.reads("Feed training created", "a feed without messages", "A appends one")
        await me.press("A")
        await me.reads("Append to training", "messages", "Ctrl+O Append")
        await me.press(*'{"loss": ', "enter", *"0.5,}")
        await me.reads("✗ line 2, column ")
        await me.press("ctrl+o")
        await me.reads("Append to training")
        await me.press("left", "backspace")
        await me.reads("✓ a message")
        await me.press("ctrl+o")
        await me.reads("Appended", "message 0 of training", "training/messages", '{"loss": 0.5}')
        # A second subfeed is made by its name.
        await me.press("A")
        await me.reads("Append to training")
        await me.press("shift+tab")
        await me.type("notes")
        await me.press("enter", *'{"a": 1}', "ctrl+o")
        await me.reads("training/notes", "2 subfeeds: 2 own", '{"a": 1}')
        assert names(me) == ["messages", "notes"]
        await me.press("d")
        await me.reads(
            "Delete the feed training with 2 messages in 2 subfeeds?", "private key is deleted too"
        )
        await me.press("enter")
        assert names(me) == ["messages", "notes"]
        await me.press("d", "y")
        await me.reads("1 feed deleted", "No feeds yet")
        assert await in_thread(me.node.storage.feeds.feeds) == []


async def test_a_feed_without_a_name(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        await me.press("5", "N")
        await me.reads("Create a feed", "optional: a name on this node")
        await me.press("enter")
        await me.reads("Feed created", "1 subfeed: 1 own")
        await me.press("enter")
        await me.reads("No message yet")
        await me.press("p")
        await me.reads("p Plot: not now")


async def test_what_was_typed_is_not_lost_by_one_key(tmp_path: Path) -> None:
    async with with_own_feed(tmp_path, [{"n": 0}]) as (me, uri):
        await me.press("A", "escape")
        await until(lambda: me.app.screen is me.main)
        await me.press("A", *'{"a"')
        await me.press("escape")
        await me.reads("Esc again throws away what was typed")
        await me.press(":")
        await me.reads("✗ line 1")
        await me.press("escape", "escape")
        await until(lambda: me.app.screen is me.main)
        assert state_of(me.node, uri).here == 1


async def test_what_is_entered_twice_is_appended_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = FeedStore.append

    def slowly(store: FeedStore, *arguments: Any, **further: Any) -> Any:
        time.sleep(0.3)
        return append(store, *arguments, **further)

    async with with_own_feed(tmp_path, [{"n": 0}]) as (me, uri):
        monkeypatch.setattr(FeedStore, "append", slowly)
        await me.press("enter", "A", *'{"n": 1}', "ctrl+o", "ctrl+o", "ctrl+o")
        await until(lambda: me.app.screen is me.main)
        assert await numbers(me.node, uri) == [0, 1]
        # Nobody has to find the place again in which he was reading.
        assert pane_of(me).messages.has_focus
        await me.press("A")
        await me.reads("Append to mine")
        await me.press("shift+tab")
        await me.type("other")
        await me.press("enter", *"{}", "ctrl+o")
        await until(lambda: pane_of(me).feeds.has_focus)
        assert names(me) == ["log", "other"]


async def test_what_is_pasted_into_a_message_shows_and_means_the_same(tmp_path: Path) -> None:
    async with with_own_feed(tmp_path, [{"n": 0}]) as (me, uri):
        await me.press("A")
        await me.reads("Append to mine")
        await me.paste('{\r\n\t"a": "x\x1b[31m\u202ey",\r\n\t"b": [1, 2]\r\n}')
        await me.reads("\\u001b[31m\\u202ey", "✓ a message")
        assert "\x1b" not in me.app.screen.query_one(TextArea).text
        await me.press("ctrl+o")
        await until(lambda: state_of(me.node, uri).here == 2)
        (message,) = await me.node.feeds.messages(uri.key(""), 1, 1)
        assert message.message == {"a": "x\x1b[31m\u202ey", "b": [1, 2]}


@pytest.mark.parametrize("size", [WIDE, NARROW, TINY], ids=["140x45", "80x24", "60x15"])
async def test_the_editor_has_its_keys_in_view(tmp_path: Path, size: tuple[int, int]) -> None:
    async with with_own_feed(tmp_path, [{"n": 0}], size) as (me, _):
        await me.press("A")
        await me.reads("Append to mine", "Ctrl+O Append", "Esc")
        await me.press(*"[]")
        await me.reads("it must be an object")


# Messages


@ALL_SIZES
async def test_into_the_messages_to_one_and_back(tmp_path: Path, size: tuple[int, int]) -> None:
    messages = [{"a": f"line-{n}", "deep": {"x": [n, n + 1]}, "word": f"word-{n}"} for n in range(30)]
    async with with_own_feed(tmp_path, messages, size) as (me, uri):
        await me.reads("mine/log", "· nobody listens")
        if size == TINY:
            await me.reads("Enter: messages")
            assert "line-29" not in me.text()
        else:
            await me.reads("line-29", str(uri) if size == WIDE else "feed://")
        await me.press("enter")
        await until(lambda: pane_of(me).messages.has_focus)
        await me.reads("line-29")
        assert shown(me) == list(range(30))
        if size == TINY:
            await me.reads("mine/log", "Esc: feeds")
        await me.press("up", "enter")
        await me.reads("Message 28 of mine/log", "number      28 of 30 here", "signature", "previous")
        await me.press("y")
        await until(lambda: json.loads(me.app.clipboard or "0") == messages[28])
        await me.press(*["down"] * 15)
        await me.reads('"word": "word-28"')
        await me.press("escape", "escape")
        await until(lambda: pane_of(me).feeds.has_focus)
        await me.reads("mine/log", "· nobody listens")


async def test_a_reader_is_left_in_peace_and_older_messages_are_read_when_looked_at(tmp_path: Path) -> None:
    count = 5 * PAGE + 7
    async with with_own_feed(tmp_path, [{"n": n, "word": f"line-{n}"} for n in range(count)]) as (me, uri):
        await me.press("enter")
        await me.reads(f"line-{count - 1}")
        assert len(shown(me)) <= 2 * PAGE
        await me.press("home")
        await me.reads('"word": "line-0"', '"word": "line-3"', f"1/{count:,}")
        await me.node.feeds.append(uri, [{"n": count, "word": "fresh"}])
        await me.reads("+1 new (End follows)", '"word": "line-0"')
        assert "fresh" not in me.text()
        await me.press("end")
        await me.reads("fresh")
        await me.node.feeds.append(uri, [{"n": count, "word": "fresher"}])
        await me.reads("fresher")
        assert "End follows" not in me.text()


async def test_many_at_once_are_not_all_read(tmp_path: Path) -> None:
    async with with_own_feed(tmp_path, [{"n": 0}]) as (me, uri):
        await me.reads('{"n": 0}')
        await add(me.node, uri, 1, 5_000)
        await me.reads('{"n": 4999}')
        assert len(shown(me)) <= 3 * PAGE


@SIZES
async def test_filter_messages_by_what_stands_in_them(tmp_path: Path, size: tuple[int, int]) -> None:
    messages = [
        {"loss": n / 100, "acc": {"train": n}, "word": "even" if n % 2 == 0 else "odd"} for n in range(250)
    ]
    async with with_own_feed(tmp_path, messages, size) as (me, uri):
        await me.press("enter", "slash")
        await me.reads("words, or number:…")
        await me.type("acc.train<10 even")
        await until(lambda: shown(me) == [0, 2, 4, 6, 8])
        await me.press("enter")
        await me.reads("/acc.train<10 even", "5 of the newest 250 messages")
        await me.node.feeds.append(uri, [{"loss": 0, "acc": {"train": 1}, "word": "even"}])
        await until(lambda: shown(me) == [0, 2, 4, 6, 8, 250])
        await me.press("slash")
        await me.type("los>1")
        await me.reads("no field los here")
        await me.type("nothing-is-like-that")
        await me.press("enter")
        await me.reads(f"None of the newest {WINDOW:,} messages matches.")
        # The first step back is out of the filter, the next one out of the messages.
        await me.press("escape")
        await until(lambda: pane_of(me).messages.has_focus and len(shown(me)) > 100)
        await me.press("escape")
        await until(lambda: pane_of(me).feeds.has_focus)
        assert not pane_of(me).filter


async def test_a_message_that_the_disk_has_lost_spares_the_others(tmp_path: Path) -> None:
    async with with_own_feed(tmp_path, [{"word": f"line-{n}"} for n in range(5)]) as (me, uri):
        await me.reads("line-4")
    await in_thread(lambda: _damage(tmp_path / "me" / "storage" / "feeds.db", 2))
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        await me.press("5")
        await me.reads("line-1", "✗ message 2 is not good", "line-3", "line-4")
        await me.press("enter", "up", "up", "enter")
        await me.reads("message 2 is not good")
        assert state_of(me.node, uri).here == 5


def _damage(place: Path, number: int) -> None:
    import sqlite3

    db = sqlite3.connect(place)
    with db:
        db.execute("UPDATE subfeedMessages SET message = '{}' WHERE position = ?", (number,))
    db.close()


@SIZES
async def test_whatever_an_owner_writes_the_terminal_is_safe(tmp_path: Path, size: tuple[int, int]) -> None:
    messages: list[dict[str, Any]] = [
        {"\x1b[2J": "\x1b]0;owned\x07\u202egnirts\u0000", "long": "x" * 100_000},
        {"marks": "e" + "\u0301" * 200, "wide": "宽" * 300, "loss": 1},
        {"deep": {"a": {"b": [[[[1]]]]}}, "keys": {str(n): n for n in range(3_000)}},
    ]
    async with with_own_feed(tmp_path, messages, size) as (me, _):
        await me.reads("\\u001b[2J")
        for number in range(3):
            await me.press("enter")
            await until(lambda: pane_of(me).messages.has_focus)
            await me.press("home", *["down"] * number, "enter")
            await me.reads(f"Message {number} of mine/log", "y Copy")
            text = me.text()
            assert all(character.isprintable() or character == "\n" for character in text)
            assert "\u202e" not in text
            await me.press("pagedown", "escape", "escape")
            await until(lambda: pane_of(me).feeds.has_focus)


# Drawing


@SIZES
async def test_a_number_is_drawn_as_messages_come(tmp_path: Path, size: tuple[int, int]) -> None:
    messages = [{"acc": {"train": n / 100}, "loss": 100 - n, "word": "x"} for n in range(100)]
    async with with_own_feed(tmp_path, messages, size) as (me, uri):
        await me.press("enter")
        await me.reads('"loss": 1,')
        await me.press("p")
        await me.reads("Draw a number", "acc.train, loss")
        await me.type("loss")
        await me.press("enter")
        await me.reads("loss in mine/log", "last 1 at 99", "min 1 at 99", "max 100 at 0", "⠉")
        await me.node.feeds.append(uri, [{"loss": 250}])
        await me.reads("last 250 at 100", "max 250 at 100")
        await me.press("escape", "p")
        await me.type("no.such.key")
        await me.press("enter")
        await me.reads("No message here has a number there yet.")
        await me.press("escape", "escape", "p")
        await me.reads("In message 100: loss")


async def test_what_has_no_number_is_not_drawn(tmp_path: Path) -> None:
    async with with_own_feed(tmp_path, [{"word": "x", "ok": True}]) as (me, _):
        await me.reads('"word"')
        await me.press("p")
        await me.reads("Plot: not now", "there is no number in message 0")


# The list


@SIZES
async def test_look_through_the_feeds(tmp_path: Path, size: tuple[int, int]) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), size) as me:
        await _three_feeds(me.node)
        await me.press("5")
        await me.reads("3 subfeeds: 3 own", "alpha/log", "beta/log", "gamma/log")
        await me.press("i")
        await until(lambda: _feeds(me) == ["gamma", "beta", "alpha"])
        await me.press("right", "right", "i")
        await me.reads("here▲")
        await until(lambda: _feeds(me) == ["gamma", "alpha", "beta"])
        await me.press("slash")
        await me.type("messages>1 own")
        await me.press("enter")
        await me.reads("/messages>1 own", "2 of 3 subfeeds")
        await me.press("a")
        await me.reads("2 marked")
        await me.press("y")
        await until(lambda: len((me.app.clipboard or "").split("\n")) == 2)
        await me.press("escape", "escape")
        await until(lambda: len(_feeds(me)) == 3)


async def _three_feeds(node: Node) -> None:
    for name, count in (("beta", 5), ("alpha", 3), ("gamma", 1)):
        feed = await node.feeds.create(name)
        await add(node, SubfeedUri(feed.feed_id, "log"), 0, count)
    await node.feeds.reload()


def _feeds(me: Person) -> list[str]:
    rows = pane_of(me).feeds.rows
    return [rows.item(index).feed_name for index in range(len(rows))]


async def test_messages_follow_the_cursor(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        await _three_feeds(me.node)
        await me.press("5")
        await until(lambda: shown(me) == [0, 1, 2])
        await me.press("down")
        await until(lambda: shown(me) == [0, 1, 2, 3, 4])
        await me.press("down")
        await until(lambda: shown(me) == [0])


async def test_a_fault_shows_and_is_one_key_away(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        await _three_feeds(me.node)
        state = next(one for one in me.node.feeds.states if one.feed_name == "beta" and one.name)
        state.fault = BadMessage(Fault.FORK, 3)
        me.node.feeds.states.touch(state)
        await me.press("5", "e")
        await me.reads("/fault", "1 of 3 subfeeds", "✗ #3 has a fork", "the owner signed another message")
        await me.press("w")
        await me.reads("✗ fault", "message 3 is not good")


async def test_what_another_program_makes_shows_by_itself(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        await me.press("5")
        await me.reads("No feeds yet", "F follows one by its URI")
        async with running_node(tmp_path / "me", None, provides=False) as beside:
            feed = await beside.feeds.create("theirs")
            await add(beside, SubfeedUri(feed.feed_id, "log"), 0, 2)
            await me.reads("theirs/log", '{"n": 1}')


async def test_subfeeds_and_messages_are_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    async with with_own_feed(tmp_path, [{"n": n, "word": "=cmd()"} for n in range(450)]) as (me, uri):
        await me.reads("=cmd()")
        await me.press("X")
        await me.type("feeds.csv")
        await me.press("enter")
        await me.reads("1 row exported")
        with (tmp_path / "here" / "feeds.csv").open(newline="") as file:
            (row,) = csv.DictReader(file)
        assert (row["feed"], row["subfeed"], row["here"], row["uri"]) == ("mine", "log", "450", str(uri))
        await me.press("enter", "X")
        await me.type("messages.json")
        await me.press("enter")
        await me.reads("450 rows exported")
        rows = json.loads((tmp_path / "here" / "messages.json").read_text())
        assert [json.loads(row["message"])["n"] for row in rows] == list(range(450))


async def test_read_only_looks_and_changes_nothing(tmp_path: Path) -> None:
    async with with_own_feed(tmp_path, [{"n": 0}]) as (me, uri):
        await me.reads('{"n": 0}')
        object.__setattr__(me.node.config.screen, "read_only", True)
        for key in ("N", "A", "F", "d", "x", "R", "r"):
            await me.press(key)
            await me.reads(f"{key} ", "this screen is read-only")
            me.app.clear_notifications()
        await me.press("enter", "enter")
        await me.reads("Message 0 of mine/log")
        await me.press("escape", "p")
        await me.reads("Draw a number")
        assert await numbers(me.node, uri) == [0]


async def test_resizing_keeps_the_place(tmp_path: Path) -> None:
    async with with_own_feed(tmp_path, [{"word": f"line-{n}"} for n in range(40)], NARROW) as (me, uri):
        await me.press("enter")
        await until(lambda: me.main.here.selection == FeedMessage(state_of(me.node, uri), 39))
        await me.press("up", "up")
        await until(lambda: me.main.here.selection == FeedMessage(state_of(me.node, uri), 37))
        for size in (TINY, WIDE, NARROW):
            await me.pilot.resize_terminal(*size)
            await me.reads("line-37")
            assert me.main.here.selection == FeedMessage(state_of(me.node, uri), 37)
            assert pane_of(me).messages.has_focus


async def test_a_subfeed_of_which_only_the_hash_is_known(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), WIDE) as me:
        feed = await me.node.feeds.create("mine")
        await me.node.feeds.append(SubfeedUri(feed.feed_id, "~" + "ab" * 20), [{"n": 0}])
        await me.node.feeds.reload()
        await me.press("5")
        await me.reads("mine/~abababab…", '{"n": 0}')
        await me.press("A")
        await me.reads("~" + "ab" * 20)
        await me.press(*'{"n": 1}', "ctrl+o")
        key = SubfeedKey(feed.feed_id, "ab" * 20)
        await until(lambda: me.node.feeds.states.state(key).here == 2)

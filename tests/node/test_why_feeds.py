"""Why a subfeed stands as it stands, over real nodes and a real hub."""

import time
from pathlib import Path

import pytest

from kachery_tui.node.feeds.states import SubfeedState
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import TRANSITIONS, Side, Step
from kachery_tui.node.why import Link, Mark, why_message, why_request, why_subfeed
from kachery_tui.protocol.feeds import BadMessage, Fault
from kachery_tui.protocol.roles import Stream
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri
from tests.node.feed_nodes import OWNER, READER, add, owner_of_feed, reader_of_feeds, state_of
from tests.node.test_why import plain, says
from tests.nodes import at_step, leave, running_node, theirs, until


def chain(node: Node, row: Request) -> tuple[Link, ...]:
    return plain(why_request(node, row, time.time()))


def about(node: Node, state: SubfeedState) -> tuple[Link, ...]:
    return plain(why_subfeed(node, state, time.time()))


async def test_a_feed_that_is_followed_and_its_owner(tmp_path: Path, lab: Path) -> None:
    async with owner_of_feed(tmp_path, lab) as (owner, uri), reader_of_feeds(tmp_path, lab) as reader:
        await add(owner, uri, 0, 3)
        mine = about(owner, state_of(owner, uri))
        says(mine, Mark.OK, "its private key is here")
        says(mine, Mark.NOTE, "nobody listens to it")
        says(mine, Mark.OK, "provide-feeds on lab: asked for, granted and in force")
        row = await reader.feeds.follow(uri)
        await at_step(row, Step.LIVE)
        await until(lambda: state_of(reader, uri).here == 3)
        await until(lambda: state_of(owner, uri).in_bucket.get("lab") == 3)
        for links in (about(reader, state_of(reader, uri)), chain(reader, row)):
            says(links, Mark.OK, "began to follow it .* ago, over every channel")
            says(links, Mark.OK, "messages from 0 on were asked for on requestFeeds of lab")
            says(links, Mark.OK, "owner .* has told what is new for")
        says(about(reader, state_of(reader, uri)), Mark.OK, "3 messages of it, each verified")
        (served,) = theirs(owner)
        await at_step(served, Step.LIVE)
        await add(owner, uri, 3, 4)
        await until(lambda: served.subject.messages == 1)
        await until(lambda: state_of(owner, uri).in_bucket.get("lab") == 4)
        for links in (about(owner, state_of(owner, uri)), chain(owner, served)):
            says(links, Mark.OK, "reader .* listens on lab")
            says(links, Mark.OK, "the bucket of lab has all of its 4 messages")
            says(links, Mark.OK, "who listens was told 1 message")
        reader.cancel(row)
        await at_step(row, Step.CANCELLED)
        link = says(about(reader, state_of(reader, uri)), Mark.NOTE, "it was followed for")
        assert link.do == "Follow it again"


async def test_nobody_answers(tmp_path: Path, lab: Path) -> None:
    uri = SubfeedUri("ab" * 32, "log")
    async with reader_of_feeds(tmp_path, lab, limits={"answer_timeout": 0.3}) as reader:
        row = await reader.feeds.follow(uri)
        await until(lambda: state_of(reader, uri).silent_since is not None)
        links = about(reader, state_of(reader, uri))
        says(links, Mark.NOTE, "none of its messages is here")
        says(links, Mark.NOTE, "no node that shows itself was listening then")
        link = says(links, Mark.BAD, "the owner's node has not answered for")
        assert "provide-feeds" in link.do
        assert chain(reader, row)
        await leave(reader)
        await until(lambda: bool(row.notes))
        says(chain(reader, row), Mark.BAD, "joined no channel")


async def test_roles_are_named(tmp_path: Path, lab: Path) -> None:
    async with (
        owner_of_feed(tmp_path, lab, roles=READER) as (mute, uri),
        running_node(tmp_path / "reader", lab, roles=OWNER) as deaf,
    ):
        await add(mute, uri, 0, 1)
        link = says(about(mute, state_of(mute, uri)), Mark.BAD, "does not ask for provide-feeds on lab")
        assert link.do.startswith("Ask for the role")
        row = await deaf.feeds.follow(uri)
        await until(lambda: bool(row.notes))
        says(chain(deaf, row), Mark.BAD, "does not ask for request-feeds on lab")


async def test_a_person_is_asked_and_says_no(tmp_path: Path, lab: Path) -> None:
    async with (
        owner_of_feed(tmp_path, lab, provide="ask") as (owner, uri),
        reader_of_feeds(tmp_path, lab) as reader,
    ):
        await add(owner, uri, 0, 1)
        await reader.feeds.follow(uri)
        await until(lambda: bool(theirs(owner)))
        (row,) = theirs(owner)
        await at_step(row, Step.WAITING)
        link = says(about(owner, state_of(owner, uri)), Mark.WAIT, "a person here has been asked for")
        assert link.do == "Provide it, or decline it"
        owner.answer(row, yes=False)
        says(chain(owner, row), Mark.NOTE, "a person here said no")


async def test_messages_that_led_to_nothing(tmp_path: Path, lab: Path) -> None:
    async with (
        owner_of_feed(tmp_path, lab) as (owner, _),
        reader_of_feeds(tmp_path, lab) as reader,
    ):
        await reader.feeds.follow(SubfeedUri("ab" * 32, "log"))
        activity = owner.memberships["lab"].activity[Stream.REQUEST_FEEDS]
        await until(lambda: activity.count == 1)
        links = plain(why_message(owner, "lab", Stream.REQUEST_FEEDS, activity.messages[0]))
        says(links, Mark.NOTE, "the feed is another's, so this node says nothing")


@pytest.mark.parametrize(
    ("side", "step"), [(side, step) for side in (Side.MINE, Side.THEIRS) for step in TRANSITIONS[side]]
)
async def test_every_row_of_a_feed_says_something(tmp_path: Path, side: Side, step: Step) -> None:
    async with running_node(tmp_path / "me", None) as node:
        key = SubfeedKey("ab" * 32, "cd" * 20)
        row = node.ledger.open(side, "gone", SubfeedSubject(key, SubfeedUri(key.feed_id, "log")), step)
        assert chain(node, row)
        node.ledger.end(row, Step.FAILED, failure=BadMessage(Fault.FORK, 3))
        assert chain(node, row)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("subfeed_hash", ["", "cd" * 20])
async def test_every_subfeed_says_something(tmp_path: Path, own: bool, subfeed_hash: str) -> None:
    async with running_node(tmp_path / "me", None) as node:
        state = SubfeedState(SubfeedKey("ab" * 32, subfeed_hash), own=own, fault=BadMessage(Fault.MISSING, 3))
        assert about(node, state)
        state.here = 5
        assert about(node, state)

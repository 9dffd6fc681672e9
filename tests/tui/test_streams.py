"""The streams pane: lanes, messages, and where a message leads."""

from pathlib import Path

import pytest
from textual.widgets import Input

from kachery_tui.node.activity import RECENT_MESSAGES, Direction, StreamActivity, Verdict
from kachery_tui.node.node import Node
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.on_display import display_of
from kachery_tui.tui.panes.streams import StreamsPane, lane_columns, message_columns
from kachery_tui.tui.widgets.columns import widths
from tests.nodes import put_file, running_node, until
from tests.tui.screens import NARROW, WIDE, Person, at_the_screen, unstarted_node

TINY = (60, 15)
SIZES = pytest.mark.parametrize("size", [WIDE, NARROW, TINY], ids=["140x45", "80x24", "60x15"])
NOON = 1_700_049_600.0


def streams_of(me: Person) -> StreamsPane:
    pane = me.main.pane_of(PaneName.STREAMS)
    assert isinstance(pane, StreamsPane)
    return pane


def say(activity: StreamActivity, at: float, type_: str = "requestFile", summary: str = "") -> None:
    activity.record(
        at=at,
        direction=Direction.IN,
        verdict=Verdict.VERIFIED,
        type=type_,
        summary=summary,
        from_node_id="",
        raw="{}",
    )


def activity_of(node: Node, stream: Stream = Stream.REQUEST_FILES) -> StreamActivity:
    return node.memberships["lab"].activity[stream]


@SIZES
async def test_from_a_lane_to_its_messages_to_the_request_that_one_led_to(
    tmp_path: Path, lab: Path, size: tuple[int, int]
) -> None:
    async with running_node(tmp_path / "alice", lab) as alice:
        stored = await alice.store(put_file(tmp_path, "brain.nwb", b"x" * 5_000))
        async with at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me:
            me.node.files.request("sha1://" + "ab" * 20)
            await me.node.files.request(stored.uri).outcome()
            await me.press("2", "down", "down")
            await me.reads("provideFiles", "alice", "Enter Messages")
            if size == TINY:
                await me.reads("Enter: messages")
            await me.press("enter")
            await me.reads("uploadFileStatus", "✓ verified", "#2 ", "Enter Whole message")
            await me.press("enter")
            await me.reads(
                "✓ verified: its signature holds", "from alice", "led to request #2", "g Go to request #2"
            )
            await me.press("g")
            await until(lambda: me.main.here.pane is PaneName.REQUESTS)
            chosen = me.main.here.selection
            assert chosen is me.node.ledger.get(2)
            await me.press("2")
            assert streams_of(me).messages.has_focus
            await me.press("escape")
            await until(lambda: me.main.focused is streams_of(me).lanes)
            await me.reads("requestTasks", "neither")


@SIZES
async def test_only_faults(tmp_path: Path, lab: Path, size: tuple[int, int]) -> None:
    async with (
        running_node(tmp_path / "alice", lab) as alice,
        at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me,
    ):
        await me.press("2")
        alice.files.request("sha1://" + "cd" * 20)
        await until(lambda: activity_of(me.node).count == 1)
        await alice.memberships["lab"].channel.pubsub.publish(Stream.REQUEST_FILES, b'{"body": 7}')
        await until(lambda: activity_of(me.node).refused == 1)
        await me.reads("✗ 1")
        await me.press("e")
        await me.reads("/verdict:refused,passed-over", "✗ refused", "(no type)")
        assert len(streams_of(me).messages.rows) == 1
        await me.press("enter")
        await me.reads("✗ refused", "✗ fault  it is not of the form that the")
        await me.press(*["down"] * 15)
        await me.reads('"body": 7')
        await me.press("escape")
        await until(lambda: me.app.screen is me.main)
        await me.press("e")
        await until(lambda: len(streams_of(me).messages.rows) == 2)


@SIZES
async def test_filter_as_it_is_typed(tmp_path: Path, lab: Path, size: tuple[int, int]) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me:
        requests, provided = activity_of(me.node), activity_of(me.node, Stream.PROVIDE_FILES)
        for number in range(20):
            say(requests, me.main.now, summary=f"file {number}")
            say(provided, me.main.now, "uploadFileStatus")
        await me.press("2", "slash")
        await me.type("type:upl")
        await until(lambda: len(streams_of(me).messages.rows) == 20)
        assert me.main.query_one(Input).has_focus
        await me.type("file:19,18 stream:requestFiles")
        await me.press("enter")
        await until(lambda: len(streams_of(me).messages.rows) == 2)
        assert streams_of(me).messages.has_focus
        await me.reads("file 19")
        await me.press("slash")
        await me.type("nothing-is-like-that")
        await me.press("enter")
        await me.reads("None of the messages kept matches.")
        await me.press("escape", "escape", "enter")
        await until(lambda: len(streams_of(me).messages.rows) == 40)


async def test_a_reader_is_left_in_peace_and_told_what_came(tmp_path: Path, lab: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        activity = activity_of(me.node)
        for number in range(20):
            say(activity, me.main.now, summary=f"early {number}")
        await me.press("2", "enter")
        await me.reads("early 19")
        await me.press("up")
        for number in range(RECENT_MESSAGES):
            say(activity, me.main.now, summary=f"late {number}")
        await me.reads("+500 new (End follows)", "early 18", "early 19")
        await me.press("enter")
        await me.reads("message 19 there", "requestFiles has let go of it since")
        await me.press("escape", "end")
        await me.reads("late 499")
        assert "new (End follows)" not in me.text()
        await me.press("escape")
        await me.reads("520 messages, the newest 500 kept")


async def test_a_message_says_so_once_it_has_led_to_a_request(tmp_path: Path, lab: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        activity = activity_of(me.node)
        say(activity, me.main.now)
        await me.press("2", "enter", "enter")
        await me.reads("message 1 there")
        assert "Go to request" not in me.text()
        row = me.node.files.request("sha1://" + "ab" * 20)
        activity.belongs_to(1, row.number)
        await me.reads(f"led to request #{row.number}", f"g Go to request #{row.number}")


async def test_a_stream_that_is_not_heard_says_which_role_it_takes(tmp_path: Path, lab: Path) -> None:
    node = unstarted_node(tmp_path / "me", lab, roles=[Role.REQUEST_FILES])
    async with at_the_screen(node, NARROW) as me:
        await me.press("2", "down")
        await me.reads("↑ publish", "needs provide-files", "· listening needs provide-files, ↑ publishes by")
        await me.reads("It needs the role provide-files: 1 goes to the channels.")
        await node.set_role("lab", Role.PROVIDE_FILES, asked=True)
        await me.reads("↓↑ both", "↓ listens by provide-files")


@SIZES
async def test_resizing_keeps_lanes_and_messages_at_hand(
    tmp_path: Path, lab: Path, size: tuple[int, int]
) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me:
        say(activity_of(me.node), me.main.now, summary="some file")
        await me.press("2", "enter")
        await me.reads("some file")
        for other in (TINY, NARROW, WIDE, TINY, size):
            await me.pilot.resize_terminal(*other)
            await me.reads("some file")
        await me.press("escape")
        await me.reads("provideTasks")


async def test_what_stands_still_is_not_painted_anew(tmp_path: Path, lab: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), WIDE) as me:
        await me.press("2")
        await me.reads("2 Streams  lab")
        pane, activity = streams_of(me), activity_of(me.node)
        say(activity, NOON - 100)
        assert len({pane.stamp(NOON + second) for second in range(60)}) == 1
        # While much flows, the clock says when to paint; when it has stopped, the last of it is painted at once.
        for number in range(40):
            say(activity, NOON + number / 20)
        busy = {pane.stamp(NOON + 2 + part * display_of(pane).busy_pause / 10) for part in range(10)}
        assert len(busy) <= 3
        assert pane.stamp(NOON + 10) != pane.stamp(NOON + 2)


async def test_rows_that_come_are_painted_once(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        await me.press("2")
        await me.reads("2 Streams  lab")
        pane, painted, paint = streams_of(me), list[float](), streams_of(me).paint

        def counted(now: float) -> None:
            painted.append(now)
            paint(now)

        monkeypatch.setattr(pane, "paint", counted)
        for number in range(40):
            say(activity_of(me.node), NOON + number / 40)
        for part in range(9):
            pane.look(NOON + 1 + part * display_of(pane).busy_pause / 10)
        assert len(painted) == 1


@pytest.mark.parametrize("width", range(51, 200))
@pytest.mark.parametrize("refused", [True, False])
def test_columns_fit_at_every_width(width: int, refused: bool) -> None:
    columns = [column for _, column in lane_columns(width, refused=refused)]
    for shown in (columns, message_columns(width, one_stream=refused)):
        given = widths(shown, width - 1)
        assert sum(given) + len([one for one in given if one]) - 1 <= width - 1
        kept = {column.title for column, space in zip(shown, given, strict=True) if space}
        assert kept >= {"stream", "may", "rate"} or kept >= {"verdict", "type", "what"}
    if refused:
        assert "refused" in {column.title for column in columns}

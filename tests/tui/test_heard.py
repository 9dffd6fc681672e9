"""Messages of several streams as rows of one list."""

import random

import pytest

from kachery_tui.node.activity import RECENT_MESSAGES, Direction, StreamActivity, StreamMessage, Verdict
from kachery_tui.protocol.roles import Stream
from kachery_tui.tui.cells import Cell
from kachery_tui.tui.panes.heard import MergedRows, Placed, Sieve


def say(activity: StreamActivity, at: float, summary: str = "") -> None:
    activity.record(
        at=at,
        direction=Direction.IN,
        verdict=Verdict.VERIFIED,
        type="requestFile",
        summary=summary,
        from_node_id="",
        raw="",
    )


def rows_of(*activities: StreamActivity) -> MergedRows:
    kept = {activity.stream: list(activity.messages) for activity in activities}
    return MergedRows(kept, lambda placed: (Cell(f"{placed[0]} {placed[1].number}"),))


def six_streams(messages: int) -> list[StreamActivity]:
    """Streams with messages at random, some of them at the same moment."""
    chance, at = random.Random(7), 1.0
    activities = [StreamActivity(stream) for stream in Stream]
    for _ in range(messages):
        at += chance.choice([0.0, 0.0, 0.5])
        say(chance.choice(activities), at)
    return activities


@pytest.mark.parametrize("messages", [0, 1, 50, 5_000])
def test_rows_are_in_the_order_of_time_and_found_by_their_keys(messages: int) -> None:
    activities = six_streams(messages)
    rows = rows_of(*activities)
    assert len(rows) == sum(len(activity.messages) for activity in activities)
    placed = [rows.item(index) for index in range(len(rows))]
    times = [one[1].at for one in placed if one]
    assert times == sorted(times)
    assert len({rows.key(index) for index in range(len(rows))}) == len(rows)
    fresh = rows_of(*activities)
    assert [fresh.index(rows.key(index)) for index in range(len(rows))] == list(range(len(rows)))


def test_what_is_not_there_is_not_found() -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    for number in range(RECENT_MESSAGES + 5):
        say(activity, float(number))
    rows = rows_of(activity)
    assert rows.index((Stream.REQUEST_FILES, 5)) is None
    assert rows.index((Stream.REQUEST_FILES, 6)) == 0
    assert rows.index((Stream.PROVIDE_FILES, 6)) is None
    assert rows.index("all six") is None
    assert rows.item(-1) is None
    assert rows.item(len(rows)) is None
    assert rows.cells(0) == (Cell("requestFiles 6"),)


def test_only_what_is_looked_at_is_merged() -> None:
    rows = rows_of(*six_streams(5_000))
    for index in range(len(rows) - 30, len(rows)):
        rows.cells(index)
    assert len(rows._newest_first) == 30


def test_a_message_is_judged_once_and_again_when_it_was_replaced() -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    judged: list[int] = []

    def judge(placed: Placed) -> bool:
        judged.append(placed[1].number)
        return placed[1].number % 2 == 0 or placed[1].request is not None

    def sifted() -> list[int]:
        return [message.number for message in sieve.sift(activity, judge)]

    sieve = Sieve()
    assert sifted() == []
    for number in range(4):
        say(activity, float(number))
    assert sifted() == [2, 4]
    assert sifted() == [2, 4]
    assert judged == [1, 2, 3, 4]
    activity.belongs_to(3, request=9)
    assert sifted() == [2, 3, 4]
    assert judged == [1, 2, 3, 4, 3]
    judged.clear()
    for number in range(RECENT_MESSAGES):
        say(activity, float(number))
    left = sifted()
    assert judged == list(range(5, RECENT_MESSAGES + 5))
    assert left == [number for number in judged if number % 2 == 0]
    assert sieve.passed == 2 + RECENT_MESSAGES // 2


def test_rows_stay_as_they_were_while_more_comes() -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    say(activity, 1.0, "first")
    rows = rows_of(activity)
    for number in range(RECENT_MESSAGES + 1):
        say(activity, float(number + 2))
    placed = rows.item(0)
    assert placed is not None
    message: StreamMessage = placed[1]
    assert (len(rows), message.summary) == (1, "first")

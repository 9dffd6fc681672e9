"""What the panes say of streams and messages."""

import json
from typing import Any

import pytest

from kachery_tui.filters import matches, parse_filter
from kachery_tui.node.activity import Direction, StreamActivity, StreamMessage, Verdict
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.ledger import Ledger, Request
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.uris import FileUri
from kachery_tui.tui import present
from kachery_tui.tui.describe.streams import (
    FAULTS,
    MESSAGE_FIELDS,
    MOST_NAMES,
    Rights,
    lane_about,
    lane_cells,
    led_to,
    message_cells,
    message_facts,
    message_head,
    names,
    pretty_json,
    raw_lines,
)
from tests.tui.words import PEER, label_of, text_of

NOW = 1_700_000_000.0
EVERYTHING = Rights(frozenset(Role), frozenset(Role))
URI = FileUri("ab" * 20, "spikes.dat")


def said(activity: StreamActivity, at: float = NOW, **changes: Any) -> StreamMessage:
    values: dict[str, Any] = {
        "direction": Direction.IN,
        "verdict": Verdict.VERIFIED,
        "type": "requestFile",
        "summary": "abababababab…",
        "from_node_id": PEER,
        "raw": '{"body": 1',
    }
    activity.record(at=at, **{**values, **changes})
    return activity.messages[-1]


def refused(activity: StreamActivity) -> StreamMessage:
    return said(activity, verdict=Verdict.REFUSED, type="", summary="", reason="bad signature")


def a_row() -> Request:
    return Ledger().open(Side.THEIRS, "lab", FileSubject(URI), Step.WAITING)


def lane(activity: StreamActivity, rights: Rights = EVERYTHING, there: str = "") -> dict[str, str]:
    cells = lane_cells(str(activity.stream), [activity], rights, there, NOW, spark=6, needs="needs ")
    return {tells: cell.text for tells, cell in cells.items()}


@pytest.mark.parametrize(
    ("subscribed", "may_publish", "may"),
    [
        (True, True, "↓↑ both"),
        (True, False, "↓ listen"),
        (False, True, "↑ publish"),
    ],
)
def test_a_lane_says_what_this_node_may_do_there(subscribed: bool, may_publish: bool, may: str) -> None:
    activity = StreamActivity(Stream.REQUEST_FILES, subscribed=subscribed, may_publish=may_publish)
    assert lane(activity)["may"] == may


def test_a_lane_that_is_not_heard_says_which_role_it_takes_or_what_that_waits_for() -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    nothing, everything = frozenset[Role](), frozenset(Role)
    for tells, words in (("may", "· neither, needs provide-files"), ("present", "needs provide-files")):
        assert lane(activity, Rights(nothing, everything))[tells] == words
        assert lane(activity, Rights(everything, nothing))[tells] == "! provide-files is not granted"
        assert lane(activity)[tells] == "! provide-files is not yet in force"
        activity.problem = "the key does not allow it"
        assert lane(activity)[tells] == "! the key does not allow it"
        activity.may_publish, activity.problem = True, ""
    activity.subscribed = True
    assert lane(activity)["present"] == "nobody"
    assert lane(activity, there="alice")["present"] == "alice"


def test_a_lane_counts_and_shows_the_last_minute() -> None:
    activity = StreamActivity(Stream.REQUEST_FILES, subscribed=True)
    assert lane(activity) == {
        "stream": "requestFiles", "may": "↓ listen", "rate": "–", "spark": " " * 6, "last": "–", "hour": "–",
        "refused": "–", "present": "nobody",
    }  # fmt: skip
    said(activity, NOW - 40)
    refused(activity)
    told = lane(activity)
    assert told["refused"] == "✗ 1"
    assert told["rate"] == "1.0/s"
    assert told["last"] == present.clock(NOW, NOW)
    assert told["hour"] == told["last"][:5]
    assert told["spark"].count("▁") == 2
    assert told["spark"][-1] == "▁"


def test_a_sparkline_stands_still_within_a_cell() -> None:
    activity = StreamActivity(Stream.REQUEST_FILES, subscribed=True)
    began = NOW - NOW % 10
    said(activity, began)
    shown = {
        lane_cells("", [activity], EVERYTHING, "", began + second, spark=6, needs="")["spark"].text
        for second in range(10)
    }
    assert len(shown) == 1


def test_two_lines_about_a_lane() -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    first, second = lane_about([activity], Rights((), frozenset(Role)), "")
    assert text_of([first]) == "· listening needs provide-files, publishing request-files"
    assert text_of([second]) == "presence is known to listeners only"
    activity.subscribed = True
    first, _ = lane_about([activity], Rights({Role.PROVIDE_FILES}, frozenset(Role)), "")
    assert text_of([first]) == "↓ listens by provide-files, · publishing needs request-files"
    activity.may_publish = True
    for _ in range(600):
        said(activity)
    refused(activity)
    first, second = lane_about([activity], EVERYTHING, "alice")
    assert text_of([first]) == "↓ listens by provide-files, ↑ publishes by request-files"
    told = text_of([second])
    for part in (
        "✗ 1 refused, the last: bad signature",
        "601 messages, the newest 500 kept",
        "present: alice",
    ):
        assert part in told
    every = [StreamActivity(stream, subscribed=stream is Stream.REQUEST_FILES) for stream in Stream]
    assert text_of(lane_about(every, EVERYTHING, "")[:1]) == "listens on 1 of the 6 streams, may publish on 0"


def test_who_is_present_is_bounded_and_this_node_is_called_so() -> None:
    assert names({"me": "box", PEER: "bob", "x" * 64: ""}, "me") == "bob, xxxxxxxx…, this node"
    many = names({str(number): f"n{number}" for number in range(500)}, "me")
    assert many.count(",") == MOST_NAMES
    assert many.endswith(f"{500 - MOST_NAMES} more")


def test_a_message_names_the_file_and_the_request_that_it_led_to() -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    message = said(activity, summary="started abababababab…", request=7)
    cells = [cell.text for cell in message_cells(activity.stream, message, label_of, a_row(), NOW)]
    assert cells[1:] == ["requestFiles", "✓ verified", "requestFile", "↓ alice", "#7 started spikes.dat"]
    cells = [cell.text for cell in message_cells(activity.stream, message, label_of, None, NOW)]
    assert cells[-1] == "#7 started abababababab…"


def test_a_message_in_full_says_what_came_of_it() -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    message = refused(activity)
    cells = [cell.text for cell in message_cells(activity.stream, message, label_of, None, NOW)]
    assert cells[2:] == ["✗ refused", "(no type)", "↓ alice", "bad signature"]
    head = text_of(message_head(activity.stream, message, label_of, kept=True))
    assert f"received on requestFiles at {present.moment(NOW)}, message 1 there" in head
    assert "✗ refused" in head
    assert "claims to be from alice" in head
    assert PEER in head
    assert "let go" not in head
    assert "has let go of it since" in text_of(message_head(activity.stream, message, label_of, kept=False))
    assert '{"body": 1' in text_of(raw_lines(message))
    assert list(led_to(None, "g")) == []
    assert text_of(led_to(a_row(), "g")) == (
        "led to request #1  ↑ theirs  spikes.dat  ! waits for your key  g goes there"
    )
    head = text_of(message_head(activity.stream, said(activity), label_of, kept=True))
    assert "✓ verified: its signature holds" in head


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("type:request", True), ("type:upload", False), ("from:ALICE", True), ("from:cdcd", True), ("from:bob", False),
        ("stream:requestFiles", True), ("stream:provideFiles", False), ("file:spikes", True), ("file:abab", True),
        ("verdict:verified", True), (FAULTS, False), ("way:in", True), ("way:out", False), ("request:7", True),
        ("request>7", False), ("spikes", True), ("!spikes", False),
    ],
)  # fmt: skip
def test_what_messages_can_be_filtered_by(text: str, stays: bool) -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    facts = message_facts(activity.stream, said(activity, request=7), label_of, a_row())
    assert facts.keys() == MESSAGE_FIELDS.keys()
    assert matches(parse_filter(text, MESSAGE_FIELDS), facts, NOW) is stays


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.PASSED_OVER])
def test_faults_are_what_was_refused_or_passed_over(verdict: Verdict) -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    facts = message_facts(activity.stream, said(activity, verdict=verdict), label_of, None)
    assert matches(parse_filter(FAULTS, MESSAGE_FIELDS), facts, NOW)


def test_raw_json_is_laid_out_where_it_is_json() -> None:
    assert pretty_json('{"a":[1]}') == json.dumps({"a": [1]}, indent=2)
    assert pretty_json('{"a": [1') == '{"a": [1'
    assert pretty_json("[" * 100_000) == "[" * 100_000


def test_a_sparkline_grows_by_threes_and_has_its_width() -> None:
    assert present.spark([0, 1, 2, 3, 8, 9, 26, 27, 81, 243, 729, 2_187, 10**9], 13) == " ▁▁▂▂▃▃▄▅▆▇██"
    assert present.spark([1] * 60, 10) == "▂" * 10
    assert present.spark([], 0) == ""


def test_the_last_time_stands_still_until_midnight() -> None:
    assert present.last(None, NOW) == "–"
    assert present.last(NOW, NOW) == present.clock(NOW, NOW)
    assert present.last(NOW - 86_400, NOW) == "1 d ago"
    assert present.last(NOW - 40 * 86_400, NOW) == "40 d ago"
    assert len(present.last(NOW + 60, NOW)) == 8

"""What the panes say of streams and messages."""

import json

from kachery_tui.node.activity import Direction, StreamActivity, Verdict
from kachery_tui.protocol.roles import Stream
from kachery_tui.tui.describe.streams import message_cells, message_lines, pretty_json, stream_cells
from tests.tui.words import PEER, label_of, text_of


def test_a_refused_message_says_why() -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    activity.record(
        at=1.0,
        direction=Direction.IN,
        verdict=Verdict.REFUSED,
        type="",
        summary="",
        from_node_id=PEER,
        raw='{"body": 1',
        reason="bad signature",
    )
    (message,) = activity.messages
    cells = [cell.text for cell in message_cells(activity.stream, message, label_of, 1.0)]
    assert "↓ ✗ refused" in cells
    assert cells[-1] == "bad signature"
    detail = text_of(message_lines(activity.stream, message, label_of, 1.0))
    assert '{"body": 1' in detail
    assert PEER in detail
    lane = [cell.text for cell in stream_cells("requestFiles", [activity], "alice", 1.0)]
    assert lane[5] == "✗ 1"


def test_raw_json_is_laid_out_where_it_is_json() -> None:
    assert pretty_json('{"a":[1]}') == json.dumps({"a": [1]}, indent=2)
    assert pretty_json('{"a": [1') == '{"a": [1'
    assert pretty_json("[" * 100_000) == "[" * 100_000

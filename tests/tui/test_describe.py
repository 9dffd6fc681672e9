"""What the panes say of requests, messages and files."""

import json
from collections.abc import Iterable

from kachery_tui.errors import NobodyHasIt
from kachery_tui.node.activity import Direction, StreamActivity, Verdict
from kachery_tui.node.ledger import ChunkState, Ledger, Origin, Request, Side, Step
from kachery_tui.node.values import Entry
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.uris import FileUri
from kachery_tui.tui import describe
from kachery_tui.tui.cells import Line

URI = FileUri("ab" * 20, "spikes.dat")
PEER = "cd" * 32


def text_of(lines: Iterable[Line]) -> str:
    return "\n".join("".join(cell.text for cell in line) for line in lines)


def label_of(node_id: str) -> str:
    return {PEER: "alice"}.get(node_id, node_id[:4])


def a_request(side: Side = Side.MINE) -> tuple[Ledger, Request]:
    ledger = Ledger()
    return ledger, ledger.open(side, "lab", URI.file_key, URI, Step.STORAGE)


def test_a_download_on_its_way() -> None:
    ledger, row = a_request()
    ledger.enter(row, Step.DOWNLOADING)
    row.size, row.answered_by = 40_000_000, PEER
    row.chunks = [ChunkState.DONE, ChunkState.MOVING]
    ledger.count(row, 20_000_000, Origin.PEER)
    cells = [cell.text for cell in describe.request_cells(row, label_of)]
    assert cells[1:4] == ["↓ mine", "spikes.dat", "↓ downloading"]
    assert cells[4:7] == ["█████░░░░░", "50 %", "40 MB"]
    assert cells[-1] == "alice"
    detail = text_of(describe.request_lines(row, label_of, row.started))
    assert str(URI) in detail
    assert "answered by alice" in detail
    assert "20 MB from peer" in detail
    assert "chunks 1 of 2  █▒" in detail
    assert "own storage" in detail
    assert "↓ downloading since" in detail


def test_a_failure_says_what_why_and_what_to_do() -> None:
    ledger, row = a_request()
    ledger.note(row, "the bucket's object has the wrong hash")
    ledger.end(row, Step.FAILED, failure=NobodyHasIt("nobody has it", "asked alice and bob", "Ask its owner"))
    detail = text_of(describe.request_lines(row, label_of, row.started))
    for part in (
        "✗ failed",
        "nobody has it",
        "asked alice and bob",
        "Ask its owner",
        "the wrong hash",
        "took",
    ):
        assert part in detail


def test_a_request_of_others_names_who_asked() -> None:
    ledger, row = a_request(Side.THEIRS)
    row.asked_by.append(PEER)
    ledger.enter(row, Step.WAITING)
    cells = [cell.text for cell in describe.request_cells(row, label_of)]
    assert cells[3] == "! waits for your key"
    assert cells[-1] == "alice"
    assert "asked by alice" in text_of(describe.request_lines(row, label_of, row.started))


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
    cells = [cell.text for cell in describe.message_cells(activity.stream, message, label_of, 1.0)]
    assert "↓ ✗ refused" in cells
    assert cells[-1] == "bad signature"
    detail = text_of(describe.message_lines(activity.stream, message, label_of, 1.0))
    assert '{"body": 1' in detail
    assert PEER in detail
    lane = [cell.text for cell in describe.stream_cells("requestFiles", [activity], "alice", 1.0)]
    assert lane[5] == "✗ 1"


def test_raw_json_is_laid_out_where_it_is_json() -> None:
    assert describe.pretty_json('{"a":[1]}') == json.dumps({"a": [1]}, indent=2)
    assert describe.pretty_json('{"a": [1') == '{"a": [1'
    assert describe.pretty_json("[" * 100_000) == "[" * 100_000


def test_the_matrix_says_what_a_role_means() -> None:
    def means(**state: bool) -> str:
        return describe.role_cells(Role.PROVIDE_FILES, **state, problem="")[-1].text

    assert means(asked=True, granted=True, in_force=True) == "↑ provideFiles  ↓ requestFiles"
    assert means(asked=False, granted=True, in_force=False) == "would ↑ provideFiles ↓ requestFiles"
    assert means(asked=True, granted=False, in_force=False) == "! the channel does not grant it"
    assert means(asked=True, granted=True, in_force=False) == "! waits for the connection"


def test_files_of_the_storage() -> None:
    entry = Entry("ab" * 20, 1_234, "", 1.0, 2.0, "lab", True, "link", None)
    cells = [cell.text for cell in describe.entry_cells(entry, 3.0)]
    assert cells[0] == "abababababababab…"
    assert cells[1] == "1.2 kB"
    assert cells[-1] == "pinned, link"
    assert "(1,234 B)" in text_of(describe.entry_lines(entry, str(URI), 3.0))

"""What the panes say of requests."""

from kachery_tui.errors import NobodyHasIt
from kachery_tui.node.ledger import ChunkState, Ledger, Origin, Request, Side, Step
from kachery_tui.protocol.uris import FileUri
from kachery_tui.tui.describe.requests import request_cells, request_lines
from tests.tui.words import PEER, label_of, text_of

URI = FileUri("ab" * 20, "spikes.dat")


def a_request(side: Side = Side.MINE) -> tuple[Ledger, Request]:
    ledger = Ledger()
    return ledger, ledger.open(side, "lab", URI.file_key, URI, Step.STORAGE)


def test_a_download_on_its_way() -> None:
    ledger, row = a_request()
    ledger.enter(row, Step.DOWNLOADING)
    row.size, row.answered_by = 40_000_000, PEER
    row.chunks = [ChunkState.DONE, ChunkState.MOVING]
    ledger.count(row, 20_000_000, Origin.PEER)
    cells = [cell.text for cell in request_cells(row, label_of)]
    assert cells[1:4] == ["↓ mine", "spikes.dat", "↓ downloading"]
    assert cells[4:7] == ["█████░░░░░", "50 %", "40 MB"]
    assert cells[-1] == "alice"
    detail = text_of(request_lines(row, label_of, row.started))
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
    detail = text_of(request_lines(row, label_of, row.started))
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
    cells = [cell.text for cell in request_cells(row, label_of)]
    assert cells[3] == "! waits for your key"
    assert cells[-1] == "alice"
    assert "asked by alice" in text_of(request_lines(row, label_of, row.started))

"""What the panes say of requests."""

import pytest

from kachery_tui.errors import NobodyHasIt
from kachery_tui.filters import matches, parse_filter
from kachery_tui.node.files.subject import ChunkState, FileSubject
from kachery_tui.node.ledger import Ledger, Origin, Request
from kachery_tui.node.steps import TRANSITIONS, Side, Step
from kachery_tui.protocol.roles import Stream
from kachery_tui.protocol.uris import FileUri
from kachery_tui.tui.describe.request_story import story_lines
from kachery_tui.tui.describe.request_table import (
    FIELDS,
    SORTS,
    TITLES,
    in_order,
    request_facts,
    request_texts,
)
from kachery_tui.tui.describe.requests import BRIEF_LINES, brief_lines, request_cells, request_lines
from tests.tui.words import PEER, label_of, row_texts, text_of

URI = FileUri("ab" * 20, "spikes.dat")
NUMBER, WHOSE, FILE, BAR, PERCENT, STEP, RATE, LEFT, SIZE, STARTED, CHANNEL, WHO = range(12)


def a_request(side: Side = Side.MINE, ledger: Ledger | None = None) -> tuple[Ledger, Request]:
    ledger = Ledger() if ledger is None else ledger
    return ledger, ledger.open(side, "lab", FileSubject(URI), next(iter(TRANSITIONS[side])))


def a_download() -> tuple[Ledger, Request]:
    ledger, row = a_request()
    ledger.enter(row, Step.DOWNLOADING)
    row.size, row.answered_by = 40_000_000, PEER
    FileSubject.of(row).chunks = [ChunkState.DONE, ChunkState.MOVING]
    ledger.count(row, 10_000_000, Origin.BUCKET)
    ledger.count(row, 10_000_000, Origin.PEER)
    return ledger, row


def cells_of(row: Request, *, roomy: bool = False) -> list[str]:
    return row_texts(request_cells(row, label_of, row.started, roomy=roomy))


def test_a_download_on_its_way() -> None:
    _, row = a_download()
    cells = cells_of(row)
    assert cells[WHOSE : STEP + 1] == ["↓ mine", "spikes.dat", "▓▓██░░░░", "50 %", "↓ downloading"]
    assert cells[RATE].endswith("/s")
    assert cells[LEFT]
    assert cells[SIZE] == "40 MB"
    assert cells[WHO] == "alice"


def test_what_a_peer_has_sent_is_not_taken_for_what_is_here() -> None:
    ledger, row = a_request()
    row.size = 40_000_000
    ledger.enter(row, Step.PEER_UPLOADS)
    FileSubject.of(row).peer_has_sent(URI.sha1, 20_000_000)
    cells = cells_of(row)
    assert cells[BAR : STEP + 1] == ["▒▒▒▒░░░░", "»50 %", "» peer uploads"]
    assert "▒ peer sent 20 MB" in text_of(request_lines(row, label_of, row.started, 80))
    assert "0 B of 40,000,000 B" in text_of(story_lines(row, label_of, row.started, 80))
    FileSubject.of(row).peer_has_sent(URI.sha1, None)
    ledger.count(row, 10_000_000, Origin.PEER)
    FileSubject.of(row).peer_has_sent("12" * 20, 10_000_000)
    assert cells_of(row)[BAR : PERCENT + 1] == ["██▒▒░░░░", "25 %"]


def test_under_the_list_stands_what_matters_most() -> None:
    _, row = a_download()
    lines = list(request_lines(row, label_of, row.started, 60))
    detail = text_of(lines)
    assert str(URI) in detail
    assert "answered by alice" in detail
    assert "40 MB:  ▓ bucket 10 MB  █ peer 10 MB" in detail
    assert "chunks 1 of 2  █▒" in detail
    assert "own storage" in detail
    assert "↓ downloading since" in detail


def test_the_bar_of_an_ended_request_takes_no_room_from_names() -> None:
    ledger, row = a_download()
    ledger.end(row, Step.CANCELLED)
    row.ended = row.started + 2
    assert cells_of(row)[BAR : STEP + 1] == ["", "", "○ cancelled after 2.0 s"]
    assert cells_of(row, roomy=True)[BAR : PERCENT + 1] == ["▓▓██░░░░", "50 %"]
    assert cells_of(row)[RATE : LEFT + 1] == ["", ""]


def test_the_whole_story_has_clock_times_the_map_and_its_legend() -> None:
    ledger, row = a_download()
    ledger.note(row, "the bucket's object has the wrong hash")
    story = text_of(story_lines(row, label_of, row.started, 80))
    for part in (
        str(URI),
        PEER,
        "20,000,000 B of 40,000,000 B",
        "▓ bucket          10 MB   25 %",
        "█ peer            10 MB   25 %",
        "… own storage",
        "↓ downloading         now",
        "█ 1 done  ▒ 1 moving",
        "\n█▒\n",
        "the wrong hash",
    ):
        assert part in story


def test_a_failure_says_what_why_and_what_to_do() -> None:
    ledger, row = a_request()
    ledger.note(row, "the bucket's object has the wrong hash")
    ledger.end(row, Step.FAILED, failure=NobodyHasIt("nobody has it", "asked alice and bob", "Ask its owner"))
    reasons = ("nobody has it", "asked alice and bob", "Ask its owner")
    for lines in (
        request_lines(row, label_of, row.started, 80),
        story_lines(row, label_of, row.started, 80),
    ):
        detail = text_of(lines)
        assert all(part in detail for part in (*reasons, "✗ failed", "the wrong hash"))
    brief = brief_lines(row, label_of, row.started, 80)
    assert len(brief) <= BRIEF_LINES
    assert all(reason in text_of(brief) for reason in reasons)


def test_a_brief_word_keeps_the_newest_steps() -> None:
    ledger, row = a_request()
    for step in (Step.BUCKET, Step.ASKING, Step.PEER_UPLOADS, Step.DOWNLOADING, Step.VERIFYING, Step.DONE):
        ledger.enter(row, step)
    steps = text_of(brief_lines(row, label_of, row.started, 60)).split("\n")[-1]
    assert steps.startswith("steps  … › ")
    assert "✓ done at" in steps
    assert len(steps) <= 60


def test_a_request_of_others_names_who_asked() -> None:
    ledger, row = a_request(Side.THEIRS)
    row.asked_by.append(PEER)
    ledger.enter(row, Step.WAITING)
    cells = cells_of(row)
    assert cells[STEP] == "! waits for your key"
    assert cells[WHO] == "alice"
    assert "asked by alice" in text_of(request_lines(row, label_of, row.started, 80))
    assert PEER in text_of(story_lines(row, label_of, row.started, 80))


@pytest.mark.parametrize("side", [Side.PUSH, Side.THEIRS])
def test_what_the_bucket_had_already_says_so(side: Side) -> None:
    ledger, row = a_request(side)
    row.size = 10
    ledger.count(row, 4, Origin.BUCKET)
    ledger.count(row, 6, Origin.DISK)
    assert cells_of(row)[BAR] == "█████▓▓▓"
    assert "█ sent 6 B  ▓ already there 4 B" in text_of(request_lines(row, label_of, row.started, 80))
    ledger.end(row, Step.DONE)
    ledger.reopen(row, Step.CHECKING)
    ledger.count(row, 10, Origin.BUCKET)
    ledger.end(row, Step.DONE)
    assert cells_of(row)[STEP] == "✓ already there"
    assert request_facts(row, label_of)["step"] == "already there"
    assert request_facts(row, label_of)["state"] == "done"


def test_a_row_of_an_earlier_run_says_so() -> None:
    ledger = Ledger()
    rows = [a_request(ledger=ledger)[1] for _ in range(3)]
    ledger.end(rows[1], Step.DONE)
    rows[1].earlier = True
    assert cells_of(rows[1])[STEP].startswith("✓ done earlier, ")
    assert "earlier" in text_of(request_lines(rows[1], label_of, rows[1].started, 80))
    found = parse_filter("!earlier", FIELDS)
    assert [matches(found, request_facts(row, label_of), 0) for row in rows] == [True, False, True]


def test_who_was_asked_is_told_once_and_what_they_said() -> None:
    ledger, row = a_request()
    ask = ledger.asked(row, "lab", Stream.REQUEST_FILES, "its manifest", ["alice", "bob"])
    ledger.heard(row, ask, "bob could not send it: disk failure")
    ledger.answered(row, ask, "answered by alice")
    ledger.asked(row, "lab", Stream.REQUEST_FILES, "chunk 1", ["alice", "bob"])
    crowd = ledger.asked(
        row, "lab", Stream.REQUEST_FILES, "chunk 2", [f"node {number}" for number in range(99)]
    )
    ledger.answered(row, crowd, "answer_timeout 30 s")
    story = text_of(story_lines(row, label_of, row.started, 80))
    assert "lab, its manifest: answered by alice after" in story
    assert "bob could not send it: disk failure" in story
    assert story.count("listening: alice, bob") == 1
    assert "lab, chunk 1: waits for an answer" in story
    assert "and 79 more" in story
    assert "asked  lab, chunk 2: answer_timeout 30 s; listening: node 0," in text_of(
        request_lines(row, label_of, row.started, 80)
    )


def test_facts_fit_the_fields_and_texts_the_titles() -> None:
    ledger, row = a_download()
    assert request_facts(row, label_of).keys() == FIELDS.keys()
    assert request_facts(row, label_of)["state"] == "active"
    ledger.end(row, Step.FAILED, failure=NobodyHasIt("nobody has it", "asked alice"))
    assert request_facts(row, label_of)["state"] == "failed"
    told = dict(zip(TITLES, request_texts(row, label_of), strict=True))
    assert told["from bucket"] == "10000000"
    assert told["what"] == "nobody has it"
    assert told["uri"] == str(URI)


def test_orders_put_nothing_last_and_keep_the_newest_first_among_equals() -> None:
    ledger = Ledger()
    rows = [a_request(ledger=ledger)[1] for _ in range(4)]
    for row, size in zip(rows, (5, None, 9, 5), strict=True):
        row.size = size

    def numbers(by: str, *, descending: bool) -> list[int]:
        return [row.number for row in in_order(rows, by, label_of, descending=descending)]

    assert numbers("size", descending=True) == [3, 4, 1, 2]
    assert numbers("size", descending=False) == [4, 1, 3, 2]
    assert numbers("#", descending=True) == [4, 3, 2, 1]
    for by in SORTS:
        assert sorted(numbers(by, descending=True)) == [1, 2, 3, 4]

"""What is said of subfeeds and their messages: rows, filters, orders, and whatever an owner may have written."""

import time
from typing import Any

import pytest

from kachery_tui.filters import FieldKind, matches, parse_filter
from kachery_tui.node.feeds.states import Listener, SubfeedState
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.ledger import Ledger, Request
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.canonical import JsonObject
from kachery_tui.protocol.feeds import START, BadMessage, Fault, SignedMessage, sign_messages
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.uris import SubfeedKey, SubfeedUri
from kachery_tui.tui import present
from kachery_tui.tui.cells import fit_line, plain
from kachery_tui.tui.describe.feed_messages import (
    KEPT_TEXT,
    damaged,
    message_fields,
    message_json,
    message_lines,
    said,
    said_cells,
    said_facts,
)
from kachery_tui.tui.describe.feed_table import MESSAGE_TITLES, TITLES, message_texts, subfeed_texts
from kachery_tui.tui.describe.feeds import (
    FAULTS,
    ORDERS,
    SUBFEED_FIELDS,
    about_lines,
    serving,
    state_cell,
    subfeed_cells,
    subfeed_facts,
    title,
)
from kachery_tui.tui.describe.request_story import story_lines
from kachery_tui.tui.describe.request_table import TITLES as REQUEST_TITLES
from kachery_tui.tui.describe.request_table import request_facts, request_texts
from kachery_tui.tui.describe.requests import brief_lines, request_cells, request_lines
from kachery_tui.tui.panes.feed_rows import COLUMNS, message_columns
from kachery_tui.tui.widgets.columns import widths
from tests.tui.words import PEER, label_of, text_of

NOON = 1_790_000_000.0
FEED, HASH = "ab" * 32, "cd" * 20
KEY = SubfeedKey(FEED, HASH)


def subfeed(**changes: Any) -> SubfeedState:
    state = SubfeedState(KEY, "losses", "training", own=True, here=1_200)
    for name, value in changes.items():
        setattr(state, name, value)
    return state


def row_of(step: Step, side: Side = Side.MINE) -> Request:
    return Ledger().open(side, "lab", SubfeedSubject(KEY, SubfeedUri(FEED, "losses")), step)


def message(value: JsonObject, **changes: Any) -> SignedMessage:
    (signed,) = sign_messages(PrivateKey.generate(), START, [value], 1_790_000_000_000)
    return SignedMessage.read(
        {"body": {**_body(signed), **changes}, "signature": signed.signature}, signed.number
    )


def _body(signed: SignedMessage) -> dict[str, Any]:
    body = signed.raw["body"]
    assert isinstance(body, dict)
    return body


# Subfeeds


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (subfeed(), "training/losses"),
        (subfeed(feed_name=""), "abababab…/losses"),
        (subfeed(name=""), "training/~cdcdcdcd…"),
        (SubfeedState(SubfeedKey(FEED, ""), "", "training"), "training"),
    ],
)
def test_what_a_subfeed_is_called(state: SubfeedState, words: str) -> None:
    assert title(state) == words


def test_a_subfeed_as_a_row() -> None:
    state = subfeed(in_bucket={"lab": 1_000, "home": 1_100}, announced=1_250, last_at=NOON)
    state.listeners[Listener("lab", PEER)] = NOON
    cells = [cell.text for cell in subfeed_cells(state, None, "lab", NOON + 1)]
    clock = present.last(NOON, NOON + 1)
    assert cells[:8] == ["training/losses", "● own", "1,200", "1,000", "1,250", "50", "1", clock]
    assert subfeed_cells(state, None, "elsewhere", NOON)[3].text == "1,100"
    assert [cell.text for cell in subfeed_cells(subfeed(), None, "lab", NOON)][3:8] == ["", "", "", "", "–"]


@pytest.mark.parametrize(
    ("step", "changes", "words"),
    [
        (Step.LIVE, {}, "● live"),
        (Step.LIVE, {"announced": 1_300, "behind_since": NOON - 1}, "● live"),
        (Step.LIVE, {"announced": 1_300, "behind_since": NOON - 9}, "… reading"),
        (Step.STORAGE, {}, "… reading"),
        (Step.BUCKET, {}, "… reading"),
        (Step.DOWNLOADING, {}, "… reading"),
        (Step.RECONNECTING, {"silent_since": NOON}, "~ reconnecting"),
        (Step.ASKING, {}, "? asking"),
        (Step.ASKING, {"silent_since": NOON}, f"! silent since {present.day(NOON, NOON)}"),
        (Step.CANCELLED, {}, "○ stopped"),
        (Step.FAILED, {"fault": BadMessage(Fault.FORK, 7)}, "✗ #7 has a fork"),
    ],
)
def test_how_a_followed_one_stands(step: Step, changes: dict[str, Any], words: str) -> None:
    state = subfeed(own=False, follows=True, row=row_of(step), **changes)
    assert state_cell(state, None, NOON).text == words


def test_how_others_stand() -> None:
    assert state_cell(subfeed(own=False), None, NOON).text == "○ not followed"
    assert state_cell(subfeed(), None, NOON).text == "· nobody listens"
    served = [row_of(step, Side.THEIRS) for step in (Step.LIVE, Step.WAITING, Step.UPLOADING)]
    words = [state_cell(subfeed(), row, NOON).text for row in served]
    assert words == ["● live", "! waits for you", "↑ uploading"]
    assert set(FAULTS) == set(Fault)
    longest = max(len(f"✗ #99,999 {words}") for words in FAULTS.values())
    assert longest <= next(column.width for column in COLUMNS if column.title == "state") + 6


def test_who_waits_goes_before_who_listens() -> None:
    ledger = Ledger()
    uri = SubfeedUri(FEED, "losses")
    waits = ledger.open(Side.THEIRS, "lab", SubfeedSubject(KEY, uri), Step.WAITING)
    ledger.open(Side.THEIRS, "home", SubfeedSubject(KEY, uri), Step.LIVE)
    ledger.open(Side.MINE, "lab", SubfeedSubject(SubfeedKey(FEED, "ef" * 20), uri), Step.LIVE)
    assert serving(ledger) == {KEY: waits}
    ledger.end(waits, Step.DECLINED)
    assert serving(ledger)[KEY].channel == "home"


def test_two_lines_about_the_chosen_one() -> None:
    state = subfeed(announced=1_203, behind_since=NOON)
    for number in range(7):
        state.listeners[Listener("lab", f"{number:02x}" * 32)] = NOON
    standing, uri = about_lines(state, row_of(Step.LIVE, Side.THEIRS), label_of, NOON, 120)
    text = text_of([standing])
    assert "● live  1,200 messages  3 not here yet since" in text
    assert "told to 0000, 0101, 0202, 0303, 0404, 2 more" in text
    assert text_of([uri]).strip() == str(state.uri)
    assert text_of([about_lines(state, None, label_of, NOON, 60)[1]]).strip() == "feed://abababab…/losses"
    empty = SubfeedState(SubfeedKey(FEED, ""), own=True)
    assert "a feed without messages" in text_of(about_lines(empty, None, label_of, NOON, 80))
    bad = subfeed(fault=BadMessage(Fault.CHAIN, 3))
    assert "✗ message 3 is not good: it does not follow" in text_of(
        about_lines(bad, None, label_of, NOON, 80)
    )


OWN = subfeed()
FOLLOWED = subfeed(own=False, follows=True, here=3, announced=9, last_at=NOON - 60, name="log")
FAULTY = subfeed(own=False, feed_name="", fault=BadMessage(Fault.SIGNATURE, 4), here=4)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("own", [OWN]),
        ("followed", [FOLLOWED]),
        ("!own", [FOLLOWED, FAULTY]),
        ("messages>1000", [OWN]),
        ("lag>0", [FOLLOWED]),
        ("last<2m", [FOLLOWED]),
        ("fault", [FAULTY]),
        ("name:log", [FOLLOWED]),
        ("feed:training", [OWN, FOLLOWED]),
        (f"feed://{FEED}", [OWN, FOLLOWED, FAULTY]),
        ("state:signed", [FAULTY]),
    ],
)
def test_a_filter_for_subfeeds(text: str, found: list[SubfeedState]) -> None:
    wanted = parse_filter(text, SUBFEED_FIELDS)
    states = (OWN, FOLLOWED, FAULTY)
    assert [one for one in states if matches(wanted, subfeed_facts(one, None, "lab", NOON), NOON)] == found


def test_every_order_compares_all_subfeeds() -> None:
    for key in ORDERS.values():
        sorted((OWN, FOLLOWED, FAULTY), key=key)
    titles = {column.title for column in COLUMNS}
    assert set(ORDERS) <= titles


def test_a_subfeed_in_a_file() -> None:
    texts = dict(zip(TITLES, subfeed_texts(FAULTY), strict=True))
    assert texts["own"] == "no"
    assert texts["here"] == "4"
    assert texts["uri"] == str(FAULTY.uri)
    assert "not signed by the feed's key" in texts["fault"]


@pytest.mark.parametrize("width", [60, 79, 99, 140])
def test_columns_leave_room_for_names(width: int) -> None:
    found = dict(zip((column.title for column in COLUMNS), widths(COLUMNS, width), strict=True))
    assert found["name"] >= 22
    assert found["here"] == 7
    assert found["state"] == 20


# Messages


def test_a_message_as_a_row() -> None:
    one = said(message({"Name": "Ben", "loss": 0.25, "tags": ["a"], "train": {"acc": 1}}))
    cells = [cell.text for cell in said_cells(one, NOON)]
    assert cells[0] == "0"
    assert cells[3] == '{"Name": "Ben", "loss": 0.25, "tags": ["a"], "train": {"acc": 1}}'
    assert one.values == {"loss": 0.25, "tags.0": "a", "train.acc": 1.0, "name": "Ben"}
    assert dict(zip(MESSAGE_TITLES, message_texts(one), strict=True))["number"] == "0"
    assert said_cells(damaged(3, "message 3 is not good"), NOON)[3].text == "✗ message 3 is not good"


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("loss<0.5", True),
        ("loss>-1", True),
        ("train.acc=1", True),
        ("name:ben", True),
        ("ok", True),
        ("number:0 size>10", True),
        ("time<1h", True),
        ("epoch", False),
        ("text:loss", True),
        ("loss>0.5", False),
    ],
)
def test_a_filter_for_messages_and_the_keys_in_them(text: str, holds: bool) -> None:
    one = said(message({"loss": 0.25, "train": {"acc": 1}, "name": "Ben", "ok": True}))
    fields = message_fields([one])
    assert fields["train.acc"] is FieldKind.NUMBER
    assert fields["ok"] is FieldKind.FLAG
    assert matches(parse_filter(text, fields), said_facts(one), NOON + 60) is holds


def test_keys_that_fields_are_called_give_way() -> None:
    one = said(message({"time": "noon", "number": 99, "size": True}))
    assert message_fields([one])["time"] is FieldKind.TIME
    assert said_facts(one)["number"] == 0


@pytest.mark.parametrize("timestamp", [0, 2**53 - 1, 10**14])
def test_a_time_that_no_clock_shows(timestamp: int) -> None:
    one = message({}, timestamp=timestamp)
    fit_line(said_cells(said(one), NOON), 80)
    assert "by the owner's clock" in text_of(message_lines(subfeed(), one))


def test_all_of_a_message() -> None:
    one = message({"loss": 0.25, "evil": "\x1b[2J\u202e"}, metaData={"by": "hand"})
    text = text_of(message_lines(subfeed(), one))
    assert "number      0 of 1,200 here" in text
    assert "previous    none, it is the first" in text
    assert f"signature   {one.signature[:16]}…" in text
    assert 'metaData    {"by": "hand"}' in text
    assert '  "evil": "\\u001b[2J\\u202e"' in text
    assert '"loss": 0.25' in message_json(one)


def test_hostile_and_huge_messages_stay_within_bounds() -> None:
    value: JsonObject = {
        "\x1b]0;owned\x07": "\u202e" * 50_000,
        "keys": {str(n): "x" * 500 for n in range(5_000)},
    }
    began = time.monotonic()
    one = said(message(value))
    assert len(one.text) <= KEPT_TEXT
    assert one.text.isprintable()
    assert len(one.values) <= 40
    lines = list(message_lines(subfeed(), message(value)))
    assert sum(len(cell.text) for line in lines for cell in line) < 120_000
    assert all(plain(cell.text) == cell.text for line in lines for cell in line)
    assert time.monotonic() - began < 5


def test_numbers_of_messages_have_their_room() -> None:
    assert [message_columns(count)[0].width for count in (0, 900, 12_345, 1_000_000)] == [4, 4, 6, 9]


# Rows of the ledger


@pytest.mark.parametrize("side", [Side.MINE, Side.THEIRS])
def test_a_feed_among_the_requests(side: Side) -> None:
    row = row_of(Step.LIVE, side)
    SubfeedSubject.of(row).messages, row.done = 1_234, 5_000
    row.asked_by = [PEER] if side is Side.THEIRS else []
    cells = request_cells(row, label_of, NOON, roomy=True)
    texts = [text_of([cell if isinstance(cell, tuple) else (cell,)]) for cell in cells]
    assert texts[2] == "abababab…/losses"
    assert texts[3:6] == ["", "", "● live"]
    assert texts[8] == "1k msg"
    facts = request_facts(row, label_of)
    assert (facts["kind"], facts["messages"], facts["size"]) == ("feed", 1_234, None)
    told = dict(zip(REQUEST_TITLES, request_texts(row, label_of), strict=True))
    assert (told["messages"], told["size"], told["uri"]) == ("1234", "", str(row.uri))
    story = text_of(story_lines(row, label_of, NOON, 100))
    assert f"1,234 messages {'told' if side is Side.THEIRS else 'came'}, 5,000 B" in story
    assert "size that is not known" not in story
    list(brief_lines(row, label_of, NOON, 80))
    list(request_lines(row, label_of, NOON, 80))


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 msg"), (999, "999 msg"), (1_000, "1k msg"), (99_999, "100kmsg"), (12_345_678, "12M msg")],
)
def test_numbers_of_messages_in_few_cells(number: int, text: str) -> None:
    assert present.messages(number) == text
    assert len(text) <= 7

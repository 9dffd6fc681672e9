"""The plain state that the screen looks at."""

import asyncio
import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.errors import KacheryError
from kachery_tui.node.activity import RECENT_MESSAGES, Direction, StreamActivity, Verdict
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.ledger import ENDED_ROWS, Ledger, Origin
from kachery_tui.node.log import KEPT_LINES, LONGEST_LINE, LogRing
from kachery_tui.node.rates import RateMeter
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.supervisor import LAST_WORDS, Supervisor
from kachery_tui.node.threads import in_thread
from kachery_tui.peer_limits import PEERS_REMEMBERED, PeerLimit
from kachery_tui.protocol.roles import Stream
from kachery_tui.protocol.uris import FileUri

SHA1 = "ab" * 20


def record(activity: StreamActivity, number: int) -> int:
    return activity.record(
        at=float(number),
        direction=Direction.IN,
        verdict=Verdict.VERIFIED,
        type="requestFile",
        summary=str(number),
        from_node_id="",
        raw="{}",
    )


@given(st.integers(0, RECENT_MESSAGES * 2), st.integers(0, RECENT_MESSAGES * 2))
def test_since_gives_what_is_newer_and_kept(count: int, after: int) -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    for number in range(1, count + 1):
        assert record(activity, number) == number
    oldest_kept = max(1, count - RECENT_MESSAGES + 1)
    expected = list(range(max(oldest_kept, after + 1), count + 1))
    assert [message.number for message in activity.since(after)] == expected


@given(st.integers(1, RECENT_MESSAGES * 2), st.integers(-5, RECENT_MESSAGES * 2))
def test_a_message_is_tied_to_its_row(count: int, number: int) -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    for each in range(1, count + 1):
        record(activity, each)
    activity.belongs_to(number, 7)
    tied = [message.number for message in activity.messages if message.request == 7]
    assert tied == ([number] if max(1, count - RECENT_MESSAGES + 1) <= number <= count else [])


def test_refusals_are_counted() -> None:
    activity = StreamActivity(Stream.REQUEST_FILES)
    activity.count_refused("too many", 9)
    assert (activity.refused, activity.last_refusal, len(activity.messages)) == (9, "too many", 0)


def test_a_clock_that_is_set_back_shows_no_bytes_that_do_not_flow() -> None:
    meter = RateMeter()
    for second in range(20):
        meter.add(1_000, 10_000.0 + second)
    assert meter.rate(10_019.0) > 900
    # An hour back: nothing flows, whatever the second is called.
    assert meter.rate(6_419.0) == 0
    assert sum(meter.history(6_419.0)) == 0
    meter.add(500, 6_420.0)
    assert meter.rate(6_420.5) == 500
    assert sum(meter.history(6_420.5)) == 500
    assert meter.total == 20_500
    # Two threads may read it a little apart.
    meter.add(500, 6_419.5)
    assert meter.rate(6_420.5) == 1_000


def test_rates() -> None:
    meter = RateMeter()
    for second in range(100, 110):
        meter.add(10, second + 0.5)
    assert meter.total == 100
    assert meter.rate(109.9) == pytest.approx(10, rel=0.25)
    assert meter.rate(130.0) == 0
    assert meter.history(109.0, 12) == [0, 0] + [10] * 10


def test_the_rate_of_what_has_just_begun_is_not_watered_down() -> None:
    meter = RateMeter()
    for tenth in range(20):
        meter.add(10, 100.0 + tenth / 10)
    assert meter.rate(102.0) == pytest.approx(100)
    assert meter.rate(102.0, 10) == pytest.approx(100)


def test_ended_rows_are_bounded_and_active_ones_stay() -> None:
    ledger = Ledger()
    uri = FileUri(SHA1)
    active = ledger.open(Side.MINE, "lab", FileSubject(uri), Step.ASKING)
    for _ in range(ENDED_ROWS + 50):
        ledger.end(ledger.open(Side.THEIRS, "lab", FileSubject(uri), Step.CHECKING), Step.DONE)
    ledger.open(Side.MINE, "lab", FileSubject(uri), Step.STORAGE)
    assert len(ledger) == ENDED_ROWS + 2
    assert ledger.get(active.number) is active


async def test_a_row_from_start_to_end() -> None:
    ledger = Ledger()
    row = ledger.open(Side.MINE, "lab", FileSubject(FileUri(SHA1, "a.txt")), Step.STORAGE)
    before = ledger.version
    ledger.enter(row, Step.STORAGE)
    assert ledger.version == before
    ledger.enter(row, Step.DOWNLOADING)
    ledger.count(row, 5, Origin.PEER)
    ledger.note(row, "twice")
    ledger.note(row, "twice")
    ledger.end(row, Step.FAILED, failure=KacheryError("no"))
    with pytest.raises(KacheryError, match="no"):
        await row.outcome()
    assert [entry.step for entry in row.steps] == [Step.STORAGE, Step.DOWNLOADING, Step.FAILED]
    assert (row.done, row.origins, row.notes, row.name) == (5, {Origin.PEER: 5}, ["twice"], "a.txt")
    ledger.reopen(row, Step.STORAGE)
    assert (row.is_active, row.done, row.failure, row.finished.is_set()) == (True, 0, None, False)


def test_each_peer_has_its_share() -> None:
    limit = PeerLimit(rate=10, burst=20)
    assert sum(limit.allows("eve", 0.0) for _ in range(100)) == 20
    assert limit.allows("ana", 0.0)
    assert sum(limit.allows("eve", 1.0) for _ in range(100)) == 10
    for number in range(PEERS_REMEMBERED * 2):
        limit.allows(str(number), 1.0)
    assert len(limit._buckets) <= PEERS_REMEMBERED


def test_log_lines_are_bounded() -> None:
    ring = LogRing()
    logger = logging.Logger("test")
    logger.addHandler(ring)
    for number in range(KEPT_LINES + 10):
        logger.info("%05d%s", number, "x" * LONGEST_LINE * 2)
    assert len(ring.lines) == KEPT_LINES
    assert len(ring.lines[-1].text) == LONGEST_LINE
    logger.info("%d", "not a number")
    assert "cannot be formatted" in ring.lines[-1].text


def test_a_log_line_that_comes_again_is_one() -> None:
    ring = LogRing()
    logger = logging.Logger("test")
    logger.addHandler(ring)
    for text in ("a", "a", "a", "b", "a"):
        logger.info(text)
    assert [(line.text, line.times, line.number) for line in ring.lines] == [
        ("a", 3, 3),
        ("b", 1, 4),
        ("a", 1, 5),
    ]
    logger.warning("a")
    assert ring.lines[-1].times == 1, "another level is another line"
    assert ring.version == 6


async def test_work_that_is_broken_off_is_not_hurried_away_from_its_thread() -> None:
    supervisor = Supervisor()
    ended: list[str] = []

    def slow() -> None:
        time.sleep(LAST_WORDS + 0.5)
        ended.append("thread")

    async def work() -> None:
        try:
            await in_thread(slow)
        finally:
            ended.append("work")

    supervisor.spawn(work(), "work")
    await asyncio.sleep(0.1)
    await supervisor.close()
    assert ended == ["thread", "work"]


async def test_a_failed_task_is_seen() -> None:
    supervisor = Supervisor()

    async def break_down() -> None:
        raise RuntimeError("a defect")

    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    supervisor.spawn(break_down(), "breaks")
    supervisor.spawn(wait_for_ever(), "waits", service=True)
    await supervisor.wait_idle()
    assert [(failure.name, str(failure.error)) for failure in supervisor.failures] == [("breaks", "a defect")]
    await supervisor.close()


async def test_a_service_goes_on_after_what_nobody_expected() -> None:
    supervisor = Supervisor()
    turns = 0
    served = asyncio.Event()

    async def serve() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise KeyError("bool")
        served.set()
        await asyncio.Event().wait()

    service = supervisor.serve(serve, "service")
    await asyncio.wait_for(served.wait(), 10)
    assert [(failure.name, repr(failure.error)) for failure in supervisor.failures] == [
        ("service", "KeyError('bool')")
    ]
    await supervisor.close()
    assert service.cancelled()
    assert turns == 2

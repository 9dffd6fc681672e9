"""The tables of steps: what may follow what, checked where a row moves."""

from itertools import pairwise, product

import pytest

from kachery_tui.errors import KacheryError
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.ledger import Ledger
from kachery_tui.node.steps import (
    BEGINNINGS,
    ENDS,
    TRANSITIONS,
    NoSuchMove,
    Side,
    Step,
    check_move,
    drawing,
    is_back,
)
from kachery_tui.protocol.uris import FileUri

URI = FileUri("ab" * 20)


@pytest.mark.parametrize("side", list(Side))
def test_from_the_first_step_every_step_can_be_reached(side: Side) -> None:
    table = TRANSITIONS[side]
    first = next(iter(table))
    assert first in BEGINNINGS[side]
    reached, todo = {first}, [first]
    while todo:
        for after in table[todo.pop()] - reached:
            reached.add(after)
            todo.append(after)
    assert reached == set(table)


@pytest.mark.parametrize("side", list(Side))
def test_whatever_is_under_way_can_end_and_what_has_ended_only_begins_anew(side: Side) -> None:
    table = TRANSITIONS[side]
    first = next(iter(table))
    for step, after in table.items():
        assert step not in after
        if step in ENDS:
            assert after == set(BEGINNINGS[side])
        else:
            assert {Step.DONE, Step.FAILED, Step.CANCELLED} <= after
            assert first not in after or side is not Side.MINE


def test_only_others_are_declined() -> None:
    assert [side for side in Side if Step.DECLINED in TRANSITIONS[side]] == [Side.THEIRS]


@pytest.mark.parametrize("side", list(Side))
def test_a_row_takes_the_moves_of_its_table_and_no_other(side: Side) -> None:
    table = TRANSITIONS[side]
    for before, after in product(table, Step):
        ledger = Ledger()
        row = ledger.open(side, "lab", FileSubject(URI), before)
        if after is before or (after in table[before] and before not in ENDS):
            ledger.enter(row, after)
            assert row.step is after
        else:
            with pytest.raises(NoSuchMove):
                ledger.enter(row, after)
            assert (row.step, len(row.steps)) == (before, 1)


def test_what_has_ended_stays_as_it_ended_until_it_is_begun_anew() -> None:
    ledger = Ledger()
    row = ledger.open(Side.MINE, "lab", FileSubject(URI), Step.STORAGE)
    first, second = KacheryError("first"), KacheryError("second")
    ledger.end(row, Step.FAILED, failure=first)
    ended = row.ended
    ledger.end(row, Step.FAILED, failure=second)
    ledger.end(row, Step.DONE)
    assert (row.step, row.failure, row.ended) == (Step.FAILED, first, ended)
    with pytest.raises(NoSuchMove):
        ledger.enter(row, Step.STORAGE)
    with pytest.raises(NoSuchMove):
        ledger.reopen(row, Step.DOWNLOADING)
    assert row.failure is first
    ledger.reopen(row, Step.STORAGE)
    assert [row.step, row.failure, row.finished.is_set()] == [Step.STORAGE, None, False]


def test_a_row_under_way_is_not_begun_anew() -> None:
    ledger = Ledger()
    row = ledger.open(Side.MINE, "lab", FileSubject(URI), Step.STORAGE)
    ledger.enter(row, Step.DOWNLOADING)
    with pytest.raises(NoSuchMove):
        ledger.reopen(row, Step.STORAGE)
    assert [each.step for each in row.steps] == [Step.STORAGE, Step.DOWNLOADING]
    with pytest.raises(NoSuchMove):
        check_move(Side.MINE, None, Step.UPLOADING)


def test_the_order_of_steps_is_that_of_the_way_of_a_file() -> None:
    way = (
        Step.STORAGE,
        Step.BUCKET,
        Step.ASKING,
        Step.HELD,
        Step.PEER_UPLOADS,
        Step.DOWNLOADING,
        Step.VERIFYING,
    )
    for before, after in pairwise(way):
        assert is_back(Side.MINE, after, before)
        assert not is_back(Side.MINE, before, after)


def test_the_drawing_has_a_mark_for_each_move() -> None:
    for side in Side:
        lines = drawing(side).splitlines()[1:]
        assert [line.count("●") for line in lines] == [len(after) for after in TRANSITIONS[side].values()]

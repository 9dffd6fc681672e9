"""Whom a request for a task waits for, and for how long; with the clock in hand."""

from math import inf

import pytest

from kachery_tui.node.tasks.talk import (
    GONE_PATIENCE,
    MOST_TELLERS,
    MOST_UNTRUE,
    NOBODY_PATIENCE,
    OTHERS_PATIENCE,
    TaskTalk,
)
from kachery_tui.protocol.messages import TaskStatus

ANA, BEN = "a" * 64, "b" * 64
RUNNING, QUEUED = TaskStatus.RUNNING, TaskStatus.QUEUED


def talk() -> TaskTalk:
    return TaskTalk(began=100.0, answer_timeout=30.0, progress_timeout=60.0)


def leader(asked: TaskTalk, present: list[str], now: float) -> str | None:
    """Who leads, once it has been looked who is there."""
    asked.look_at_presence(present, now)
    return asked.leader[0] if asked.leader else None


@pytest.mark.parametrize("present", [[], [ANA]])
def test_without_a_word_it_is_over_after_the_answer_timeout(present: list[str]) -> None:
    asked = talk()
    assert not asked.is_over(129.9, present)
    assert asked.is_over(130.0, present)
    assert asked.deadline(present) == 130.0


def test_when_all_have_said_no_others_that_do_not_show_themselves_get_a_moment() -> None:
    asked = talk()
    asked.said_no = {ANA}
    assert asked.deadline([ANA, BEN]) == 130.0
    asked.said_no = {ANA, BEN}
    assert not asked.is_over(100.5, [ANA, BEN])
    assert asked.is_over(100.0 + NOBODY_PATIENCE, [ANA, BEN])
    assert not asked.is_over(100.0 + NOBODY_PATIENCE, [])


def test_an_error_is_the_end_when_nobody_else_is_there_and_others_get_to_take_it() -> None:
    asked = talk()
    asked.stands(ANA, RUNNING, 101.0, is_shown=True)
    asked.has_failed(ANA, "it fails", 102.0)
    assert asked.is_over(102.0, [ANA])
    assert not asked.is_over(102.0, [ANA, BEN])
    assert asked.is_over(102.0 + OTHERS_PATIENCE, [ANA, BEN])
    asked.stands(BEN, QUEUED, 103.0, is_shown=True)
    assert not asked.is_over(150.0, [ANA, BEN])


def test_one_that_shows_itself_must_give_signs_of_life() -> None:
    asked = talk()
    assert asked.stands(ANA, RUNNING, 101.0, is_shown=True)
    assert not asked.stands(ANA, RUNNING, 150.0, is_shown=True)
    assert leader(asked, [ANA], 209.0) == ANA
    assert leader(asked, [ANA], 210.0) is None
    assert asked.silent == ANA
    assert asked.is_over(210.0, [ANA])


def test_one_that_goes_has_a_moment_to_come_back() -> None:
    asked = talk()
    asked.stands(ANA, RUNNING, 101.0, is_shown=True)
    asked.look_at_presence([], 110.0)
    assert asked.deadline([]) == 110.0 + GONE_PATIENCE
    assert leader(asked, [ANA], 112.0) == ANA
    assert leader(asked, [ANA], 120.0) == ANA
    assert leader(asked, [], 121.0) == ANA
    assert leader(asked, [], 121.0 + GONE_PATIENCE) is None
    assert asked.is_over(130.0, [])


def test_one_that_does_not_show_itself_is_waited_for_without_an_end_and_settles_nothing() -> None:
    asked = talk()
    asked.stands(ANA, RUNNING, 101.0, is_shown=False)
    assert asked.deadline([]) == inf
    assert leader(asked, [], 1e9) == ANA
    assert not asked.is_settled
    # Once another has failed it is waited for no longer than one that shows itself.
    asked.has_failed(BEN, "it fails", 200.0)
    assert not asked.is_over(259.0, [BEN])
    assert asked.deadline([BEN]) == 260.0
    assert asked.is_over(260.0, [BEN])
    asked.stands(BEN, RUNNING, 261.0, is_shown=True)
    assert asked.is_settled


def test_what_must_not_be_run_twice_is_not_asked_of_others_once_it_is_taken() -> None:
    for may_repeat in (True, False):
        asked = TaskTalk(100.0, 30.0, 60.0, may_repeat=may_repeat)
        asked.stands(ANA, RUNNING, 101.0, is_shown=False)
        assert asked.would_be_repeated is not may_repeat
        assert asked.is_settled is not may_repeat


def test_the_one_that_is_furthest_leads() -> None:
    asked = talk()
    asked.stands(ANA, QUEUED, 101.0, is_shown=True)
    asked.stands(BEN, RUNNING, 102.0, is_shown=True)
    assert asked.leader == (BEN, RUNNING)
    asked.has_failed(BEN, "it fails", 103.0)
    assert asked.leader == (ANA, QUEUED)


def test_a_liar_is_not_believed_for_ever_and_names_are_bounded() -> None:
    asked = talk()
    for _ in range(MOST_UNTRUE):
        assert asked.is_believed(ANA)
        asked.was_untrue(ANA, "there is no result")
    assert not asked.is_believed(ANA)
    assert asked.is_over(101.0, [ANA])
    for number in range(2 * MOST_TELLERS):
        asked.stands(f"{number:064x}", RUNNING, 101.0, is_shown=False)
        asked.has_failed(f"{number:063x}f", "no", 101.0)
    assert len(asked._tellers) <= MOST_TELLERS
    assert len(asked.errors) <= MOST_TELLERS

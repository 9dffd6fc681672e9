"""Whom a question waits for, and for how long: no clock, no network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.node.files.talk import AGAIN_PATIENCE, LONGEST_HOLD, MOST_TELLERS, MOST_UNTRUE, Talk

ANSWER, PROGRESS = 30.0, 60.0


def talk() -> Talk:
    return Talk(0.0, ANSWER, PROGRESS)


def test_nobody_answers() -> None:
    said = talk()
    assert said.deadline == ANSWER
    assert not said.is_over(ANSWER - 1, ["a"])
    assert said.is_over(ANSWER, ["a"])
    assert said.leader is None


def test_one_uploads_and_is_waited_for_as_long_as_bytes_move() -> None:
    said = talk()
    assert said.started("a", 5.0)
    assert said.leader == ("a", False)
    assert said.deadline == 5.0 + PROGRESS
    for number in range(1, 100):
        said.progressed("a", number, number * 50.0)
        said.drop_silent(number * 50.0)
        assert not said.is_over(number * 50.0, ["a"])
    said.drop_silent(99 * 50.0 + PROGRESS)
    assert said.is_over(99 * 50.0 + PROGRESS, ["a"])
    assert said.silent == ("a", False)


@pytest.mark.parametrize("sent", [0, 7])
def test_who_says_the_same_for_ever_is_waited_for_no_longer_than_a_person_is_asked(sent: int) -> None:
    said = talk()
    now = 1.0
    while said.leader is not None or now == 1.0:
        said.progressed("liar", sent, now)
        now += 5.0
        said.drop_silent(now)
        assert now < LONGEST_HOLD + 2 * PROGRESS
        if now > LONGEST_HOLD + PROGRESS:
            break
    assert said.deadline <= 1.0 + LONGEST_HOLD


def test_whoever_failed_is_not_waited_for() -> None:
    """Another is present: what is left is the wait for its answer, which began with the question."""
    said = talk()
    said.started("a", 1.0)
    assert said.has_failed("a", "403")
    assert not said.has_failed("a", "403 again")
    assert said.deadline == ANSWER
    assert said.leader is None
    assert not said.is_over(2.0, ["a", "b"])
    assert said.is_over(ANSWER, ["a", "b"])


def test_when_all_have_failed_nothing_is_waited_for() -> None:
    said = talk()
    said.has_failed("a", "403")
    assert not said.is_over(1.0, ["a", "b"])
    said.has_failed("b", "404")
    assert said.is_over(1.0, ["a", "b"])
    assert said.is_over(1.0, [])


def test_a_liar_uses_up_its_own_word_and_nobody_elses() -> None:
    said = talk()
    said.progressed("honest", 5, 1.0)
    for _ in range(MOST_UNTRUE):
        assert said.is_believed("liar")
        said.started("liar", 1.0)
        said.was_untrue("liar", "it is not there")
    assert not said.is_believed("liar")
    assert said.leader == ("honest", False)
    assert not said.is_over(50.0, ["liar", "honest"])


def test_when_all_have_lied_nothing_is_waited_for() -> None:
    said = talk()
    for _ in range(MOST_UNTRUE):
        assert not said.is_over(1.0, ["liar"])
        said.was_untrue("liar", "it is not there")
    assert said.is_over(1.0, ["liar"])


def test_the_one_that_sends_goes_before_the_one_that_asks_a_person() -> None:
    said = talk()
    said.progressed("asks", 0, 1.0)
    assert said.leader == ("asks", True)
    said.progressed("sends", 10, 2.0)
    assert said.leader == ("sends", False)
    said.progressed("sends more", 20, 3.0)
    assert said.leader == ("sends more", False)
    said.has_failed("sends", "")
    said.has_failed("sends more", "")
    assert said.leader == ("asks", True)


def test_started_and_then_a_person_is_asked() -> None:
    """What a node says that has to reach one of the old program, too."""
    said = talk()
    assert said.started("a", 1.0)
    assert said.progressed("a", 0, 1.0)
    assert said.leader == ("a", True)
    assert said.started("a", 2.0)
    assert said.leader == ("a", False)


def test_who_has_failed_may_have_another_try() -> None:
    said = talk()
    said.has_failed("a", "403")
    said.started("a", 2.0)
    assert said.leader == ("a", False)
    assert not said.failed


def test_asking_again_leaves_time_for_an_answer() -> None:
    said = talk()
    said.asked_again(ANSWER - 1)
    assert said.deadline == ANSWER - 1 + AGAIN_PATIENCE
    said.asked_again(1.0)
    assert said.deadline == ANSWER - 1 + AGAIN_PATIENCE


EVENTS = st.tuples(
    st.sampled_from(["started", "progressed", "has_failed", "was_untrue", "nothing"]),
    st.integers(0, 600).map(str),
    st.integers(0, 100),
)


@given(st.lists(EVENTS, max_size=300))
def test_whatever_is_said_a_question_ends_and_keeps_little(events: list[tuple[str, str, int]]) -> None:
    said, now = talk(), 0.0
    for what, node_id, sent in events:
        now += 0.1
        match what:
            case "started":
                said.started(node_id, now)
            case "progressed":
                said.progressed(node_id, sent, now)
            case "has_failed":
                said.has_failed(node_id, "because")
            case "was_untrue":
                said.was_untrue(node_id, "because")
        said.drop_silent(now)
    assert len(said.failed) <= MOST_TELLERS
    assert len(said.untrue) <= MOST_TELLERS
    assert said.deadline <= now + LONGEST_HOLD
    said.drop_silent(said.deadline)
    assert said.is_over(said.deadline, ["somebody"])

"""Peers take turns, whoever says how much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.node.turns import Turns


def test_one_who_says_little_does_not_wait_for_one_who_says_much() -> None:
    turns: Turns[str] = Turns(100)
    for number in range(50):
        assert turns.put("much", f"much {number}") is None
    turns.put("little", "little 0")
    turns.put("little", "little 1")
    assert [turns.take() for _ in range(5)] == ["much 0", "little 0", "much 1", "little 1", "much 2"]
    assert len(turns) == 47


def test_what_is_too_much_goes_from_the_one_who_said_most() -> None:
    turns: Turns[str] = Turns(3)
    for item in ("a1", "a2", "a3"):
        assert turns.put("a", item) is None
    assert turns.put("a", "a4") == "a4"
    assert turns.put("b", "b1") == "a3"
    assert turns.put("b", "b2") in ("a2", "b2")
    assert len(turns) == 3


def test_nothing_can_be_taken_from_nothing() -> None:
    turns: Turns[str] = Turns(3)
    with pytest.raises(IndexError):
        turns.take()


@given(st.lists(st.sampled_from("abc") | st.none(), max_size=60), st.integers(1, 8))
def test_each_peer_is_heard_in_order_and_nothing_is_lost_in_silence(
    steps: list[str | None], limit: int
) -> None:
    turns: Turns[tuple[str, int]] = Turns(limit)
    put: list[tuple[str, int]] = []
    gone: list[tuple[str, int]] = []
    taken: list[tuple[str, int]] = []
    for number, peer in enumerate(steps):
        if peer is not None:
            put.append((peer, number))
            dropped = turns.put(peer, (peer, number))
            gone += [dropped] if dropped else []
        elif len(turns):
            taken.append(turns.take())
        assert len(turns) <= limit
    while len(turns):
        taken.append(turns.take())
    assert sorted(taken + gone) == sorted(put)
    for peer in "abc":
        numbers = [number for who, number in taken if who == peer]
        assert numbers == sorted(numbers)

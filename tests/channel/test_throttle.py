"""Sending no faster than somebody wants."""

import pytest

from kachery_tui.channel import throttle
from kachery_tui.channel.throttle import AT_ONCE, LEAST_PIECE, Throttle

PIECE = 262_144


class Clock:
    """A clock that goes on only while somebody pauses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(throttle, "time", self)

    def monotonic(self) -> float:
        return self.now


def test_what_is_sent_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slow = Clock(monkeypatch), Throttle(1_000)
    assert slow.pause_after(int(900 * AT_ONCE)) == 0
    slow.pause_after(int(100 * AT_ONCE))
    paused = 0.0
    for _ in range(10):
        pause = slow.pause_after(1_000)
        clock.now, paused = clock.now + pause, paused + pause
    assert paused == pytest.approx(10)
    clock.now += 60
    assert slow.pause_after(1_000) == pytest.approx(1 - AT_ONCE), (
        "what was not sent before is not made up for"
    )


def test_several_that_send_share_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    slow = Throttle(1_000)
    assert [round(slow.pause_after(1_000), 6) for _ in range(3)] == [0.9, 1.9, 2.9]


def test_a_low_rate_is_sent_in_small_pieces() -> None:
    assert Throttle(0).piece(PIECE) == PIECE
    assert Throttle(10**9).piece(PIECE) == PIECE
    assert Throttle(100_000).piece(PIECE) == 10_000
    assert Throttle(1).piece(PIECE) == LEAST_PIECE


def test_without_a_limit_nothing_waits() -> None:
    assert Throttle(0).pause_after(1 << 40) == 0

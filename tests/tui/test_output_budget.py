"""What the screen may send, by a clock that is brought along."""

import pytest

from kachery_tui.tui.terminal.output_budget import BURST_BYTES, BYTES_PER_SECOND, OutputBudget


def frames_of(
    budget: OutputBudget, asked_each: float, seconds: float, size: int = 100, *, for_keys: bool = True
) -> list[float]:
    """When frames go out if there is something new to paint so often."""
    sent: list[float] = []
    now = 0.0
    while now < seconds:
        if not budget.pause(now, for_key=for_keys):
            budget.wrote(size, now)
            sent.append(now)
        now += asked_each
    return sent


@pytest.mark.parametrize("for_keys", [True, False])
@pytest.mark.parametrize("frames", [1, 2, 3, 10, 30])
def test_no_second_has_more_frames_than_allowed(frames: int, for_keys: bool) -> None:
    sent = frames_of(OutputBudget(frames), 0.001, 10.0, for_keys=for_keys)
    most = max(sum(1 for one in sent if start <= one < start + 1.0) for start in sent)
    assert most <= frames
    assert len(sent) >= 10 * frames * 0.6


def test_a_frame_after_a_rest_goes_at_once() -> None:
    budget = OutputBudget(10)
    last = frames_of(budget, 0.001, 3.0)[-1]
    assert budget.pause(last + 0.01, for_key=True) > 0
    assert budget.pause(last + 0.2, for_key=True) == 0


@pytest.mark.parametrize("frames", [10, 30])
def test_however_much_comes_a_key_is_answered_at_once(frames: int) -> None:
    budget = OutputBudget(frames)
    last = frames_of(budget, 0.001, 3.0, for_keys=False)[-1]
    assert not budget.may_look(last)
    assert budget.pause(last) > 0
    assert budget.pause(last, for_key=True) == 0


def test_looks_are_spaced_once_they_cost_more_than_the_line_has() -> None:
    budget, looks, sent = OutputBudget(10, BYTES_PER_SECOND), 0, 0
    for tick in range(240):
        now = tick / 4
        if budget.may_look(now):
            budget.wrote(3_000, now)
            looks, sent = looks + 1, sent + 3_000
    assert sent <= 300_000
    assert looks > 60


def test_keys_are_answered_whatever_was_spent() -> None:
    budget = OutputBudget(10, BYTES_PER_SECOND)
    budget.wrote(10 * BURST_BYTES, 0.0)
    assert not budget.may_look(1.0)
    assert budget.pause(1.0) == 0
    assert budget.may_look(60.0)


def test_without_a_slow_line_only_frames_count() -> None:
    budget = OutputBudget(30)
    budget.wrote(10_000_000, 0.0)
    assert budget.may_look(1.0)


def test_a_clock_that_stands_still_or_steps_back_is_no_reason_to_stop() -> None:
    budget = OutputBudget(10, BYTES_PER_SECOND)
    frames_of(budget, 0.001, 2.0)
    budget.wrote(1, 1.0)
    assert budget.pause(1.0) < 2.0

"""What the frame decides by itself: which panes show, what stays until it is read, what is remembered and taken back."""

import asyncio
import json
from collections.abc import Coroutine
from functools import partial
from pathlib import Path

import pytest

from kachery_tui.errors import UsageError
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.layout import LARGE, SMALL, arrange, too_small
from kachery_tui.tui.memory import FILE_NAME, MOST_BYTES, Memory, PaneMemory, recall, remember
from kachery_tui.tui.notices import MOST_NOTICES, Notice, Notices
from kachery_tui.tui.undo import MOST_STEPS, Undo, UndoStack


def test_one_pane_below_120_columns_and_when_zoomed() -> None:
    assert arrange(119, 45, PaneName.CACHE, zoomed=False).shares.keys() == {PaneName.CACHE}
    assert arrange(140, 45, PaneName.LOG, zoomed=True).shares.keys() == {PaneName.LOG}


def test_together_the_current_one_is_large_and_the_log_takes_the_place_of_the_feeds() -> None:
    shares = arrange(140, 45, PaneName.CACHE, zoomed=False).shares
    assert shares.keys() == set(PaneName) - {PaneName.TASKS, PaneName.LOG}
    assert shares[PaneName.CACHE] == LARGE
    assert all(shares[name] <= SMALL for name in shares if name is not PaneName.CACHE)
    assert arrange(140, 45, PaneName.LOG, zoomed=False).shares.keys() == set(PaneName) - {
        PaneName.FEEDS,
        PaneName.TASKS,
    }


@pytest.mark.parametrize("current", PaneName)
@pytest.mark.parametrize("height", [15, 20, 24, 30, 45])
def test_a_low_terminal_drops_panes_but_never_the_current_one(current: PaneName, height: int) -> None:
    shares = arrange(160, height, current, zoomed=False).shares
    assert current in shares
    assert PaneName.STREAMS in shares or current is PaneName.CHANNELS


def test_what_is_too_small() -> None:
    assert too_small(59, 15)
    assert too_small(60, 14)
    assert not too_small(60, 15)


def test_a_notice_stays_until_it_is_read() -> None:
    notices = Notices()
    notices.post_error(UsageError("it failed", "for a reason", "Do this"))
    notices.post("other", Notice("✗ another"))
    assert notices.line == "✗ another  (Esc: read, 1 more)"
    assert notices.dismiss()
    assert notices.line == "✗ it failed: for a reason. Do this.  (Esc: read)"
    assert notices.dismiss()
    assert not notices.dismiss()
    assert notices.line == ""


def test_a_notice_of_a_state_goes_with_it_and_is_not_shown_twice() -> None:
    notices = Notices()
    lost = Notice("✗ lab lost its connection")
    notices.keep("lab", lost)
    notices.keep("lab", lost)
    assert len(notices) == 1
    notices.dismiss()
    notices.keep("lab", lost)
    assert len(notices) == 0
    notices.keep("lab", Notice("✗ lab refuses the token"))
    assert len(notices) == 1
    notices.keep("lab", None)
    assert len(notices) == 0
    notices.keep("lab", lost)
    assert len(notices) == 1


def test_notices_are_bounded() -> None:
    notices = Notices()
    for number in range(MOST_NOTICES * 3):
        notices.post(str(number), Notice(str(number)))
    assert len(notices) == MOST_NOTICES
    while notices.dismiss():
        pass
    assert len(notices._read) <= MOST_NOTICES


def test_how_the_panes_were_left_comes_back(tmp_path: Path) -> None:
    memory = Memory(theme="nord", panes={"cache": PaneMemory("size>1G", "name", True)})
    remember(tmp_path, memory)
    assert recall(tmp_path) == memory
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b'{"theme": 7, "panes": {"cache": 1}}', b'{"panes": []}', b"[" * MOST_BYTES, b"\xff"],
)
def test_a_file_that_makes_no_sense_is_as_if_there_were_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert recall(tmp_path) == Memory()


def test_what_is_remembered_of_a_pane_is_bounded(tmp_path: Path) -> None:
    value = {"panes": {"cache": {"filter": "x" * 10_000, "sort": 3, "descending": "yes"}}}
    (tmp_path / FILE_NAME).write_text(json.dumps(value))
    left = recall(tmp_path).pane("cache")
    assert len(left.filter) == 500
    assert (left.sort, left.descending) == ("", False)


async def test_undoing_goes_backwards_and_is_bounded() -> None:
    stack = UndoStack()
    taken_back: list[int] = []

    async def take_back(number: int) -> None:
        taken_back.append(number)

    for number in range(MOST_STEPS + 5):
        stack.push(Undo(f"step {number}", partial(take_back, number)))
    assert stack.next_words == f"step {MOST_STEPS + 4}"
    while step := stack.pop():
        await step.take_back()
    assert taken_back == list(range(MOST_STEPS + 4, 4, -1))
    assert stack.next_words == ""


async def test_what_is_under_way_is_taken_back_once_it_has_ended() -> None:
    stack = UndoStack()

    async def take_back() -> None:
        pass

    go_on = asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        stack.push(Undo("pinning b.dat", take_back))

    stack.push(Undo("pinning a.dat", take_back))
    task = asyncio.create_task(work())
    stack.wait_for("pinning b.dat", task)
    assert stack.under_way == stack.next_words == "pinning b.dat"
    taking = asyncio.create_task(stack.last())
    await asyncio.sleep(0)
    assert not taking.done()
    go_on.set()
    step = await taking
    assert step is not None
    assert step.done == "pinning b.dat"
    assert (stack.under_way, stack.next_words) == ("", "pinning a.dat")


async def test_of_what_came_to_nothing_nothing_older_is_taken_back() -> None:
    stack = UndoStack()

    async def take_back() -> None:
        pass

    async def work() -> None:
        await asyncio.Event().wait()

    stack.push(Undo("pinning a.dat", take_back))
    task = asyncio.create_task(work())
    stack.wait_for("pinning c.dat", task)
    taking = asyncio.create_task(stack.last())
    await asyncio.sleep(0)
    task.cancel()
    assert await taking is None
    assert (stack.under_way, stack.next_words) == ("", "pinning a.dat")


async def test_two_steps_are_taken_back_one_after_the_other() -> None:
    stack = UndoStack()
    taken_back: list[str] = []

    async def take_back(name: str) -> None:
        await asyncio.sleep(0.01)
        taken_back.append(name)

    async def undo(last: Coroutine[None, None, Undo | None]) -> None:
        step = await last
        assert step is not None
        await step.take_back()

    for name in ("a", "b", "c"):
        stack.push(Undo(name, partial(take_back, name)))
    tasks = []
    for pause in (0.0, 0.005, 0.0):
        task = asyncio.create_task(undo(stack.last()))
        stack.wait_for("taking back", task, is_act=False)
        tasks.append(task)
        await asyncio.sleep(pause)
    await asyncio.gather(*tasks)
    assert taken_back == ["c", "b", "a"]

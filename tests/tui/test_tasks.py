"""The tasks pane: what is offered, having it run, and what came of it."""

from pathlib import Path

import pytest

from kachery_tui.config import NodeConfig, load_channels
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.roles import Role
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.panes.tasks import TasksPane
from tests.node.task_nodes import ACTION, PURE, QUERY, TASK_ROLES, providing, python, request, requesting
from tests.nodes import at_step, join_by_file, until
from tests.tui.screens import NARROW, WIDE, Person, at_the_screen

TINY = (60, 15)
SIZES = pytest.mark.parametrize("size", [WIDE, NARROW, TINY], ids=["140x45", "80x24", "60x15"])


def with_functions(folder: Path, channel_file: Path, *names: str, **changes: str) -> Node:
    """A node that the screen is to start, which may request tasks and offers functions."""
    join_by_file(folder, channel_file, roles=[role.value for role in TASK_ROLES], **changes)
    tasks = tuple(python(name, ACTION if name == "marks" else PURE) for name in names)
    config = NodeConfig(folder, folder.name, tasks=tasks)
    return Node(config, Storage.open(folder / "storage"), load_channels(folder).channels)


def tasks_of(me: Person) -> TasksPane:
    pane = me.main.pane_of(PaneName.TASKS)
    assert isinstance(pane, TasksPane)
    return pane


@SIZES
async def test_a_function_is_run_and_its_result_looked_at(
    tmp_path: Path, lab: Path, size: tuple[int, int]
) -> None:
    async with (
        providing(tmp_path / "ben", lab, python("add"), python("pid", QUERY)),
        at_the_screen(with_functions(tmp_path / "me", lab), size) as me,
    ):
        await me.press("6")
        await me.reads("add.1", "pid.1", "ben", "r Request task")
        await me.press("r")
        await me.reads("Request a task", "✓ arguments", "Ctrl+O Request")
        await me.press("ctrl+a", *["delete"] * 2, *list('{"a": 1, "b'))
        await me.reads("✗ ")
        await me.press(*list('": 2.5}'), "ctrl+o")
        await me.reads("add.1(a=1", "✓ done" if size == TINY else "3.5")
        (row,) = list(me.node.ledger)
        assert tasks_of(me).selection is row
        await me.press("enter")
        await me.reads("Request #1", "arguments")
        if size == TINY:
            await me.press(*["down"] * 6)
        await me.reads('"b": 2.5', "result", "3.5")
        await me.press("y")
        assert me.app.clipboard == "3.5"
        await me.press("escape", "w")
        await me.reads("pure calculation", "ben")
        # The same with other arguments, from the task.
        await me.press("escape", "r")
        await me.reads("✓ arguments")
        await me.press("ctrl+o")
        await until(lambda: len(me.node.ledger) == 2)
        again = list(me.node.ledger)[1]
        assert TaskSubject.of(again).arguments() == {"a": 1, "b": 2.5}
        await me.reads("cached" if size != TINY else "done")
        await me.press("escape")
        await until(lambda: me.main.focused is tasks_of(me).upper)


async def test_nobody_offers_what_is_typed(tmp_path: Path, lab: Path) -> None:
    async with at_the_screen(with_functions(tmp_path / "me", lab), NARROW) as me:
        await me.press("6")
        await me.reads("No function is offered.", "[tasks.")
        await me.press("r")
        await me.reads("Request a task")
        await me.press(*list("nothing.1"), "ctrl+o")
        await me.reads("nobody offers nothing.1", "task run")
        await me.press("escape", "escape")
        assert not len(me.node.ledger)


async def test_own_functions_and_those_that_cannot_run(tmp_path: Path, lab: Path) -> None:
    async with at_the_screen(with_functions(tmp_path / "me", lab, "add", "no_such_function"), WIDE) as me:
        await me.press("6")
        await me.reads("✗ cannot run", "this node")
        await me.press("down")
        await me.reads("AttributeError")
        await me.press("w")
        await me.reads("cannot be imported", "so it is not offered")
        await me.press("escape", "up")
        await me.reads("1 at once, 600 s")
        await me.press("w")
        await me.reads("it was tried at the start, and can run", "provide-tasks on lab")
        # One may be tried by its own node.
        await me.press("escape", "r")
        await me.reads("✓ arguments")
        await me.press("ctrl+a", *["delete"] * 2, *list('{"a": 1, "b": 1}'), "ctrl+o")
        await until(lambda: [row.step for row in me.node.ledger] == [Step.DONE] * 2)
        assert {row.side for row in me.node.ledger} == {Side.MINE, Side.THEIRS}


async def test_a_task_waits_for_a_key_and_is_answered(tmp_path: Path, lab: Path) -> None:
    node = with_functions(tmp_path / "me", lab, "echo", provide="ask")
    async with requesting(tmp_path / "ana", lab) as ana, at_the_screen(node, NARROW) as me:
        await until(lambda: me.node.tasks.functions.find("lab", "echo.1") is not None)
        yes, no = request(ana, "echo", a=1), request(ana, "echo", a=2)
        await at_step(yes, Step.HELD)
        await at_step(no, Step.HELD)
        await me.press("6", "enter")
        await me.reads("waits for your key", "ana", "p Provide", "n Decline")
        chosen = {row.name: row for row in me.node.ledger}
        assert tasks_of(me).lower.choose(chosen["echo.1(a=1)"].number)
        await me.press("p")
        assert await ana.tasks.result(yes) == {"a": 1}
        assert tasks_of(me).lower.choose(chosen["echo.1(a=2)"].number)
        await me.press("n")
        await at_step(no, Step.FAILED)
        assert "declined" in str(no.failure)
        await me.reads("declined", "done")


async def test_cancel_filter_and_retry(tmp_path: Path, lab: Path) -> None:
    async with (
        providing(tmp_path / "ben", lab, python("sleeps"), python("add")),
        at_the_screen(with_functions(tmp_path / "me", lab), WIDE) as me,
    ):
        good, slow = request(me.node, "add", a=1, b=1), request(me.node, "sleeps")
        await at_step(slow, Step.RUNNING)
        await good.outcome()
        await me.press("6", "enter", "home")
        await me.reads("▸ running", "x Cancel")
        await me.press("x")
        await at_step(slow, Step.CANCELLED)
        await me.press("R")
        await at_step(slow, Step.RUNNING)
        await me.press("x")
        await me.press("slash", *list("state:done"), "enter")
        await until(lambda: len(tasks_of(me).lower.rows) == 1)
        await me.press("escape")
        await until(lambda: len(tasks_of(me).lower.rows) == 2)
        await me.press("a", "y")
        assert me.app.clipboard.splitlines() == ["sleeps.1 {}", 'add.1 {"a":1,"b":1}']


async def test_a_task_without_the_role(tmp_path: Path, lab: Path) -> None:
    node = with_functions(tmp_path / "me", lab)
    async with providing(tmp_path / "ben", lab, python("add")), at_the_screen(node, NARROW) as me:
        await me.press("6")
        await me.reads("add.1")
        await me.node.set_role("lab", Role.REQUEST_TASKS, asked=False)
        await me.reads("does not listen to what others offer", "needs the role request-tasks: 1 goes")

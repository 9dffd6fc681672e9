"""Tasks between nodes: asked for, computed, found again."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.errors import KacheryError, NobodyHasIt, NotAllowed, TryAgain, UsageError
from kachery_tui.node.ledger import Cancelled, Origin
from kachery_tui.node.steps import Step
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.canonical import JsonValue
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.messages import RequestTask
from kachery_tui.protocol.objects import task_result_object
from kachery_tui.protocol.tasks import task_hash
from tests.node.task_nodes import (
    ACTION,
    PURE,
    QUERY,
    TASK_ROLES,
    command,
    offers,
    providing,
    python,
    request,
    requesting,
    result_of,
)
from tests.nodes import at_step, running_node, theirs, until

SHORT = {"answer_timeout": 1.0, "progress_timeout": 1.0}


async def test_a_pure_calculation_is_computed_once(tmp_path: Path, lab: Path) -> None:
    async with requesting(tmp_path / "ana", lab) as ana:
        async with providing(tmp_path / "ben", lab, python("add")) as ben:
            row = request(ana, "add", a=1, b=2.5)
            assert await ana.tasks.result(row) == 3.5
            assert set(row.origins) == {Origin.PEER}
            assert row.answered_by == ben.node_id
            steps = [entered.step for entered in row.steps]
            assert steps[0] is Step.BUCKET
            assert steps[-2:] == [Step.DOWNLOADING, Step.DONE]
            (served,) = theirs(ben)
            await until(lambda: served.step is Step.DONE)
            assert TaskSubject.of(served).arguments() == {"a": 1, "b": 2.5}
        # Now nobody is there, and the bucket has it, for others, too.
        again = request(ana, "add", b=2.5, a=1)
        assert await ana.tasks.result(again) == 3.5
        assert set(again.origins) == {Origin.BUCKET}
        assert not again.asks
    async with requesting(tmp_path / "cleo", lab) as cleo:
        assert await result_of(cleo, "add", a=1, b=2.5) == 3.5


async def test_its_result_is_found_under_the_hash_of_function_and_arguments(
    tmp_path: Path, lab: Path
) -> None:
    async with requesting(tmp_path / "ana", lab) as ana, providing(tmp_path / "ben", lab, python("echo")):
        kwargs: dict[str, JsonValue] = {"a": "hello world", "ü": [1, None, {"b": 2.50}]}
        assert await ana.tasks.result(ana.tasks.request("echo.1", kwargs, channel="lab")) == kwargs
        name = task_result_object("lab", task_hash("echo.1", kwargs))
        data = await ana.memberships["lab"].channel.bucket.fetch_bytes(name, 10_000)
        assert data is not None
        assert json.loads(data) == kwargs


async def test_a_query_is_asked_afresh_and_falls_back_on_what_was(tmp_path: Path, lab: Path) -> None:
    async with requesting(tmp_path / "ana", lab, limits=SHORT) as ana:
        async with providing(tmp_path / "ben", lab, python("pid", QUERY)):
            first = await result_of(ana, "pid", QUERY)
        async with providing(tmp_path / "ben", lab, python("pid", QUERY)):
            second = await result_of(ana, "pid", QUERY)
            assert second != first
        row = request(ana, "pid", QUERY)
        assert await ana.tasks.result(row) == second
        assert set(row.origins) == {Origin.BUCKET}
        assert any("an earlier query" in text for text in row.notes)
        with pytest.raises(NobodyHasIt):
            await result_of(ana, "pid", QUERY, other=1)


async def test_an_action_is_done_once_and_returns_nothing(tmp_path: Path, lab: Path) -> None:
    marks = tmp_path / "marks"
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("marks", ACTION)) as ben,
    ):
        row = request(ana, "marks", ACTION, path=str(marks))
        assert await ana.tasks.result(row) is None
        assert marks.read_text() == "x\n"
        # The same request, again: a message that was sent twice, or by who was not sure.
        task = TaskSubject.of(row)
        body = RequestTask(task.task_id, "marks.1", ACTION, task.arguments())
        for _ in range(3):
            await ana.memberships["lab"].publish(body)
        assert await result_of(ana, "marks", ACTION, path=str(marks), text="y") is None
        assert marks.read_text() == "x\ny\n"
        assert len(theirs(ben)) == 2
        # Trying it again is an action of its own.
        ana.tasks.retry(row)
        await row.outcome()
        assert marks.read_text() == "x\ny\nx\n"


async def test_an_action_is_not_run_again_by_the_next_run_of_the_program(tmp_path: Path, lab: Path) -> None:
    marks = tmp_path / "marks"
    async with requesting(tmp_path / "ana", lab) as ana:
        async with providing(tmp_path / "ben", lab, python("marks", ACTION), claims=True) as ben:
            row = request(ana, "marks", ACTION, path=str(marks))
            await row.outcome()
            await at_step(theirs(ben)[0], Step.DONE)
        async with providing(tmp_path / "ben", lab, python("marks", ACTION), claims=True):
            task = TaskSubject.of(row)
            body = RequestTask(task.task_id, "marks.1", ACTION, task.arguments())
            await ana.memberships["lab"].publish(body)
            assert await result_of(ana, "marks", ACTION, path=str(marks), text="y") is None
    assert marks.read_text() == "x\ny\n"


async def test_requests_for_one_task_share_its_run(tmp_path: Path, lab: Path) -> None:
    marks = tmp_path / "marks"
    kwargs: dict[str, Any] = {"path": str(marks), "seconds": 0.5}
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        requesting(tmp_path / "cleo", lab) as cleo,
        providing(tmp_path / "ben", lab, python("marks_slowly")) as ben,
    ):
        rows = [request(node, "marks_slowly", **kwargs) for node in (ana, cleo, ana)]
        assert rows[0] is rows[2]
        assert await ana.tasks.result(rows[0]) == await cleo.tasks.result(rows[1]) == "done"
        assert marks.read_text() == "begun\ndone\n"
        (served,) = theirs(ben)
        assert set(served.asked_by) == {ana.node_id, cleo.node_id}


async def test_a_command(tmp_path: Path, lab: Path) -> None:
    program = "import json,sys; print(json.dumps(sorted(json.load(sys.stdin).items())))"
    fails = "import sys; print('the shape is wrong', file=sys.stderr); sys.exit(4)"
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(
            tmp_path / "ben",
            lab,
            command("sort", sys.executable, "-c", program),
            command("fails", sys.executable, "-c", fails),
            command("touch", "touch", str(tmp_path / "touched"), kind=ACTION),
        ),
    ):
        # Arguments are data, wherever they go.
        text = "$(touch x); `touch x` 'x' \"x\""
        assert await result_of(ana, "sort", b=text, a=[1]) == [["a", [1]], ["b", text]]
        with pytest.raises(KacheryError, match="exit status 4: the shape is wrong"):
            await result_of(ana, "fails")
        assert await result_of(ana, "touch", ACTION) is None
        assert (tmp_path / "touched").exists()


async def test_a_person_is_asked_first(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("echo"), provide="ask") as ben,
    ):
        yes, no = request(ana, "echo", a=1), request(ana, "echo", a=2)
        await at_step(yes, Step.HELD)
        await at_step(no, Step.HELD)
        rows = {TaskSubject.of(row).key: row for row in theirs(ben)}
        ben.answer(rows[TaskSubject.of(yes).key], yes=True)
        ben.answer(rows[TaskSubject.of(no).key], yes=False)
        assert await ana.tasks.result(yes) == {"a": 1}
        with pytest.raises(KacheryError, match="declined"):
            await no.outcome()
        assert rows[TaskSubject.of(no).key].step is Step.DECLINED
        with pytest.raises(UsageError, match="does not wait"):
            ben.answer(rows[TaskSubject.of(no).key], yes=True)


async def test_a_task_is_cancelled_by_who_asked_for_it(tmp_path: Path, lab: Path) -> None:
    marks = tmp_path / "marks"
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("marks_slowly")) as ben,
    ):
        row = request(ana, "marks_slowly", path=str(marks), seconds=600)
        await until(marks.exists)
        await at_step(row, Step.RUNNING)
        waiting = request(ana, "marks_slowly", path=str(marks), seconds=601)
        await at_step(waiting, Step.QUEUED)
        ana.cancel(waiting)
        ana.cancel(row)
        with pytest.raises(Cancelled):
            await row.outcome()
        await until(lambda: all(served.step is Step.CANCELLED for served in theirs(ben)))
        # The function does not hold up the next.
        assert await result_of(ana, "marks_slowly", path=str(marks), seconds=0) == "done"
        assert marks.read_text() == "begun\nbegun\ndone\n"


async def test_a_task_is_cancelled_by_who_runs_it(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("sleeps")) as ben,
    ):
        row = request(ana, "sleeps")
        await at_step(row, Step.RUNNING)
        ben.cancel(theirs(ben)[0])
        with pytest.raises(KacheryError, match="cancelled there"):
            await row.outcome()


async def test_what_is_shared_goes_on_for_the_other(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        requesting(tmp_path / "cleo", lab) as cleo,
        providing(tmp_path / "ben", lab, python("sleeps")) as ben,
    ):
        mine, other = (request(node, "sleeps", seconds=1) for node in (ana, cleo))
        await until(lambda: len(theirs(ben)) == 1 and len(theirs(ben)[0].asked_by) == 2)
        ana.cancel(mine)
        assert await cleo.tasks.result(other) == "slept"


async def test_what_is_offered_and_by_whom(tmp_path: Path, lab: Path) -> None:
    async with requesting(tmp_path / "ana", lab) as ana:
        async with providing(tmp_path / "ben", lab, python("add"), python("echo", QUERY)) as ben:
            await offers(ana, ["add", "echo"])
            found = {
                (o.node_id, o.function_id, o.type) for o in ana.tasks.offers.current(ana.memberships["lab"])
            }
            assert found == {(ben.node_id, "add.1", PURE), (ben.node_id, "echo.1", QUERY)}
            async with requesting(tmp_path / "late", lab) as late:
                await offers(late, ["add", "echo"])
        await offers(ana, [])


async def test_nobody_offers_it(tmp_path: Path, lab: Path) -> None:
    async with requesting(tmp_path / "ana", lab) as ana, providing(tmp_path / "ben", lab, python("add")):
        began = asyncio.get_running_loop().time()
        with pytest.raises(NobodyHasIt, match=r"nobody on lab offers the function echo\.1.*asked: ben"):
            await result_of(ana, "echo")
        # All who are present have said so: no reason to wait for as long as an answer may take.
        assert asyncio.get_running_loop().time() - began < 20


async def test_a_provider_that_comes_while_a_request_waits_takes_it(tmp_path: Path, lab: Path) -> None:
    async with requesting(tmp_path / "ana", lab) as ana:
        row = request(ana, "add", a=1, b=1)
        await at_step(row, Step.ASKING)
        async with providing(tmp_path / "ben", lab, python("add")):
            assert await ana.tasks.result(row) == 2


async def test_without_the_role_nothing_is_requested_or_provided(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ana", lab, roles=()) as ana,
        requesting(tmp_path / "cleo", lab, limits=SHORT) as cleo,
        providing(tmp_path / "ben", lab, python("add"), roles=(), wait=True) as ben,
    ):
        with pytest.raises(NotAllowed, match="request-tasks"):
            await result_of(ana, "add", a=1, b=1)
        with pytest.raises(NobodyHasIt):
            await result_of(cleo, "add", a=1, b=1)
        assert theirs(ben) == []


async def test_a_function_is_offered_on_its_channels_alone(tmp_path: Path, lab: Path) -> None:
    elsewhere = python("add")
    object.__setattr__(elsewhere, "channels", ("other",))
    async with requesting(tmp_path / "ana", lab) as ana, providing(tmp_path / "ben", lab, elsewhere) as ben:
        with pytest.raises(NobodyHasIt):
            await result_of(ana, "add", a=1, b=1)
        assert theirs(ben) == []


async def test_one_node_both_offers_and_requests(tmp_path: Path, lab: Path) -> None:
    async with (
        providing(tmp_path / "ana", lab, python("add"), roles=TASK_ROLES) as ana,
        # What a command does beside the program: another node on the same storage folder, of the same key.
        running_node(tmp_path / "ana", None, provides=False) as beside,
    ):
        assert await result_of(ana, "add", a=1, b=1) == 2
        assert await result_of(beside, "add", a=1, b=2) == 3


async def test_the_time_that_a_request_has(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("sleeps")) as ben,
    ):
        row = ana.tasks.request("sleeps.1", {}, timeout=0.5)
        with pytest.raises(TryAgain, match=r"no result of sleeps\.1\(\) within 0.5 s"):
            await row.outcome()
        await until(lambda: theirs(ben)[0].step is Step.CANCELLED)


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"a": "x" * 10_000_000}, "store what is large as a file"),
        ({"a": float("nan")}, "NaN"),
        ({"a": [{"b": float("inf")}]}, "infinite"),
        ({"a": 2**53 + 1}, "beyond 2"),
    ],
)
async def test_arguments_that_cannot_be_sent(
    tmp_path: Path, lab: Path, kwargs: dict[str, JsonValue], match: str
) -> None:
    async with requesting(tmp_path / "ana", lab) as ana:
        with pytest.raises(ProtocolError, match=match):
            ana.tasks.request("echo.1", kwargs)
        assert len(ana.ledger) == 0


async def test_the_task_knows_its_channel(tmp_path: Path, lab: Path) -> None:
    async with requesting(tmp_path / "ana", lab) as ana, providing(tmp_path / "ben", lab, python("channel")):
        assert await result_of(ana, "channel") == "lab"


async def test_a_request_of_an_earlier_run_is_tried_again(tmp_path: Path, lab: Path) -> None:
    async with providing(tmp_path / "ben", lab, python("add")):
        async with requesting(tmp_path / "ana", lab, claims=True) as ana:
            assert await result_of(ana, "add", a=1, b=1) == 2
        async with requesting(tmp_path / "ana", lab, claims=True) as ana:
            await until(lambda: len(ana.ledger) == 1)
            (row,) = list(ana.ledger)
            assert (row.earlier, row.name) == (True, "add.1(a=1, b=1)")
            with pytest.raises(KacheryError, match="no longer kept"):
                await ana.tasks.result(row)
            ana.retry(row)
            assert await ana.tasks.result(row) == 2

"""Functions, requesters and providers that do what they must not, or cannot go on."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from kachery_tui import task_worker
from kachery_tui.errors import KacheryError, TryAgain
from kachery_tui.node import membership as membership_module
from kachery_tui.node.membership import Membership
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Step
from kachery_tui.node.tasks import providing as providing_module
from kachery_tui.node.tasks import results as results_module
from kachery_tui.node.tasks import runs as runs_module
from kachery_tui.node.tasks.process import TaskFailed
from kachery_tui.node.tasks.processes import FunctionRunner
from kachery_tui.node.tasks.runs import Asked
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.messages import (
    RequestTask,
    TaskFunctionType,
    TaskStatus,
    UpdateTaskStatus,
)
from kachery_tui.protocol.objects import task_result_object
from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.tasks import task_hash
from tests.hub.proxies import proxy_to
from tests.hubs import Hub
from tests.node.task_nodes import (
    ACTION,
    PURE,
    QUERY,
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

BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "raises": ("fails", {}, "ValueError: no such recording"),
    "wants other arguments": ("add", {"a": 1}, "TypeError.*missing 1 required.*'b'"),
    "returns nothing": ("nothing", {}, "returned nothing"),
    "returns no JSON": ("not_json", {}, "holds a object, which JSON has not"),
    "returns NaN": ("not_a_number", {}, "Out of range float"),
    "returns more than is allowed": (
        "huge",
        {"size": 2_000_000},
        r"2,000,002 bytes, and 1,000,000 are allowed",
    ),
    "ends its process": ("exits", {}, "its process ended with exit status 3"),
    "leaves Python": ("leaves", {}, "SystemExit: enough"),
    "sleeps for ever": ("sleeps", {}, "took longer than 3 s"),
    "eats memory": ("eats", {}, "MemoryError"),
    "fails with half a character": ("fails", {"text": "no such file: b\udcff"}, r"no such file: b\\udcff"),
    "leaves a child, and its process": ("forks_and_exits", {}, "its process ended with exit status 3"),
    "leaves a child that leaves": ("lets_go_and_sleeps", {}, "took longer than 3 s"),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_function_that_is_bad(tmp_path: Path, lab: Path, what: str) -> None:
    name, kwargs, words = BAD[what]
    task = python(name, max_result=1_000_000, timeout=3.0, memory=500_000_000)
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, task, python("add")) as ben,
    ):
        for _ in range(2):
            with pytest.raises(TaskFailed, match=words):
                await result_of(ana, name, **kwargs)
        assert [row.step for row in theirs(ben)] == [Step.FAILED] * 2
        # Its node goes on.
        assert await result_of(ana, "add", a=1, b=1) == 2
        assert not ben.supervisor.failures


async def test_a_node_closes_whatever_has_left_the_group_of_its_function(tmp_path: Path, lab: Path) -> None:
    async with requesting(tmp_path / "ana", lab) as ana:
        async with providing(tmp_path / "ben", lab, python("lets_go_and_sleeps")):
            row = request(ana, "lets_go_and_sleeps")
            await at_step(row, Step.RUNNING)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 10


async def test_what_a_function_prints_goes_to_the_log(
    tmp_path: Path, lab: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with requesting(tmp_path / "ana", lab) as ana, providing(tmp_path / "ben", lab, python("prints")):
        assert await result_of(ana, "prints", size=20_000_000) == 20_000_000
        await until(lambda: "bytes more were printed" in caplog.text)
    assert "prints.1: a line of it" in caplog.text
    lines = [record.getMessage() for record in caplog.records if "prints.1" in record.getMessage()]
    assert len(lines) < 250
    assert max(map(len, lines)) < 1_000


async def test_a_function_that_forks(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("forks"), python("leaves_a_child", QUERY)),
    ):
        assert await result_of(ana, "forks") == "both"
        child = await result_of(ana, "leaves_a_child", QUERY)
        assert isinstance(child, int)
        os.kill(child, 0)
    # With its node goes all that it has started.
    await until(lambda: not _is_running(child))


def _is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


async def test_a_command_that_is_bad(tmp_path: Path, lab: Path) -> None:
    endless = "import sys\nwhile True: sys.stdout.write('x' * 10000)"
    deaf = "print('[1]')"
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(
            tmp_path / "ben",
            lab,
            command("absent", "/no/such/program"),
            command("endless", sys.executable, "-c", endless, max_result=1_000_000),
            command("rubbish", "echo", "{"),
            command("silent", "true"),
            command("deaf", sys.executable, "-c", deaf),
            command("sleeps", "sleep", "3600", timeout=1.0),
        ),
    ):
        for name, words in {
            "absent": "cannot be started: No such file",
            "endless": "more than the 1,000,000 bytes",
            "rubbish": "not JSON",
            "silent": "returned nothing",
            "sleeps": "took longer than 1 s",
        }.items():
            with pytest.raises(TaskFailed, match=words):
                await result_of(ana, name)
        # It does not read what it is given, which is more than a pipe holds without a reader.
        assert await result_of(ana, "deaf", a="x" * 40_000) == [1]


async def test_a_command_is_held_to_its_limits_from_the_first_and_ends_with_its_node(
    tmp_path: Path, lab: Path
) -> None:
    limits = "(ulimit -d; true) | (read kb; echo $kb)"
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(
            tmp_path / "ben", lab, command("limits", "sh", "-c", limits, memory=100_000_000, at_once=8)
        ),
    ):
        rows = [request(ana, "limits", number=number) for number in range(8)]
        assert {await ana.tasks.result(row) for row in rows} == {97_656}
    # A node that is killed cannot end anything: what it has started sees to that itself.
    held, leash = os.pipe()
    mark = tmp_path / "mark"
    worker = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-I", "-S", task_worker.__file__, "command", str(10**9), str(held),
         "sh", "-c", 'echo $$ > "$0"; sleep 3600', str(mark)],
        pass_fds=[held], start_new_session=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(held)
    await until(lambda: mark.exists() and mark.read_text().endswith("\n"))
    os.close(leash)
    await asyncio.to_thread(worker.wait, 10)
    await until(lambda: not _is_running(int(mark.read_text())))


async def test_a_module_that_cannot_be_imported(
    tmp_path: Path, lab: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import no_such_package\n")
    tasks = [python("add"), python("no_such_function")]
    for module in ("broken", "absent"):
        task = python(module)
        object.__setattr__(task, "function", f"{module}:function")
        object.__setattr__(task, "path", tmp_path)
        tasks.append(task)
    async with requesting(tmp_path / "ana", lab) as ana, providing(tmp_path / "ben", lab, *tasks) as ben:
        for name, why in {
            "no_such_function": "AttributeError",
            "broken": "No module named 'no_such_package'",
            "absent": "No module named 'absent'",
        }.items():
            assert f"the task function {name}.1 is not offered" in caplog.text
            assert why in caplog.text
        await offers(ana, ["add"])
        assert await result_of(ana, "add", a=1, b=1) == 2
        assert sum(1 for function in ben.tasks.functions if function.problem is not None) == 3


async def test_a_type_that_is_not_the_function_s(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("add")) as ben,
    ):
        with pytest.raises(TaskFailed, match=r"add\.1 is of type pure-calculation, not action"):
            await result_of(ana, "add", ACTION, a=1, b=1)
        assert theirs(ben) == []


async def test_an_id_that_is_not_the_hash(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("add")) as ben,
    ):
        await ana.memberships["lab"].publish(RequestTask("ab" * 20, "add.1", PURE, {"a": 1, "b": 1}))
        await until(lambda: ben.memberships["lab"].activity[RequestTask.STREAM].refused > 0)
        assert theirs(ben) == []


async def test_a_task_for_another_backend_is_another_s(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("add")) as ben,
    ):
        task = TaskSubject.call("add.1", PURE, {"a": 1, "b": 1})
        await ana.memberships["lab"].publish(
            RequestTask(task.task_id, "add.1", PURE, task.arguments(), backend_id="gpu")
        )
        assert await result_of(ana, "add", a=1, b=2) == 3
        assert len(theirs(ben)) == 1


# Bucket


async def put_result(node: Node, function_id: str, kwargs: dict[str, int], data: bytes) -> None:
    lab = node.memberships["lab"]
    name = task_result_object("lab", task_hash(function_id, kwargs))
    await lab.channel.bucket.upload_bytes(await lab.channel.authority.upload_url(name, len(data)), data)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"NaN", b"[" * 10_000])
async def test_a_result_in_the_bucket_that_is_none_is_computed_anew(
    tmp_path: Path, lab: Path, data: bytes
) -> None:
    async with requesting(tmp_path / "ana", lab) as ana, providing(tmp_path / "ben", lab, python("add")):
        await put_result(ana, "add.1", {"a": 1, "b": 1}, data)
        row = request(ana, "add", a=1, b=1)
        assert await ana.tasks.result(row) == 2
        assert any("cannot be read" in text for text in row.notes)


async def test_a_result_that_is_too_large_to_be_read_is_computed_anew(tmp_path: Path, lab: Path) -> None:
    async with requesting(tmp_path / "ana", lab) as ana, providing(tmp_path / "ben", lab, python("add")):
        await put_result(ana, "add.1", {"a": 1, "b": 1}, b" " * 33_000_000)
        row = request(ana, "add", a=1, b=1)
        assert await ana.tasks.result(row) == 2
        assert any("cannot be read" in text for text in row.notes)


async def test_a_result_that_takes_long_to_be_read_does_not_hold_the_loop_up(
    tmp_path: Path, lab: Path
) -> None:
    async with requesting(tmp_path / "ana", lab) as ana:
        await put_result(ana, "add.1", {"a": 1}, b"[" + b"[]," * 5_000_000 + b"[]]")
        row = request(ana, "add", a=1)
        longest, at = 0.0, time.perf_counter()
        while not row.finished.is_set():
            await asyncio.sleep(0.005)
            longest, at = max(longest, time.perf_counter() - at), time.perf_counter()
        assert row.step is Step.DONE
        # Reading it takes two seconds.
        assert longest < 1


# Liars, and providers that go


async def say(membership: Membership, task_id: str, status: TaskStatus, words: str | None = None) -> None:
    await membership.publish(UpdateTaskStatus(task_id, status, words))


async def test_a_liar_does_not_stand_in_the_way_of_an_honest_node(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        running_node(tmp_path / "liar", lab, roles=(Role.PROVIDE_TASKS,)) as liar,
        providing(tmp_path / "ben", lab, python("sleeps", QUERY)),
    ):
        for status in (TaskStatus.FINISHED, TaskStatus.ERROR, TaskStatus.RUNNING):
            row = request(ana, "sleeps", QUERY, seconds=0.7)
            task_id = TaskSubject.of(row).task_id
            await at_step(row, Step.RUNNING)
            for _ in range(4):
                await say(liar.memberships["lab"], task_id, status, "a lie")
            assert await ana.tasks.result(row) == "slept", status


async def test_a_word_of_one_that_does_not_show_itself_settles_nothing(tmp_path: Path, lab: Path) -> None:
    async with requesting(tmp_path / "ana", lab, limits={"progress_timeout": 3.0}) as ana:
        row, fails = request(ana, "add", a=1, b=1), request(ana, "fails")
        await until(lambda: bool(row.asks and fails.asks))
        for one in (row, fails):
            word = UpdateTaskStatus(TaskSubject.of(one).task_id, TaskStatus.RUNNING)
            ana.tasks._asker.hear_status(ana.memberships["lab"], "cd" * 32, word)
            await at_step(one, Step.RUNNING)
        async with providing(tmp_path / "ben", lab, python("add"), python("fails")):
            assert await ana.tasks.result(row) == 2
            with pytest.raises(TaskFailed, match="no such recording"):
                await fails.outcome()


async def test_it_is_said_to_be_done_and_there_is_no_result(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab, limits=SHORT) as ana,
        running_node(tmp_path / "liar", lab, roles=(Role.PROVIDE_TASKS,)) as liar,
    ):
        row = request(ana, "add", a=1, b=1)
        await at_step(row, Step.ASKING)
        await until(lambda: bool(row.asks))
        for _ in range(3):
            await say(liar.memberships["lab"], TaskSubject.of(row).task_id, TaskStatus.FINISHED)
        with pytest.raises(TryAgain, match=r"said that it is done.*there is no result"):
            await row.outcome()


async def test_two_providers(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("add"), python("fails")),
        providing(tmp_path / "cleo", lab, python("add"), python("fails")),
    ):
        for number in range(5):
            assert await result_of(ana, "add", a=number, b=1) == number + 1
        with pytest.raises(TaskFailed, match="no such recording"):
            await result_of(ana, "fails")
        await ana.wait_idle()


async def test_a_provider_that_goes_in_the_middle_of_it(tmp_path: Path, lab: Path) -> None:
    async with requesting(tmp_path / "ana", lab) as ana:
        async with providing(tmp_path / "ben", lab, python("sleeps")):
            row = request(ana, "sleeps")
            await at_step(row, Step.RUNNING)
        with pytest.raises(TryAgain, match=r"ben.*had taken the task"):
            await row.outcome()


async def test_a_worker_that_is_killed(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("sleeps"), python("pid", QUERY)) as ben,
    ):
        row = request(ana, "sleeps")
        await at_step(row, Step.RUNNING)
        function = ben.tasks.functions.find("lab", "sleeps.1")
        assert function is not None
        assert isinstance(function.runner, FunctionRunner)
        busy = function.runner._busy
        # That it runs is told before a worker is looked for.
        await until(lambda: len(busy) == 1)
        (process,) = busy
        os.kill(process._process.pid, signal.SIGKILL)
        with pytest.raises(TaskFailed, match="killed by SIGKILL"):
            await row.outcome()
        # One that died while it had nothing to do is noticed by nobody.
        first = await result_of(ana, "pid", QUERY)
        assert isinstance(first, int)
        os.kill(first, signal.SIGKILL)
        await until(lambda: not _is_running(first))
        assert await result_of(ana, "pid", QUERY) != first


async def test_the_connection_is_lost_while_a_task_runs(tmp_path: Path, hub: Hub, lab: Path) -> None:
    endpoint = tomllib.loads(lab.read_text())["pubsub"]["endpoint"]
    async with (
        proxy_to(int(endpoint.rpartition(":")[2])) as proxy,
        requesting(tmp_path / "ana", lab, pubsub={"endpoint": proxy.endpoint}) as ana,
        providing(tmp_path / "ben", lab, python("sleeps", QUERY)) as ben,
    ):
        row = request(ana, "sleeps", QUERY, seconds=1)
        await at_step(row, Step.RUNNING)
        proxy.accepts = False
        proxy.cut()
        await until(lambda: not ana.memberships["lab"].is_connected)
        await at_step(theirs(ben)[0], Step.DONE)
        proxy.accepts = True
        # What was said meanwhile was not heard: it is asked for again, and not computed again.
        assert await ana.tasks.result(row) == "slept"
        assert len(theirs(ben)) == 1


async def test_the_service_goes_while_a_task_runs(
    tmp_path: Path, hub: Hub, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership_module, "RECONNECT_PATIENCE", 1.0)
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("sleeps")),
    ):
        row = request(ana, "sleeps")
        await at_step(row, Step.RUNNING)
        await hub.stop()
        await at_step(row, Step.RECONNECTING)
        with pytest.raises(TryAgain, match="cannot be reached"):
            await row.outcome()


async def test_one_that_asks_while_a_cancelled_run_still_ends_gets_its_own(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        requesting(tmp_path / "cleo", lab) as cleo,
        providing(tmp_path / "ben", lab, python("sleeps", at_once=2)) as ben,
    ):
        mine = request(ana, "sleeps", seconds=1)
        await at_step(mine, Step.RUNNING)
        (served,) = theirs(ben)
        ben.cancel(served)
        # What is said of one run is said to all who want the task, so it has to have been said.
        with pytest.raises(TaskFailed, match="cancelled there"):
            await mine.outcome()
        other = request(cleo, "sleeps", seconds=1)
        assert await cleo.tasks.result(other) == "slept"


async def test_those_who_are_not_kept_do_not_lose_their_task_to_those_who_are(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providing_module, "MOST_ASKERS", 1)
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        requesting(tmp_path / "cleo", lab) as cleo,
        providing(tmp_path / "ben", lab, python("sleeps")) as ben,
    ):
        first = request(ana, "sleeps", seconds=2)
        await at_step(first, Step.RUNNING)
        second = request(cleo, "sleeps", seconds=2)
        await at_step(second, Step.RUNNING)
        ana.cancel(first)
        assert await cleo.tasks.result(second) == "slept"
        assert theirs(ben)[0].asked_by == [ana.node_id]


async def test_another_program_of_the_same_key_takes_its_own_task_back_alone(
    tmp_path: Path, lab: Path
) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        running_node(tmp_path / "ana", None, provides=False) as beside,
        providing(tmp_path / "ben", lab, python("sleeps")),
    ):
        mine, other = (request(node, "sleeps", seconds=2) for node in (ana, beside))
        await at_step(mine, Step.RUNNING)
        await at_step(other, Step.RUNNING)
        beside.cancel(other)
        assert await ana.tasks.result(mine) == "slept"


async def test_a_request_that_is_brought_to_another_channel_is_no_other_request(
    tmp_path: Path, lab: Path
) -> None:
    marks = tmp_path / "marks"
    task = python("marks", ACTION)
    object.__setattr__(task, "channels", ("lab", "lab2"))
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, task) as ben,
    ):
        row = request(ana, "marks", ACTION, path=str(marks))
        await row.outcome()
        subject, membership = TaskSubject.of(row), ben.memberships["lab"]
        body = RequestTask(subject.task_id, "marks.1", ACTION, subject.arguments())
        monkeyed = Elsewhere(membership, "lab2")
        ben.tasks._provider.hear_request(Asked(monkeyed, body, ana.node_id, 1))  # type: ignore[arg-type]
        await ben.wait_idle()
        assert marks.read_text() == "x\n"


class Elsewhere:
    """A membership as that of a channel of another name."""

    def __init__(self, membership: Membership, name: str) -> None:
        self._membership = membership
        self.name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._membership, name)


def test_how_many_tasks_are_remembered_is_each_asker_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "KEPT_ENDED", 100)
    ended = runs_module.Ended()
    ended.keep("ana", UpdateTaskStatus("precious", TaskStatus.FINISHED))
    for number in range(1_000):
        ended.keep("stranger", UpdateTaskStatus(f"t{number}", TaskStatus.ERROR))
    assert ended.get("ana", "precious") is not None
    assert ended.get("stranger", "t0") is None
    assert ended.get("stranger", "t999") is not None


# Floods


async def test_a_flood_of_one_asker_leaves_room_for_others(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providing_module, "MOST_OF_ONE", 30)
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        requesting(tmp_path / "cleo", lab) as cleo,
        providing(tmp_path / "ben", lab, python("sleeps")) as ben,
    ):
        rows = [request(ana, "sleeps", seconds=0.1 + number / 1000) for number in range(60)]
        # On a busy machine some have ended before the last of them comes.
        await until(lambda: len(theirs(ben)) >= 30)
        assert await result_of(cleo, "sleeps", seconds=0.01) == "slept"
        # Its turn comes after one of the other's, not after all of them.
        assert sum(1 for row in theirs(ben) if row.step is Step.QUEUED) > 10
        await until(lambda: not any(row.is_active for row in rows), 60)
        failures = [str(row.failure) for row in rows if row.step is Step.FAILED]
        # One that has ended makes room for one that comes.
        assert 20 <= len(failures) <= 30
        assert all("30 tasks at a time are all that one node gets here" in text for text in failures)


async def test_tasks_take_turns_by_asker(tmp_path: Path, lab: Path) -> None:
    marks = tmp_path / "marks"
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        requesting(tmp_path / "cleo", lab) as cleo,
        providing(tmp_path / "ben", lab, python("marks", ACTION), python("sleeps"), provide="auto") as ben,
    ):
        many = [request(ana, "marks", ACTION, path=str(marks), text=f"ana {n}") for n in range(100)]
        await until(lambda: len(theirs(ben)) == 100)
        few = [request(cleo, "marks", ACTION, path=str(marks), text=f"cleo {n}") for n in range(5)]
        for row in [*many, *few]:
            await row.outcome()
    lines = marks.read_text().splitlines()
    assert sorted(lines) == sorted([f"ana {n}" for n in range(100)] + [f"cleo {n}" for n in range(5)])
    assert [line for line in lines if line.startswith("ana")] == [f"ana {n}" for n in range(100)]


@pytest.mark.parametrize("kind", [PURE, QUERY])
async def test_what_numbers_and_arrays_are_like_becomes_json(
    tmp_path: Path, lab: Path, kind: TaskFunctionType
) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("arrays", kind)),
    ):
        assert await result_of(ana, "arrays", kind) == {"counts": [1, 2]}


async def test_no_more_results_are_kept_than_there_is_room_for(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_module, "MOST_KEPT", 1_500)
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("huge")) as ben,
    ):
        rows = [request(ana, "huge", size=600 + number) for number in range(4)]
        for row in rows:
            await row.outcome()
        for node in (ana, ben):
            kept = [TaskSubject.of(row).result for row in node.ledger]
            assert 0 < sum(len(text) for text in kept if text) <= 1_500
        with pytest.raises(KacheryError, match="no longer kept"):
            await ana.tasks.result(next(row for row in rows if TaskSubject.of(row).result is None))
        assert await ana.tasks.result(ana.retry(rows[0])) == "x" * 600


async def test_calls_whose_arguments_are_long_have_short_names(tmp_path: Path, lab: Path) -> None:
    async with (
        requesting(tmp_path / "ana", lab) as ana,
        providing(tmp_path / "ben", lab, python("echo")) as ben,
    ):
        row = request(ana, "echo", a="x" * 40_000)
        await row.outcome()
        assert row.name == theirs(ben)[0].name == "echo.1(…)"
        uri = "sha1://" + "ab" * 20
        named = request(ana, "echo", a=f"{uri}/spikes.npy?manifest={'cd' * 20}", b=uri, c="sha1://x", d=2)
        assert named.name == 'echo.1(a=spikes.npy, b=abababab…, c="sha1://x", d=2)'
        await named.outcome()

"""What a running node answers on its socket."""

import asyncio
import gc
import json
import re
from pathlib import Path

import pytest

from kachery_tui.errors import NobodyHasIt
from kachery_tui.node.node import Node
from kachery_tui.protocol.roles import Role
from kachery_tui.service.api import NodeApi
from tests.node.task_nodes import TASK_ROLES, python
from tests.nodes import running_node, until
from tests.service.callers import serving_node

FEED_ROLES = (Role.REQUEST_FEEDS, Role.PROVIDE_FEEDS)
API = Path(__file__).parents[2] / "kachery_tui" / "service" / "API.md"


async def stored(node: Node, folder: Path, name: str, data: bytes) -> str:
    file = folder / name
    file.write_bytes(data)
    return str((await node.store(file)).uri)


async def test_the_page_says_what_can_be_called(tmp_path: Path) -> None:
    async with serving_node(tmp_path / "ana", None) as (node, caller):
        listed = await caller.ask("GET", "/v1")
        calls = NodeApi(node, lambda: None).calls()
    rows = re.findall(r"^\| `(\w+ /\S+)`( \(\*group\*\))? \|(.*?)\|", API.read_text(), re.MULTILINE)
    said = {call: (bool(group), set(re.findall(r"`(\w+)`", members))) for call, group, members in rows}
    assert said.pop("GET /v1") == (True, set())
    assert said == {f"{call.method} {call.path}": (call.whom == "group", set(call.knows)) for call in calls}
    assert {each["call"] for each in listed["calls"]} == set(said)


async def test_a_file_is_got_for_a_caller_who_hears_how_it_goes(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ana", lab) as ana,
        serving_node(tmp_path / "ben", lab) as (ben, caller),
    ):
        uri = await stored(ana, tmp_path, "spikes.bin", b"x" * 1000)
        status, lines = await caller.call("POST", "/v1/load", uri=uri)
        assert status == 200
        assert lines[0]["event"] == "progress"
        assert lines[-1] == {"event": "done", "uri": uri, "path": lines[-1]["path"], "size": 1000}
        assert Path(lines[-1]["path"]).read_bytes() == b"x" * 1000
        assert lines[-1]["path"].startswith(str(tmp_path / "ben"))
        (row,) = ben.ledger
        assert len(row.callers) == 1
        assert row.callers[0].split(" · ")[0]
        # It is here now, and there is no row of looking for it.
        assert (await caller.ask("POST", "/v1/load", uri=uri))["path"] == lines[-1]["path"]
        assert len(ben.ledger) == 1


async def test_many_files_come_together_and_each_failure_by_itself(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ana", lab) as ana,
        serving_node(tmp_path / "ben", lab, limits={"answer_timeout": 0.5}) as (_ben, caller),
    ):
        uris = [await stored(ana, tmp_path, f"{n}.bin", b"%d" % n * 100) for n in range(40)]
        uris.insert(20, f"sha1://{'0' * 40}/nobody.bin")
        _, lines = await caller.call("POST", "/v1/load", uris=uris)
    files = {line["place"]: line for line in lines if line["event"] == "file"}
    assert sorted(files) == list(range(41))
    assert [files[place]["uri"] for place in range(41)] == uris
    assert files.pop(20)["error"]["kind"] == "nobody-has-it"
    assert all(Path(each["path"]).stat().st_size == each["size"] for each in files.values())
    done = {
        "event": "done",
        "files": 41,
        "got": 40,
        "failed": 1,
        "bytes": sum(f["size"] for f in files.values()),
    }
    assert lines[-1] == done


async def test_who_wants_no_stream_gets_one_answer_with_its_status(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ana", lab) as ana,
        serving_node(tmp_path / "ben", lab, limits={"answer_timeout": 0.5}) as (_ben, caller),
    ):
        uri = await stored(ana, tmp_path, "a.bin", b"a")
        for wanted, code, member in ((uri, b"200", "path"), (f"sha1://{'0' * 40}", b"404", "error")):
            body = json.dumps({"uri": wanted}).encode()
            head = (
                b"POST /v1/load HTTP/1.0\r\nHost: n\r\nAccept: application/json\r\nContent-Length: %d\r\n\r\n"
            )
            answer = await caller.send(head % len(body) + body)
            assert answer.split(b" ")[1] == code
            assert member in json.loads(answer.partition(b"\r\n\r\n")[2])


async def test_a_caller_who_goes_gives_up_what_nobody_else_waits_for(tmp_path: Path, lab: Path) -> None:
    uri = f"sha1://{'0' * 40}/slow.bin"
    async with serving_node(tmp_path / "ben", lab, limits={"answer_timeout": 30}) as (ben, caller):
        calls = [asyncio.create_task(caller.call("POST", "/v1/load", uri=uri)) for _ in range(2)]
        await until(lambda: bool(list(ben.ledger)))
        (row,) = ben.ledger
        await asyncio.sleep(0.3)
        calls[0].cancel()
        await asyncio.sleep(0.3)
        assert row.is_active, "the other one waits for it"
        calls[1].cancel()
        await until(lambda: not row.is_active)
        assert str(row.step) == "cancelled"
        # A person at the screen keeps it.
        again = asyncio.create_task(caller.call("POST", "/v1/load", uri=uri))
        await until(lambda: any(each.is_active for each in ben.ledger))
        kept = ben.files.request(uri)
        again.cancel()
        await asyncio.sleep(0.5)
        assert kept.is_active


async def test_who_comes_as_the_last_caller_leaves_is_not_broken_off_with_him(
    tmp_path: Path, lab: Path
) -> None:
    uri = f"sha1://{'0' * 40}/slow.bin"
    async with serving_node(tmp_path / "ben", lab, limits={"answer_timeout": 3}) as (ben, caller):
        first = asyncio.create_task(caller.call("POST", "/v1/load", uri=uri))
        await until(lambda: bool(list(ben.ledger)))
        (row,) = ben.ledger
        ben.cancel(row)
        # It lets go of what it holds, and has not ended.
        again = ben.files.request(uri, caller="another")
        assert again is not row
        _, lines = await first
        assert lines[-1]["error"]["kind"] == "cancelled"
        assert again.is_active
        with pytest.raises(NobodyHasIt):
            await again.outcome()


async def test_many_files_that_are_given_up_leave_nothing_behind(
    tmp_path: Path, lab: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving_node(tmp_path / "ben", lab) as (ben, caller):
        uris = [f"sha1://{number:040x}/x" for number in range(50)]
        call = asyncio.create_task(caller.call("POST", "/v1/load", uris=uris))
        await until(lambda: any(row.is_active for row in ben.ledger))
        call.cancel()
        await until(lambda: not any(row.is_active for row in ben.ledger))
        await asyncio.sleep(0.1)
        gc.collect()
    assert "never retrieved" not in caplog.text
    assert not list((tmp_path / "ben" / "storage" / "tmp").iterdir())


async def test_what_is_cancelled_at_the_node_is_told(tmp_path: Path, lab: Path) -> None:
    uri = f"sha1://{'0' * 40}/slow.bin"
    async with serving_node(tmp_path / "ben", lab) as (ben, caller):
        call = asyncio.create_task(caller.call("POST", "/v1/load", uri=uri))
        await until(lambda: any(row.is_active for row in ben.ledger))
        (row,) = (await caller.ask("GET", "/v1/requests", active=True))["requests"]
        await caller.ask("POST", "/v1/cancel", number=row["number"])
        _, lines = await call
        assert lines[-1]["event"] == "failed"
        assert lines[-1]["error"]["kind"] == "cancelled"


async def test_events_tell_of_every_request_and_of_the_node(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ana", lab) as ana,
        serving_node(tmp_path / "ben", lab) as (ben, caller),
        caller.connected() as (reader, writer),
    ):
        writer.write(b"GET /v1/events HTTP/1.0\r\nHost: node\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert json.loads(await reader.readline())["node"]["label"] == "ben"
        row = ben.files.request(await stored(ana, tmp_path, "a.bin", b"abc"))
        await row.outcome()
        async with asyncio.timeout(10):
            while True:
                event = json.loads(await reader.readline())
                if event["event"] == "request" and event["request"]["step"] == "done":
                    break
        assert event["request"]["number"] == row.number
        assert event["request"]["done"] == 3


async def test_a_feed_is_appended_to_synced_and_followed(tmp_path: Path, lab: Path) -> None:
    async with (
        serving_node(tmp_path / "ana", lab, roles=FEED_ROLES) as (ana, owner),
        serving_node(tmp_path / "ben", lab, roles=FEED_ROLES) as (_ben, reader_of),
        reader_of.connected() as (reader, writer),
    ):
        uri = str(await ana.feeds.create("log"))
        added = await owner.ask("POST", "/v1/feeds/append", uri=uri, messages=[{"n": 0}, {"n": 1}])
        assert added == {"numbers": [0, 1]}
        done = await reader_of.ask("POST", "/v1/feeds/sync", uri=uri)
        assert done["event"] == "done"
        body = json.dumps({"uri": uri, "start": -1}).encode()
        writer.write(b"POST /v1/feeds/follow HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await reader.readuntil(b"\r\n\r\n")
        got: list[tuple[int, int]] = []
        async with asyncio.timeout(20):
            while len(got) < 2:
                event = json.loads(await reader.readline())
                if event["event"] == "messages":
                    texts = [json.loads(text) for text in event["signed"]]
                    got += [
                        (event["first"] + at, text["body"]["message"]["n"]) for at, text in enumerate(texts)
                    ]
                    if len(got) == 1:
                        await owner.ask("POST", "/v1/feeds/append", uri=uri, messages=[{"n": 2}])
        assert got == [(1, 1), (2, 2)]


async def test_two_callers_read_a_feed_and_neither_ends_the_other(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "ana", lab, roles=FEED_ROLES) as ana,
        serving_node(tmp_path / "ben", lab, roles=FEED_ROLES) as (ben, caller),
    ):
        uri = await ana.feeds.create("log")
        await ana.feeds.append(uri, [{"n": 0}])
        async with ben.feeds.following(uri) as row:
            results = await asyncio.gather(
                *(caller.ask("POST", "/v1/feeds/sync", uri=str(uri)) for _ in range(4))
            )
            assert all(result["event"] == "done" for result in results)
            assert row.is_active
            await ana.feeds.append(uri, [{"n": 1}])
            key = await ben.feeds.key(uri)
            await until(lambda: ben.feeds.states.state(key).here == 2)
        await until(lambda: not row.is_active)


async def test_a_task_is_run_and_its_result_given(tmp_path: Path, lab: Path) -> None:
    async with (
        running_node(tmp_path / "gpu", lab, roles=TASK_ROLES, tasks=[python("add")]) as _gpu,
        serving_node(tmp_path / "ben", lab, roles=TASK_ROLES) as (_ben, caller),
    ):
        async with asyncio.timeout(20):
            while not (await caller.ask("POST", "/v1/tasks/offers"))["offers"]:
                await asyncio.sleep(0.1)
        done = await caller.ask("POST", "/v1/tasks/run", function="add.1", kwargs={"a": 40, "b": 2})
        assert (done["result"], done["cached"]) == (42, False)
        assert (await caller.ask("POST", "/v1/tasks/run", function="add.1", kwargs={"a": 40, "b": 2}))[
            "cached"
        ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("GET", "/v2/status", {}, 404, "unknown-call"),
        ("POST", "/v1/status", {}, 404, "unknown-call"),
        ("POST", "/v1/load", {"uri": "sha1://x"}, 400, "usage"),
        ("POST", "/v1/load", {}, 400, "usage"),
        ("POST", "/v1/load", {"uri": 7}, 400, "usage"),
        ("POST", "/v1/load", {"uris": []}, 400, "usage"),
        ("POST", "/v1/load", {"uri": "sha1://" + "0" * 40, "channel": "none"}, 400, "usage"),
        ("POST", "/v1/load", {"uri": "sha1://" + "0" * 40, "tomorrow": True}, 404, "unknown-call"),
        ("POST", "/v1/cancel", {"number": 99}, 400, "usage"),
        ("POST", "/v1/cancel", {"number": True}, 400, "usage"),
        ("POST", "/v1/feeds/sync", {"uri": "feed://x"}, 400, "usage"),
        ("POST", "/v1/feeds/follow", {"uri": "feed://" + "0" * 64, "start": "9" * 30}, 400, "usage"),
        ("POST", "/v1/feeds/append", {"uri": "log", "messages": [1]}, 400, "usage"),
        ("POST", "/v1/tasks/run", {"function": "x.1", "type": "magic"}, 400, "usage"),
        ("POST", "/v1/tasks/run", {"function": "x.1", "timeout": -1}, 400, "usage"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_reason(
    tmp_path: Path, method: str, path: str, body: dict[str, object], status: int, kind: str
) -> None:
    async with serving_node(tmp_path / "ana", None) as (node, caller):
        found, (answer,) = await caller.call(method, path, **body)
        error = answer["error"]
        assert (found, error["kind"]) == (status, kind) or (found, answer.get("event")) == (200, "failed"), (
            answer
        )
        assert error["kind"] == kind
        assert error["what"]
        assert not node.supervisor.failures

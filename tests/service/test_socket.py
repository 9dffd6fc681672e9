"""The node's socket when callers misbehave, and when the machine does."""

import asyncio
import json
import logging
import os
import socket
import stat
import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest

from kachery_tui.errors import KacheryError
from kachery_tui.service import http, server
from kachery_tui.service.client import NodeClient, NodeGone, NodeSilent
from kachery_tui.service.finding import find_node
from kachery_tui.service.peers import Peer, describe, peer_of
from kachery_tui.service.place import LONGEST_PATH, socket_place
from kachery_tui.storage.lock import read_holder
from kachery_tui.storage.storage import Storage
from tests.nodes import until
from tests.service.callers import Caller, request, serving_node
from tests.users import ANA, BEN, LAB, User, make_reachable, need_root


async def status(caller: Caller) -> str:
    return str((await caller.ask("GET", "/v1/status"))["label"])


async def test_the_socket_is_for_its_user_alone_and_goes_with_the_node(tmp_path: Path) -> None:
    async with serving_node(tmp_path / "ana", None) as (_node, caller):
        assert stat.S_IMODE(caller.place.stat().st_mode) == 0o600
        assert stat.S_IMODE(caller.place.parent.stat().st_mode) == 0o700
        assert await status(caller) == "ana"
        place = caller.place
    assert not place.exists()
    assert read_holder(tmp_path / "ana" / "storage") is None


async def test_what_a_killed_node_left_behind_is_taken_over(tmp_path: Path) -> None:
    Storage.open(tmp_path / "ana" / "storage").close()
    place = socket_place(tmp_path / "ana" / "storage")
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(place))
    stale.close()
    lock = tmp_path / "ana" / "storage" / "kachery-tui.lock"
    note = {
        "pid": 1,
        "host": socket.gethostname(),
        "command": "x",
        "socket": str(place),
        "config": str(tmp_path),
    }
    lock.write_text(json.dumps(note) + " " * 3000)
    assert find_node(tmp_path / "ana" / "storage", tmp_path) is None
    async with serving_node(tmp_path / "ana", None) as (_node, caller):
        assert caller.place == place
        assert await status(caller) == "ana"
    assert await asyncio.to_thread(find_node, tmp_path / "ana" / "storage", tmp_path) is None


async def test_a_socket_that_is_cleared_away_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LOOK_EVERY", 0.05)
    async with serving_node(tmp_path / "ana", None) as (_node, caller):
        caller.place.unlink()
        await until(caller.place.exists)
        assert await status(caller) == "ana"


async def test_a_lock_file_that_somebody_wrote_into_says_again_where_the_node_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LOOK_EVERY", 0.05)
    storage = tmp_path / "ana" / "storage"
    async with serving_node(tmp_path / "ana", None) as (_node, caller):
        (storage / "kachery-tui.lock").write_text("garbage" * 1000)
        await until(
            lambda: (holder := read_holder(storage)) is not None and holder.socket == str(caller.place)
        )
        found = await asyncio.to_thread(find_node, storage, tmp_path / "ana")
        assert found is not None
        found.close()


async def test_a_defect_is_told_to_the_caller_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving_node(tmp_path / "ana", None) as (node, caller):
        monkeypatch.setattr(type(node), "status", lambda _self: 1 / 0)
        found, (answer,) = await caller.call("GET", "/v1/status")
        assert (found, answer["error"]["why"]) == (500, "ZeroDivisionError")
        _, lines = await caller.call("GET", "/v1/events")
        assert lines[-1]["event"] == "failed"
    assert caplog.text.count("failed unexpectedly") == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff\x16\x03\x01\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1 HTTP/1.1\r\n\r\n",
        b"POST /v1/load HTTP/1.1\r\nHost: n\r\nContent-Length: 5\r\n\r\n{]]]]",
        b"POST /v1/load HTTP/1.1\r\nHost: n\r\nContent-Length: 2\r\n\r\n[]",
        b"POST /v1/load HTTP/1.1\r\nHost: n\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /v1/load HTTP/1.1\r\nHost: n\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/load HTTP/1.0\r\nContent-Length: 9000\r\n\r\n" + b'{"a":' * 1800,
        b"GET /v1/status?" + b"a=b&" * 200 + b" HTTP/1.0\r\n\r\n",
        b"GET http://[::1 HTTP/1.0\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: n\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
        b"G" * 40_000,
    ],
)
async def test_what_is_no_request_is_refused_and_harms_nobody(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "REQUEST_SECONDS", 1.0)
    async with serving_node(tmp_path / "ana", None) as (node, caller):
        async with caller.connected() as (reader, writer), asyncio.timeout(10):
            writer.write(data)
            if not data:
                writer.write_eof()
            answer = await reader.read()
        assert not answer or answer.split(b" ")[1] in (b"400", b"404", b"413", b"431", b"501", b"505"), answer
        assert await status(caller) == "ana"
        assert not node.supervisor.failures
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_half_a_request_is_waited_for_only_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.2)
    async with serving_node(tmp_path / "ana", None) as (_node, caller):
        assert await caller.send(b"GET /v1/sta") == b""
        assert await caller.send(b"POST /v1/load HTTP/1.0\r\nContent-Length: 100\r\n\r\n{") == b""


async def test_a_body_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_BODY", 1000)
    async with serving_node(tmp_path / "ana", None) as (_node, caller):
        head = b"POST /v1/load HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = await caller.send(head + b"%x\r\n" % 2000 + b"x" * 2000 + b"\r\n0\r\n\r\n")
        assert answer.split(b" ")[1] == b"413"


async def test_one_connection_takes_one_request_after_the_other(tmp_path: Path) -> None:
    async with (
        serving_node(tmp_path / "ana", None) as (_node, caller),
        caller.connected() as (reader, writer),
        asyncio.timeout(10),
    ):
        # Two of them at once, as a caller may who does not wait for answers.
        writer.write(b"GET /v1/status HTTP/1.1\r\nHost: n\r\n\r\n" * 2)
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            assert json.loads(await reader.readexactly(length))["label"] == "ana"


async def test_a_caller_who_takes_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TAKING_SECONDS", 0.2)
    async with serving_node(tmp_path / "ana", None) as (node, caller):
        for number in range(500):
            node.files.request(f"sha1://{number:040x}/{'n' * 200}.bin")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(caller.place))
            connection.sendall(request("GET", "/v1/events", {}))
            await asyncio.sleep(1)
            # What was on its way is there, and then the end.
            connection.settimeout(10)
            await asyncio.to_thread(lambda: list(iter(lambda: connection.recv(65_536), b"")))
        assert await status(caller) == "ana"


async def test_too_many_callers_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 3)
    async with serving_node(tmp_path / "ana", None) as (_node, caller):
        writers = []
        for _ in range(3):
            reader, writer = await asyncio.open_unix_connection(caller.place)
            writer.write(request("GET", "/v1/events", {}))
            await reader.readline()
            writers.append(writer)
        # Before it has asked for anything: whoever says nothing holds no place.
        answer = await caller.send(b"")
        assert answer.split(b" ")[1] == b"503"
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["kind"] == "busy"
        writers[0].close()
        async with asyncio.timeout(10):
            while (await caller.send(request("GET", "/v1/status", {}))).split(b" ")[1] != b"200":
                await asyncio.sleep(0.05)
        for writer in writers:
            writer.close()


async def test_a_node_that_ends_leaves_nobody_waiting(tmp_path: Path, lab: Path) -> None:
    async with serving_node(tmp_path / "ana", lab) as (node, caller):
        call = asyncio.create_task(caller.call("POST", "/v1/load", uri=f"sha1://{'0' * 40}/x"))
        await until(lambda: bool(list(node.ledger)))
    async with asyncio.timeout(10):
        _, lines = await call
    assert lines[-1]["event"] in ("progress", "failed", "note")


# The caller's side


def test_without_a_node_there_is_nothing_to_be_found(tmp_path: Path) -> None:
    assert find_node(tmp_path, tmp_path) is None
    for text in (
        "",
        "[[[",
        "{}",
        '{"pid": 1}',
        '{"pid": 1, "host": "elsewhere", "command": "", "socket": "/x"}',
    ):
        (tmp_path / "kachery-tui.lock").write_text(text)
        assert find_node(tmp_path, tmp_path) is None


async def test_a_node_with_other_settings_is_not_asked(tmp_path: Path) -> None:
    async with serving_node(tmp_path / "ana", None):
        found = await asyncio.to_thread(find_node, tmp_path / "ana" / "storage", tmp_path / "ana")
        assert found is not None
        assert found.pid == os.getpid()
        for _ in range(2):
            assert (await asyncio.to_thread(found.ask, "GET", "/v1/status"))["label"] == "ana"
        assert await asyncio.to_thread(find_node, tmp_path / "ana" / "storage", tmp_path) is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", NodeGone),
        (b"HTTP/1.1 200 OK\r\n\r\n", NodeGone),
        (b'HTTP/1.1 200 OK\r\n\r\n{"event": "progress"}\n', NodeGone),
        (b"HTTP/1.1 200 OK\r\n\r\n[1]\n", NodeGone),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000 + b"\n", NodeGone),
        (b"SSH-2.0-OpenSSH\r\n", KacheryError),
        (b'HTTP/1.1 500 No\r\n\r\n{"error": 7}\n', KacheryError),
    ],
)
def test_an_answer_that_makes_no_sense_is_none(
    tmp_path: Path, answer: bytes, error: type[KacheryError]
) -> None:
    near, far = socket.socketpair()
    far.sendall(answer)
    far.shutdown(socket.SHUT_WR)
    client = NodeClient(near, Peer(0, 0, 1), "")
    with pytest.raises(error):
        client.ask("GET", "/v1")
    far.close()


def test_a_node_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    near, far = socket.socketpair()
    with (
        patch("kachery_tui.service.client.ANSWER_PATIENCE", 0.1),
        pytest.raises(NodeSilent, match="process 7"),
    ):
        NodeClient(near, Peer(0, 0, 7), "").ask("GET", "/v1")
    far.close()


def test_a_node_that_falls_silent_is_left(tmp_path: Path) -> None:
    near, far = socket.socketpair()
    far.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"event": "progress"}\n')
    with patch("kachery_tui.service.client.SILENCE", 0.1), pytest.raises(NodeGone, match="silent"):
        NodeClient(near, Peer(0, 0, 7), "").ask("GET", "/v1")
    far.close()


# Where it is, and who may come


def test_the_runtime_directory_is_the_first_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        first = socket_place(tmp_path / "one")
        assert first.parent == Path(short) / "kachery-tui"
        assert socket_place(tmp_path / "two") != first
        assert socket_place(tmp_path / "one") == first


@pytest.mark.parametrize("base", ["", "relative", "/not/there"])
def test_without_a_runtime_directory_it_is_in_a_folder_of_this_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", base)
    place = socket_place(tmp_path)
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert place.parent.stat().st_uid == os.geteuid()


def test_a_path_that_is_too_long_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    assert len(os.fsencode(socket_place(tmp_path))) <= LONGEST_PATH


def test_a_folder_that_somebody_else_has_put_there_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        (Path(short) / "kachery-tui").symlink_to(tmp_path)
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        assert socket_place(tmp_path).parent.name != "kachery-tui"
    assert not list(tmp_path.iterdir())


async def test_where_there_is_no_place_the_node_runs_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("kachery_tui.service.place.LONGEST_PATH", 5)
    with pytest.raises(TimeoutError), patch("tests.service.callers.PATIENCE", 1):
        async with serving_node(tmp_path / "ana", None):
            raise AssertionError
    assert "other programs cannot reach this node" in caplog.text


async def test_others_of_the_group_may_look_and_have_files_got(tmp_path: Path) -> None:
    need_root()
    make_reachable(tmp_path)
    async with serving_node(tmp_path / "ana", None, group=LAB) as (_node, caller):
        assert stat.S_IMODE(caller.place.stat().st_mode) == 0o660

        def look(path: bytes) -> bytes:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(caller.place))
                connection.sendall(b"%s HTTP/1.0\r\n\r\n" % path)
                return connection.recv(100).split(b" ")[1]

        def as_member() -> None:
            assert look(b"GET /v1/status") == b"200"
            assert look(b"POST /v1/stop") == b"403"
            assert look(b"POST /v1/cancel") == b"403"

        def as_stranger() -> None:
            with pytest.raises(PermissionError):
                look(b"GET /v1/status")

        for user in (User(BEN, [LAB], 0o022, as_member), User(ANA, [ANA], 0o022, as_stranger)):
            assert await asyncio.to_thread(user.ended_well)


def test_a_socket_of_another_user_is_no_node_of_ones_own(tmp_path: Path) -> None:
    need_root()
    make_reachable(tmp_path)
    place = tmp_path / "trap.sock"
    (tmp_path / "storage").mkdir()
    note = {
        "pid": 1,
        "host": socket.gethostname(),
        "command": "x",
        "socket": str(place),
        "config": str(tmp_path),
    }
    (tmp_path / "storage" / "kachery-tui.lock").write_text(json.dumps(note))
    (tmp_path / "storage" / "kachery-tui.lock").chmod(0o644)
    trap = socket.socket(socket.AF_UNIX)
    trap.bind(str(place))
    trap.listen()
    place.chmod(0o666)
    os.chown(tmp_path / "storage", ANA, ANA)

    def find() -> None:
        with patch("kachery_tui.service.finding.ROOT", -1):
            assert find_node(tmp_path / "storage", tmp_path) is None

    assert User(ANA, [ANA], 0o022, find).ended_well()
    trap.close()


def test_a_caller_is_named_by_user_and_program() -> None:
    near, far = socket.socketpair()
    peer = peer_of(near)
    assert (peer.uid, peer.pid) == (os.getuid(), os.getpid())
    user, program = describe(peer).split(" · ")
    assert user
    assert program
    assert describe(Peer(4_000_000_000, 0, -1)) == "user 4000000000"
    near.close()
    far.close()

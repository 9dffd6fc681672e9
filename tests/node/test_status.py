"""`status.json`: how a running node stands, for other programs."""

import json
import os
import socket
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kachery_tui.errors import KacheryError
from kachery_tui.node.status import StatusWriter
from kachery_tui.node.status_file import FILE_NAME, ChannelStatus, NodeStatus, birth_of, read_status
from kachery_tui.protocol.uris import FileUri
from tests.nodes import put_file, running_node, until


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.node.status.LOOK_INTERVAL", 0.02)


def status_of(folder: Path) -> NodeStatus:
    found = read_status(folder)
    assert found is not None
    return found


async def first_status(folder: Path) -> None:
    """Wait until the node has written how it stands for the first time."""
    await until(lambda: read_status(folder) is not None)


async def test_a_running_node_says_how_it_stands(tmp_path: Path, lab: Path) -> None:
    folder = tmp_path / "ana"
    assert read_status(folder) is None
    async with running_node(folder, lab) as ana:
        await first_status(folder)
        await until(lambda: [len(one.in_force) for one in status_of(folder).channels] == [2])
        status = status_of(folder)
        assert (status.label, status.node_id, status.pid) == ("ana", ana.node_id, os.getpid())
        assert status.storage == str(folder / "storage")
        assert status.is_alive() is True
        (channel,) = status.channels
        assert (channel.name, channel.state) == ("lab", "connected")
        assert channel.in_force == channel.asked == ("provide-files", "request-files")
        assert len(channel.granted) == 6
        assert (status.mine, status.theirs, status.waiting, status.files) == (0, 0, 0, 0)
        assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600

        await first_status(folder)
        await ana.store(put_file(tmp_path, "f", b"12345"))
        ana.files.request(FileUri("a" * 40))
        await until(lambda: status_of(folder).mine == 1)
        await until(lambda: (status_of(folder).files, status_of(folder).bytes) == (1, 5))
    ended = status_of(folder)
    assert ended.ended is not None
    assert ended.is_alive() is False
    assert ended.started == status.started
    assert [file.name for file in folder.iterdir() if file.name.endswith(".tmp")] == []


async def test_it_holds_no_secret(tmp_path: Path, lab: Path) -> None:
    folder = tmp_path / "ana"
    async with running_node(folder, lab) as ana:
        config = ana.memberships["lab"].config
        await first_status(folder)
        text = (folder / FILE_NAME).read_text()
    assert config.bucket.secret_key
    for secret in (config.pubsub.key.partition(":")[2], config.bucket.secret_key):
        assert secret not in text


async def test_what_has_not_changed_is_not_written(
    tmp_path: Path, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "ana"
    looks = 0
    status = StatusWriter.status

    def counted(self: StatusWriter, **changes: Any) -> NodeStatus:
        nonlocal looks
        looks += 1
        return status(self, **changes)

    monkeypatch.setattr(StatusWriter, "status", counted)
    async with running_node(folder, lab):
        await first_status(folder)
        await until(lambda: [one.state for one in status_of(folder).channels] == ["connected"])
        seen = looks
        await until(lambda: looks >= seen + 3)
        seen, written = looks, (folder / FILE_NAME).stat().st_mtime_ns
        await until(lambda: looks >= seen + 10)
        assert (folder / FILE_NAME).stat().st_mtime_ns == written


async def test_a_file_that_cannot_be_written_does_not_stop_the_node(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "ana"
    (folder / FILE_NAME).mkdir(parents=True)
    async with running_node(folder, None) as ana:
        await until(lambda: f"cannot write {folder / FILE_NAME}" in caplog.text)
        assert ana.node_id
    assert not ana.supervisor.failed
    assert [file.name for file in folder.iterdir() if file.name.endswith(".tmp")] == []


async def test_a_node_for_one_request_says_nothing(tmp_path: Path) -> None:
    async with running_node(tmp_path / "ana", None, provides=False):
        pass
    assert read_status(tmp_path / "ana") is None


SOME = NodeStatus(
    label="ana",
    node_id="ab" * 32,
    pid=os.getpid(),
    born=birth_of(os.getpid()),
    host=socket.gethostname(),
    started=1.0,
    written=2.0,
    ended=None,
    storage="/storage",
    channels=(),
    down=0.0,
    up=0.0,
    mine=0,
    theirs=0,
    waiting=0,
    files=0,
    bytes=0,
    limit=None,
)


def test_whether_its_process_runs() -> None:
    assert SOME.is_alive() is True
    assert replace(SOME, ended=3.0).is_alive() is False
    assert replace(SOME, host="another.example").is_alive() is None
    assert replace(SOME, born="").is_alive() is True
    assert replace(SOME, pid=10**30).is_alive() is False
    with subprocess.Popen(["sleep", "600"]) as process:
        theirs = replace(SOME, pid=process.pid, born=birth_of(process.pid))
        assert theirs.is_alive() is True
        process.kill()
    assert theirs.is_alive() is False


def test_another_process_of_that_number_is_not_the_node() -> None:
    """Where the system does not tell processes of one number apart, nothing is said of it either."""
    another = replace(SOME, born=SOME.born and "12")
    assert another.is_alive() is not bool(SOME.born)


def write(folder: Path, value: object) -> Path:
    (folder / FILE_NAME).write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def test_what_was_written_is_read(tmp_path: Path) -> None:
    channel = ChannelStatus("lab", "connected", "", 3.5, ("request-files",), ("request-files",), ())
    status = replace(SOME, channels=(channel,), limit=5)
    assert read_status(write(tmp_path, status.to_json())) == status


@pytest.mark.parametrize(
    "change",
    [
        {"pid": "1"},
        {"pid": True},
        {"label": "\x1b[2J"},
        {"channels": {}},
        {"channels": [3]},
        {"channels": [{"name": "lab"}]},
        {"started": 1e999},
        {"down": 10**400},
        {"limit": "all"},
        {"extra": None, "ended": "yes"},
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(KacheryError, match="makes no sense"):
        read_status(write(tmp_path, SOME.to_json() | change))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=50) | st.text('[]{}",:0123456789nulltrue', max_size=40))
def test_garbage_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(KacheryError, match="makes no sense"):
        read_status(write(tmp_path, text))


@pytest.mark.parametrize("text", ["", "[" * 100_000, "1" * 2_000_000, "\x00"])
def test_more_garbage_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(KacheryError, match="makes no sense"):
        read_status(write(tmp_path, text))

"""File systems without locks: Lustre without `-o flock`, some NFS, CIFS and FUSE mounts."""

import errno
import fcntl
import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from kachery_tui import file_locks
from kachery_tui.protocol.uris import subfeed_hash
from kachery_tui.storage import Storage
from kachery_tui.storage.cleanup import clean_tmp
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.problems import StillArriving, StorageBusy
from tests.storage.helpers import sha1_of, tmp_files

DATA = b"twelve bytes"


@pytest.fixture(params=[errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def lockless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every lock answers as on such a file system."""

    def refuse(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(fcntl, "lockf", refuse)
    for known in ("_held", "_record_locks"):
        monkeypatch.setattr(file_locks, known, {})
    monkeypatch.setattr(file_locks, "_lockless", set())


@pytest.mark.usefixtures("lockless")
def test_everything_works_and_nothing_is_left_behind(tmp_path: Path) -> None:
    storage = Storage.open(tmp_path / "storage")
    stored = storage.store_bytes(DATA, "a.dat").uri
    storage.pin(stored.sha1, True)
    feed = storage.feeds.create("log")
    storage.feeds.append(feed, subfeed_hash("log"), [{"a": 1}])
    storage.feed_notes.learn("log")
    # Another process, for SQLite: a connection of its own.
    other = Storage.open(tmp_path / "storage")
    storage.store_bytes(b"another", "b.dat")
    assert {entry.name for entry in other.index.page(order="name", limit=10)} == {"a.dat", "b.dat"}
    assert len(other.feeds.read(feed, subfeed_hash("log"), 0, 10)) == 1
    assert other.index.get(stored.sha1) is not None
    assert tmp_files(storage) == []
    storage.close()
    other.close()
    assert not list(tmp_path.rglob("*.lock/"))


@pytest.mark.usefixtures("lockless")
def test_an_index_of_a_time_with_locks_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as locks:
        locks.setattr(fcntl, "flock", lambda *_: None)
        locks.setattr(file_locks, "has_record_locks", lambda _: True)
        locks.setattr("kachery_tui.storage.sqlite_file.has_record_locks", lambda _: True)
        storage = Storage.open(tmp_path / "storage")
        sha1 = storage.store_bytes(DATA, "named").uri.sha1
        storage.close()
    assert (tmp_path / "storage" / "kachery-tui.db").read_bytes()[18:20] == b"\2\2"
    storage = Storage.open(tmp_path / "storage")
    entry = storage.index.get(sha1)
    assert entry is not None
    assert entry.name == "named"
    storage.close()
    assert caplog.text == ""


@pytest.mark.usefixtures("lockless")
def test_a_lock_of_sqlite_that_a_killed_process_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    storage = Storage.open(tmp_path / "storage")
    storage.close()
    lock = tmp_path / "storage" / "kachery-tui.db.lock"
    lock.mkdir()
    os.utime(lock, (0, time.time() - 100))
    storage = Storage.open(tmp_path / "storage")
    sha1 = storage.store_bytes(DATA, "a").uri.sha1
    storage.close()
    storage = Storage.open(tmp_path / "storage")
    assert storage.index.get(sha1) is not None
    storage.close()


@pytest.mark.usefixtures("lockless")
def test_one_node_at_a_time_and_it_is_said_once_that_nothing_sees_to_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = Storage.open(tmp_path / "storage")
    storage.store_bytes(DATA, "a")
    assert caplog.text == ""
    storage.claim()
    assert [record.message for record in caplog.records if "has no locks" in record.message] != []
    with pytest.raises(StorageBusy, match="runs on it"):
        Storage.open(tmp_path / "storage").claim()
    storage.close()
    again = Storage.open(tmp_path / "storage")
    again.claim()
    again.close()


@pytest.mark.usefixtures("lockless")
@pytest.mark.parametrize("note", ["alive", "dead", "elsewhere", "damaged"])
def test_the_note_of_another_node_is_heeded(tmp_path: Path, note: str) -> None:
    storage = Storage.open(tmp_path / "storage")
    process = subprocess.Popen(["sleep", "60"])
    if note == "dead":
        process.kill()
        process.wait()
    host = "another" if note == "elsewhere" else socket.gethostname()
    written = {"pid": process.pid, "host": host, "command": "kachery-tui node"}
    text = "[" * 5000 if note == "damaged" else json.dumps(written)
    (tmp_path / "storage" / "kachery-tui.lock").write_text(text)
    try:
        if note in ("dead", "damaged"):
            storage.claim()
        else:
            with pytest.raises(StorageBusy) as caught:
                storage.claim()
            assert str(process.pid) in str(caught.value)
            assert ("of another" in str(caught.value)) == (note == "elsewhere")
            assert f"rm {tmp_path / 'storage' / 'kachery-tui.lock'}" in caught.value.do
    finally:
        process.kill()
        process.wait()
        storage.close()


@pytest.mark.usefixtures("lockless")
def test_what_may_be_in_the_hands_of_another_process_is_left_alone(tmp_path: Path) -> None:
    storage = Storage.open(tmp_path / "storage")
    new, old = (storage.folder / "tmp" / f"write-{digit * 16}.tmp" for digit in "ab")
    for path in (new, old):
        path.write_bytes(b"half")
    os.utime(old, (0, time.time() - 100_000))
    clean_tmp(Layout(storage.folder))
    assert tmp_files(storage) == [new.name]

    sha1 = sha1_of(DATA)
    part = storage.folder / "tmp" / f"{sha1}.part"
    part.write_bytes(b"twelve")
    with pytest.raises(StillArriving, match="no locks"):
        storage.receive(sha1, len(DATA))
    os.utime(part, (0, time.time() - 60))
    incoming = storage.receive(sha1, len(DATA))
    with pytest.raises(StillArriving):
        storage.receive(sha1, len(DATA))
    incoming.close(keep=False)
    storage.close()


def test_a_lock_that_fails_for_another_reason_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="Input/output"), (tmp_path / "file").open("w") as file:
        file_locks.try_lock(file.fileno())

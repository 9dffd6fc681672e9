"""Links of the Python client `kachery` 2, in the folder that it shares with this program."""

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.errors import UsageError
from kachery_tui.storage.layout import Layout
from kachery_tui.storage.scan import Scan
from kachery_tui.storage.storage import Storage

DATA = b"linked by the Python client"
SHA1 = hashlib.sha1(DATA, usedforsecurity=False).hexdigest()


def record(folder: Path, target: Path, **changes: Any) -> Path:
    """What its `link_file` writes."""
    status = target.stat()
    value = {"path": str(target), "size": status.st_size, "mtime": status.st_mtime, "sha1": SHA1} | changes
    place = folder / "linked_files" / "sha1" / SHA1[:2] / SHA1[2:4] / SHA1[4:6] / SHA1
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(value))
    return place


@pytest.fixture
def target(tmp_path: Path) -> Path:
    file = tmp_path / "elsewhere" / "spikes.dat"
    file.parent.mkdir()
    file.write_bytes(DATA)
    return file


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.open(tmp_path / ".kachery")


def test_it_is_found_before_any_scan(storage: Storage, target: Path) -> None:
    record(storage.folder, target)
    found = storage.find(SHA1)
    assert found is not None
    assert (found.path, found.kind, found.size) == (target, "link", len(DATA))
    assert storage.read_bytes(SHA1, 1_000) == DATA
    # Whoever may write to the folder can say of any file that it is any other: it is read before it is handed out.
    assert not storage.is_vouched(SHA1)
    assert storage.find_right(SHA1) == found
    assert storage.is_vouched(SHA1)


def test_a_scan_lists_it_and_the_record_stays(storage: Storage, target: Path) -> None:
    place = record(storage.folder, target)
    storage.scan(threading.Event())
    entry = storage.index.get(SHA1)
    assert entry is not None
    assert (entry.kind, entry.name, entry.size) == ("link", "spikes.dat", len(DATA))
    assert place.exists()
    os.utime(target, (1, 1))
    storage.scan(threading.Event())
    entry = storage.index.get(SHA1)
    assert entry is not None
    assert entry.kind == "void"
    assert storage.find(SHA1) is None


def test_what_is_trashed_does_not_come_back_by_itself(storage: Storage, target: Path) -> None:
    record(storage.folder, target)
    storage.trash(SHA1)
    storage.scan(threading.Event())
    assert storage.find(SHA1) is None
    storage.restore(SHA1)
    assert storage.find(SHA1) is not None
    assert target.read_bytes() == DATA


def test_a_stored_file_goes_before_it(storage: Storage, target: Path) -> None:
    record(storage.folder, target)
    storage.store_bytes(DATA, "stored", "test")
    storage.scan(threading.Event())
    found = storage.find(SHA1)
    assert found is not None
    assert found.kind == "file"


@pytest.mark.parametrize(
    "changes",
    [
        {"sha1": "0" * 40},
        {"path": "relative.dat"},
        {"path": "/a\0b"},
        {"path": None},
        {"size": -1},
        {"size": True},
        {"size": 5},
        {"mtime": "now"},
        {"mtime": 1e400},
    ],
)
def test_a_record_that_does_not_hold_is_none(
    storage: Storage, target: Path, changes: dict[str, object]
) -> None:
    record(storage.folder, target, **changes)
    assert storage.find(SHA1) is None
    storage.scan(threading.Event())
    assert storage.index.get(SHA1) is None


def test_its_unfinished_files_are_none(storage: Storage, target: Path) -> None:
    for folder in ("sha1", "linked_files/sha1"):
        leaf = storage.folder / folder / SHA1[:2] / SHA1[2:4] / SHA1[4:6]
        leaf.mkdir(parents=True, exist_ok=True)
        for ending in (".tmp.abcdefgh", ".abcdefghij"):
            (leaf / f"{SHA1}{ending}").write_bytes(DATA)
    storage.scan(threading.Event())
    assert storage.index.get(SHA1) is None
    with pytest.raises(UsageError):
        storage.trash(SHA1)


@pytest.mark.parametrize("place", ["foreign_link", "link"])
def test_what_is_no_file_is_not_waited_for(storage: Storage, place: str) -> None:
    pipe: Path = getattr(Layout(storage.folder), place)(SHA1)
    pipe.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(pipe)
    assert storage.find(SHA1) is None
    assert storage.scan(threading.Event()).complete


def test_a_folder_in_a_records_place_is_no_hindrance(storage: Storage) -> None:
    storage.store_bytes(DATA, "stored", "test")
    Layout(storage.folder).foreign_link(SHA1).mkdir(parents=True)
    storage.trash(SHA1)
    assert storage.find(SHA1) is None


def test_a_scan_that_is_told_to_stop_does_so_among_them(storage: Storage) -> None:
    leaf = Layout(storage.folder).foreign_links / "ab" / "cd" / "ef"
    leaf.mkdir(parents=True)
    for number in range(3_000):
        (leaf / f"no record {number}").touch()
    stop = threading.Event()
    stop.set()
    scan = Scan(Layout(storage.folder), storage.index, frozenset(), stop)
    scan._stretch_began -= 1
    assert not scan.scan().complete


def test_what_a_symbolic_link_leads_to_is_not_walked(storage: Storage, target: Path, tmp_path: Path) -> None:
    record(tmp_path, target)
    (storage.folder / "linked_files").mkdir()
    (storage.folder / "linked_files" / "sha1").symlink_to(tmp_path / "linked_files" / "sha1")
    storage.scan(threading.Event())
    assert storage.index.get(SHA1) is None

"""A file in storage is what its name says, or is not handed out: read once, and again when it was changed."""

import os
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.errors import TryAgain
from kachery_tui.storage import Storage, files
from kachery_tui.storage.problems import Damaged
from tests.storage.helpers import put_by_hand, sha1_of

DATA = b"the bytes of a file"
WRONG = b"the bytes of a fool"


def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what is read through from now on."""
    seen: list[int] = []
    hash_file: Any = vars(files)["hash_file"]

    def counted(fd: int, size: int, progress: object = None) -> object:
        seen.append(size)
        return hash_file(fd, size, progress)

    monkeypatch.setattr(files, "hash_file", counted)
    return seen


def spoil(storage: Storage, sha1: str) -> None:
    """Write other bytes of the same number into a stored file."""
    found = storage.find(sha1)
    assert found is not None
    found.path.write_bytes(WRONG)
    os.utime(found.path, (1.0, 1.0))


def test_what_this_program_stored_is_read_again_only_when_it_was_changed(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha1 = storage.store_bytes(DATA, "a").uri.sha1
    seen = reads(monkeypatch)
    assert storage.find_right(sha1) is not None
    assert seen == []
    found = storage.find(sha1)
    assert found is not None
    os.utime(found.path, (1.0, 1.0))
    for _ in range(3):
        assert storage.find_right(sha1) is not None
    assert seen == [len(DATA)]
    assert storage.find_right(sha1, anew=True) is not None
    assert seen == [len(DATA)] * 2


def test_what_another_program_stored_is_read_once(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    sha1 = put_by_hand(storage, DATA)
    seen = reads(monkeypatch)
    for _ in range(3):
        assert storage.find_right(sha1) is not None
    assert seen == [len(DATA)]


def test_a_damaged_file_is_put_out_of_the_way(storage: Storage) -> None:
    sha1 = storage.store_bytes(DATA, "a").uri.sha1
    spoil(storage, sha1)
    with pytest.raises(Damaged, match=f"{sha1} in storage is damaged") as caught:
        storage.find_right(sha1)
    kept = storage.folder / "sha1-trash" / sha1[:2] / sha1[2:4] / sha1[4:6] / f"{sha1}.damaged"
    assert kept.read_bytes() == WRONG
    assert str(kept) in caught.value.do
    assert storage.find_right(sha1) is None
    assert (storage.totals().files, storage.totals().trash_bytes) == (0, len(WRONG))
    assert storage.trashed(10) == ([], False)
    assert storage.empty_trash() == len(WRONG)
    assert not kept.exists()


def test_what_changed_silently_shows_when_it_is_read(storage: Storage) -> None:
    sha1 = storage.store_bytes(DATA, "a").uri.sha1
    found = storage.find(sha1)
    assert found is not None
    status = found.path.stat()
    found.path.write_bytes(WRONG)
    os.utime(found.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert storage.find_right(sha1) is not None
    with pytest.raises(Damaged):
        storage.find_right(sha1, anew=True)


def test_a_link_that_says_what_is_not_so_leads_nowhere(storage: Storage, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.write_bytes(DATA)
    storage.link(linked)
    link = next(storage.folder.rglob("*.link"))
    sha1 = sha1_of(b"something else")
    forged = storage.folder / "sha1" / sha1[:2] / sha1[2:4] / sha1[4:6] / f"{sha1}.link"
    forged.parent.mkdir(parents=True)
    forged.write_bytes(link.read_bytes())
    assert storage.find(sha1) is not None
    with pytest.raises(Damaged, match="not those of its URI"):
        storage.find_right(sha1)
    assert storage.find_right(sha1) is None
    assert linked.read_bytes() == DATA
    assert storage.find_right(sha1_of(DATA)) is not None


def test_storing_a_file_again_mends_a_damaged_one(storage: Storage) -> None:
    sha1 = storage.store_bytes(DATA, "a").uri.sha1
    spoil(storage, sha1)
    assert storage.store_bytes(DATA, "a").added_bytes == len(DATA)
    assert storage.find_right(sha1, anew=True) is not None


def test_a_file_that_was_mended_while_it_was_read_stays(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha1 = storage.store_bytes(DATA, "a").uri.sha1
    spoil(storage, sha1)
    hash_file: Any = vars(files)["hash_file"]
    other = Storage.open(storage.folder)
    turns = 0

    def mended_meanwhile(fd: int, size: int, progress: object = None) -> object:
        nonlocal turns
        turns += 1
        result = hash_file(fd, size, progress)
        if turns == 1:
            other.store_bytes(DATA, "a")
        return result

    monkeypatch.setattr(files, "hash_file", mended_meanwhile)
    right = storage.find_right(sha1)
    assert right is not None
    assert right.path.read_bytes() == DATA
    assert not list(storage.folder.rglob("*.damaged"))
    other.close()


def test_a_pinned_file_that_was_damaged_stays_pinned(storage: Storage) -> None:
    sha1 = storage.store_bytes(DATA, "a").uri.sha1
    storage.pin(sha1, True)
    for bring_back in (lambda: storage.store_bytes(DATA, "a"), lambda: receive(storage)):
        spoil(storage, sha1)
        with pytest.raises(Damaged):
            storage.find_right(sha1)
        bring_back()
        entry = storage.index.get(sha1)
        assert entry is not None
        assert entry.pinned


def receive(storage: Storage) -> None:
    incoming = storage.receive(sha1_of(DATA), len(DATA))
    writer = incoming.writer(0)
    writer.write(memoryview(DATA))
    writer.finish()
    incoming.commit()


def test_a_locked_index_keeps_no_file_back(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    sha1 = storage.store_bytes(DATA, "a").uri.sha1

    def locked(*_: object) -> bool:
        raise TryAgain("the index is locked by another process")

    monkeypatch.setattr(storage.index, "is_vouched", locked)
    assert storage.find_right(sha1) is not None
    assert storage.store_bytes(DATA, "a").added_bytes == 0

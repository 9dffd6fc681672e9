import json
import os
import threading
from pathlib import Path

import pytest

from kachery_tui.errors import UsageError
from kachery_tui.storage import Storage
from kachery_tui.storage.links import read_link
from tests.storage.helpers import sha1_of


def _linked(storage: Storage, tmp_path: Path, data: bytes = b"far away") -> tuple[str, Path]:
    target = tmp_path / "data" / "big.dat"
    target.parent.mkdir()
    target.write_bytes(data)
    stored = storage.link(target)
    assert stored.added_bytes == 0
    return stored.uri.sha1, target


def test_a_link_has_the_form_that_the_old_daemon_reads(storage: Storage, tmp_path: Path) -> None:
    sha1, target = _linked(storage, tmp_path)
    place = next(storage.folder.rglob(f"{sha1}.link"))
    assert json.loads(place.read_text()) == {
        "path": str(target),
        "manifestSha1": None,
        "stat": {"size": 8, "mtime": target.stat().st_mtime},
    }


def test_a_large_link_has_its_manifest_in_storage(storage: Storage, tmp_path: Path) -> None:
    sha1, _ = _linked(storage, tmp_path, b"x" * 20_000_001)
    manifest = storage.manifest_of(sha1)
    assert manifest is not None
    assert len(manifest.chunks) == 2
    assert storage.index.totals().links == 1
    assert storage.verify(sha1)


@pytest.mark.parametrize("change", ["touch", "grow", "remove", "folder"])
def test_a_link_is_void_once_its_target_changed(storage: Storage, tmp_path: Path, change: str) -> None:
    sha1, target = _linked(storage, tmp_path)
    assert storage.find(sha1) is not None
    if change == "touch":
        os.utime(target, (1, 1))
    elif change == "grow":
        target.write_bytes(b"far away and more")
    else:
        target.unlink()
        if change == "folder":
            target.mkdir()
    assert storage.find(sha1) is None
    entry = storage.index.get(sha1)
    assert entry is not None
    assert entry.kind == "void"


def test_a_scan_voids_links_and_takes_them_back(storage: Storage, tmp_path: Path) -> None:
    sha1, target = _linked(storage, tmp_path)
    times = target.stat().st_mtime_ns
    os.utime(target, (1, 1))
    assert storage.scan(threading.Event()).changed == 1
    assert storage.index.totals().links == 0
    os.utime(target, ns=(times, times))
    assert storage.scan(threading.Event()).changed == 1
    assert storage.index.totals().links == 1
    assert storage.find(sha1) is not None


def test_storing_what_is_linked_makes_it_a_file(storage: Storage, tmp_path: Path) -> None:
    sha1, target = _linked(storage, tmp_path)
    assert storage.store(target).added_bytes == 8
    target.unlink()
    found = storage.find(sha1)
    assert found is not None
    assert found.kind == "file"
    assert storage.index.totals().files == 1


def test_a_file_inside_storage_cannot_be_linked(storage: Storage) -> None:
    sha1 = storage.store_bytes(b"in here", "x").uri.sha1
    found = storage.find(sha1)
    assert found is not None
    with pytest.raises(UsageError, match="inside the storage folder"):
        storage.link(found.path)


def test_nanoseconds_survive_the_way_through_json(storage: Storage, tmp_path: Path) -> None:
    target = tmp_path / "t"
    for nanoseconds in (1_795_410_749_999_999_999, 1_645_000_000_123_456_789, 1, 4_000_000_000_000_000_001):
        target.write_bytes(str(nanoseconds).encode())
        os.utime(target, ns=(nanoseconds, nanoseconds))
        assert storage.find(storage.link(target).uri.sha1) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"path": 1, "manifestSha1": null, "stat": {"size": 1, "mtime": 1}}',
        '{"path": "relative", "manifestSha1": null, "stat": {"size": 1, "mtime": 1}}',
        '{"path": "/a\\u0000b", "manifestSha1": null, "stat": {"size": 1, "mtime": 1}}',
        '{"path": "/a", "manifestSha1": null, "stat": {"size": -1, "mtime": 1}}',
        '{"path": "/a", "manifestSha1": null, "stat": {"size": true, "mtime": 1}}',
        '{"path": "/a", "manifestSha1": null, "stat": {"size": 1, "mtime": "1"}}',
        '{"path": "/a", "manifestSha1": null, "stat": {"size": 1, "mtime": NaN}}',
        '{"path": "/a", "manifestSha1": null, "stat": null}',
        "[" * 100_000,
        '{"path": "' + "x" * 100_000 + '"}',
    ],
)
def test_a_bad_link_file_is_no_link(storage: Storage, text: str) -> None:
    sha1 = sha1_of(b"?")
    place = storage.folder / "sha1" / sha1[:2] / sha1[2:4] / sha1[4:6] / f"{sha1}.link"
    place.parent.mkdir(parents=True)
    place.write_text(text)
    assert storage.find(sha1) is None
    storage.scan(threading.Event())
    assert [entry.kind for entry in storage.index.page(order="name")] == ["void"]


def test_a_bad_manifest_hash_in_a_link_is_passed_over(storage: Storage, tmp_path: Path) -> None:
    sha1, target = _linked(storage, tmp_path)
    place = next(storage.folder.rglob(f"{sha1}.link"))
    place.write_text(place.read_text().replace("null", '"../../x"'))
    link = read_link(place)
    assert link is not None
    assert (link.path, link.manifest_sha1) == (target, None)

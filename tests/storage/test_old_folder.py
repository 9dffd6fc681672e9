"""A folder that the old daemon made is opened as it is."""

import json
import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage import Storage
from tests.storage.helpers import VECTORS, assert_true_to_names, pattern

VECTOR = json.loads((VECTORS / "storage.json").read_text())
URIS = VECTOR["uris"]


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Storage]:
    with tarfile.open(VECTORS / "kachery-storage.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    storage = Storage.open(tmp_path / "kachery-storage")
    yield storage
    storage.close()


def test_node_id_and_owner_stay(old: Storage) -> None:
    before = {path.name: path.read_bytes() for path in old.folder.glob("*.pem")}
    assert old.node_key().node_id == (old.folder / "kachery-node-id").read_text()
    assert old.owner() == "owner@example.org"
    assert {path.name: path.read_bytes() for path in old.folder.glob("*.pem")} == before


def test_its_files_are_found_and_true(old: Storage) -> None:
    for name in ("text_uri", "json_uri"):
        uri = FileUri.parse(URIS[name])
        found = old.find(uri.sha1)
        assert found is not None
        assert found.kind == "file"
        assert old.verify(uri.sha1)
    assert old.read_bytes(FileUri.parse(URIS["json_uri"]).sha1, 1000) is not None
    assert assert_true_to_names(old) == 4


def test_its_databases_are_left_alone(old: Storage) -> None:
    before = [(old.folder / name).read_bytes() for name in ("feeds.db", "mutables.db")]
    old.scan(threading.Event())
    old.clean_tmp()
    assert [(old.folder / name).read_bytes() for name in ("feeds.db", "mutables.db")] == before


def test_its_link_is_void_where_the_target_is_missing(old: Storage) -> None:
    sha1 = FileUri.parse(URIS["linked_uri"]).sha1
    assert old.find(sha1) is None
    old.scan(threading.Event())
    entry = old.index.get(sha1)
    assert entry is not None
    assert (entry.kind, entry.name, entry.size) == ("void", "linked.txt", 15)


def test_its_link_holds_while_size_and_time_match(old: Storage, tmp_path: Path) -> None:
    sha1 = FileUri.parse(URIS["linked_uri"]).sha1
    place = next(old.folder.rglob("*.link"))
    target = tmp_path / "linked.txt"
    target.write_bytes(b"linked content\n")
    os.utime(target, (1645000000.125, 1645000000.125))
    place.write_text(place.read_text().replace("/data/linked.txt", str(target)))
    assert json.loads(place.read_text())["_writingProcess"] == "daemon"

    found = old.find(sha1)
    assert found is not None
    assert (found.kind, found.path, found.size) == ("link", target, 15)
    os.utime(target, (1645000000.125, 1645000000.126))
    assert old.find(sha1) is None


@pytest.mark.parametrize("name", sorted(VECTOR["big"]))
def test_store_gives_the_uris_of_the_old_programs(storage: Storage, tmp_path: Path, name: str) -> None:
    vector = VECTOR["big"][name]
    source = tmp_path / f"{name}.bin"
    source.write_bytes(pattern(vector["repeat_hex"], vector["size"]))
    stored = storage.store(source)
    assert str(stored.uri) == vector["uri"]
    assert (stored.size, stored.added_bytes) == (vector["size"], vector["size"])
    assert str(storage.link(source).uri) == vector["uri"]
    assert storage.store_bytes(source.read_bytes(), source.name).uri == stored.uri


def test_manifests_equal_those_of_the_old_programs(old: Storage, storage: Storage, tmp_path: Path) -> None:
    for name in ("zeros45", "abc20p1"):
        vector = VECTOR["big"][name]
        manifest_sha1 = FileUri.parse(vector["uri"]).manifest_sha1
        assert manifest_sha1 is not None
        source = tmp_path / f"{name}.bin"
        source.write_bytes(pattern(vector["repeat_hex"], vector["size"]))
        storage.store(source)
        assert storage.read_bytes(manifest_sha1, 1000) == old.read_bytes(manifest_sha1, 1000)

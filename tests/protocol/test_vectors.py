"""Everything that the old programs produced holds."""

import hashlib
import tarfile
from typing import Any

import pytest

from kachery_tui.protocol.canonical import canonical_json, object_hash
from kachery_tui.protocol.hashes import pathify
from kachery_tui.protocol.keys import PrivateKey, verify
from kachery_tui.protocol.manifest import CHUNK_SIZE, Chunk, Manifest, needs_manifest
from kachery_tui.protocol.messages import FileKey, RequestFile, UploadFileStatus, parse_body
from kachery_tui.protocol.tasks import task_hash
from kachery_tui.protocol.uris import FileUri, SubfeedUri, subfeed_hash
from tests.protocol.vectors import STORAGE, VECTORS, WIRE

OBJECTS = WIRE["canonicalJson"]


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.from_seed(bytes.fromhex(WIRE["privateKeyHex"]))


@pytest.mark.parametrize("vector", OBJECTS, ids=range(len(OBJECTS)))
def test_canonical_json_hash_and_signature(vector: dict[str, Any], key: PrivateKey) -> None:
    value = vector["object"]
    assert canonical_json(value) == vector["canonical"]
    assert object_hash(value) == vector["sha1"]
    assert key.sign(value) == vector["signature"]
    assert verify(value, vector["signature"], key.node_id)
    assert not verify({**value, "more": 1}, vector["signature"], key.node_id)


def test_key_files(key: PrivateKey) -> None:
    assert key.node_id == WIRE["publicKeyHex"]
    assert key.to_pem().decode() == WIRE["privateKeyPem"]
    assert key.public_pem().decode() == WIRE["publicKeyPem"]
    assert PrivateKey.from_pem(WIRE["privateKeyPem"].encode()).node_id == key.node_id


@pytest.mark.parametrize("vector", WIRE["taskHashes"])
def test_task_hashes(vector: dict[str, Any]) -> None:
    assert task_hash(vector["taskFunctionId"], vector["kwargs"]) == vector["taskHash"]


@pytest.mark.parametrize("vector", WIRE["fileKeyHashes"])
def test_file_key_hashes(vector: dict[str, Any]) -> None:
    key = FileKey.parse(vector["fileKey"])
    assert key.hash == vector["fileKeyHash"]
    assert key.to_json() == vector["fileKey"]


@pytest.mark.parametrize("vector", WIRE["subfeedHashes"])
def test_subfeed_hashes(vector: dict[str, Any]) -> None:
    assert subfeed_hash(vector["subfeedName"]) == vector["subfeedHash"]
    assert subfeed_hash(f"~{vector['subfeedHash']}") == vector["subfeedHash"]


def test_bodies_among_the_objects_are_read() -> None:
    bodies = [parse_body(vector["object"]) for vector in OBJECTS if "type" in vector["object"]]
    assert [type(body) for body in bodies] == [RequestFile, UploadFileStatus]


@pytest.mark.parametrize("name", STORAGE["uris"])
def test_uris_of_the_old_client_print_as_they_were(name: str) -> None:
    text = STORAGE["uris"][name]
    parse = FileUri.parse if text.startswith("sha1:") else SubfeedUri.parse
    assert str(parse(text)) == text


@pytest.mark.parametrize("name", STORAGE["big"])
def test_manifests_of_the_old_client(name: str) -> None:
    big = STORAGE["big"][name]
    uri = FileUri.parse(big["uri"])
    assert needs_manifest(big["size"]) == (uri.manifest_sha1 is not None)
    if uri.manifest_sha1 is None:
        return
    data = _repeated(bytes.fromhex(big["repeat_hex"]), big["size"])
    pieces = range(0, len(data), CHUNK_SIZE)
    chunks = tuple(
        Chunk(start, min(start + CHUNK_SIZE, len(data)), _sha1(data[start : start + CHUNK_SIZE]))
        for start in pieces
    )
    manifest = Manifest(len(data), _sha1(data), chunks)
    assert manifest.sha1 == uri.sha1
    assert manifest.object_sha1 == uri.manifest_sha1
    stored = _stored(uri.manifest_sha1)
    assert manifest.encode() == stored
    assert Manifest.parse(stored, uri.sha1) == manifest


def _repeated(pattern: bytes, size: int) -> bytes:
    return (pattern * (size // len(pattern) + 1))[:size]


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _stored(sha1: str) -> bytes:
    """A file of the storage folder that the old daemon made."""
    with tarfile.open(VECTORS / "kachery-storage.tar.gz") as archive:
        file = archive.extractfile(f"kachery-storage/sha1/{pathify(sha1)}")
        assert file is not None
        return file.read()

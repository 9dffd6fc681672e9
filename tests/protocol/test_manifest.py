"""Manifests, and those that lie."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kachery_tui.protocol.canonical import JsonValue, canonical_json
from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.manifest import (
    CHUNK_SIZE,
    MAX_MANIFEST_BYTES,
    Chunk,
    Manifest,
    needs_manifest,
)
from tests.protocol.strategies import STRANGE, hexadecimal

SHA1 = "7d1cb171ac1871f8683166b09a5ff80fbfe45d9f"
SIZE = 45_000_001
MANIFEST = Manifest(
    SIZE,
    SHA1,
    (
        Chunk(0, 20_000_000, "1" * 40),
        Chunk(20_000_000, 40_000_000, "2" * 40),
        Chunk(40_000_000, SIZE, "3" * 40),
    ),
)


def of_size(size: int, sha1: str = SHA1) -> Manifest:
    starts = range(0, size, CHUNK_SIZE)
    return Manifest(size, sha1, tuple(Chunk(start, min(start + CHUNK_SIZE, size), sha1) for start in starts))


@given(st.integers(0, 10**11), hexadecimal(40))
def test_every_manifest_reads_as_it_was_written(size: int, sha1: str) -> None:
    manifest = of_size(size, sha1)
    assert Manifest.parse(manifest.encode(), sha1) == manifest
    assert sum(chunk.end - chunk.start for chunk in manifest.chunks) == size


@given(st.one_of(st.binary(max_size=300), STRANGE.map(lambda value: canonical_json(value).encode())))
def test_any_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Manifest.parse(data)


@given(st.sampled_from(["size", "sha1", "chunks"]), STRANGE)
def test_a_manifest_with_one_member_spoilt_is_refused(name: str, value: JsonValue) -> None:
    with pytest.raises(ProtocolError):
        Manifest.parse(canonical_json({**json.loads(MANIFEST.encode()), name: value}).encode(), SHA1)


def changed(**members: Any) -> bytes:
    return json.dumps({**json.loads(MANIFEST.encode()), **members}).encode()


def chunks(*bounds: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [{"start": start, "end": end, "sha1": "1" * 40} for start, end in bounds]


M = 1_000_000


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (changed(sha1="0" * 40), "of another file"),
        (changed(size=-1), "without a size"),
        (changed(size=True), "without a size"),
        (changed(size=45_000_001.0), "without a size"),
        (changed(size=20 * M), "with 3 chunks, and 20000000 bytes have 1"),
        (changed(size=10**300), "with 3 chunks"),
        (changed(chunks=None), "and chunks"),
        (changed(chunks=[]), "with 0 chunks"),
        (changed(chunks=chunks((0, 20 * M), (20 * M, 40 * M), (40 * M, 45 * M))), "chunk 2 has bytes"),
        (changed(chunks=chunks((20 * M, 40 * M), (0, 20 * M), (40 * M, SIZE))), "chunk 0 has bytes"),
        (changed(chunks=chunks((0, 10 * M), (10 * M, 40 * M), (40 * M, SIZE))), "chunk 0 has bytes"),
        (changed(chunks=chunks((0, 20 * M), (20 * M, 40 * M), (40 * M, "x"))), "chunk 2 has no start"),
        (changed(chunks=chunks((0, 20 * M), (20 * M, 40 * M), (40 * M, None))), "chunk 2 has no start"),
        (changed(chunks=[*chunks((0, 20 * M), (20 * M, 40 * M)), "x" * 90]), "chunk 2 is not an object"),
        (changed(chunks=[{"start": 0, "end": 20 * M, "sha1": "X" * 40}] * 3), "chunk 0 has no sha1"),
        (MANIFEST.encode().replace(b"45000001", b"1e999"), "without a size"),
        (b"[]", "not an object"),
        (b"", "not JSON"),
        (b" " * (MAX_MANIFEST_BYTES + 1), "are allowed"),
    ],
)
def test_a_manifest_that_lies_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(ProtocolError, match=what):
        Manifest.parse(data, SHA1)


@pytest.mark.parametrize("filling", [b"{},", b"[],", b'{"a":{}},'])
def test_a_bomb_is_refused_before_it_goes_off(filling: bytes) -> None:
    data = b'{"size":1,"sha1":"","chunks":[' + filling * (MAX_MANIFEST_BYTES // 10 // len(filling)) + b"0]}"
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="other things than chunks"):
            Manifest.parse(data)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_manifest_of_a_terabyte_is_read() -> None:
    manifest = of_size(10**12)
    assert len(manifest.chunks) == 50_000
    assert Manifest.parse(manifest.encode()) == manifest


def test_only_what_is_larger_than_a_chunk_has_a_manifest() -> None:
    assert [needs_manifest(size) for size in (0, 20_000_000, 20_000_001)] == [False, False, True]

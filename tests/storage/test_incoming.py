import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from kachery_tui.errors import UsageError
from kachery_tui.protocol.manifest import CHUNK_SIZE, Chunk, Manifest
from kachery_tui.storage import ByteSource, StillArriving, Storage, WrongBytes, WrongManifest
from kachery_tui.storage.part_record import read_record
from tests.storage.helpers import chunked, manifest_of, sha1_of, tmp_files, write_chunk

DATA = chunked(chunks=4)
MANIFEST = manifest_of(DATA)


def _wait_recorded(storage: Storage, count: int) -> None:
    """Wait until so many chunks stand in the record on disk."""
    pause = threading.Event()
    place = storage.folder / "tmp" / f"{MANIFEST.sha1}.json"
    for _ in range(1000):
        if len(read_record(place, MANIFEST.object_sha1, len(MANIFEST.chunks))) >= count:
            return
        pause.wait(0.01)
    raise AssertionError("the chunks were never recorded")


def test_chunks_from_several_threads_in_any_order(storage: Storage) -> None:
    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST, name="big", origin="lab")
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda index: write_chunk(incoming, index, DATA), [3, 1, 0, 2]))
    assert incoming.verified == {0, 1, 2, 3}
    found = incoming.commit()
    assert found.path.read_bytes() == DATA
    incoming.close(keep=False)
    entry = storage.index.get(MANIFEST.sha1)
    assert entry is not None
    assert (entry.name, entry.origin, entry.manifest_sha1) == ("big", "lab", MANIFEST.object_sha1)
    assert tmp_files(storage) == []


@pytest.mark.parametrize("size", [0, 1, 20_000_000, 50_000_000])
def test_a_file_without_a_manifest_is_one_chunk(storage: Storage, size: int) -> None:
    data = b"q" * size
    incoming = storage.receive(sha1_of(data), size)
    assert incoming.chunks == (Chunk(0, size, sha1_of(data)),)
    writer = incoming.writer(0)
    for start in range(0, size, 3_000_000):
        writer.write(memoryview(data)[start : start + 3_000_000])
    writer.finish()
    assert incoming.commit().path.read_bytes() == data
    assert tmp_files(storage) == []


def test_wrong_bytes_in_a_chunk_are_refused_and_can_be_sent_again(storage: Storage) -> None:
    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    write_chunk(incoming, 0, DATA)
    with pytest.raises(WrongBytes, match="chunk 1"):
        write_chunk(incoming, 1, DATA.replace(b"B", b"b"))
    assert incoming.verified == {0}
    with pytest.raises(WrongBytes, match="3 of 4 chunks are missing"):
        incoming.commit()
    for index in (1, 2, 3):
        write_chunk(incoming, index, DATA)
    assert incoming.commit().path.read_bytes() == DATA


def test_too_few_and_too_many_bytes_are_refused(storage: Storage) -> None:
    incoming = storage.receive(sha1_of(b"12345"), 5)
    writer = incoming.writer(0)
    writer.write(memoryview(b"1234"))
    with pytest.raises(WrongBytes, match="cut short"):
        writer.finish()
    writer = incoming.writer(0)
    writer.write(memoryview(b"1234"))
    with pytest.raises(WrongBytes, match="more bytes"):
        writer.write(memoryview(b"56"))
    writer.abort()
    with pytest.raises(UsageError, match="being written"):
        (incoming.writer(0), incoming.writer(0))
    incoming.close(keep=True)
    assert tmp_files(storage) == []


def test_a_manifest_that_lies_leaves_nothing(storage: Storage) -> None:
    """Chunks of another file under this file's hash: each is right, the whole is not."""
    lie = replace(MANIFEST, sha1=sha1_of(b"another"))
    incoming = storage.receive(lie.sha1, len(DATA), manifest=lie)
    for index in range(4):
        write_chunk(incoming, index, DATA)
    with pytest.raises(WrongManifest):
        incoming.commit()
    assert incoming.verified == frozenset()
    incoming.close(keep=True)
    assert storage.find(lie.sha1) is None
    assert tmp_files(storage) == []


def test_a_manifest_of_one_chunk_does_not_stand_above_the_files_hash(storage: Storage) -> None:
    data, other = b"a" * 1000, b"b" * 1000
    lie = Manifest(1000, sha1_of(data), (Chunk(0, 1000, sha1_of(other)),))
    incoming = storage.receive(lie.sha1, 1000, manifest=lie)
    with pytest.raises(WrongBytes):
        write_chunk(incoming, 0, other)
    incoming.close(keep=False)


def test_a_manifest_of_another_file_is_refused(storage: Storage) -> None:
    with pytest.raises(UsageError, match="another file"):
        storage.receive(sha1_of(b"x"), len(DATA), manifest=MANIFEST)
    with pytest.raises(UsageError, match="another file"):
        storage.receive(MANIFEST.sha1, 5, manifest=MANIFEST)


def test_verified_chunks_are_there_after_a_break(storage: Storage) -> None:
    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    write_chunk(incoming, 2, DATA)
    write_chunk(incoming, 0, DATA)
    cut = incoming.writer(1)
    cut.write(memoryview(DATA)[CHUNK_SIZE : CHUNK_SIZE + 5000])
    cut.abort()
    incoming.close(keep=True)
    storage.clean_tmp()

    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    assert incoming.verified == {0, 2}
    for index in (1, 3):
        write_chunk(incoming, index, DATA)
    assert incoming.commit().path.read_bytes() == DATA
    assert tmp_files(storage) == []


def test_chunks_are_recorded_while_the_rest_arrives(storage: Storage) -> None:
    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    write_chunk(incoming, 0, DATA)
    write_chunk(incoming, 1, DATA)
    _wait_recorded(storage, 2)
    incoming.close(keep=False)
    assert tmp_files(storage) == []


def test_a_chunk_that_goes_bad_on_disk_is_found_at_the_end(storage: Storage) -> None:
    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    for index in range(3):
        write_chunk(incoming, index, DATA)
    incoming.close(keep=True)
    with (storage.folder / "tmp" / f"{MANIFEST.sha1}.part").open("r+b") as file:
        file.seek(CHUNK_SIZE + 77)
        file.write(b"!")

    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    assert incoming.verified == {0, 1, 2}
    write_chunk(incoming, 3, DATA)
    with pytest.raises(WrongBytes, match=r"1 chunks of .* have wrong bytes"):
        incoming.commit()
    assert incoming.verified == {0, 2, 3}
    write_chunk(incoming, 1, DATA)
    assert incoming.commit().path.read_bytes() == DATA


def test_chunks_that_outrun_hashing_are_found_out_by_the_whole(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kachery_tui.storage.incoming.OUTRUNS", 0)
    monkeypatch.setattr("kachery_tui.storage.incoming._PACE_KNOWN", 0)
    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    wrong = bytearray(DATA)
    wrong[CHUNK_SIZE + 5] ^= 1
    for index in range(4):
        write_chunk(incoming, index, bytes(wrong))
    with pytest.raises(WrongBytes, match=r"1 chunks of .* have wrong bytes"):
        incoming.commit()
    assert storage.find(MANIFEST.sha1) is None
    assert incoming.verified == {0, 2, 3}
    # From then on each chunk is hashed as it comes.
    with pytest.raises(WrongBytes, match="chunk 1"):
        write_chunk(incoming, 1, bytes(wrong))
    write_chunk(incoming, 1, DATA)
    assert incoming.commit().path.read_bytes() == DATA


@pytest.mark.parametrize("text", ["", "{", "null", '{"manifest": "x", "verified": [[0, 4]]}', "[[[" * 9999])
def test_a_record_that_is_not_of_this_file_is_not_believed(storage: Storage, text: str) -> None:
    (storage.folder / "tmp" / f"{MANIFEST.sha1}.part").write_bytes(bytes(len(DATA)))
    (storage.folder / "tmp" / f"{MANIFEST.sha1}.json").write_text(text)
    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    assert incoming.verified == frozenset()
    incoming.close(keep=False)
    assert tmp_files(storage) == []


def test_a_record_without_its_bytes_is_not_believed(storage: Storage) -> None:
    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    for index in range(4):
        write_chunk(incoming, index, DATA)
    incoming.close(keep=True)
    part = storage.folder / "tmp" / f"{MANIFEST.sha1}.part"
    part.unlink()
    for _ in range(2):
        incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
        assert incoming.verified == frozenset()
        # As if killed now: the file has its length by then, and no bytes.
        os.close(incoming._fd)


@pytest.mark.parametrize(
    ("ranges", "verified"),
    [
        ([[0, 4]], {0, 1, 2, 3}),
        ([[0, 1], [2, 3]], {0, 2}),
        ([[1, 10**15]], {1, 2, 3}),
        ([[10**9, 10**15]], set()),
        ([[number, number + 1_000_000] for number in range(30)], set()),
        ([[0, 2], [1, 3]], set()),
        ([[2, 3], [0, 1]], set()),
        ([[0, 0]], set()),
        ([[-5, 2]], set()),
    ],
)
def test_a_record_never_says_more_than_there_are_chunks(
    tmp_path: Path, ranges: list[list[int]], verified: set[int]
) -> None:
    """Ranges one over the other once made 2.3 GB out of 705 bytes."""
    place = tmp_path / "record.json"
    place.write_text(json.dumps({"manifest": "ab" * 20, "verified": ranges}))
    assert read_record(place, "ab" * 20, 4) == verified


def test_the_same_file_twice_at_once_is_refused(storage: Storage, tmp_path: Path) -> None:
    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    other = Storage.open(storage.folder)
    with pytest.raises(StillArriving) as caught:
        other.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    assert caught.value.exit_code == 4
    other.clean_tmp()
    assert tmp_files(storage) == [f"{MANIFEST.sha1}.part"]
    incoming.close(keep=False)
    other.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST).close(keep=False)
    other.close()


def test_chunks_that_are_here_in_another_file_are_copied(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "other"
    source.write_bytes(b"head" + DATA[:CHUNK_SIZE])
    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    incoming.copy_from(0, ByteSource(source, 4, 4 + CHUNK_SIZE))
    assert incoming.verified == {0}
    with pytest.raises(WrongBytes, match="wrong bytes"):
        incoming.copy_from(1, ByteSource(source, 4, 4 + CHUNK_SIZE))
    with pytest.raises(WrongBytes, match="cut short"):
        incoming.copy_from(1, ByteSource(source, 5, 5 + CHUNK_SIZE))
    with pytest.raises(UsageError):
        incoming.copy_from(1, ByteSource(tmp_path / "missing", 0, 5))
    write_chunk(incoming, 1, DATA)
    incoming.close(keep=False)


def test_reset_forgets_on_disk_as_well(storage: Storage) -> None:
    incoming = storage.receive(MANIFEST.sha1, len(DATA), manifest=MANIFEST)
    for index in range(2):
        write_chunk(incoming, index, DATA)
    _wait_recorded(storage, 2)
    incoming.reset()
    assert incoming.verified == frozenset()
    assert tmp_files(storage) == [f"{MANIFEST.sha1}.part"]
    for index in range(4):
        write_chunk(incoming, index, DATA)
    assert incoming.commit().path.read_bytes() == DATA


def test_a_file_too_large_for_any_disk_is_refused_before_it_arrives(storage: Storage) -> None:
    from kachery_tui.storage import DiskFull

    for size in (10**15, 10**18):
        with pytest.raises(DiskFull, match=r"bytes, and .* are free.*maxCacheSizeGiB"):
            storage.receive(sha1_of(b"huge"), size)
    storage.clean_tmp()
    assert tmp_files(storage) == []

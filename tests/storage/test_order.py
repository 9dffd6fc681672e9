"""What is on disk when a name appears: the bytes before the name, the name before anybody is told."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kachery_tui.storage import Storage
from tests.storage.helpers import chunked, manifest_of, sha1_of, write_chunk


def store_bytes(storage: Storage) -> str:
    return storage.store_bytes(b"some bytes").uri.sha1


def store(storage: Storage) -> str:
    source = storage.folder.parent / "source"
    source.write_bytes(b"a file")
    return storage.store(source).uri.sha1


def link(storage: Storage) -> str:
    source = storage.folder.parent / "source"
    source.write_bytes(b"a linked file")
    return storage.link(source).uri.sha1 + ".link"


def receive(storage: Storage) -> str:
    incoming = storage.receive(sha1_of(b"it arrives"), 10)
    writer = incoming.writer(0)
    writer.write(memoryview(b"it arrives"))
    writer.finish()
    incoming.commit()
    return incoming.sha1


def receive_chunks(storage: Storage) -> str:
    data = chunked(chunks=2)
    manifest = manifest_of(data)
    incoming = storage.receive(manifest.sha1, len(data), manifest=manifest)
    for index in range(len(manifest.chunks)):
        write_chunk(incoming, index, data)
    incoming.commit()
    return incoming.sha1


@pytest.mark.parametrize("deed", [store_bytes, store, link, receive, receive_chunks])
def test_bytes_are_flushed_before_the_name_and_the_name_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: Callable[[Storage], str]
) -> None:
    """A crash of the machine at any moment leaves no file whose bytes are not those of its hash, and loses none that was
    promised: seen by the order in which the kernel is told."""
    events: list[tuple[str, str]] = []
    fsync, rename = os.fsync, Path.rename

    def note_fsync(fd: int) -> None:
        events.append(("flush", str(Path(f"/proc/self/fd/{fd}").readlink())))
        fsync(fd)

    def note_rename(source: Path, target: Path) -> Path:
        events.append(("flush of", str(source)))
        events.append(("rename", str(target)))
        return rename(source, target)

    storage = Storage.open(tmp_path / "storage")
    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "rename", note_rename)
    name = deed(storage)
    place = storage.folder / "sha1" / name[:2] / name[2:4] / name[4:6] / name
    named = events.index(("rename", str(place)))
    temporary = events[named - 1][1]
    before, after = events[:named], events[named + 1 :]
    assert ("flush", temporary) in before
    assert ("flush", str(place.parent)) in after
    # The folders above are new, too, and stand in theirs only once these are flushed.
    for folder in place.parents[1:4]:
        assert ("flush", str(folder)) in after
    storage.close()

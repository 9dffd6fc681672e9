import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError
from kachery_tui.filters import parse_filter
from kachery_tui.protocol.manifest import CHUNK_SIZE
from kachery_tui.protocol.messages import ChunkOf, FileKey
from kachery_tui.storage import ByteSource, SourceChanged, Storage
from kachery_tui.storage.index_query import ENTRY_FIELDS
from tests.storage.helpers import assert_true_to_names, chunked, put_by_hand, sha1_of, tmp_files


def test_a_stored_file_is_found_and_listed(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "notes on things.txt"
    source.write_bytes(b"hello")
    stored = storage.store(source)
    assert str(stored.uri) == f"sha1://{sha1_of(b'hello')}/notes on things.txt"
    found = storage.find(stored.uri.sha1)
    assert found is not None
    assert (found.path.read_bytes(), found.size, found.kind) == (b"hello", 5, "file")
    assert found.path.stat().st_mode & 0o777 == 0o600
    entry = storage.index.get(stored.uri.sha1)
    assert entry is not None
    assert (entry.name, entry.origin, entry.size) == (source.name, str(source), 5)
    assert tmp_files(storage) == []


def test_what_is_here_already_adds_nothing(storage: Storage, tmp_path: Path) -> None:
    source, twin = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"same")
    twin.write_bytes(b"same")
    assert storage.store(source).added_bytes == 4
    assert storage.store(source).added_bytes == 0
    assert storage.store(twin).added_bytes == 0
    assert storage.store_bytes(b"same").added_bytes == 0
    assert assert_true_to_names(storage) == 1


def test_a_broken_file_of_that_name_is_replaced(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(b"whole")
    path = storage.folder / "sha1"
    sha1 = put_by_hand(storage, b"whole")
    next(p for p in path.rglob(sha1)).write_bytes(b"who")
    assert storage.store(source).added_bytes == 5
    assert assert_true_to_names(storage) == 1


def test_zero_bytes_are_a_file(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "empty"
    source.touch()
    stored = storage.store(source)
    assert stored.size == 0
    assert storage.verify(stored.uri.sha1)
    assert storage.read_bytes(stored.uri.sha1, 0) == b""


def test_a_symbolic_link_is_followed(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"there")
    (tmp_path / "link").symlink_to("target")
    stored = storage.store(tmp_path / "link")
    assert stored.uri.name == "link"
    assert storage.read_bytes(stored.uri.sha1, 10) == b"there"


def test_names_that_are_no_text_are_stored(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / os.fsdecode(b"caf\xe9.txt")
    source.write_bytes(b"x")
    stored = storage.store(source)
    assert storage.store(source).added_bytes == 0
    assert storage.find(stored.uri.sha1) is not None
    linked = tmp_path / os.fsdecode(b"th\xe9.txt")
    linked.write_bytes(b"y")
    assert storage.find(storage.link(linked).uri.sha1) is not None
    where = parse_filter(os.fsdecode(b"\xe9"), ENTRY_FIELDS)
    assert [entry.size for entry in storage.index.page(order="name", where=where)] == [1, 1]


def test_odd_sources_are_refused(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)
        listener.bind("socket")
        cases = {
            tmp_path / "missing": "No such file",
            tmp_path: "it is a folder",
            tmp_path / "pipe": "a pipe",
            Path("/dev/null"): "a device",
            tmp_path / "socket": "a socket",
            tmp_path / ("x" * 300): "too long",
        }
        for path, why in cases.items():
            for action in (storage.store, storage.link):
                with pytest.raises(UsageError, match=why) as caught:
                    action(path)
                assert str(path) in caught.value.what
    assert tmp_files(storage) == []


def test_a_file_of_proc_that_hides_its_size_is_refused(storage: Storage) -> None:
    with pytest.raises(SourceChanged):
        storage.store(Path("/proc/self/status"))
    assert assert_true_to_names(storage) == 0


_UNREADABLE = """
import os, sys
from pathlib import Path
from kachery_tui.errors import NotAllowed
from kachery_tui.storage import Storage
storage = Storage.open(Path(sys.argv[1]))
os.setuid(65534) if os.getuid() == 0 else None
for action in (storage.store, storage.link):
    try:
        action(Path(sys.argv[2]))
    except NotAllowed as error:
        print(error)
"""


def test_an_unreadable_source_is_refused(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "secret"
    source.write_bytes(b"secret")
    source.chmod(0)
    result = subprocess.run(
        [sys.executable, "-c", _UNREADABLE, storage.folder, source],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.count("Permission denied") == 2, result


def test_an_unwritable_folder_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"is not a folder.*--storage"):
        Storage.open(tmp_path / "file")
    with pytest.raises((NotAllowed, UsageError)) as caught:
        Storage.open(Path("/proc/kachery-storage"))
    assert "/proc/kachery-storage" in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 1 << 20, 25_000_000])
def test_a_source_that_is_written_to_meanwhile_is_refused(
    storage: Storage, tmp_path: Path, size: int
) -> None:
    source = tmp_path / "growing"
    source.write_bytes(b"x" * size)
    written = threading.Event()

    def grow(_done: int) -> None:
        if not written.is_set():
            written.set()
            with source.open("ab") as file:
                file.write(b"more")

    with pytest.raises(SourceChanged, match="changed while") as caught:
        storage.store(source, progress=grow)
    assert isinstance(caught.value, TryAgain)
    assert assert_true_to_names(storage) == 0
    assert tmp_files(storage) == []
    assert storage.store(source).size == size + 4


def test_a_source_that_is_cut_short_meanwhile_is_refused(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "shrinking"
    source.write_bytes(b"x" * 30_000_000)
    with pytest.raises(SourceChanged):
        storage.store(source, progress=lambda _done: os.truncate(source, 1000))
    assert assert_true_to_names(storage) == 0
    assert tmp_files(storage) == []


def test_progress_grows_to_the_size_and_raising_from_it_cancels(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.write_bytes(chunked())
    seen: list[int] = []

    def stop(done: int) -> None:
        seen.append(done)
        if done > 10_000_000:
            raise InterruptedError("enough")

    with pytest.raises((InterruptedError, KacheryError)):
        storage.store(source, progress=stop)
    assert assert_true_to_names(storage) == 0
    assert tmp_files(storage) == []
    assert not [t for t in threading.enumerate() if t.name in ("whole", "chunks", "flush")]

    seen.clear()
    storage.store(source, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 41_000_000


def test_one_file_stored_by_many_threads_at_once(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "shared"
    source.write_bytes(os.urandom(3_000_000))
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.append(str(storage.store(source).uri))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1
    assert len(results) == 8
    assert assert_true_to_names(storage) == 1
    assert storage.index.count() == 1


def test_manifest_and_chunks_of_a_stored_file(storage: Storage, tmp_path: Path) -> None:
    data = chunked()
    source = tmp_path / "large"
    source.write_bytes(data)
    uri = storage.store(source).uri
    manifest = storage.manifest_of(uri.sha1)
    assert manifest is not None
    assert [chunk.sha1 for chunk in manifest.chunks] == [
        sha1_of(data[chunk.start : chunk.end]) for chunk in manifest.chunks
    ]
    whole = FileKey(uri.sha1)
    second = manifest.chunks[1]
    source_found = storage.find_key(FileKey(second.sha1, chunk_of=ChunkOf(whole, second.start, second.end)))
    assert source_found is not None
    assert source_found.size == second.end - second.start
    assert storage.find_key(whole) == ByteSource(source_found.path, 0, len(data))

    lies = [
        FileKey(second.sha1, chunk_of=ChunkOf(whole, 0, 20_000_000)),
        FileKey(second.sha1, chunk_of=ChunkOf(whole, second.start, len(data) + 1)),
        FileKey(sha1_of(data[5:5]), chunk_of=ChunkOf(whole, 5, 5)),
        FileKey(sha1_of(data[:20_000_001]), chunk_of=ChunkOf(whole, 0, 20_000_001)),
        FileKey(second.sha1, chunk_of=ChunkOf(FileKey("0" * 40), second.start, second.end)),
    ]
    assert [storage.find_key(lie) for lie in lies] == [None] * len(lies)


def test_small_reads(storage: Storage) -> None:
    sha1 = storage.store_bytes(b"0123456789", "digits").uri.sha1
    with pytest.raises(UsageError, match="at most 9"):
        storage.read_bytes(sha1, 9)
    assert storage.read_bytes("0" * 40, 9) is None


def test_broken_bytes_are_not_given_out(storage: Storage) -> None:
    sha1 = storage.store_bytes(b"0123456789", "digits").uri.sha1
    found = storage.find(sha1)
    assert found is not None
    found.path.write_bytes(b"012345678x")
    assert not storage.verify(sha1)
    assert storage.read_bytes(sha1, 100) is None
    assert not storage.verify("0" * 40)


@pytest.mark.parametrize("bad", ["", "../../etc/passwd", "A" * 40, "a" * 39, "a" * 41, "a" * 39 + "\n"])
def test_hashes_that_are_none_are_refused(storage: Storage, bad: str) -> None:
    for action in (storage.find, storage.trash, storage.verify, storage.restore, storage.manifest_of):
        with pytest.raises(UsageError):
            action(bad)
    with pytest.raises(UsageError):
        storage.receive(bad, 1)
    with pytest.raises(UsageError):
        storage.pin(bad, True)


def test_an_interrupt_while_the_hashers_start_ends_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage.open(tmp_path / "storage")
    source = tmp_path / "source"
    source.write_bytes(bytes(CHUNK_SIZE + 1))
    start = threading.Thread.start

    def start_and_break_off(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start_and_break_off)
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        storage.store(source)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()
    storage.close()

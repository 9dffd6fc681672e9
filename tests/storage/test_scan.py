import os
import threading
from pathlib import Path

from kachery_tui.storage import Storage
from tests.storage.helpers import chunked, manifest_of, put_by_hand

GO = threading.Event()


def _settle(storage: Storage) -> None:
    """Make every folder look as if nothing had happened there for an hour."""
    for folder, _, _ in os.walk(storage.folder / "sha1"):
        os.utime(folder, (1_700_000_000, 1_700_000_000))


def test_what_others_put_there_is_found(storage: Storage) -> None:
    sha1s = {put_by_hand(storage, b"%d" % number) for number in range(300)}
    result = storage.scan(GO)
    assert (result.added, result.removed, result.changed, result.complete) == (300, 0, 0, True)
    assert {entry.sha1 for entry in storage.index.page(order="size", limit=1000)} == sha1s
    assert storage.scan(GO).added == 0


def test_what_others_take_away_is_forgotten(storage: Storage) -> None:
    sha1s = [put_by_hand(storage, b"%d" % number) for number in range(20)]
    _settle(storage)
    storage.scan(GO)
    gone = sha1s[3]
    (storage.folder / "sha1" / gone[:2] / gone[2:4] / gone[4:6] / gone).unlink()
    assert storage.scan(GO).removed == 1
    assert storage.index.get(gone) is None
    for depth in (3, 2, 1):
        sha1 = sha1s[10 + depth]
        folder = storage.folder / "sha1"
        for level in range(depth):
            folder /= sha1[2 * level : 2 * level + 2]
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
        assert storage.scan(GO).removed == 1
        assert storage.index.get(sha1) is None
    assert storage.index.count() == 16


def test_only_folders_that_changed_are_read_again(storage: Storage) -> None:
    sha1s = [put_by_hand(storage, b"%d" % number) for number in range(50)]
    _settle(storage)
    assert storage.scan(GO).added == 50
    # Behind the back of the folder times: a pass that reads everything would notice.
    storage.index.forget(sha1s[0])
    assert storage.scan(GO).added == 0
    place = storage.folder / "sha1" / sha1s[0][:2] / sha1s[0][2:4] / sha1s[0][4:6]
    os.utime(place, (1_700_000_001, 1_700_000_001))
    assert storage.scan(GO).added == 1


def test_a_folder_that_changed_just_now_is_read_again(storage: Storage) -> None:
    """Its time may be the same after another file came: file systems keep coarse times."""
    sha1 = put_by_hand(storage, b"first")
    storage.scan(GO)
    place = storage.folder / "sha1" / sha1[:2] / sha1[2:4] / sha1[4:6]
    times = place.stat().st_mtime_ns
    other = sha1[:6] + "0" * 34
    (place / other).touch()
    os.utime(place, ns=(times, times))
    assert storage.scan(GO).added == 1
    assert storage.index.get(other) is not None


def test_names_of_stored_files_survive_a_scan(storage: Storage) -> None:
    sha1 = storage.store_bytes(b"content", "name.txt", "here").uri.sha1
    assert storage.scan(GO).added == 0
    entry = storage.index.get(sha1)
    assert entry is not None
    assert (entry.name, entry.origin) == ("name.txt", "here")


def test_what_is_no_file_of_ours_is_passed_over(storage: Storage) -> None:
    sha1 = put_by_hand(storage, b"real")
    leaf = storage.folder / "sha1" / sha1[:2] / sha1[2:4] / sha1[4:6]
    (leaf / f"{sha1}.abcde.tmp").touch()
    (leaf / ("0" * 40)).touch()
    (leaf / (sha1[:6] + "f" * 34)).mkdir()
    (leaf / (sha1[:6] + "e" * 34)).symlink_to("/nowhere")
    (storage.folder / "sha1" / "note.txt").touch()
    (storage.folder / "sha1" / "zz").mkdir()
    (storage.folder / "sha1" / "00").touch()
    result = storage.scan(GO)
    assert (result.complete, storage.index.count()) == (True, 1)


def test_manifests_are_recognised_after_the_index_is_lost(storage: Storage, tmp_path: Path) -> None:
    data = chunked()
    source = tmp_path / "big"
    source.write_bytes(data)
    uri = storage.store(source).uri
    storage.close()
    for path in storage.folder.glob("kachery-tui.db*"):
        path.unlink()
    again = Storage.open(storage.folder)
    assert again.manifest_of(uri.sha1) is None
    again.scan(GO)
    assert again.manifest_of(uri.sha1) == manifest_of(data)
    again.close()


def test_a_file_replaced_by_one_of_another_size_is_noticed(storage: Storage) -> None:
    sha1 = put_by_hand(storage, b"whole")
    storage.scan(GO)
    place = storage.folder / "sha1" / sha1[:2] / sha1[2:4] / sha1[4:6] / sha1
    place.write_bytes(b"wh")
    assert storage.scan(GO).changed == 1
    assert storage.index.totals().bytes == 2


def test_a_pass_can_be_stopped_and_the_next_goes_on(storage: Storage) -> None:
    for number in range(2000):
        put_by_hand(storage, b"%d" % number)
    stopped = threading.Event()
    stopped.set()
    first = storage.scan(stopped)
    assert not first.complete
    assert first.added < 2000
    assert storage.index.count() == first.added
    second = storage.scan(GO)
    assert second.complete
    assert first.added + second.added == 2000


def test_the_trash_is_added_up(storage: Storage) -> None:
    place = storage.folder / "sha1-trash" / "ab" / "cd" / "ef"
    place.mkdir(parents=True)
    (place / ("abcdef" + "0" * 34)).write_bytes(b"12345")
    storage.scan(GO)
    assert storage.totals().trash_bytes == 5


def test_files_stored_during_a_pass_stay(storage: Storage) -> None:
    for number in range(1500):
        put_by_hand(storage, b"%d" % number)
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(storage.scan(GO).complete))
    thread.start()
    stored, count = [], 0
    while thread.is_alive() or count < 5:
        sha1 = storage.store_bytes(os.urandom(100), "during").uri.sha1
        count += 1
        if count % 3:
            stored.append(sha1)
        else:
            storage.trash(sha1)
    thread.join()
    assert results == [True]
    assert all(storage.index.get(sha1) is not None for sha1 in stored)
    storage.scan(GO)
    assert storage.index.count() == 1500 + len(stored)

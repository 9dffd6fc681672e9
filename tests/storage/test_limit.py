"""Size limit, pins, trash."""

import os
import random
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kachery_tui.errors import UsageError
from kachery_tui.storage import Entry, Storage
from kachery_tui.storage.eviction import choose, excess_over
from tests.storage.helpers import assert_true_to_names


def _limit(storage: Storage, text: str) -> None:
    (storage.folder / "kachery.yaml").write_text(text)


def _put(storage: Storage, letter: str, size: int) -> str:
    return storage.store_bytes(letter.encode() * size, letter).uri.sha1


def test_above_the_limit_the_long_unused_and_large_go_first(storage: Storage) -> None:
    _limit(storage, "maxCacheSizeGiB: 0.00001\n")  # 10,000 bytes
    assert storage.limit_bytes() == 10_000
    old_large, old_small = _put(storage, "a", 4000), _put(storage, "b", 10)
    used, pinned = _put(storage, "c", 3500), _put(storage, "d", 3000)
    assert storage.totals().limit == 10_000
    storage.touch(used)
    would = storage.evict(dry_run=True)
    assert [entry.sha1 for entry in would] == [old_large]
    assert storage.find(old_large) is not None
    assert storage.evict() == would
    assert storage.find(old_large) is None
    assert all(storage.find(sha1) is not None for sha1 in (old_small, used, pinned))
    totals = storage.totals()
    assert (totals.bytes, totals.trash_bytes) == (6510, 4000)
    assert storage.evict() == []
    assert (
        storage.folder / "sha1-trash" / old_large[:2] / old_large[2:4] / old_large[4:6] / old_large
    ).exists()


def test_the_pinned_and_those_in_use_stay(storage: Storage) -> None:
    _limit(storage, "maxCacheSizeGiB: 0.000001\n")  # 1,000 bytes
    pinned, busy, other = (_put(storage, letter, 2000) for letter in "abc")
    storage.pin(pinned, True)
    with storage.using(busy):
        assert [entry.sha1 for entry in storage.evict()] == [other]
    assert storage.find(pinned) is not None
    assert [entry.sha1 for entry in storage.evict()] == [busy]
    assert storage.evict() == []
    with pytest.raises(UsageError, match="pinned"):
        storage.trash(pinned)
    storage.pin(pinned, False)
    assert [entry.sha1 for entry in storage.evict()] == [pinned]


def test_a_pin_outlives_the_index(storage: Storage) -> None:
    _limit(storage, "maxCacheSizeGiB: 0.000001\n")
    pinned = _put(storage, "a", 2000)
    storage.pin(pinned, True)
    storage.close()
    for path in storage.folder.glob("kachery-tui.db*"):
        path.unlink()
    again = Storage.open(storage.folder)
    again.scan(threading.Event())
    assert again.evict() == []
    assert [entry.pinned for entry in again.index.page(order="name")] == [True]
    again.close()


def test_what_is_not_here_cannot_be_pinned(storage: Storage) -> None:
    with pytest.raises(UsageError, match="not in storage"):
        storage.pin("a" * 40, True)
    storage.pin("a" * 40, False)


def test_pins_from_several_threads_all_count(storage: Storage) -> None:
    sha1s = [_put(storage, letter, 5) for letter in "abcdefgh"]
    threads = [threading.Thread(target=storage.pin, args=(sha1, True)) for sha1 in sha1s]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (storage.folder / "kachery-tui-pins.txt").read_text().splitlines()
    assert lines == sorted(sha1s)


def test_links_cost_nothing(storage: Storage, tmp_path: Path) -> None:
    _limit(storage, "maxCacheSizeGiB: 0.000001\n")
    source = tmp_path / "linked"
    source.write_bytes(b"l" * 5000)
    storage.link(source)
    assert storage.evict() == []
    assert storage.totals().bytes == 0


def test_a_link_stays_when_the_copy_of_its_file_goes(storage: Storage, tmp_path: Path) -> None:
    _limit(storage, "maxCacheSizeGiB: 0.000001\n")
    source = tmp_path / "linked"
    source.write_bytes(b"l" * 5000)
    sha1 = storage.link(source).uri.sha1
    storage.store(source)
    assert [entry.sha1 for entry in storage.evict()] == [sha1]
    found = storage.find(sha1)
    assert found is not None
    assert found.kind == "link"
    totals = storage.totals()
    assert (totals.bytes, totals.links, totals.trash_bytes) == (0, 1, 5000)


def test_files_that_went_by_themselves_do_not_stop_the_others(storage: Storage) -> None:
    _limit(storage, "maxCacheSizeGiB: 0.000001\n")
    gone, here = _put(storage, "a", 600), _put(storage, "b", 600)
    found = storage.find(gone)
    assert found is not None
    found.path.unlink()
    storage.evict()
    assert storage.index.get(gone) is None
    assert {entry.sha1 for entry in storage.index.page(order="name")} <= {here}


def test_which_files_are_chosen() -> None:
    def entry(name: str, size: int, pinned: bool = False) -> Entry:
        return Entry(name * 40, size, name, 0, 0, "", pinned, "file", None)

    files = [entry("a", 10), entry("b", 50, pinned=True), entry("c", 100), entry("d", 30), entry("e", 1000)]
    assert [e.name for e in choose(files, 100, lambda _: False)] == ["c"]
    assert [e.name for e in choose(files, 105, lambda _: False)] == ["c", "d"]
    assert [e.name for e in choose(files, 100, lambda sha1: sha1[0] == "c")] == ["e"]
    assert [e.name for e in choose(files, 10**6, lambda _: False)] == ["e", "c", "d", "a"]
    assert excess_over(None, 10**9) == 0
    assert excess_over(100, 100) == 0
    assert excess_over(100, 101) == pytest.approx(31)


def test_a_changed_settings_file_counts_at_once(storage: Storage) -> None:
    for gigabytes in (1, 22, 333):
        _limit(storage, f"maxCacheSizeGiB: {gigabytes}\n")
        assert storage.limit_bytes() == gigabytes * 10**9
    (storage.folder / "kachery.yaml").unlink()
    assert storage.limit_bytes() is None


@pytest.mark.parametrize("text", ["", "# nothing\n", "other: 5\n", "maxCacheSizeGiB:\n"])
def test_no_limit(storage: Storage, text: str) -> None:
    assert storage.limit_bytes() is None
    _limit(storage, text)
    assert storage.limit_bytes() is None
    assert storage.evict() == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("maxCacheSizeGiB: many\n", "'many' (str)"),
        ("maxCacheSizeGiB: -5\n", "'-5' (int)"),
        ("maxCacheSizeGiB: 0\n", "'0' (int)"),
        ("maxCacheSizeGiB: .nan\n", "'nan' (float)"),
        ("maxCacheSizeGiB: .inf\n", "'inf' (float)"),
        ("maxCacheSizeGiB: true\n", "'True' (bool)"),
        ("maxCacheSizeGiB: [1]\n", "a list"),
        ("maxCacheSizeGiB: " + "9" * 6000 + "\n", "int"),
        ("- a list\n", "a list"),
        ("just text", "'just text' (str)"),
        ("a: [\n", "not readable YAML"),
        ("a: " + "[" * 10_000, "not readable YAML"),
        ("? {a: 1}\n: 2\n", "not readable YAML"),
        ("!!python/object/apply:os.system ['true']\n", "not readable YAML"),
        ("2024-99-99: 1\n", "not readable YAML"),
        ("\x00", "not readable YAML"),
        ("#" * 17_000, "larger than"),
        ("a: &a [x,x]\nb: &b [*a,*a]\nmaxCacheSizeGiB: [*b,*b]\n", "a list"),
    ],
)
def test_a_bad_settings_file_is_refused_by_name(storage: Storage, text: str, found: str) -> None:
    _limit(storage, text)
    for action in (storage.limit_bytes, storage.evict):
        with pytest.raises(UsageError) as caught:
            action()
        assert found in str(caught.value)
        assert "kachery.yaml" in str(caught.value)
        assert len(str(caught.value)) < 500
    assert storage.totals().limit is None


def test_trash_and_back(storage: Storage, tmp_path: Path) -> None:
    sha1 = _put(storage, "a", 500)
    source = tmp_path / "linked"
    source.write_bytes(b"linked")
    link = storage.link(source).uri.sha1
    for each in (sha1, link):
        storage.trash(each)
        assert storage.find(each) is None
        assert storage.index.get(each) is None
        with pytest.raises(UsageError, match="not in storage"):
            storage.trash(each)
    assert storage.totals().trash_bytes == 500
    for each in (sha1, link):
        storage.restore(each)
        assert storage.find(each) is not None
        with pytest.raises(UsageError, match="not in the trash"):
            storage.restore(each)
    assert source.read_bytes() == b"linked"
    totals = storage.totals()
    assert (totals.files, totals.links, totals.bytes, totals.trash_bytes) == (1, 1, 500, 0)


def test_storing_again_what_is_in_the_trash_takes_it_out_there(storage: Storage) -> None:
    sha1 = _put(storage, "a", 500)
    storage.trash(sha1)
    assert _put(storage, "a", 500) == sha1
    assert storage.totals().trash_bytes == 0
    assert not list((storage.folder / "sha1-trash").rglob(sha1))
    assert assert_true_to_names(storage) == 1


def test_emptying_the_trash_frees_its_bytes(storage: Storage) -> None:
    kept = _put(storage, "k", 100)
    for letter in "abc":
        storage.trash(_put(storage, letter, 500))
    assert storage.empty_trash() == 1500
    assert storage.totals().trash_bytes == 0
    assert storage.find(kept) is not None
    assert storage.empty_trash() == 0


def test_an_unreadable_pin_file_keeps_everything(storage: Storage) -> None:
    """Not knowing what is pinned, nothing may be evicted."""
    from kachery_tui.errors import KacheryError

    _limit(storage, "maxCacheSizeGiB: 0.000001\n")
    sha1 = _put(storage, "a", 2000)
    (storage.folder / "kachery-tui-pins.txt").mkdir()
    with pytest.raises(KacheryError, match="pinned"):
        storage.evict()
    assert storage.find(sha1) is not None


@pytest.mark.parametrize("share", [0.3, 0.8, 1.0, 1.5])
def test_what_goes_next_is_what_eviction_takes(storage: Storage, share: float) -> None:
    chance = random.Random(7)
    hashes = [storage.store_bytes(chance.randbytes(chance.randrange(1, 400))).uri.sha1 for _ in range(60)]
    chance.shuffle(hashes)
    for used, sha1 in enumerate(hashes):
        storage.index._db.write(_set_used(sha1, used))
    storage.store_bytes(b"", "empty")
    storage.pin(hashes[0], True)
    held = storage.totals().bytes
    limit = round(held * share)
    with storage.using(hashes[1]):
        assert [entry.sha1 for entry in storage.next_to_go(1_000)[0]] == hashes[2:]
        _limit(storage, f"maxCacheSizeGiB: {limit / 1e9:.9f}\n")
        entries, over = storage.next_to_go(1_000)
        assert storage.next_to_go(3) == (entries[:3], over)
        taken = storage.evict(dry_run=True)
    if share < 1:
        assert over == int(held - limit * 0.7)
    else:
        assert (over, taken) == (0, [])
        taken = choose(storage.index.oldest(), limit * 0.3, lambda sha1: sha1 in hashes[:2])
    assert entries[: len(taken)] == taken
    rest = [entry.sha1 for entry in entries[len(taken) :]]
    assert rest == sorted(rest, key=hashes.index)
    assert sorted(entry.sha1 for entry in entries) == sorted(hashes[2:])


def _set_used(sha1: str, used: float) -> Callable[[sqlite3.Connection], None]:
    def work(db: sqlite3.Connection) -> None:
        db.execute("UPDATE entries SET used = ? WHERE sha1 = ?", (used, sha1))

    return work


def test_a_pinned_file_that_another_program_trashed_is_pinned_when_it_is_back(storage: Storage) -> None:
    sha1 = storage.store_bytes(b"content", "name").uri.sha1
    storage.pin(sha1, True)
    place = Path(sha1[:2], sha1[2:4], sha1[4:6], sha1)
    (storage.folder / "sha1-trash" / place).parent.mkdir(parents=True)
    (storage.folder / "sha1" / place).rename(storage.folder / "sha1-trash" / place)
    assert storage.scan(threading.Event()).removed == 1
    storage.restore(sha1)
    entry = storage.index.get(sha1)
    assert entry is not None
    assert entry.pinned


def test_what_is_known_of_a_trashed_file_goes_when_it_is_stored_again(storage: Storage) -> None:
    sha1 = storage.store_bytes(b"content", "old name").uri.sha1
    storage.trash(sha1)
    assert storage.store_bytes(b"content", "new name").uri.sha1 == sha1
    assert storage.trashed(10) == ([], False)
    place = Path(sha1[:2], sha1[2:4], sha1[4:6], sha1)
    (storage.folder / "sha1" / place).rename(storage.folder / "sha1-trash" / place)
    storage.scan(threading.Event())
    (file,), _ = storage.trashed(10)
    assert file.name == ""


def test_of_the_trash_only_what_can_come_back_is_listed(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "both.dat"
    path.write_bytes(b"both")
    sha1 = storage.link(path).uri.sha1
    storage.store(path)
    storage.trash(sha1)
    trash = storage.folder / "sha1-trash"
    (trash / ("a" * 40)).write_bytes(b"at a wrong place")
    (trash / "notes.txt").write_bytes(b"not a hash")
    odd = trash / "bb" / "bb" / "bb"
    odd.mkdir(parents=True)
    os.mkfifo(odd / ("b" * 40 + ".link"))
    (file,), more = storage.trashed(1)
    assert (file.sha1, file.size, file.name, more) == (sha1, 4, "both.dat", False)
    storage.trash(storage.store_bytes(b"another", "another").uri.sha1)
    assert [len(storage.trashed(limit)[0]) for limit in (0, 1, 2, 3)] == [0, 1, 2, 2]
    assert [storage.trashed(limit)[1] for limit in (0, 1, 2, 3)] == [True, True, False, False]
    monkeypatch.setattr("kachery_tui.storage.trash.MOST_LOOKED_AT", 1)
    assert storage.trashed(10)[1]

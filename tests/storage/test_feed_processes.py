"""Several programs at once on the feeds of one folder, and kill -9 in the middle of it."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from kachery_tui.storage.chain_check import check_subfeed
from kachery_tui.storage.feeds import FeedStore
from tests.storage.feed_helpers import FEED, LOG, appending, assert_chain, chain, promised

ROUNDS = 8
# So often at most, until a kill has met a commit.
MOST_ROUNDS = 60


def test_two_processes_append_to_one_subfeed(store: FeedStore, tmp_path: Path) -> None:
    feed = store.create()
    store.close()
    # Each may be the one that makes the file.
    (tmp_path / "feeds.db").unlink()
    processes = [appending(tmp_path, feed, by, 150) for by in ("ana", "ben")]
    numbers = [promised(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(numbers[0] + numbers[1]) == list(range(300))
    found = assert_chain(tmp_path, feed, LOG)
    assert len(found) == 300
    for by, its in zip(("ana", "ben"), numbers, strict=True):
        assert its == sorted(its)
        assert [(found[number]["by"], found[number]["n"]) for number in its] == [(by, n) for n in range(150)]


def test_threads_append_to_one_subfeed(store: FeedStore, tmp_path: Path) -> None:
    feed = store.create()

    def append(by: int) -> list[int]:
        return [store.append(feed, LOG, [{"by": by, "n": n}])[0].number for n in range(30)]

    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(append, range(4)))
    found = assert_chain(tmp_path, feed, LOG)
    assert sorted(number for its in numbers for number in its) == list(range(120))
    for by, its in enumerate(numbers):
        assert [found[number] for number in its] == [{"by": by, "n": n} for n in range(30)]


def wait_for_commit(journal: Path) -> None:
    """Wait until somebody is in the middle of a commit, for a while: it may be over before it is seen."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        with suppress(FileNotFoundError):
            if journal.stat().st_size > 0:
                return


def test_killed_while_appending(store: FeedStore, tmp_path: Path) -> None:
    feed = store.create()
    chance = random.Random(7)
    expected: list[tuple[str, int]] = []
    commits_met = 0
    for number in range(MOST_ROUNDS):
        if number >= ROUNDS and commits_met:
            break
        by = f"run {number}"
        journal = tmp_path / "feeds.db-journal"
        with appending(tmp_path, feed, by, 100_000, batch=4, pad=100_000) as process:
            assert process.stdout is not None
            said = "".join(process.stdout.readline() for _ in range(1 + chance.randrange(4)))
            if number % 2:
                time.sleep(chance.uniform(0, 0.02))
            else:
                wait_for_commit(journal)
            process.kill()
            said += process.stdout.read()
        # The journal says what was there before a commit, and is emptied at its end.
        commits_met += journal.exists() and journal.stat().st_size > 0
        start, numbers = len(expected), promised(said)
        assert numbers == list(range(start, start + len(numbers)))
        count = store.head(feed, LOG).count
        # One batch more may be there than could be said, and never a part of one.
        assert (count - start) % 4 == 0
        assert 0 <= count - start - len(numbers) // 4 * 4 <= 4
        expected += [(by, n) for n in range(count - start)]
        (added,) = store.append(feed, LOG, [{"by": "us", "n": 0}])
        expected.append(("us", 0))
        assert added.number == count
        assert [(one["by"], one["n"]) for one in assert_chain(tmp_path, feed, LOG)] == expected
    # Else no kill came in the middle of anything.
    assert commits_met
    assert check_subfeed(store, None, feed, LOG) is None


def test_one_goes_on_when_another_is_killed(store: FeedStore, tmp_path: Path) -> None:
    feed = store.create()
    with (
        appending(tmp_path, feed, "killed", 100_000, batch=3) as killed,
        appending(tmp_path, feed, "alive", 60) as alive,
    ):
        assert killed.stdout is not None
        assert alive.stdout is not None
        said = "".join(alive.stdout.readline() for _ in range(6))
        other = "".join(killed.stdout.readline() for _ in range(6))
        killed.kill()
        other += killed.stdout.read()
        said += alive.stdout.read()
    found = assert_chain(tmp_path, feed, LOG)
    its, others = promised(said), promised(other)
    assert [(found[number]["by"], found[number]["n"]) for number in its] == [("alive", n) for n in range(60)]
    whole = [(found[number]["by"], found[number]["n"]) for number in others]
    assert whole == [("killed", n) for n in range(len(others))]
    assert len(found) - 60 - len(others) in range(6)


def test_two_programs_keep_the_same_messages(tmp_path: Path) -> None:
    messages = chain(200)
    stores = [FeedStore(tmp_path) for _ in range(3)]

    def keep(store: FeedStore) -> int:
        added = 0
        for start in range(0, 200, 10):
            good, bad = store.keep(FEED, LOG, messages[max(0, start - 5) : start + 10])
            assert bad is None
            added += len(good)
        return added

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(keep, stores)) == 200
    for store in stores:
        store.close()
    assert assert_chain(tmp_path, FEED, LOG) == [{"n": n} for n in range(200)]

"""Who may read and write in a storage folder: the owner alone, or the group that shares it, each user as himself."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from kachery_tui.errors import KacheryError, NotAllowed
from kachery_tui.storage import Storage
from kachery_tui.storage.atomic import move
from kachery_tui.storage.modes import SHARED
from kachery_tui.storage.problems import StorageBusy
from tests.storage.helpers import sha1_of
from tests.users import ANA, BEN, LAB, User, make_reachable, need_root


def modes(folder: Path) -> dict[str, int]:
    """The bits of everything below a folder, itself included."""
    return {
        str(path.relative_to(folder.parent)): stat.S_IMODE(path.lstat().st_mode)
        for path in (folder, *folder.rglob("*"))
    }


def put(folder: Path, name: str, data: bytes) -> str:
    """Store bytes as a file of that name; its hash."""
    storage = Storage.open(folder)
    try:
        return storage.store_bytes(data, name).uri.sha1
    finally:
        storage.close()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_folder_of_ones_own_is_nobody_elses_concern(tmp_path: Path, umask: int) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"secret")
    secret.chmod(0o600)
    before = os.umask(umask)
    try:
        storage = Storage.open(tmp_path / "storage")
        storage.claim()
        storage.node_key()
        sha1 = storage.store(secret).uri.sha1
        storage.pin(sha1, True)
        storage.pin(sha1, False)
        storage.trash(sha1)
        storage.link(secret)
        storage.feed_notes.learn("name")
        feed = storage.feeds.create("log")
        storage.feeds.append(feed, "0" * 40, [{}])
        history = storage.history()
        assert history is not None
        history.save([])
        incoming = storage.receive("ab" * 20, 5)
        shown = modes(storage.folder)
        incoming.close(keep=False)
        storage.close()
    finally:
        os.umask(before)
    assert {name: oct(mode) for name, mode in shown.items() if mode & 0o077} == {}


def test_what_an_earlier_version_left_open_is_closed(tmp_path: Path) -> None:
    put(tmp_path / "storage", "a", b"a")
    for name in ("kachery-tui.db", "kachery-tui.lock"):
        (tmp_path / "storage" / name).touch()
        (tmp_path / "storage" / name).chmod(0o644)
    storage = Storage.open(tmp_path / "storage")
    storage.claim()
    storage.close()
    assert modes(tmp_path / "storage")["storage/kachery-tui.db"] == 0o600
    assert modes(tmp_path / "storage")["storage/kachery-tui.lock"] == 0o600


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder that a group shares, and all that its users need, used once."""
    need_root()
    warm = put(tmp_path / "warm", "n", b"n")
    opened = Storage.open(tmp_path / "warm")
    opened.claim()
    opened.node_key(tmp_path)
    opened.trash(warm)
    opened.restore(warm)
    opened.pin(warm, True)
    assert [entry.sha1 for entry in opened.index.page(order="name", limit=10)]
    opened.close()
    folder = tmp_path / "lab"
    folder.mkdir()
    os.chown(folder, 0, LAB)
    folder.chmod(0o2770)
    make_reachable(folder)
    return folder


def as_user(uid: int, umask: int, work: Callable[[], object]) -> User:
    return User(uid, [uid, LAB], umask, work)


@pytest.mark.parametrize("first", [0o022, 0o002, 0o077])
@pytest.mark.parametrize("second", [0o022, 0o002])
def test_a_group_shares_a_folder(lab: Path, first: int, second: int) -> None:
    """One stores, the other finds, lists, pins, trashes, stores; and the first goes on."""

    def ana() -> None:
        put(lab, "ana.dat", b"of ana")

    def ben() -> None:
        storage = Storage.open(lab)
        found = storage.find(sha1_of(b"of ana"))
        assert found is not None
        assert found.path.read_bytes() == b"of ana"
        assert [entry.name for entry in storage.index.page(order="name", limit=10)] == ["ana.dat"]
        storage.pin(found.sha1, True)
        storage.pin(found.sha1, False)
        storage.trash(found.sha1)
        storage.restore(found.sha1)
        storage.store_bytes(b"of ben", "ben.dat")
        storage.store_bytes(b"of ana", "ana.dat")
        storage.close()

    def ana_again() -> None:
        storage = Storage.open(lab)
        names = {entry.name for entry in storage.index.page(order="name", limit=10)}
        assert names == {"ana.dat", "ben.dat"}
        assert storage.index.get(sha1_of(b"of ben")) is not None
        storage.trash(sha1_of(b"of ben"))
        storage.close()

    assert as_user(ANA, first, ana).ended_well()
    index = (lab / "kachery-tui.db").stat().st_ino
    assert as_user(BEN, second, ben).ended_well()
    assert as_user(ANA, first, ana_again).ended_well()
    assert (lab / "kachery-tui.db").stat().st_ino == index
    for name, mode in modes(lab).items():
        assert mode in (0o660, 0o2770), (name, oct(mode))


def test_they_make_the_same_folders_at_the_same_time(lab: Path) -> None:
    """Each moves a file of his own into every one; a folder gets its bits a moment after it is made."""

    def fills(user: str) -> Callable[[], None]:
        def work() -> None:
            for number in range(300):
                file = lab / "tmp" / f"{user}-{number}"
                file.touch()
                move(file, lab / "sha1" / f"{number:03}" / "ab" / user, SHARED)

        return work

    Storage.open(lab).close()
    users = [as_user(uid, 0o077, fills(f"{uid}-{turn}")) for uid in (ANA, BEN) for turn in range(2)]
    assert [user.ended_well() for user in users] == [True] * 4
    folders = [path for path in lab.rglob("*") if path.is_dir()]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o2770}
    assert len(list(lab.rglob("ab/*"))) == 1200


def test_they_store_at_the_same_time(lab: Path) -> None:
    def many(user: str) -> Callable[[], None]:
        def work() -> None:
            storage = Storage.open(lab)
            for number in range(150):
                storage.store_bytes(f"{user} {number}".encode(), f"{user}{number}")
            storage.close()

        return work

    users = [
        as_user(ANA, 0o022, many("ana")),
        as_user(BEN, 0o077, many("ben")),
        as_user(ANA, 0o002, many("eve")),
    ]
    assert [user.ended_well() for user in users] == [True] * 3
    storage = Storage.open(lab)
    assert storage.totals().files == 450
    storage.close()


def test_each_user_has_a_key_of_his_own(lab: Path, tmp_path: Path) -> None:
    for name, uid in (("ana", ANA), ("ben", BEN)):
        (tmp_path / name).mkdir(mode=0o700)
        os.chown(tmp_path / name, uid, uid)

    def key_of(name: str) -> Callable[[], None]:
        def work() -> None:
            storage = Storage.open(lab)
            node_id = storage.node_key(tmp_path / name).node_id
            assert storage.node_key(tmp_path / name).node_id == node_id
            (tmp_path / name / "id").write_text(node_id)
            storage.close()

        return work

    assert as_user(ANA, 0o022, key_of("ana")).ended_well()
    assert as_user(BEN, 0o022, key_of("ben")).ended_well()
    ids = [(tmp_path / name / "id").read_text() for name in ("ana", "ben")]
    assert ids[0] == (lab / "kachery-node-id").read_text()
    assert ids[1] == (tmp_path / "ben" / "kachery-node-id").read_text()
    assert ids[0] != ids[1]
    assert stat.S_IMODE((lab / "private.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ben" / "private.pem").stat().st_mode) == 0o600


def test_one_node_at_a_time_whoever_runs_it(lab: Path) -> None:
    def claims() -> None:
        storage = Storage.open(lab)
        storage.claim()
        storage.close()

    assert as_user(ANA, 0o022, claims).ended_well()
    storage = Storage.open(lab)
    storage.claim()

    def is_busy() -> None:
        with pytest.raises(StorageBusy, match="runs on it"):
            claims()

    assert as_user(BEN, 0o022, is_busy).ended_well()
    storage.close()
    assert as_user(BEN, 0o022, claims).ended_well()


def test_an_index_that_one_may_not_write_to_is_read_and_stays(lab: Path) -> None:
    """As an earlier version left it: nobody else's index is thrown away."""
    assert as_user(ANA, 0o022, lambda: put(lab, "ana.dat", b"of ana")).ended_well()
    (lab / "kachery-tui.db").chmod(0o644)
    index = (lab / "kachery-tui.db").stat().st_ino

    def ben() -> None:
        storage = Storage.open(lab)
        sha1 = storage.store_bytes(b"of ben", "ben.dat").uri.sha1
        assert storage.find(sha1) is not None
        storage.trash(sha1)
        storage.close()

    assert as_user(BEN, 0o022, ben).ended_well()
    assert (lab / "kachery-tui.db").stat().st_ino == index
    storage = Storage.open(lab)
    entry = storage.index.get(sha1_of(b"of ana"))
    assert entry is not None
    assert entry.name == "ana.dat"
    storage.close()


def test_somebody_outside_of_the_group_gets_nothing(lab: Path) -> None:
    assert as_user(ANA, 0o002, lambda: put(lab, "ana.dat", b"of ana")).ended_well()

    def outside() -> None:
        with pytest.raises(NotAllowed):
            Storage.open(lab)
        with pytest.raises(PermissionError):
            os.open(lab / "kachery-tui.db", os.O_RDONLY)

    assert User(ANA + 10, [ANA + 10], 0o022, outside).ended_well()


def test_a_stranger_cannot_hold_the_lock(tmp_path: Path) -> None:
    need_root()
    storage = Storage.open(tmp_path / "storage")
    storage.folder.chmod(0o755)
    storage.claim()
    storage.close()

    def stranger() -> None:
        for name in ("kachery-tui.lock", "kachery-tui.db"):
            with pytest.raises(PermissionError):
                os.open(tmp_path / "storage" / name, os.O_RDONLY)

    make_reachable(tmp_path / "storage")
    assert User(ANA, [ANA], 0o022, stranger).ended_well()


@pytest.mark.parametrize("what", ["link", "dangling", "fifo", "folder"])
def test_what_was_planted_in_place_of_a_temporary_file_is_not_written(tmp_path: Path, what: str) -> None:
    storage = Storage.open(tmp_path / "storage")
    data = b"twelve bytes"
    sha1 = sha1_of(data)
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious, and longer than what arrives")
    part = storage.folder / "tmp" / f"{sha1}.part"
    if what == "link":
        part.symlink_to(precious)
    elif what == "dangling":
        part.symlink_to(tmp_path / "new")
    elif what == "fifo":
        os.mkfifo(part)
    else:
        part.mkdir()
    if what in ("fifo", "folder"):
        with pytest.raises(Exception, match="cannot receive"):
            storage.receive(sha1, len(data))
    else:
        incoming = storage.receive(sha1, len(data))
        writer = incoming.writer(0)
        writer.write(memoryview(data))
        writer.finish()
        assert incoming.commit().path.read_bytes() == data
    assert precious.read_bytes() == b"precious, and longer than what arrives"
    assert not (tmp_path / "new").exists()
    storage.clean_tmp()
    assert precious.exists()
    storage.close()


def test_a_lock_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    storage = Storage.open(tmp_path / "storage")
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (storage.folder / "kachery-tui.lock").symlink_to(precious)
    with pytest.raises(Exception, match="cannot claim"):
        storage.claim()
    assert precious.read_bytes() == b"precious"
    storage.close()


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_in_a_shared_folder_no_database_is_a_link_to_another_file(
    lab: Path, tmp_path: Path, suffix: str
) -> None:
    """Whoever may write to the folder would have another user's program write to that user's own files."""
    precious = tmp_path / "precious"
    database = sqlite3.connect(precious)
    database.execute("CREATE TABLE t (x)")
    database.execute("PRAGMA user_version = 7")
    database.commit()
    database.close()
    precious.chmod(0o600)
    before = precious.read_bytes()
    for name in ("kachery-tui.db", "feeds.db", "kachery-tui-feeds.db"):
        (lab / f"{name}{suffix}").symlink_to(precious)
    storage = Storage.open(lab)
    sha1 = storage.store_bytes(b"of ana", "ana.dat").uri.sha1
    assert storage.find(sha1) is not None
    for use in (lambda: storage.feeds.create("log"), lambda: storage.feed_notes.learn("name")):
        with suppress(KacheryError):
            use()
    storage.close()
    assert precious.read_bytes() == before
    assert stat.S_IMODE(precious.stat().st_mode) == 0o600


def test_of_ones_own_folder_a_database_may_stand_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    (tmp_path / "storage").mkdir(mode=0o700)
    (tmp_path / "storage" / "kachery-tui.db").symlink_to(elsewhere)
    put(tmp_path / "storage", "a", b"a")
    assert elsewhere.exists()

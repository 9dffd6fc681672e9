"""What belongs to the node that runs on a folder: its key, its claim, the sweep at its start."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kachery_tui.errors import UsageError
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.storage import Storage, StorageBusy
from kachery_tui.storage.atomic import TempFile
from tests.storage.helpers import tmp_files


def test_a_new_folder_gets_a_key_that_stays(storage: Storage) -> None:
    key = storage.node_key()
    assert (storage.folder / "kachery-node-id").read_text() == key.node_id
    for name in ("private.pem", "public.pem"):
        assert (storage.folder / name).stat().st_mode & 0o777 == 0o600
    again = Storage.open(storage.folder)
    assert again.node_key().node_id == key.node_id
    again.close()
    assert storage.owner() is None
    assert tmp_files(storage) == []


def test_an_open_key_is_closed(storage: Storage) -> None:
    storage.node_key()
    (storage.folder / "private.pem").chmod(0o644)
    storage.node_key()
    assert (storage.folder / "private.pem").stat().st_mode & 0o777 == 0o600


def test_what_is_missing_beside_the_key_is_written_again(storage: Storage) -> None:
    key = storage.node_key()
    (storage.folder / "public.pem").unlink()
    (storage.folder / "kachery-node-id").write_text("outdated")
    assert storage.node_key().node_id == key.node_id
    assert (storage.folder / "public.pem").read_bytes() == key.public_pem()
    assert (storage.folder / "kachery-node-id").read_text() == key.node_id


@pytest.mark.parametrize(
    "text", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_damaged_key_is_refused_and_left_alone(storage: Storage, text: bytes) -> None:
    storage.node_key()
    (storage.folder / "private.pem").write_bytes(text)
    with pytest.raises(UsageError, match=r"private\.pem is no key"):
        storage.node_key()
    assert (storage.folder / "private.pem").read_bytes() == text


def test_a_lost_private_key_is_not_replaced(storage: Storage) -> None:
    storage.node_key()
    (storage.folder / "private.pem").unlink()
    with pytest.raises(UsageError, match=r"Bring private\.pem back"):
        storage.node_key()


def test_halves_that_do_not_belong_together_are_refused(storage: Storage) -> None:
    storage.node_key()
    (storage.folder / "private.pem").write_bytes(PrivateKey.generate().to_pem())
    with pytest.raises(UsageError, match="does not belong"):
        storage.node_key()


_CLAIM = """
import sys
from pathlib import Path
from kachery_tui.storage import Storage
storage = Storage.open(Path(sys.argv[1]))
storage.claim()
print("claimed", flush=True)
sys.stdin.read()
"""


def test_a_second_node_is_told_which_process_has_the_folder(storage: Storage) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _CLAIM, str(storage.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        with pytest.raises(StorageBusy, match=f"process {other.pid} .*{storage.folder}") as caught:
            storage.claim()
        assert caught.value.exit_code == 2
        # The command line works beside a node.
        storage.store_bytes(b"beside", "x")
        other.kill()
    storage.claim()
    storage.claim()


def test_a_claim_ends_with_close(storage: Storage) -> None:
    other = Storage.open(storage.folder)
    other.claim()
    with pytest.raises(StorageBusy, match=f"process {os.getpid()} "):
        storage.claim()
    other.close()
    storage.claim()


def test_a_strange_lock_file_still_tells_that_somebody_has_it(storage: Storage) -> None:
    other = Storage.open(storage.folder)
    other.claim()
    (storage.folder / "kachery-tui.lock").write_bytes(b"\xff[[[")
    with pytest.raises(StorageBusy, match="another process"):
        storage.claim()
    other.close()


def test_the_sweep_takes_leftovers_alone(storage: Storage) -> None:
    tmp = storage.folder / "tmp"
    leftover = tmp / "write-0123456789abcdef.tmp"
    leftover.write_bytes(b"left")
    foreign = tmp / "kachery-daemon-concat-abcdefghij"
    foreign.write_bytes(b"not ours")
    sha1 = "ab" * 20
    (tmp / f"{sha1}.json").write_text("{}")
    (tmp / f"{'cd' * 20}.part").write_bytes(b"without a record")
    (tmp / "folder").mkdir()
    with TempFile(tmp) as held:
        storage.clean_tmp()
        assert sorted(tmp_files(storage)) == sorted([foreign.name, held.path.name])


def test_a_download_that_nobody_took_up_for_long_is_given_up(storage: Storage) -> None:
    tmp = storage.folder / "tmp"
    for sha1, age in (("ab" * 20, 31), ("cd" * 20, 29)):
        part = tmp / f"{sha1}.part"
        part.write_bytes(b"x")
        (tmp / f"{sha1}.json").write_text('{"manifest": "m", "verified": [[0, 1]]}')
        then = time.time() - age * 24 * 3600
        os.utime(part, (then, then))
    storage.clean_tmp()
    assert sorted(tmp_files(storage)) == [f"{'cd' * 20}.json", f"{'cd' * 20}.part"]


def test_opening_costs_no_large_imports() -> None:
    code = (
        "import sys; from kachery_tui.storage import Storage;"
        "print([n for n in ('asyncio', 'yaml', 'cryptography', 'ably', 'aiobotocore', 'textual') if n in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_source_on_another_file_system_is_stored(storage: Storage) -> None:
    """The kernel copies inside one file system alone; elsewhere the bytes are read and written."""
    shared = Path("/dev/shm")
    source = (shared if shared.is_dir() else storage.folder) / f"kachery-tui-test-{os.getpid()}"
    try:
        source.write_bytes(os.urandom(3_000_000))
        stored = storage.store(source)
        assert storage.verify(stored.uri.sha1)
        assert stored.size == 3_000_000
    finally:
        source.unlink()

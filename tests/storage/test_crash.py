"""kill -9 at any moment: nothing wrong under a hash, no leftovers after the next start, what was verified is kept."""

import random
import subprocess
import sys
import time
from pathlib import Path

from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage import Storage
from kachery_tui.storage.hashing import hash_range
from tests.storage.crashing import CHUNKS
from tests.storage.helpers import assert_true_to_names, chunked, manifest_of, tmp_files

ROUNDS = 8
# So often at most, until the kills have met what they are meant to meet.
MOST_ROUNDS = 40
ROOT = Path(__file__).parents[2]


def _command(action: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "tests.storage.crashing", action, str(folder)]


def _killed(action: str, folder: Path, lines: int, seconds: float) -> list[str]:
    """Kill the process so long after it said so many things; returns what it promised until then."""
    with subprocess.Popen(_command(action, folder), stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        said = [process.stdout.readline() for _ in range(lines)]
        time.sleep(seconds)
        process.kill()
        said += process.stdout.read().splitlines(keepends=True)
    # The kill may cut the last line.
    return [line.strip() for line in said if line.endswith("\n")]


def test_killed_while_storing(tmp_path: Path) -> None:
    promised: list[FileUri] = []
    leftovers = 0
    chance = random.Random(5)
    for number in range(MOST_ROUNDS):
        if number >= ROUNDS and leftovers:
            break
        said = _killed("store", tmp_path, chance.randrange(4), chance.uniform(0, 0.1))
        promised += [FileUri.parse(line) for line in said]
        storage = Storage.open(tmp_path / "storage")
        leftovers += len(tmp_files(storage))
        storage.clean_tmp()
        assert tmp_files(storage) == []
        storage.close()
    # Else none of the kills came in the middle of anything, and this test tested nothing.
    assert leftovers
    storage = Storage.open(tmp_path / "storage")
    assert assert_true_to_names(storage) >= len({uri.sha1 for uri in promised}) > 0
    for uri in promised:
        assert storage.find(uri.sha1) is not None
        assert uri.manifest_sha1 is None or storage.find(uri.manifest_sha1) is not None
        entry = storage.index.get(uri.sha1)
        assert entry is not None
        assert entry.manifest_sha1 == uri.manifest_sha1
    storage.close()


def test_killed_while_receiving(tmp_path: Path) -> None:
    data = chunked(chunks=CHUNKS)
    manifest = manifest_of(data)
    chance = random.Random(6)
    resumed = arrived = 0
    kept: frozenset[int] = frozenset()
    for number in range(MOST_ROUNDS):
        if number >= ROUNDS and resumed and arrived:
            break
        # What is verified is recorded once the disk has it, and some disks take their time.
        seconds = chance.uniform(0, 0.06) * 2 ** (number // ROUNDS)
        _killed("receive", tmp_path, chance.randrange(2), seconds)
        storage = Storage.open(tmp_path / "storage")
        assert_true_to_names(storage)
        storage.clean_tmp()
        if storage.find(manifest.sha1) is not None:
            arrived += 1
            assert tmp_files(storage) == []
            storage.trash(manifest.sha1)
            kept = frozenset()
        else:
            incoming = storage.receive(manifest.sha1, manifest.size, manifest=manifest)
            assert incoming.verified >= kept
            kept = incoming.verified
            for index in kept:
                chunk = incoming.chunks[index]
                assert hash_range(incoming._fd, chunk.start, chunk.end) == chunk.sha1
            resumed += bool(kept)
            incoming.close(keep=True)
        storage.close()
    assert resumed
    assert arrived


def test_a_download_that_was_killed_goes_on_to_its_end(tmp_path: Path) -> None:
    manifest = manifest_of(chunked(chunks=CHUNKS))
    _killed("receive", tmp_path, 1, 0)
    finished = subprocess.run(
        _command("receive", tmp_path), cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert finished.stdout.splitlines()[-1] == "done"
    storage = Storage.open(tmp_path / "storage")
    assert storage.verify(manifest.sha1)
    assert tmp_files(storage) == []
    storage.close()

"""A disk that is really full, or a process that may write no more: said clearly, and nothing left behind."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.helpers import assert_true_to_names, tmp_files

# Arguments: folder, most bytes a file may have (0: no such limit), bytes to take in.
_FULL = """
import hashlib, resource, sys
from pathlib import Path
from kachery_tui.storage import DiskFull, Storage
folder, most, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
source = Path(sys.argv[4])
source.write_bytes(b"s" * size)
storage = Storage.open(folder)
if most:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

def receive():
    data = b"r" * size
    incoming = storage.receive(hashlib.sha1(data).hexdigest(), size)
    try:
        writer = incoming.writer(0)
        for start in range(0, size, 65536):
            writer.write(memoryview(data)[start : start + 65536])
        writer.finish()
        incoming.commit()
    finally:
        incoming.close(keep=True)

for action in (lambda: storage.store(source), lambda: storage.store_bytes(b"b" * size, "b"), receive):
    try:
        action()
    except DiskFull as error:
        print(error.exit_code, error)
storage.store_bytes(b"small", "small")
storage.close()
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A file system of 8 MB; None where the tests may not mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def _fill(folder: Path, most: int, size: int, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _FULL, folder, str(most), str(size), tmp_path / "source"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = result.stdout.splitlines()
    assert len(lines) == 3, result
    for line in lines:
        assert line.startswith("1 cannot "), line
        assert "Free space" in line
        assert "maxCacheSizeGiB" in line

    from kachery_tui.storage import Storage

    storage = Storage.open(folder)
    assert assert_true_to_names(storage) == 1
    assert tmp_files(storage) == []
    storage.close()


@pytest.mark.parametrize("size", [1_500_000, 25_000_000])
def test_writes_that_fail_in_the_middle(tmp_path: Path, size: int) -> None:
    _fill(tmp_path / "storage", 1_000_000, size, tmp_path)


def test_a_disk_that_is_full(small_disk: Path | None, tmp_path: Path) -> None:
    if small_disk is None:
        _fill(tmp_path / "storage", 8_000_000, 20_000_000, tmp_path)
    else:
        _fill(small_disk, 0, 20_000_000, tmp_path)

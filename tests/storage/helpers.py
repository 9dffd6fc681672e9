"""What the storage tests share."""

import hashlib
from pathlib import Path

from kachery_tui.protocol.manifest import CHUNK_SIZE, Chunk, Manifest
from kachery_tui.storage import Storage

VECTORS = Path(__file__).parent.parent / "vectors"


def sha1_of(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def pattern(hex_: str, size: int) -> bytes:
    unit = bytes.fromhex(hex_)
    return (unit * (size // len(unit) + 1))[:size]


def chunked(last: int = 1_000_000, chunks: int = 3) -> bytes:
    """A file of so many chunks, every one different, the last of `last` bytes."""
    return b"".join(bytes([65 + i]) * CHUNK_SIZE for i in range(chunks - 1)) + b"z" * last


def manifest_of(data: bytes) -> Manifest:
    spans = [(start, min(start + CHUNK_SIZE, len(data))) for start in range(0, len(data), CHUNK_SIZE)]
    return Manifest(
        len(data), sha1_of(data), tuple(Chunk(start, end, sha1_of(data[start:end])) for start, end in spans)
    )


def write_chunk(incoming: object, index: int, data: bytes) -> None:
    from kachery_tui.storage import Incoming

    assert isinstance(incoming, Incoming)
    chunk = incoming.chunks[index]
    writer = incoming.writer(index)
    for start in range(chunk.start, chunk.end, 1_000_003):
        writer.write(memoryview(data)[start : min(chunk.end, start + 1_000_003)])
    writer.finish()


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def tmp_files(storage: Storage) -> list[str]:
    return [path.name for path in files_below(storage.folder / "tmp")]


def assert_true_to_names(storage: Storage) -> int:
    """Every file below sha1/ has the hash it is named by; returns how many there are."""
    files = [path for path in files_below(storage.folder / "sha1") if path.suffix != ".link"]
    for path in files:
        assert path.name == sha1_of(path.read_bytes())
    return len(files)


def put_by_hand(storage: Storage, data: bytes) -> str:
    """As another program does it: straight into the folder."""
    sha1 = sha1_of(data)
    place = storage.folder / "sha1" / sha1[:2] / sha1[2:4] / sha1[4:6] / sha1
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return sha1

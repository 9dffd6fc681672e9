"""The bucket against a real S3 server."""

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kachery_tui.channel.authority import OwnerAuthority
from kachery_tui.channel.bucket import Bucket
from kachery_tui.channel.errors import BucketShut, MissingObject
from kachery_tui.config import ChannelConfig, PubSubConfig
from kachery_tui.errors import KacheryError, NotAllowed, TryAgain, UsageError
from kachery_tui.protocol.roles import Role

from .servers import BUCKET, bucket_config, free_port, s3_server

NODE = "ab" * 32


class Served:
    """A bucket, its folder on disk, and the authority over it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder / BUCKET
        self.port = port
        self.bucket = Bucket(bucket_config(port))
        config = ChannelConfig(
            file=folder / "lab.toml",
            name="lab",
            roles=frozenset(Role),
            pubsub=PubSubConfig(key="app.key:secret", endpoint="localhost:1", tls=False),
            bucket=bucket_config(port),
        )
        self.authority = OwnerAuthority(config, NODE, self.bucket._s3)

    def put(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    port = free_port()
    async with s3_server(tmp_path / "s3", port):
        served = Served(tmp_path / "s3", port)
        yield served
        await served.bucket.close()


async def test_reads_what_is_there(served: Served) -> None:
    data = os.urandom(3_000_000)
    served.put("lab/sha1/ab/cd/ef/object", data)
    info = await served.bucket.head("lab/sha1/ab/cd/ef/object")
    assert info is not None
    assert (info.name, info.size) == ("lab/sha1/ab/cd/ef/object", len(data))
    assert info.modified == pytest.approx((served.folder / info.name).stat().st_mtime, abs=2)

    pieces: list[bytes] = []
    threads: set[int] = set()

    def sink(piece: memoryview) -> None:
        pieces.append(bytes(piece))
        threads.add(threading.get_ident())

    assert await served.bucket.fetch(info.name, sink, max_bytes=len(data)) == len(data)
    assert b"".join(pieces) == data
    assert threading.get_ident() not in threads


@pytest.mark.parametrize(
    ("start", "end"), [(0, 10), (1_000_000, 2_500_001), (2_999_999, 3_000_000), (5, None), (7, 7)]
)
async def test_reads_a_range(served: Served, start: int, end: int | None) -> None:
    data = os.urandom(3_000_000)
    served.put("lab/object", data)
    received = bytearray()
    count = await served.bucket.fetch("lab/object", received.extend, start=start, end=end, max_bytes=10**7)
    assert received == data[start:end]
    assert count == len(received)


async def test_a_range_beyond_the_end_gives_what_there_is(served: Served) -> None:
    served.put("lab/object", b"0123456789")
    received = bytearray()
    assert await served.bucket.fetch("lab/object", received.extend, start=8, end=50, max_bytes=100) == 2
    assert received == b"89"


async def test_an_empty_object(served: Served) -> None:
    served.put("lab/empty", b"")
    assert await served.bucket.fetch_bytes("lab/empty", 100) == b""
    assert await served.bucket.fetch("lab/empty", lambda _: None, start=0, end=10, max_bytes=10) == 0
    info = await served.bucket.head("lab/empty")
    assert info is not None
    assert info.size == 0


async def test_what_is_missing(served: Served) -> None:
    assert await served.bucket.head("lab/none") is None
    assert await served.bucket.fetch_bytes("lab/none", 100) is None
    with pytest.raises(MissingObject):
        await served.bucket.fetch("lab/none", lambda _: None, max_bytes=100)


async def test_what_is_too_large_is_refused_before_its_first_byte(served: Served) -> None:
    served.put("lab/object", bytes(1000))
    with pytest.raises(KacheryError, match="1000 bytes, more than the 999"):
        await served.bucket.fetch("lab/object", lambda _: pytest.fail("called"), max_bytes=999)


async def test_uploads_a_range_of_a_file(served: Served, tmp_path: Path) -> None:
    data = os.urandom(5_000_000)
    path = tmp_path / "file"
    path.write_bytes(data)
    url = await served.authority.upload_url("lab/sha1/00/11/22/chunk", 3_000_000)
    counts: list[int] = []
    await served.bucket.upload(url, path, 1_000_000, 4_000_000, counts.append)
    assert (served.folder / "lab/sha1/00/11/22/chunk").read_bytes() == data[1_000_000:4_000_000]
    assert counts == sorted(counts)
    assert counts[-1] == 3_000_000


async def test_uploads_nothing_for_an_empty_file(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    await served.bucket.upload(await served.authority.upload_url("lab/empty", 0), path, 0, 0, lambda _: None)
    assert (served.folder / "lab/empty").read_bytes() == b""


@pytest.mark.parametrize("size", [999, 1001, 5_000_000])
async def test_another_length_than_was_granted_is_refused(served: Served, tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    url = await served.authority.upload_url("lab/object", 1000)
    with pytest.raises(NotAllowed, match=r"403.*SignatureDoesNotMatch"):
        await served.bucket.upload(url, path, 0, size, lambda _: None)
    assert not (served.folder / "lab/object").exists()


async def test_another_name_than_was_granted_is_refused(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(1000))
    url = await served.authority.upload_url("lab/object", 1000)
    with pytest.raises(NotAllowed):
        await served.bucket.upload(url.replace("lab/object", "lab/other"), path, 0, 1000, lambda _: None)


@pytest.mark.parametrize("name", ["other/object", "lab", "lab/../other/x", "lab//x", "/lab/x", ""])
async def test_no_grant_outside_of_the_channel(served: Served, name: str) -> None:
    with pytest.raises(NotAllowed):
        await served.authority.upload_url(name, 10)


async def test_a_file_that_shrinks_or_vanishes_under_the_upload(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(1000))
    url = await served.authority.upload_url("lab/object", 2000)
    with pytest.raises(KacheryError, match="became shorter"):
        await served.bucket.upload(url, path, 0, 2000, lambda _: None)
    path.unlink()
    with pytest.raises(KacheryError, match="cannot read"):
        await served.bucket.upload(url, path, 0, 2000, lambda _: None)


async def test_lists_by_pages(served: Served) -> None:
    names = [f"lab/sha1/{number:02d}" for number in range(7)]
    for name in names:
        served.put(name, name.encode())
    served.put("other/object", b"")
    found: list[str] = []
    token = None
    pages = 0
    while pages < 10:
        page = await served.bucket.list("lab/", token=token, limit=3)
        assert len(page.objects) <= 3
        found += [entry.name for entry in page.objects]
        pages += 1
        token = page.next_token
        if token is None:
            break
    assert found == names
    assert pages == 3


async def test_wrong_credentials(served: Served) -> None:
    bucket = Bucket(bucket_config(served.port, secret_key="another-secret-0123456789"))
    served.put("lab/object", b"x")
    with pytest.raises(BucketShut, match="SignatureDoesNotMatch"):
        await bucket.head("lab/object")
    with pytest.raises(BucketShut, match="SignatureDoesNotMatch"):
        await bucket.fetch_bytes("lab/object", 10)
    with pytest.raises(BucketShut, match="SignatureDoesNotMatch"):
        await bucket.list("lab/")
    await bucket.close()


async def test_a_profile_that_does_not_exist() -> None:
    from dataclasses import replace

    bucket = Bucket(replace(bucket_config(1), access_key=None, secret_key=None, profile="no-such-profile"))
    with pytest.raises(UsageError, match="no-such-profile"):
        await bucket.head("lab/object")
    await bucket.close()


async def test_nothing_listens() -> None:
    bucket = Bucket(bucket_config(free_port()))
    with pytest.raises(TryAgain, match="connection refused"):
        await bucket.fetch_bytes("lab/object", 10)
    with pytest.raises(TryAgain, match="connection refused"):
        await bucket.head("lab/object")
    with pytest.raises(TryAgain):
        await bucket.list("lab/")
    await bucket.close()


async def test_what_the_sink_raises_comes_through(served: Served) -> None:
    served.put("lab/object", bytes(2_000_000))
    calls = 0

    def sink(_: memoryview) -> None:
        nonlocal calls
        calls += 1
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await served.bucket.fetch("lab/object", sink, max_bytes=10**7)
    assert calls == 1


async def test_many_at_once(served: Served) -> None:
    data = os.urandom(4_000_000)
    served.put("lab/object", data)

    async def part(start: int) -> bytes:
        received = bytearray()
        await served.bucket.fetch(
            "lab/object", received.extend, start=start, end=start + 50_000, max_bytes=50_000
        )
        return bytes(received)

    parts = await asyncio.gather(*(part(start) for start in range(0, len(data), 50_000)))
    assert hashlib.sha1(b"".join(parts)).digest() == hashlib.sha1(data).digest()


async def test_a_proxy_does_not_stand_between_us_and_this_machine(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    served.put("lab/object", b"x")
    assert await served.bucket.fetch_bytes("lab/object", 10) == b"x"
    assert len((await served.bucket.list("lab/")).objects) == 1

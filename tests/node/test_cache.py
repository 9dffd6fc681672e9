"""What is at hand: storage, trash, what eviction would take, and the channels' buckets."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kachery_tui.errors import UsageError
from kachery_tui.filters import parse_filter
from kachery_tui.hub.bucket import BUCKET
from kachery_tui.node.cache import ENTRY_FIELDS
from kachery_tui.node.steps import Step
from kachery_tui.protocol.manifest import CHUNK_SIZE
from kachery_tui.protocol.objects import file_folder
from tests.hubs import Hub
from tests.nodes import put_file, running_node, until

if TYPE_CHECKING:
    from kachery_tui.node.values import BucketFile


async def test_trash_and_back_keeps_what_was_known(tmp_path: Path) -> None:
    async with running_node(tmp_path / "me", None) as node:
        stored = await node.store(put_file(tmp_path, "brain.nwb", b"x" * 100))
        linked = await node.link(put_file(tmp_path, "scan.dat", b"y" * 50))
        before = {entry.sha1: entry for entry in await node.cache.entries()}
        for uri in (stored.uri, linked.uri):
            await node.cache.trash(uri.sha1)
        assert await node.cache.count() == 0
        trashed = await node.cache.trashed()
        assert {(one.sha1, one.name, one.size) for one in trashed.entries} == {
            (stored.uri.sha1, "brain.nwb", 100),
            (linked.uri.sha1, "scan.dat", 50),
        }
        assert len((await node.cache.trashed(limit=1)).entries) == 1
        assert (await node.cache.trashed(limit=1)).more
        for uri in (stored.uri, linked.uri):
            await node.cache.restore(uri.sha1)
        after = {entry.sha1: entry for entry in await node.cache.entries()}
        for sha1, entry in before.items():
            back = after[sha1]
            assert (back.name, back.added, back.origin, back.kind) == (
                entry.name,
                entry.added,
                entry.origin,
                entry.kind,
            )
        assert (await node.cache.trashed()).entries == ()
        with pytest.raises(UsageError, match="not in the trash"):
            await node.cache.restore(stored.uri.sha1)


async def test_emptying_the_trash_frees_its_bytes(tmp_path: Path) -> None:
    async with running_node(tmp_path / "me", None) as node:
        stored = await node.store(put_file(tmp_path, "brain.nwb", b"x" * 100))
        await node.cache.trash(stored.uri.sha1)
        assert (await node.cache.totals()).trash_bytes == 100
        assert await node.cache.empty_trash() == 100
        assert (await node.cache.totals()).trash_bytes == 0
        assert (await node.cache.trashed()).entries == ()


async def test_a_filter_counts_and_pages(tmp_path: Path) -> None:
    async with running_node(tmp_path / "me", None) as node:
        for number in range(5):
            await node.store(put_file(tmp_path, f"file-{number}.dat", b"z" * (number + 1)))
        where = parse_filter("file size>2", ENTRY_FIELDS)
        assert await node.cache.count(where) == 3
        found = await node.cache.entries(order="size", descending=False, where=where, offset=1, limit=1)
        assert [entry.name for entry in found] == ["file-3.dat"]
        path = await node.cache.path_of(found[0].sha1)
        assert path is not None
        assert path.read_bytes() == b"zzzz"
        assert await node.cache.path_of("0" * 40) is None


async def test_a_filter_that_is_no_longer_wanted_is_not_waited_for(tmp_path: Path) -> None:
    async with running_node(tmp_path / "me", None) as node:
        await node.store(put_file(tmp_path, "a.dat", b"a"))
        search = node.storage.index._search
        # As if another search were at it all the time.
        search._is_running = True
        unwanted = asyncio.create_task(node.cache.entries(where=parse_filter("size>1", ENTRY_FIELDS)))
        await until(lambda: len(search._wanted) == 1)
        unwanted.cancel()
        with pytest.raises(asyncio.CancelledError):
            await unwanted
        assert search._wanted == {}
        search._is_running = False
        assert await node.cache.count(parse_filter("size=1", ENTRY_FIELDS)) == 1


async def test_what_would_go_next(tmp_path: Path) -> None:
    async with running_node(tmp_path / "me", None) as node:
        first = await node.store(put_file(tmp_path, "first.dat", b"1" * 400))
        second = await node.store(put_file(tmp_path, "second.dat", b"2" * 400))
        pinned = await node.store(put_file(tmp_path, "pinned.dat", b"3" * 400))
        await node.cache.pin(pinned.uri.sha1, pinned=True)
        horizon = await node.cache.horizon()
        assert [entry.sha1 for entry in horizon.entries] == [first.uri.sha1, second.uri.sha1]
        assert (horizon.over, horizon.room, horizon.limit) == (0, None, None)
        node.storage.folder.joinpath("kachery.yaml").write_text("maxCacheSizeGiB: 0.000001\n")
        horizon = await node.cache.horizon()
        assert (horizon.limit, horizon.goal, horizon.room) == (1_000, 700, 0)
        assert horizon.over == 500
        node.storage.folder.joinpath("kachery.yaml").write_text("maxCacheSizeGiB: 0.000002\n")
        horizon = await node.cache.horizon(limit=1)
        assert (horizon.over, horizon.room, len(horizon.entries)) == (0, 800, 1)


async def test_the_bucket_page_by_page_with_what_is_also_here(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "me", lab) as node:
        uris = []
        for number in range(5):
            uris.append(
                (await node.store(put_file(tmp_path, f"file-{number}.dat", bytes([number]) * 10))).uri
            )
            row = node.files.push(uris[-1], "lab")
            await row.finished.wait()
            assert row.step is Step.DONE
        await node.cache.trash(uris[0].sha1)
        files: list[BucketFile] = []
        token: str | None = None
        for _ in range(3):
            page = await node.cache.bucket_page("lab", token=token, limit=2)
            assert len(page.files) <= 2
            files += page.files
            token = page.next_token
        assert token is None
        assert {file.sha1 for file in files} == {uri.sha1 for uri in uris}
        by_hash = {file.sha1: file for file in files}
        assert by_hash[uris[1].sha1].name == "file-1.dat"
        assert by_hash[uris[1].sha1].on_disk
        assert by_hash[uris[1].sha1].size == 10
        assert not by_hash[uris[0].sha1].on_disk
        with pytest.raises(UsageError, match="no channel"):
            await node.cache.bucket_page("other")


async def test_a_manifest_in_the_bucket_is_told_by_the_name_of_its_file(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "me", lab) as node:
        uri = (await node.store(put_file(tmp_path, "large.dat", bytes(CHUNK_SIZE + 1)))).uri
        row = node.files.push(uri, "lab")
        await row.finished.wait()
        files = (await node.cache.bucket_page("lab")).files
        assert len(files) == 3
        assert {file.sha1: file.described for file in files if file.described} == {
            uri.manifest_sha1: "large.dat"
        }
        parts = [file.part for file in files if file.part is not None]
        assert sorted((part.number, part.count, part.name, part.sha1) for part in parts) == [
            (number, 2, "large.dat", uri.sha1) for number in (1, 2)
        ]
        assert all(file.on_disk for file in files)
        (chunk,) = (file for file in files if file.part is not None and file.part.number == 2)
        assert await node.cache.path_of(chunk.sha1) == await node.cache.path_of(uri.sha1)
        await node.cache.trash(uri.sha1)
        assert [file.part for file in (await node.cache.bucket_page("lab")).files] == [None] * 3


async def test_a_link_that_is_void_is_not_on_disk(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "me", lab) as node:
        path = put_file(tmp_path, "linked.dat", b"linked")
        uri = (await node.link(path)).uri
        row = node.files.push(uri, "lab")
        await row.finished.wait()
        (file,) = (await node.cache.bucket_page("lab")).files
        assert (file.name, file.on_disk) == ("linked.dat", True)
        path.write_bytes(b"changed since")
        assert await node.cache.path_of(uri.sha1) is None
        (file,) = (await node.cache.bucket_page("lab")).files
        assert (file.name, file.on_disk) == ("linked.dat", False)


async def test_what_is_no_file_in_the_bucket_is_only_counted(tmp_path: Path, lab: Path, hub: Hub) -> None:
    sha1 = "d" * 40
    for name in ("notes.txt", f"aa/bb/cc/{sha1}", f"dd/dd/dd/{sha1}.old", f"dd/dd/dd/{sha1}"):
        place = hub.options.data / "objects" / BUCKET / file_folder("lab") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"1234")
    async with running_node(tmp_path / "me", lab) as node:
        page = await node.cache.bucket_page("lab")
        assert ([file.sha1 for file in page.files], page.others) == ([sha1], 3)

"""The cache's pane and its actions, over real nodes, a real folder and a real bucket."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kachery_tui.filters import Filter
from kachery_tui.hub import Hub
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Step
from kachery_tui.node.values import Entry
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.cells import Cell
from kachery_tui.tui.panes.cache import CachePane
from kachery_tui.tui.panes.cache_views import CacheView
from kachery_tui.tui.widgets.row_list import LOADING, MOST_MARKS
from tests.nodes import put_file, running_node, until
from tests.tui.screens import NARROW, WIDE, Person, at_the_screen, unstarted_node

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["140x45", "80x24"])

MANY = 100_000


async def store(node: Node, folder: Path, *names: str) -> list[str]:
    """Store small files of these names; their hashes."""
    return [(await node.store(put_file(folder, name, name.encode() * 1_000))).uri.sha1 for name in names]


def cache_of(me: Person) -> CachePane:
    pane = next(pane for pane in me.main._panes.values() if isinstance(pane, CachePane))
    assert isinstance(pane, CachePane)
    return pane


def shown(me: Person) -> list[str]:
    """The names in the list that shows."""
    rows = cache_of(me).body.rows
    found = (rows.cells(index) for index in range(len(rows)))
    return [row[0].text for row in found if row and isinstance(row[0], Cell)]


def on_disk(me: Person) -> list[bool]:
    """Of each file of the bucket that shows, whether it is on disk."""
    rows = cache_of(me).body.rows
    files = (rows.item(index) for index in range(len(rows)))
    return [file.on_disk for file in files if file is not None]


@SIZES
async def test_trash_undo_restore_and_empty(tmp_path: Path, size: tuple[int, int]) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), size) as me:
        await store(me.node, tmp_path, "a.dat", "b.dat", "c.dat")
        await me.press("4")
        await me.reads("storage: 3 files, 15 kB", "c.dat")
        await me.press("d")
        await me.reads("Move c.dat (5.0 kB) to the trash?", "n No")
        await me.press("enter")
        assert len(await me.node.cache.entries()) == 3
        await me.press("d", "y")
        await me.reads("storage: 2 files", "trash 5.0 kB")
        await me.press("U")
        await me.reads("storage: 3 files", "c.dat")
        await me.press("a")
        await me.reads("3 marked", "(15 kB)")
        await me.press("d")
        await me.reads("Move 3 files (15 kB) to the trash?")
        await me.press("y")
        await me.reads("storage: 0 files", "holds no files")
        await me.press("D")
        await me.reads("trash: 3 files, 15 kB", "a.dat", "b.dat", "c.dat")
        await me.press("space", "d")
        await me.reads("trash: 2 files, 10 kB")
        await me.reads("E Empty trash")
        await me.press("E")
        await me.reads("Empty the trash: 2 files, 10 kB?", "cannot be undone", "n No")
        await me.press("n")
        await me.reads("trash: 2 files")
        await me.press("E", "y")
        await me.reads("The trash is empty.", "trash: 0 files")
        await me.press("D")
        await me.reads("storage: 1 file, 5.0 kB")
        assert not any((tmp_path / "me" / "storage" / "sha1-trash").rglob("*" * 1 + "?" * 39))


@SIZES
async def test_pinned_files_stay(tmp_path: Path, size: tuple[int, int]) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), size) as me:
        await store(me.node, tmp_path, "a.dat", "b.dat")
        await me.press("4")
        await me.reads("storage: 2 files", "a.dat", "b.dat")
        await me.press("P")
        await me.reads("● yes", "P Unpin")
        await me.press("d")
        await me.reads("it is pinned: P unpins it")
        await me.press("a", "d")
        await me.reads("Move a.dat (5.0 kB) to the trash?", "1 pinned file will stay")
        await me.press("y")
        await me.reads("storage: 1 file")
        await me.press("U", "U")
        await me.reads("storage: 2 files")
        await until(lambda: "● yes" not in me.text())
        assert not any(entry.pinned for entry in await me.node.cache.entries())


@SIZES
async def test_verify_finds_what_is_damaged_and_says_what_to_do(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), size) as me:
        hashes = await store(me.node, tmp_path, "good.dat", "bad.dat")
        path = await me.node.cache.path_of(hashes[1])
        assert path is not None
        path.chmod(0o644)
        path.write_bytes(b"X" + path.read_bytes()[1:])
        await me.press("4")
        await me.reads("storage: 2 files", "good.dat", "bad.dat")
        await me.press("down", "V")
        await me.reads("✓ Verified", "good.dat: hash matches")
        await me.press("a", "V")
        await me.reads("✗ bad.dat is damaged", "Move it to the trash", "1 file of 2")
        await until(lambda: not cache_of(me).body.marked)
        await me.press("escape")
        await until(lambda: "damaged" not in me.text())


async def test_verifying_shows_how_far_it_is_and_can_be_stopped(tmp_path: Path) -> None:
    node = unstarted_node(tmp_path / "me", None)
    async with at_the_screen(node, NARROW) as me:
        await store(node, tmp_path, "large.dat", "other.dat")

        async def endless(sha1: str, *, progress: Callable[[int], None] | None = None) -> bool:
            assert progress is not None
            progress(2_150)
            await asyncio.Event().wait()
            raise AssertionError(sha1)

        node.cache.verify = endless  # type: ignore[method-assign]
        await me.press("4")
        await me.reads("storage: 2 files", "large.dat", "other.dat")
        await me.press("a", "V")
        await me.reads("verifying 1 of 2", "other.dat", "x stops it")
        await me.press("down", "x")
        await until(lambda: "verifying 1 of" not in me.text())


async def test_escape_leaves_a_view_once_its_marks_and_filter_are_gone(tmp_path: Path, lab: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        (sha1,) = await store(me.node, tmp_path, "old.dat")
        await me.node.cache.trash(sha1)
        await me.press("4")
        for key, words in (("D", "trash: 1 file"), ("b", "bucket of lab"), ("H", "no size limit is set")):
            await me.press(key)
            await me.reads(words)
            await me.press("escape")
            await me.reads("storage: 0 files")
        await me.press("D")
        await me.reads("old.dat")
        await me.press("space", "slash", *"old", "enter")
        await me.reads("1 marked", "/old")
        await me.press("escape")
        await until(lambda: "1 marked" not in me.text() and " /old " in me.text())
        await me.press("escape")
        await until(lambda: " /old " not in me.text())
        await me.reads("trash: 1 file")
        await me.press("escape")
        await me.reads("storage: 0 files")


async def test_names_are_read_from_a_to_z_first(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        await store(me.node, tmp_path, "b.dat", "a.dat", "c.dat")
        await me.press("4", "right")
        await me.reads("name▲")
        await until(lambda: [row.item(0).name for row in [cache_of(me).body.rows] if len(row)] == ["a.dat"])
        await me.press("i")
        await me.reads("name▼", "c.dat")
        await me.press("right")
        await me.reads("size▼")


async def test_nothing_is_called_empty_before_it_was_read(tmp_path: Path, lab: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        listed = asyncio.Event()
        real = me.node.cache.bucket_page

        async def slow(*args: Any, **options: Any) -> Any:
            await listed.wait()
            return await real(*args, **options)

        me.node.cache.bucket_page = slow  # type: ignore[method-assign]
        await me.press("4", "b")
        await me.reads("bucket of lab: listing…")
        assert "holds no files" not in me.text()
        listed.set()
        await me.reads("bucket of lab: 0 files", "The bucket holds no files yet.")


@SIZES
async def test_the_bucket_pushed_files_and_what_is_here(
    tmp_path: Path, lab: Path, size: tuple[int, int]
) -> None:
    async with running_node(tmp_path / "alice", lab) as alice:
        hashes = await store(alice, tmp_path, "one.dat", "two.dat", "three.dat")
        for sha1 in hashes:
            row = alice.files.push(f"sha1://{sha1}", "lab")
            await asyncio.wait_for(row.outcome(), 20)
        async with at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me:
            await store(me.node, tmp_path, "one.dat")
            await me.press("4", "b")
            await me.reads("bucket of lab: 3 files", "one.dat", "✓ yes", "· no", "b Storage")
            pane = cache_of(me)
            pane.body.choose(hashes[1])
            await me.reads("r Load")
            await me.press("enter")
            await me.reads("File in the bucket", "a bucket holds only hashes", "sha1://" + hashes[1])
            await me.press("escape", "o")
            await me.reads("it is not on this disk; r loads it")
            await me.press("r")
            await until(lambda: any(row.step is Step.DONE for row in me.node.ledger))
            await me.press("4")
            # A bucket that took long to list is left alone for ten times as long.
            await until(lambda: sorted(on_disk(me)) == [False, True, True], 120)
            await me.press("b")
            await me.reads("storage: 2 files")
            await store(me.node, tmp_path, "four.dat")
            await me.reads("storage: 3 files")
            four = hashlib.sha1(b"four.dat" * 1_000).hexdigest()
            await until(lambda: pane.body.choose(four))
            await me.press("u")
            await until(lambda: [row.step for row in me.node.ledger] == [Step.DONE] * 2)
            await me.press("4", "b")
            await me.reads("bucket of lab: 4 files", "four.dat")


async def test_a_long_bucket_is_read_as_one_scrolls(tmp_path: Path, lab: Path) -> None:
    folder = tmp_path / "hub" / "objects" / "kachery" / "lab" / "sha1"
    for number in range(450):
        sha1 = hashlib.sha1(str(number).encode()).hexdigest()
        put_file(folder, f"{sha1[:2]}/{sha1[2:4]}/{sha1[4:6]}/{sha1}", str(number).encode())
    put_file(folder, "README.txt", b"no file object")
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        await me.press("4", "b")
        await me.reads("files so far, more below")
        assert len(on_disk(me)) < 300
        await me.press("end")
        await until(lambda: len(cache_of(me).body.rows) > 300)
        await me.press("end")
        await me.reads("bucket of lab: 450 files", "1 other object")
        await me.press("end")
        await me.reads("450/450")


async def test_a_bucket_that_cannot_be_listed_says_why_and_comes_back(
    tmp_path: Path, hub: Hub, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kachery_tui.tui.panes.cache_rows.AGAIN_SECONDS", 0.1)
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        await me.press("4")
        await hub.stop()
        await me.press("b")
        await me.reads("bucket: ✗ ", "✗ cannot list")
        await hub.start()
        await me.reads("bucket of lab: 0 files", "The bucket holds no files yet.")
        await me.press("b")
        await me.reads("storage: 0 files")


@SIZES
async def test_what_goes_next(tmp_path: Path, size: tuple[int, int]) -> None:
    node = unstarted_node(tmp_path / "me", None)
    settings = tmp_path / "me" / "storage" / "kachery.yaml"
    async with at_the_screen(node, size) as me:
        await store(node, tmp_path, *(f"f{number}.dat" for number in range(4)))
        await me.press("4", "H")
        await me.reads("eviction order: nothing, no size limit is set", "maxCacheSizeGiB")
        settings.write_text("maxCacheSizeGiB: 0.00003\n")
        await me.press("H", "H")
        await me.reads(
            "eviction order: room for 6.0 kB, then it evicts down to 21 kB",
            "f0.dat",
            "! goes next",
            "freed ──",
        )
        await me.press("P")
        await until(lambda: "f0.dat" not in me.text())
        await me.press("H")
        await me.reads("storage: 4 files, 24 kB of 30 kB", "80 %")


@SIZES
async def test_where_a_file_is(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGER", "cat")
    async with at_the_screen(unstarted_node(tmp_path / "me", None), size) as me:
        (sha1,) = await store(me.node, tmp_path, "a.dat")
        await me.press("4")
        await me.reads("a.dat")
        await me.press("o")
        await me.reads("Where a.dat is", "o Open in cat", "y Copy")
        path = await me.node.cache.path_of(sha1)
        assert str(path) in me.text().replace("\n", "").replace(" ", "")
        await me.press("y")
        assert me.app.clipboard == str(path)
        await me.press("o")
        await me.reads("cannot be left to another program")
        await me.press("escape")


async def test_links_and_what_became_of_them(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        path = put_file(tmp_path, "linked.dat", b"bytes")
        await me.node.link(path)
        await me.press("4")
        await me.reads("linked.dat", "→ link", "1 link")
        path.write_bytes(b"other bytes")
        assert await me.node.cache.path_of(hashlib.sha1(b"bytes").hexdigest()) is None
        await me.reads("✗ void")
        await me.press("o")
        await me.reads("the linked file was changed or removed")
        await me.press("escape", "e")
        await me.reads("/state:void", "1 of ")
        await me.press("d")
        await me.reads("Move the link linked.dat (0 B) to the trash?", "the files they point to stay")
        await me.press("y")
        await me.reads("No file matches")


@SIZES
async def test_a_manifest_that_came_from_a_peer_is_called_after_its_file(
    tmp_path: Path, lab: Path, size: tuple[int, int]
) -> None:
    async with (
        running_node(tmp_path / "alice", lab) as alice,
        at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me,
    ):
        stored = await alice.store(put_file(tmp_path, "recording.npy", b"r" * 20_000_001))
        row = me.node.files.request(stored.uri)
        await asyncio.wait_for(row.outcome(), 30)
        await me.press("4")
        await me.reads("storage: 2 files", "manifest of recording.npy")
        assert stored.uri.manifest_sha1 is not None
        await until(lambda: cache_of(me).body.choose(str(stored.uri.manifest_sha1)))
        await me.press("enter")
        await me.reads("the manifest of recording.npy: the list of the chunks")


# Many files


def entry(number: int) -> Entry:
    sha1 = hashlib.sha1(str(number).encode()).hexdigest()
    at = time.time() - number
    return Entry(sha1, number, f"file-{number:06}.dat", at, at, "", False, "file", None)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of a storage folder that says it holds a great many files."""
    folder = tmp_path_factory.mktemp("many")
    storage = Storage.open(folder / "storage")
    storage.index.apply([entry(number) for number in range(MANY)], [], [], [])
    storage.close()
    return folder


def among_many(many: Path) -> Node:
    node = unstarted_node(many, None)

    def no_scan(*_: object) -> object:
        from kachery_tui.storage.values import ScanResult

        return ScanResult(0, 0, 0, complete=True)

    # The folder is empty: a look into it would take the files out of the index.
    node.storage.scan = no_scan  # type: ignore[method-assign, assignment]
    return node


async def test_filter_sort_and_scroll_among_many(many: Path) -> None:
    async with at_the_screen(among_many(many), NARROW) as me:
        await me.press("4")
        await me.reads("storage: 100,000 files", "file-000000.dat", "1/100,000")
        await me.press("end")
        await me.reads("file-099999.dat", "100,000/100,000")
        await me.press("right", "right")
        await me.reads("size▼")
        await me.press("home")
        await me.reads("file-099999.dat", "1/100,000")
        await me.press("slash")
        for text, found in (("name:0009", "120"), ("name:00099", "11"), ("name:000999", "1")):
            await me.type(text)
            await me.reads(f"storage: {found} of 100,000 files")
        await me.press("enter")
        await me.reads("file-000999.dat")
        await me.press("escape")
        await me.reads("storage: 100,000 files")


async def test_another_filter_shows_from_its_top_but_keeps_the_row_that_is_at_hand(many: Path) -> None:
    async with at_the_screen(among_many(many), NARROW) as me:
        await me.press("4")
        await me.reads("storage: 100,000 files")
        body = cache_of(me).body
        body._go(999)
        await me.reads("file-000999.dat")
        cache_of(me).set_filter("name:0005")
        await me.reads("storage: 120 of 100,000 files")
        assert body.cursor == 0
        await me.press("down", "down")
        chosen = cache_of(me).selection
        assert chosen is not None
        cache_of(me).set_filter(f"name:{chosen.name[5:10]}")
        await me.reads(f"/name:{chosen.name[5:10]}", "of 100,000 files")
        await until(lambda: cache_of(me).selection == chosen)


async def test_a_search_is_given_up_for_a_newer_one(many: Path) -> None:
    node = among_many(many)
    async with at_the_screen(node, NARROW) as me:
        await me.press("4")
        await me.reads("storage: 100,000 files")
        count, held = node.cache.count, asyncio.Event()
        asked: list[str] = []

        async def slow_count(where: Filter) -> int:
            asked.append(where.text)
            if where.text == "name:0":
                await held.wait()
            return await count(where)

        node.cache.count = slow_count  # type: ignore[method-assign, assignment]
        await me.press("slash")
        await me.type("name:0")
        await me.reads("filtering…", "file-000000.dat")
        await until(lambda: asked == ["name:0"])
        await me.type("name:012345")
        # The search for what is no longer asked for is given up, not waited for.
        await me.reads("storage: 1 of 100,000 files", "file-012345.dat")
        assert not held.is_set()
        assert asked == ["name:0", "name:012345"]


async def test_a_key_is_answered_while_a_page_is_on_its_way(many: Path) -> None:
    node = among_many(many)
    async with at_the_screen(node, NARROW) as me:
        await me.press("4")
        await me.reads("storage: 100,000 files")
        entries, held = node.cache.entries, asyncio.Event()

        async def slow_entries(**wanted: object) -> list[Entry]:
            await held.wait()
            return await entries(**wanted)  # type: ignore[arg-type]

        node.cache.entries = slow_entries  # type: ignore[method-assign]
        await me.press("end", "up", "up")
        assert cache_of(me).body.cursor == MANY - 3
        await me.reads("99,998/100,000", LOADING[0].text)
        await me.press("home")
        await me.reads("file-000000.dat")
        held.set()
        await me.press("end")
        await me.reads("file-099999.dat")


async def test_marks_reach_rows_that_were_never_in_view(many: Path) -> None:
    async with at_the_screen(among_many(many), NARROW) as me:
        await me.press("4")
        await me.reads("storage: 100,000 files")
        await me.press("a")
        await me.reads(f"{MOST_MARKS:,} marked", "no more can be")
        await me.press("a")
        await until(lambda: not cache_of(me).body.marked)
        await me.press("space")
        cache_of(me).body._go(999)
        await until(lambda: cache_of(me).selection is not None)
        await me.press("v")
        await me.reads("1,000 marked")
        await me.press("slash")
        await me.type("name:000999")
        await me.press("enter")
        await me.reads("1,000 marked", "1 of 100,000")
        await me.press("*")
        await me.reads(" 999 marked")
        await me.press("*")
        await me.reads("1,000 marked")


async def test_inverting_marks_reaches_rows_that_were_never_in_view(many: Path) -> None:
    async with at_the_screen(among_many(many), NARROW) as me:
        await me.press("4")
        await me.reads("storage: 100,000 files")
        await me.press("space", "*")
        await me.reads(f"{MOST_MARKS - 1:,} marked")


async def test_a_table_has_all_rows_with_exact_numbers(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.tui.panes.cache.EXPORTED_AT_ONCE", 7)
    async with at_the_screen(among_many(many), NARROW) as me:
        await me.press("4")
        await me.reads("storage: 100,000 files")
        pane = cache_of(me)
        pane.set_filter("name:00000")
        await me.reads("storage: 10 of 100,000 files")
        titles, rows = await pane.table()
        assert titles[:2] == ("name", "size")
        assert sorted(row[0] for row in rows) == [f"file-{number:06}.dat" for number in range(10)]
        monkeypatch.setattr("kachery_tui.tui.panes.cache.MOST_EXPORTED", 20)
        pane.set_filter("")
        _, rows = await pane.table()
        assert 20 <= len(rows) < 30


async def test_each_view_keeps_its_filter_and_the_storages_is_remembered(tmp_path: Path) -> None:
    from kachery_tui.tui.memory import PaneMemory

    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW) as me:
        hashes = await store(me.node, tmp_path, "a.dat", "b.dat", "c.dat")
        await me.node.cache.trash(hashes[0])
        await me.press("4")
        await me.reads("storage: 2 files")
        pane = cache_of(me)
        pane.set_filter("name:b")
        await me.reads("/name:b", "1 of 2 files")
        await me.press("D")
        await me.reads("trash: 1 file", "a.dat")
        pane.set_filter("name:zzz")
        await me.reads("No file matches")
        left = PaneMemory()
        pane.hand_over(left)
        assert left.filter == "name:b"
        await me.press("D")
        await me.reads("/name:b", "b.dat")
        assert pane.view is CacheView.STORAGE


async def test_a_click_on_the_title_of_a_column_sorts_by_it(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), WIDE) as me:
        await store(me.node, tmp_path, "b.dat", "a.dat", "cc.dat")
        await me.press("4")
        await me.reads("storage: 3 files")
        head = cache_of(me).body.render_line(0).text
        for title, order in (
            ("name", ["a.dat", "b.dat", "cc.dat"]),
            ("name", ["cc.dat", "b.dat", "a.dat"]),
            ("size", ["cc.dat"]),
        ):
            await me.pilot.click("#entries", offset=(head.index(title) + 1, 0))
            await until(lambda order=order: shown(me)[: len(order)] == order)  # type: ignore[misc]
        await me.pilot.click("#entries", offset=(head.index("state") + 1, 0))
        assert cache_of(me).sort == "size"

"""Requests by the hundred and one by one: filter, mark, act on many, read the whole story, take the rows along."""

import asyncio
import csv
import json
import re
import time
from collections.abc import Hashable
from pathlib import Path

import pytest

from kachery_tui.config import NodeConfig, load_channels
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.ledger import Origin, Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.cells import Mask
from kachery_tui.tui.describe.requests import BRIEF_LINES
from kachery_tui.tui.here import PaneName
from kachery_tui.tui.panes.requests import COLUMNS, RequestsPane, detail_height
from kachery_tui.tui.panes.still import SETTLES
from kachery_tui.tui.widgets.columns import widths
from tests.nodes import put_file, running_node, until
from tests.tui.screens import NARROW, WIDE, Person, at_the_screen, unstarted_node

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["140x45", "80x24"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the program was started in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def wanted(number: int) -> FileUri:
    return FileUri(f"{number:040x}", f"file-{number}.dat")


def add_rows(me: Person, numbers: range, step: Step = Step.DONE, size: int = 1_000) -> list[Request]:
    """Rows that have ended, as if they had gone their way."""
    ledger, rows = me.node.ledger, []
    for number in numbers:
        uri = wanted(number)
        row = ledger.open(Side.MINE, "lab", FileSubject(uri), Step.STORAGE)
        row.size = size
        ledger.count(row, size, Origin.BUCKET)
        ledger.end(row, step)
        rows.append(row)
    return rows


async def test_a_filter_that_matches_none_is_not_called_an_empty_list(tmp_path: Path, lab: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        await me.press("3")
        await me.reads("No requests yet.")
        await me.press("slash", *"nothing", "enter")
        await me.reads("No requests yet.")
        me.node.files.request("sha1://" + "ab" * 20)
        await me.reads("No request matches.", "Esc clears the filter")
        await me.press("escape")
        await me.reads("abababababab…")


@SIZES
async def test_many_are_cancelled_and_tried_again_together(
    tmp_path: Path, lab: Path, size: tuple[int, int]
) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me:
        add_rows(me, range(2))
        rows = [me.node.files.request(wanted(number)) for number in range(10, 13)]
        await me.press("3", "slash")
        await me.type("state:active")
        await me.press("enter")
        await me.reads("3 of 5 requests", "file-12.dat")
        assert "file-1.dat" not in me.text()
        await me.press("a")
        await me.reads("3 marked", "x Cancel 3")
        await me.press("x")
        await until(lambda: all(row.step is Step.CANCELLED for row in rows))
        await me.reads("3 requests cancelled", "0 of 5 requests")
        assert "marked" not in me.text()
        await me.press("escape", "slash")
        await me.type("state:cancelled")
        await me.press("enter", "a")
        await me.reads("R Retry 3")
        await me.press("R")
        await until(lambda: all(row.is_active for row in rows))


@SIZES
async def test_marked_bytes_are_summed_and_faults_are_one_key_away(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), size, wait=False) as me:
        await until(lambda: bool(me.node.node_id))
        add_rows(me, range(3), size=5_000)
        add_rows(me, range(3, 5), Step.FAILED)
        await me.press("3", "down", "down", "space", "space")
        await me.reads("2 marked", "(10 kB)")
        await me.press("escape", "e")
        await me.reads("/state:failed", "2 of 5 requests", "✗ failed")
        assert "✓ done" not in me.text()
        await me.press("e")
        await me.reads("✓ done")


async def test_new_rows_leave_the_chosen_row_where_it_is_on_the_screen(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW, wait=False) as me:
        await until(lambda: bool(me.node.node_id))
        add_rows(me, range(30))
        await me.press("3", "down", "down")
        await me.reads("›↓ mine   file-27.dat")

        def place() -> int:
            return next(y for y, line in enumerate(me.text().split("\n")) if "file-27.dat" in line)

        before = place()
        add_rows(me, range(30, 35))
        await me.reads("▲ 5 new", "8/35")
        assert place() == before
        await me.press("home")
        await me.reads("›↓ mine   file-34.dat")
        await until(lambda: "▲ 5 new" not in me.text())


async def test_rows_are_sorted_and_an_order_that_no_title_shows_is_named(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW, wait=False) as me:
        await until(lambda: bool(me.node.node_id))
        add_rows(me, range(3), size=10)
        add_rows(me, range(3, 4), size=99_000)
        await me.press("3", "right", "right")
        await me.reads("file▲")
        await me.press("right", "right", "right", "right")
        await me.reads("size▼")
        pane = me.main.pane
        pane.body.action_first()
        assert isinstance(pane.selection, Request)
        assert pane.selection.size == 99_000
        await me.press("i")
        await me.reads("size▲")
        await me.press("right", "i")
        await me.reads("by started ▲")


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (60, "whose file % step left size"),
        (79, "whose file progress % step rate left size"),
        (80, "whose file progress % step rate left size"),
        (100, "# whose file progress % step rate left size peer"),
        (130, "# whose file progress % step rate left size started channel peer"),
    ],
)
def test_columns_go_in_a_considered_order(width: int, titles: str) -> None:
    given = zip(COLUMNS, widths(COLUMNS, width - 1), strict=True)
    shown = [(column.title or "%", space) for column, space in given if space]
    assert " ".join(title for title, _ in shown) == titles
    assert dict(shown)["file"] >= 12


async def test_rows_stand_still_while_their_order_changes_by_itself(tmp_path: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW, wait=False) as me:
        await until(lambda: bool(me.node.node_id))
        pane = me.main.pane_of(PaneName.REQUESTS)
        assert isinstance(pane, RequestsPane)
        one, other = (
            me.node.ledger.open(Side.MINE, "lab", FileSubject(uri), Step.STORAGE)
            for uri in (wanted(1), wanted(2))
        )

        def numbers(now: float) -> list[Hashable]:
            pane.paint(now)
            return [pane.body.rows.key(place) for place in range(2)]

        now = time.time()
        pane.sort = "step"
        me.node.ledger.enter(one, Step.DOWNLOADING)
        assert numbers(now) == [one.number, other.number]
        me.node.ledger.enter(other, Step.VERIFYING)
        assert numbers(now + SETTLES / 2) == [one.number, other.number]
        assert numbers(now + SETTLES + 0.1) == [other.number, one.number]


@pytest.mark.parametrize(
    ("pane", "terminal", "lines"),
    [
        (12, 15, 0),
        (21, 24, BRIEF_LINES),
        (19, 24, BRIEF_LINES),
        (27, 30, 10),
        (20, 45, 8),
        (10, 45, 0),
        (41, 45, 14),
    ],
)
def test_details_stand_under_the_list_where_there_is_room(pane: int, terminal: int, lines: int) -> None:
    assert detail_height(pane, terminal) == lines
    assert pane - lines >= 8 or lines == 0


async def test_the_story_of_a_request_is_kept_true_while_it_is_read(tmp_path: Path, lab: Path) -> None:
    async with running_node(tmp_path / "alice", lab) as alice:
        stored = await alice.store(put_file(tmp_path, "brain.nwb", b"x" * 5_000))
        async with at_the_screen(unstarted_node(tmp_path / "me", lab, provide="ask"), NARROW) as me:
            row = me.node.files.request(FileUri("ab" * 20, "nobody-has-it"))
            await me.press("3")
            await me.reads("? asking")
            await me.press("enter")
            await me.reads("Request #1", "asking", "now")
            me.node.files.cancel(row)
            await me.reads("○ cancelled", "took")
            await me.press("escape", "r")
            await me.paste(str(stored.uri))
            await me.press("enter")
            await me.reads("✓ done")


async def test_what_the_bucket_has_is_not_sent_again_and_says_so(tmp_path: Path, lab: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        stored = await me.node.store(put_file(tmp_path, "table.csv", b"a,b\n1,2\n"))
        first = me.node.files.push(stored.uri, "lab")
        await until(lambda: not first.is_active)
        await me.press("3")
        await me.reads("↑ push", "✓ done")
        await me.press("u")
        await me.reads("✓ already there")
        assert [row.step for row in me.node.ledger] == [Step.DONE, Step.DONE]


async def test_a_file_that_a_row_did_not_bring_cannot_be_pushed(tmp_path: Path, lab: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", lab), NARROW) as me:
        me.node.files.request(wanted(1))
        await me.press("3")
        await me.reads("? asking")
        await me.press("u")
        await me.reads("u Push: not now", "the file is not here yet")


async def test_rows_are_exported_and_nothing_is_overwritten_unasked(tmp_path: Path, folder: Path) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), NARROW, wait=False) as me:
        await until(lambda: bool(me.node.node_id))
        add_rows(me, range(3))
        evil = FileUri("cd" * 20, "=cmd|' /C calc'!A0")
        me.node.ledger.end(
            me.node.ledger.open(Side.MINE, "lab", FileSubject(evil), Step.STORAGE), Step.FAILED
        )
        await me.press("3", "X")
        await me.reads("Export the rows of requests", "requests.csv")
        await me.type("rows.txt")
        await me.reads("the name must end in .csv or .json")
        await me.type("missing/rows.csv")
        await me.press("enter")
        await me.reads("no such folder")
        await me.type("rows.csv")
        await me.press("enter")
        await me.reads("4 rows exported")
        with (folder / "rows.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["file"] for row in rows] == [
            "'=cmd|' /C calc'!A0",
            "file-2.dat",
            "file-1.dat",
            "file-0.dat",
        ]
        assert rows[1]["size"] == "1000"
        assert (folder / "rows.csv").stat().st_mode & 0o777 == 0o600
        await me.press("e", "X")
        await me.type("rows.csv")
        await me.press("enter")
        await me.reads("Overwrite it?")
        await me.press("n")
        assert len((folder / "rows.csv").read_text().splitlines()) == 5
        await me.press("X")
        await me.type("rows.json")
        await me.press("enter")
        await me.reads("1 row exported")
        (row,) = json.loads((folder / "rows.json").read_text())
        assert row["uri"] == str(evil)


@SIZES
async def test_a_picture_hides_hashes_on_wish(tmp_path: Path, folder: Path, size: tuple[int, int]) -> None:
    async with at_the_screen(unstarted_node(tmp_path / "me", None), size, wait=False) as me:
        await until(lambda: bool(me.node.node_id))
        rows = add_rows(me, range(1))
        secret = FileUri(
            "abcdef0123" * 4, "name with spaces that is long enough to end in a second line", "98" * 20
        )
        me.node.ledger.note(rows[0], f"the bucket has no {secret}")
        await me.press("3")
        await me.reads("the bucket has no", "sha1://abcdef0123", "▤ 0 B")
        before = me.text()
        for action in ("screenshot", "screenshot-masked"):
            me.main.action_act(action)
            await until(lambda: any("Screenshot saved" in one.title for one in me.app._notifications))
            me.app.clear_notifications()
            await asyncio.sleep(0.01)
        assert not Mask.on
        plain, masked = (
            read(path) for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        )
        assert "sha1://abcdef0123" in plain
        assert "sha1://ab…23" in masked
        assert not re.search(r"[0-9a-f]{10}", masked)
        assert "second line" not in masked
        assert me.text() == before


def read(path: Path) -> str:
    """The texts of an SVG."""
    return re.sub(r"<[^>]*>", "\n", path.read_text().partition("</style>")[2]).replace("&#160;", " ")


@SIZES
async def test_requests_of_an_earlier_run_come_back_and_can_be_tried_again(
    tmp_path: Path, lab: Path, size: tuple[int, int]
) -> None:
    first = unstarted_node(tmp_path / "me", lab, limits={"answer_timeout": 0.2})
    first.storage.claim()
    async with at_the_screen(first, size) as me:
        row = me.node.files.request(wanted(1))
        await until(lambda: row.step is Step.FAILED)
    storage = Storage.open(tmp_path / "me" / "storage")
    storage.claim()
    node = Node(NodeConfig(tmp_path / "me", "me"), storage, load_channels(tmp_path / "me").channels)
    async with at_the_screen(node, size) as me:
        await me.press("3")
        await me.reads("✗ failed earlier, ", "file-1.dat", "nobody on lab said")
        await me.press("slash")
        await me.type("!earlier")
        await me.press("enter")
        await me.reads("0 of 1 request")
        await me.press("escape", "R")
        (row,) = me.node.ledger
        await until(lambda: bool(row.asks) and not row.earlier)
        await me.reads("✗ failed after")


@SIZES
@pytest.mark.parametrize("in_dialog", [False, True])
async def test_several_uris_are_requested_together(
    tmp_path: Path, lab: Path, size: tuple[int, int], in_dialog: bool
) -> None:
    async with (
        running_node(tmp_path / "alice", lab) as alice,
        at_the_screen(unstarted_node(tmp_path / "me", lab), size) as me,
    ):
        uris = [(await alice.store(put_file(tmp_path, f"{n}.dat", bytes([n]) * 100))).uri for n in range(7)]
        if in_dialog:
            await me.press("r")
            await me.reads("Request a file")
        await me.paste("\n".join(map(str, [*uris, uris[0], "sha1://nonsense"])) + "\n")
        await me.reads("Request 7 files, a line each?", "0.dat, 1.dat", "and 2 more; 1 line left")
        await me.press("escape")
        assert not len(me.node.ledger)
        await me.paste(f"{uris[0]} {uris[1]}")
        await me.reads("Request 2 files")
        await me.press("enter")
        await until(lambda: [row.step for row in me.node.ledger] == [Step.DONE] * 2)

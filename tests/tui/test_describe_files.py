"""What the cache says of files."""

from dataclasses import replace

import pytest

from kachery_tui.node.values import BucketFile, Entry, Horizon, Part, Totals, TrashedFile
from kachery_tui.tui.cells import Tone
from kachery_tui.tui.describe.files import (
    FACT_TITLES,
    Doomed,
    Stop,
    bucket_cells,
    bucket_lines,
    bucket_status,
    entry_cells,
    entry_facts,
    entry_lines,
    eviction_cells,
    eviction_rows,
    eviction_status,
    gauge,
    marked_size,
    storage_status,
    trash_status,
    trashed_cells,
    trashed_lines,
)
from tests.tui.words import text_of

URI = "sha1://" + "ab" * 20 + "/spikes.dat"
ENTRY = Entry("ab" * 20, 1_234, "", 1.0, 2.0, "lab", True, "link", None)
GB = 1_000_000_000


def test_a_file_of_the_storage_as_a_row() -> None:
    cells = [cell.text for cell in entry_cells(ENTRY, 3.0)]
    assert cells[:2] == ["ab" * 20, "1.2 kB"]
    assert cells[4:] == ["lab", "● yes", "→ link"]
    assert entry_cells(replace(ENTRY, kind="void"), 3.0)[-1].text == "✗ void"
    assert entry_cells(replace(ENTRY, pinned=False), 3.0)[5].text == ""


def test_a_manifest_is_called_after_its_file() -> None:
    stored = replace(ENTRY, name="recording.npy.manifest", origin="manifest")
    assert entry_cells(stored, 3.0)[0].text == "manifest of recording.npy"
    assert entry_cells(stored, 3.0)[4].text == ""
    assert entry_cells(ENTRY, 3.0, described="recording.npy")[0].text == "manifest of recording.npy"
    assert "the list of the chunks" in text_of(entry_lines(stored, URI, 3.0))
    # A file that only is called so is none.
    assert entry_cells(replace(ENTRY, name="a.manifest"), 3.0)[0].text == "a.manifest"


def test_a_file_of_the_storage_in_full() -> None:
    words = text_of(entry_lines(replace(ENTRY, manifest_sha1="cd" * 20), URI, 3.0))
    for word in (URI, "(1,234 B)", "neither evicted nor trashed", "a link", "cd" * 20):
        assert word in words


def test_facts_for_a_table_are_exact() -> None:
    facts = dict(zip(FACT_TITLES, entry_facts(ENTRY), strict=True))
    assert facts["size"] == "1234"
    assert facts["sha1"] == "ab" * 20
    assert facts["added"].startswith("19")
    assert "T" in facts["added"]


@pytest.mark.parametrize(
    ("held", "limit", "words", "tone"),
    [
        (45 * GB, 64 * GB, "45 GB of 64 GB 70 % █████▋░░", Tone.GOOD),
        (63 * GB, 64 * GB, "98 %", Tone.WARN),
        (96 * GB, 64 * GB, "! 150 % ████████", Tone.BAD),
        (0, 64 * GB, "0 % ░░░░░░░░", Tone.GOOD),
    ],
)
def test_how_full_the_storage_is(held: int, limit: int, words: str, tone: Tone) -> None:
    line = gauge(Totals(1, held, 0, 0, limit))
    assert words in text_of([line])
    assert line[-1].tone is tone


def test_what_the_title_says() -> None:
    totals = Totals(1_000, 45 * GB, 1, 3 * GB, None)
    assert text_of([storage_status(totals, None)]) == (
        "storage: 1,000 files, 45 GB, no limit, 1 link, trash 3.0 GB"
    )
    assert text_of([storage_status(totals, 12)]).startswith("storage: 12 of 1,001 files, ")
    assert text_of([bucket_status("lab", 200, 3, more=True)]) == (
        "bucket of lab: 200 files so far, more below, 3 other objects"
    )
    assert text_of([bucket_status("lab", 1, 0, more=False)]) == "bucket of lab: 1 file"
    assert marked_size([1_000, 2_000], 10).text == "(3.0 kB)  "
    assert marked_size([1_000, 2_000], 2).text == "(3.0 kB, no more can be)  "


def test_files_of_a_bucket() -> None:
    known = BucketFile("ab" * 20, 10, None, "a.dat", on_disk=True)
    unknown = BucketFile("cd" * 20, 10, 5.0, "", on_disk=False)
    assert [cell.text for cell in bucket_cells(known, 3.0)] == ["a.dat", "10 B", "–", "✓ yes", "ab" * 20]
    assert bucket_cells(unknown, 3.0)[0].text == "cd" * 20
    assert bucket_cells(unknown, 3.0)[3].text == "· no"
    manifest = replace(unknown, described="a.dat")
    assert bucket_cells(manifest, 3.0)[0].text == "manifest of a.dat"
    assert "the manifest of a.dat" in text_of(bucket_lines(manifest, URI, "lab"))
    words = text_of(bucket_lines(unknown, URI, "lab"))
    assert "in the bucket of lab" in words
    assert "a bucket holds only hashes" in words


def test_files_of_the_trash() -> None:
    file = TrashedFile("ab" * 20, 10, "a.dat", 5.0)
    assert [cell.text for cell in trashed_cells(file, 3.0)][:2] == ["a.dat", "10 B"]
    assert "until that is emptied" in text_of(trashed_lines(file, URI))
    assert text_of([trash_status([file], more=False, bytes_=None)]) == "trash: 1 file, 10 B"
    assert text_of([trash_status([file], more=True, bytes_=20)]) == "trash: the newest 1 files, 20 B"


def entries(*sizes: int) -> tuple[Entry, ...]:
    return tuple(replace(ENTRY, sha1=f"{n:040x}", size=size, name=f"f{n}") for n, size in enumerate(sizes))


def test_over_the_limit_the_first_go_now() -> None:
    horizon = Horizon(entries(30, 30, 30), over=50, room=0, limit=100, goal=70)
    rows = eviction_rows(horizon)
    assert [isinstance(row, Stop) for row in rows] == [False, False, True, False]
    assert rows[2] == Stop(60)
    first = rows[0]
    assert isinstance(first, Doomed)
    assert [cell.text for cell in eviction_cells(first, horizon.over, 3.0)][-2:] == ["30 B", "✗ goes now"]
    assert eviction_cells(rows[3], horizon.over, 3.0)[-1].text == "○ stays"
    assert "60 B freed" in eviction_cells(rows[2], horizon.over, 3.0)[1].text
    assert text_of([eviction_status(horizon)]) == "eviction order: ! 50 B must go, down to 70 B"


def test_below_the_limit_it_shows_what_the_limit_would_take() -> None:
    horizon = Horizon(entries(30, 30), over=0, room=40, limit=100, goal=70)
    rows = eviction_rows(horizon)
    assert [isinstance(row, Stop) for row in rows] == [False, True, False]
    assert eviction_cells(rows[0], horizon.over, 3.0)[-1].text == "! goes next"
    assert text_of([eviction_status(horizon)]) == "eviction order: room for 40 B, then it evicts down to 70 B"


def test_where_all_must_go_the_place_to_stop_is_at_the_end() -> None:
    rows = eviction_rows(Horizon(entries(30, 30), over=60, room=0, limit=100, goal=70))
    assert [isinstance(row, Stop) for row in rows] == [False, False, True]
    assert not any(
        isinstance(row, Stop)
        for row in eviction_rows(Horizon(entries(30), over=60, room=0, limit=100, goal=70))
    )


def test_without_a_limit_nothing_goes() -> None:
    horizon = Horizon(entries(30), over=0, room=None, limit=None, goal=None)
    assert text_of([eviction_status(horizon)]) == "eviction order: nothing, no size limit is set"


def test_a_chunk_of_a_file_that_is_here_is_told_as_one() -> None:
    chunk = BucketFile("cd" * 20, 10, 5.0, "", on_disk=True, part=Part("ab" * 20, "spikes.npy", 3, 12))
    assert bucket_cells(chunk, 3.0)[0].text == "chunk 3 of 12 of spikes.npy"
    assert bucket_cells(chunk, 3.0)[3].text == "✓ yes"
    assert "chunk 3 of 12 of spikes.npy, which is in storage" in text_of(bucket_lines(chunk, URI, "lab"))

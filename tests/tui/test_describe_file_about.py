"""What the cache says of the file under the cursor."""

from dataclasses import replace
from pathlib import Path

from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.ledger import Ledger
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.values import BucketFile, Entry, Part, TrashedFile
from kachery_tui.protocol.uris import FileUri
from kachery_tui.tui.cells import Tone
from kachery_tui.tui.describe.file_about import LINES, about_file, newest_request
from tests.tui.words import PEER, label_of, text_of

SHA1 = "ab" * 20
URI = f"sha1://{SHA1}/spikes.dat"
NOW = 1_790_000_000.0
ENTRY = Entry(
    SHA1, 84_000_000, "spikes.dat", NOW - 60, NOW - 30, "lab", pinned=True, kind="file", manifest_sha1=None
)


def said(file: Entry | BucketFile | TrashedFile, **rest: str) -> list[str]:
    lines = about_file(file, URI, None, label_of, NOW, **rest)
    assert len(lines) <= LINES
    return text_of(lines).split("\n")


def test_a_file_in_storage() -> None:
    uri, what, asked = said(ENTRY)
    assert uri == URI
    assert what.startswith("file, 84 MB, added ")
    assert what.endswith(", pinned, from lab")
    assert asked == "nobody has asked for it"
    assert said(replace(ENTRY, origin="manifest", name="spikes.dat.manifest"))[1].startswith(
        "manifest of spikes.dat, 84 MB"
    )


def test_a_broken_link_stands_out() -> None:
    _, line, _ = about_file(replace(ENTRY, kind="void"), URI, None, label_of, NOW)
    assert line[0].text == "broken link: its file was changed or removed"
    assert line[0].tone is Tone.BAD


def test_who_asked_for_it_last() -> None:
    ledger, file = Ledger(), FileSubject(FileUri(SHA1, "spikes.dat"))
    assert newest_request(ledger, SHA1) is None
    ledger.open(Side.MINE, "lab", file, Step.ASKING)
    assert newest_request(ledger, SHA1) is None
    row = ledger.open(Side.THEIRS, "lab", file, Step.CHECKING)
    row.asked_by.append(PEER)
    ledger.end(row, Step.DONE, path=Path("/x"))
    assert newest_request(ledger, SHA1) is row
    assert newest_request(ledger, "cd" * 20) is None
    line = about_file(ENTRY, URI, row, label_of, NOW)[2]
    assert text_of([line]).startswith("asked for by alice at ")
    assert text_of([line]).endswith(": ✓ done")


def test_a_file_of_a_bucket() -> None:
    file = BucketFile(SHA1, 10, NOW, name="spikes.dat", on_disk=False)
    assert said(file, channel="lab")[1].startswith("in the bucket of lab, 10 B, changed ")
    assert said(file, channel="lab")[1].endswith("not in storage")
    assert said(replace(file, on_disk=True))[1].endswith("also in storage")
    assert said(replace(file, name=""))[2] == "its name is unknown: a bucket holds only hashes"
    part = Part(name="whole.dat", sha1="cd" * 20, number=2, count=5)
    assert said(replace(file, part=part))[2] == "chunk 2 of 5 of whole.dat, which is in storage"


def test_a_file_in_the_trash() -> None:
    assert said(TrashedFile(SHA1, 10, "spikes.dat", NOW - 5))[1].startswith("in the trash since ")

"""The tour goes on when what it asked for has happened."""

from pathlib import Path

import pytest

from kachery_tui.config import NodeConfig
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.here import Here, PaneName
from kachery_tui.tui.keymap import Keymap
from kachery_tui.tui.tour import Hint, Tour, has_come

SHA1 = "ab" * 20
URI = f"sha1://{SHA1}/brain.nwb?manifest={'cd' * 20}"
KEYS = Keymap({"pane-streams": "f2"}).key_of


@pytest.fixture
def here(tmp_path: Path) -> Here:
    node = Node(NodeConfig(tmp_path, "ana"), Storage.open(tmp_path / "storage"), ())
    return Here(node, PaneName.REQUESTS, None, "")


def test_hashes_are_short_keys_are_the_persons_and_the_dialog_gets_the_whole_uri() -> None:
    tour = Tour([Hint(f"{{request}} asks for {URI}", uri=URI), "{pane-streams} shows {nothing}"])
    assert tour.line(KEYS) == "1/2  r asks for sha1://abababab…/brain.nwb  (t: next)"
    assert tour.uri == URI
    tour.skip()
    assert tour.line(KEYS) == "2/2  F2 shows {nothing}  (t: next)"
    assert tour.uri == ""


def test_it_follows_what_happens(here: Here) -> None:
    begun: list[str] = []
    uri = FileUri(SHA1)
    tour = Tour(
        [
            Hint("one", done=has_come(str(uri))),
            Hint(
                "two",
                done=lambda _, act: act == "why",
                ready=lambda _, act: act != "",
                before="one moment",
                begin=lambda: begun.append("two"),
            ),
            "three",
        ]
    )
    row = here.node.ledger.open(Side.MINE, "lab", FileSubject(uri), Step.ASKING)
    tour.follow(here, "")
    assert tour.line(KEYS).startswith("1/3  one")
    here.node.ledger.end(row, Step.DONE)
    tour.follow(here, "")
    tour.follow(here, "")
    assert begun == ["two"]
    assert tour.line(KEYS).startswith("2/3  one moment")
    tour.follow(here, "open")
    assert tour.line(KEYS).startswith("2/3  two")
    tour.follow(here, "why")
    assert tour.line(KEYS).startswith("3/3  three")
    tour.back()
    tour.follow(here, "open")
    assert begun == ["two"]
    assert tour.line(KEYS).startswith("2/3  two")
    tour.skip()
    tour.skip()
    tour.skip()
    assert tour.line(KEYS) == ""


def test_a_tour_without_hints_shows_nothing(here: Here) -> None:
    tour = Tour()
    tour.follow(here, "")
    assert tour.line(KEYS) == tour.uri == ""
    assert Tour(["a word"]).line(KEYS) == "a word  (t: dismiss)"

"""The tour goes on when what it asked for has happened."""

from kachery_tui.node.ledger import Ledger, Side, Step
from kachery_tui.protocol.uris import FileUri
from kachery_tui.tui.tour import Tour

SHA1 = "ab" * 20
HINTS = (f"Press r: asks for sha1://{SHA1}/brain.nwb?manifest={'cd' * 20}", "Press 2 to see the streams")


def test_hashes_are_short_in_the_hint_and_whole_in_the_dialog() -> None:
    tour = Tour(HINTS)
    assert tour.hint == "1/2  Press r: asks for sha1://abababab…/brain.nwb"
    assert tour.uri == f"sha1://{SHA1}/brain.nwb?manifest={'cd' * 20}"


def test_it_follows_the_ledger() -> None:
    tour, ledger = Tour(HINTS), Ledger()
    uri = FileUri(SHA1)
    row = ledger.open(Side.MINE, "lab", uri.file_key, uri, Step.ASKING)
    assert not tour.follow(ledger)
    ledger.end(row, Step.DONE)
    assert tour.follow(ledger)
    assert tour.hint == "2/2  Press 2 to see the streams"
    assert tour.uri == ""
    assert not tour.follow(ledger)
    tour.skip()
    tour.skip()
    assert tour.hint == ""


def test_a_tour_without_hints_shows_nothing() -> None:
    assert Tour().hint == Tour().uri == ""
    assert not Tour().follow(Ledger())
    assert not Tour(["sha1://not-a-hash"]).follow(Ledger())

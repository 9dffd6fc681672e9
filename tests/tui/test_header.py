"""The header says who and where this node is, in the width that there is."""

from pathlib import Path

import pytest

from kachery_tui.tui.cells import width_of
from kachery_tui.tui.header import header_line, waits, whereabouts
from tests.tui.screens import unstarted_node


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("ana", "ana@box"),
        ("ana@box", "ana@box"),
        ("ana@box.lab.org", "ana@box.lab.org"),
        ("ana@pc", "ana@pc on box"),
    ],
)
def test_label_and_machine(label: str, text: str) -> None:
    assert whereabouts(label, "box") == text


def test_what_waits_is_the_last_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = unstarted_node(tmp_path / "me", None)
    node.is_started = True
    monkeypatch.setattr("kachery_tui.tui.header.waiting", lambda _: 2)
    for width in (120, 80, 40, 30):
        line = header_line(node, 0.0, width)
        assert waits(2) in "".join(cell.text for cell in line)
        assert width_of(line) <= width or width == 30


def test_words_for_what_waits() -> None:
    assert waits(1) == "1 waits for your key"
    assert waits(2) == "2 wait for your key"

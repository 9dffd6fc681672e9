"""What several tests of words share."""

from collections.abc import Iterable

from kachery_tui.tui.cells import Line, Row
from kachery_tui.tui.cells import text_of as cells_text

PEER = "cd" * 32
"""The id of a node called alice."""


def text_of(lines: Iterable[Line]) -> str:
    return "\n".join("".join(cell.text for cell in line) for line in lines)


def row_texts(cells: Row) -> list[str]:
    return [cells_text(cell) for cell in cells]


def label_of(node_id: str) -> str:
    return {PEER: "alice"}.get(node_id, node_id[:4])

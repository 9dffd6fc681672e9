"""What is told of a node that ran on after its screen was left."""

from pathlib import Path

import pytest

from kachery_tui.config import NodeConfig
from kachery_tui.errors import NobodyHasIt
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.ledger import Request
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.values import Totals
from kachery_tui.protocol.uris import FileUri, SubfeedKey
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.describe.since import since_words, standing
from kachery_tui.tui.memory import Left, Memory, recall, remember

NOON = 1_700_000_000.0


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(NodeConfig(tmp_path, "ana"), Storage.open(tmp_path / "storage"), [])


def totals(amount: int, limit: int | None = None) -> Totals:
    return Totals(1, amount, 0, 0, limit)


def ended(
    node: Node, side: Side, name: str, size: int, at: float, failure: NobodyHasIt | None = None
) -> Request:
    step = Step.CHECKING if side is Side.THEIRS else Step.STORAGE
    row = node.ledger.open(side, "lab", FileSubject(FileUri(f"{len(node.ledger):040x}", name)), step)
    row.size = size
    row.step = Step.FAILED if failure else Step.DONE
    row.failure = failure
    row.ended = at
    return row


def test_nothing_that_happened_is_not_told(node: Node) -> None:
    ended(node, Side.THEIRS, "old.bin", 5, NOON - 1)
    left = standing(node, totals(1_000), NOON)
    assert since_words(node, left, totals(1_000), NOON + 60) == ""
    assert since_words(node, left, totals(1_001), NOON + 60) == ""


def test_requests_feeds_and_storage(node: Node) -> None:
    key = SubfeedKey("f" * 64, "e" * 40)
    state = node.feeds.states.state(key)
    state.feed_name, state.here = "spikes", 10
    left = standing(node, totals(71_000, 100_000), NOON)
    for number in range(12):
        ended(node, Side.THEIRS, f"{number}.bin", 1_000_000, NOON + 10)
    ended(node, Side.MINE, "got.bin", 2_000, NOON + 20)
    ended(node, Side.MINE, "first.bin", 1, NOON + 30, NobodyHasIt("no", "nobody was listening"))
    ended(node, Side.MINE, "lost.bin", 1, NOON + 40, NobodyHasIt("no", "three said no"))
    state.here = 350
    words = since_words(node, left, totals(83_000, 100_000), NOON + 7200)
    when, _, rest = words.partition(": ")
    assert when.startswith("since ")
    assert rest == (
        "12 served (12 MB), 1 fetched (2.0 kB), 2 failed (lost.bin: three said no), feed spikes +340, storage 71 % → 83 %"
    )


def test_of_many_feeds_those_that_grew_most_are_named(node: Node) -> None:
    left = standing(node, totals(0), NOON)
    for number in range(5):
        state = node.feeds.states.state(SubfeedKey(f"{number:064x}", f"{number:040x}"))
        state.feed_name, state.here = f"f{number}", number + 1
    words = since_words(node, left, totals(0), NOON + 60)
    assert words.endswith(": feed f4 +5, feed f3 +4, feed f2 +3, 2 more feeds grew")


def test_it_is_remembered(tmp_path: Path) -> None:
    left = Left(NOON, 5, {"feed://f": 3})
    remember(tmp_path, Memory(left=left))
    assert recall(tmp_path).left == left


@pytest.mark.parametrize(
    "text",
    ['{"left": 3}', '{"left": {"at": 1e99, "stored": 1, "feeds": {}}}', '{"left": {"at": 5.0, "feeds": []}}'],
)
def test_what_makes_no_sense_is_as_if_it_were_not_there(tmp_path: Path, text: str) -> None:
    (tmp_path / "screen.json").write_text(text)
    assert recall(tmp_path).left is None

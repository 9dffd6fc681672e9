"""The registry of actions: keys that survive any terminal, and a reason for every key that does nothing."""

from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding

from kachery_tui.config import NodeConfig
from kachery_tui.node.ledger import Side, Step
from kachery_tui.node.node import Node
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.actions import ACTIONS, BY_ID, available
from kachery_tui.tui.acts import Acts
from kachery_tui.tui.app import KacheryApp
from kachery_tui.tui.dialogs.help import help_lines
from kachery_tui.tui.here import Here, PaneName
from kachery_tui.tui.screen import MainScreen
from kachery_tui.tui.tour import Tour

TAKEN_BY_TERMINALS = {"ctrl+s", "ctrl+q", "ctrl+a", "ctrl+b"}
URI = FileUri("ab" * 20, "spikes.dat")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(NodeConfig(tmp_path, "ana"), Storage.open(tmp_path / "storage"), ())


def here(node: Node, selection: Any, pane: PaneName = PaneName.REQUESTS) -> Here:
    return Here(node, pane, selection, "")


def test_keys_are_plain_and_unique() -> None:
    keys = [action.key for action in ACTIONS]
    assert len(keys) == len(set(keys))
    assert all(len(action.shown) == 1 or action.shown == "Enter" for action in ACTIONS)


def test_no_binding_takes_a_key_that_terminals_take() -> None:
    for bindings in (KacheryApp.BINDINGS, MainScreen.BINDINGS):
        for binding in bindings:
            assert isinstance(binding, Binding)
            assert not TAKEN_BY_TERMINALS & set(binding.key.split(","))


async def test_the_program_itself_has_no_such_binding(node: Node) -> None:
    app = KacheryApp(node)
    assert not TAKEN_BY_TERMINALS & set(app._bindings.key_to_bindings)


def test_every_action_can_be_done(node: Node) -> None:
    assert Acts(MainScreen(node, Tour()), node).ids == set(BY_ID)


def test_a_key_that_does_nothing_says_why(node: Node) -> None:
    nowhere = here(node, None)
    assert BY_ID["request"].unavailable(nowhere) == "this node is on no channel yet"
    assert BY_ID["provide"].unavailable(nowhere) == "no request waits for your answer"
    assert BY_ID["cancel"].unavailable(nowhere) == "choose a request that is under way (3)"
    assert BY_ID["copy"].unavailable(nowhere) == "nothing with a URI is chosen"
    assert BY_ID["role"].unavailable(nowhere) == "choose a role in the channels pane (1)"
    assert {action.id for action in available(nowhere)} == {"store", "link", "zoom", "help", "quit"}


def test_what_can_be_done_follows_the_row(node: Node) -> None:
    row = node.ledger.open(Side.MINE, "lab", URI.file_key, URI, Step.ASKING)
    assert BY_ID["cancel"].unavailable(here(node, row)) == ""
    assert BY_ID["retry"].unavailable(here(node, row)) == "it is still under way"
    assert BY_ID["copy"].unavailable(here(node, row)) == ""
    node.ledger.end(row, Step.FAILED)
    assert BY_ID["cancel"].unavailable(here(node, row)) == "this request has ended (failed)"
    assert BY_ID["retry"].unavailable(here(node, row)) == ""
    assert BY_ID["push"].unavailable(here(node, row)) == "this node does not have the file"
    node.ledger.reopen(row, Step.STORAGE)
    node.ledger.end(row, Step.DONE, path=Path("/x"))
    assert BY_ID["retry"].unavailable(here(node, row)) == "it ended well; r asks anew"


@pytest.mark.parametrize("pane", PaneName)
def test_help_names_every_key(node: Node, pane: PaneName) -> None:
    text = "\n".join("".join(cell.text for cell in line) for line in help_lines(here(node, None, pane)))
    for action in ACTIONS:
        assert action.shown in text
        assert action.unavailable(here(node, None)) in text

"""The registry of actions: keys that survive any terminal, and a reason for every key that does nothing."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding

from kachery_tui.config import NodeConfig
from kachery_tui.errors import UsageError
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Side, Step
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.actions import ACTIONS, BY_ID
from kachery_tui.tui.actions.help import help_lines
from kachery_tui.tui.actions.offered import IN_PANE, offered
from kachery_tui.tui.app import KacheryApp
from kachery_tui.tui.here import Here, PaneName
from kachery_tui.tui.keymap import TAKEN, Keymap
from kachery_tui.tui.screen import MainScreen

TAKEN_BY_TERMINALS = {"ctrl+s", "ctrl+q", "ctrl+a", "ctrl+b"}
URI = FileUri("ab" * 20, "spikes.dat")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(NodeConfig(tmp_path, "ana"), Storage.open(tmp_path / "storage"), ())
    node.parts.people.node_id, node.is_started = "cd" * 32, True
    return node


def here(node: Node, selection: Any, pane: PaneName = PaneName.REQUESTS) -> Here:
    return Here(node, pane, selection, "", key_of=Keymap().key_of)


def test_ids_are_unique_and_each_action_says_what_it_does() -> None:
    assert len(BY_ID) == len(ACTIONS)
    assert all(action.label and len(action.about) > 10 for action in ACTIONS)


def test_one_key_does_one_thing_in_a_pane() -> None:
    for one, other in combinations(ACTIONS, 2):
        assert not one.key or one.key != other.key or not one.panes & other.panes, (one.id, other.id)


def test_no_key_is_one_that_terminals_or_lists_take() -> None:
    assert set(TAKEN) >= TAKEN_BY_TERMINALS
    assert not {action.key for action in ACTIONS} & set(TAKEN)
    for bindings in (KacheryApp.BINDINGS, MainScreen.BINDINGS):
        for binding in bindings:
            assert isinstance(binding, Binding)
            assert not TAKEN_BY_TERMINALS & set(binding.key.split(","))


async def test_the_program_itself_has_no_such_binding(node: Node) -> None:
    app = KacheryApp(node)
    assert not TAKEN_BY_TERMINALS & set(app._bindings.key_to_bindings)


def test_a_key_that_does_nothing_says_why(node: Node) -> None:
    nowhere = here(node, None)
    assert BY_ID["request"].reason(nowhere) == "this node is on no channel yet"
    assert BY_ID["decline"].reason(nowhere) == "choose a request that waits for you"
    assert BY_ID["cancel"].reason(nowhere) == "choose a request that is under way (3)"
    assert BY_ID["copy"].reason(nowhere) == "nothing with a URI is selected"
    assert BY_ID["role"].reason(nowhere) == "switch to channels (1) first"


def test_before_the_node_has_started_what_needs_it_waits(node: Node) -> None:
    node.is_started = False
    assert BY_ID["store"].reason(here(node, None)) == "the node is still starting"
    assert BY_ID["help"].reason(here(node, None)) == ""


def test_read_only_refuses_whatever_changes_something(node: Node) -> None:
    looking = replace(here(node, None), read_only=True)
    for action in ACTIONS:
        if action.changes and looking.pane in action.panes:
            assert action.reason(looking) == "this screen is read-only"


@pytest.mark.parametrize("pane", PaneName)
def test_the_footer_has_the_same_keys_whatever_is_chosen(node: Node, pane: PaneName) -> None:
    row = node.ledger.open(Side.MINE, "lab", FileSubject(URI), Step.ASKING)
    for chosen in (None, row):
        first, last = offered(here(node, chosen, pane))
        for action, place in zip(first, IN_PANE[pane], strict=True):
            assert action.id in place.split("|")
            assert pane in action.panes
        assert [action.id for action in last] == ["help", "quit"]


def test_what_can_be_done_goes_first_where_two_keys_share_a_place(node: Node) -> None:
    place = IN_PANE[PaneName.REQUESTS].index("cancel|retry")
    row = node.ledger.open(Side.MINE, "lab", FileSubject(URI), Step.ASKING)
    assert offered(here(node, None))[0][place].id == "cancel"
    assert offered(here(node, row))[0][place].id == "cancel"
    node.ledger.end(row, Step.FAILED)
    assert offered(here(node, row))[0][place].id == "retry"


def test_what_is_being_stored_can_be_stopped_from_anywhere(node: Node) -> None:
    _, last = offered(replace(here(node, None, PaneName.LOG), doing="storing"))
    assert [action.id for action in last] == ["cancel", "help", "quit"]
    assert last[0].label_at(replace(here(node, None, PaneName.LOG), doing="storing")) == "Stop storing"


def test_what_can_be_undone_is_offered_beside_them(node: Node) -> None:
    _, last = offered(replace(here(node, None), undoes="pin"))
    assert [action.id for action in last] == ["undo", "help", "quit"]


def test_what_can_be_done_follows_the_row(node: Node) -> None:
    row = node.ledger.open(Side.MINE, "lab", FileSubject(URI), Step.ASKING)
    assert BY_ID["cancel"].reason(here(node, row)) == ""
    assert BY_ID["retry"].reason(here(node, row)) == "it is still under way"
    assert BY_ID["copy"].reason(here(node, row)) == ""
    node.ledger.end(row, Step.FAILED)
    assert BY_ID["cancel"].reason(here(node, row)) == "this request has ended (failed)"
    assert BY_ID["retry"].reason(here(node, row)) == ""
    node.ledger.reopen(row, Step.STORAGE)
    node.ledger.end(row, Step.DONE, path=Path("/x"))
    assert BY_ID["retry"].reason(here(node, row)) == "already complete; r requests it again"


@pytest.mark.parametrize("pane", PaneName)
def test_help_names_every_key(node: Node, pane: PaneName) -> None:
    where = here(node, None, pane)
    text = "\n".join("".join(cell.text for cell in line) for line in help_lines(where, ACTIONS))
    for action in ACTIONS:
        assert where.key_of(action.id) in text
        assert action.reason(where) in text


def test_a_remapped_key_is_what_is_printed_and_pressed(node: Node) -> None:
    from textual.events import Key

    keymap = Keymap({"request": "f5", "retry": "r"})
    assert keymap.key_of("request") == "F5"
    assert keymap.action_at(Key("f5", None), PaneName.REQUESTS) is BY_ID["request"]
    assert keymap.action_at(Key("r", "r"), PaneName.REQUESTS) is BY_ID["retry"]
    assert keymap.action_at(Key("R", "R"), PaneName.REQUESTS) is None
    assert Keymap().action_at(Key("question_mark", "?"), PaneName.LOG) is BY_ID["help"]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"requst": "r"}, "Did you mean request?"),
        ({"request": "ctrl+s"}, "it stops a terminal"),
        ({"request": "no such key"}, "there is no such key"),
        ({"request": ""}, ""),
        ({"request": "s"}, "request and store"),
    ],
)
def test_keys_that_make_no_sense_are_refused(overrides: dict[str, str], says: str) -> None:
    if says:
        with pytest.raises(UsageError, match=r"config\.toml") as raised:
            Keymap(overrides)
        assert says.replace("?", "") in str(raised.value)
    else:
        assert Keymap(overrides).key_of("request") == ""

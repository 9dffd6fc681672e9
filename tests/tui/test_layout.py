"""What each pane looks like at three sizes, as text. `KEEP_LAYOUTS=1` writes the pictures anew, to be looked at."""

import os
import re
from contextlib import suppress
from pathlib import Path

import pytest

from kachery_tui.config import TaskConfig
from kachery_tui.errors import KacheryError, NobodyHasIt
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.ledger import Ledger, Origin, StepTime
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.tasks.functions import OwnFunctions
from kachery_tui.node.tasks.process import TaskFailed
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.node.threads import in_thread
from kachery_tui.protocol.feeds import BadMessage, Fault
from kachery_tui.protocol.messages import TaskFunctionType
from kachery_tui.protocol.uris import FileUri, SubfeedKey
from kachery_tui.tui.here import PaneName
from tests.tui.screens import at_the_screen, unstarted_node

FOLDER = Path(__file__).parent / "layouts"
SIZES = ((140, 45), (100, 30), (80, 24))
NOON = 1_790_000_000.0

_MASKS = (
    (re.compile(r"\b\d\d:\d\d\b"), "12:00"),
    (re.compile(r"\b12:00:\d\d\b"), "12:00:00"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "2026-09-21"),
    (re.compile(r"\b[0-9a-f]{8}…"), "0a1b2c3d…"),
)


def fill(ledger: Ledger) -> None:
    """A request that came from a peer, one that failed, and one of another node."""
    uri = FileUri("ab" * 20, "recording.npy")
    done = ledger.open(Side.MINE, "lab", FileSubject(uri), Step.STORAGE)
    done.size = 84_000_000
    ledger.count(done, 84_000_000, Origin.PEER)
    ledger.end(done, Step.DONE, path=Path("/data/recording.npy"))
    lost = FileUri("cd" * 20, "lost.dat")
    failed = ledger.open(Side.MINE, "lab", FileSubject(lost), Step.ASKING)
    why = "no answer within 30 s (answer_timeout); listening: ana, ben"
    failure = NobodyHasIt(
        "nobody on lab said that it has the file", why, "Try again when more nodes are present"
    )
    ledger.end(failed, Step.FAILED, failure=failure)
    theirs = ledger.open(Side.THEIRS, "lab", FileSubject(uri), Step.CHECKING)
    ledger.end(theirs, Step.DECLINED)
    for row in ledger:
        row.steps = [StepTime(step.step, NOON + place) for place, step in enumerate(row.steps)]
        row.started, row.ended = NOON, NOON + len(row.steps)


def know_tasks(node: Node) -> None:
    """Two functions of this node, one of which cannot run, one of another, and two tasks."""
    pure, query = TaskFunctionType.PURE_CALCULATION, TaskFunctionType.QUERY
    counts = TaskConfig("spike-counts.1", pure, ("lab",), function="lab_tools.spikes:counts")
    latest = TaskConfig("latest.1", query, ("lab",), function="lab_tools.missing:latest")
    node.tasks.functions = OwnFunctions((counts, latest), node.config.folder, {})
    for function in node.tasks.functions:
        function.known.set()
    broken = node.tasks.functions.get("latest.1")
    assert broken is not None
    broken.problem = KacheryError("lab_tools.missing:latest cannot be imported", "ModuleNotFoundError")
    done = TaskSubject.call("spike-counts.1", pure, {"uri": "sha1://" + "ab" * 20, "bin": 0.5})
    done.result = '{"counts": [3, 1, 4, 1, 5]}'
    failed = TaskSubject.call("latest.1", query, {"rig": 2}, task_id="abcdefghij")
    row = node.ledger.open(Side.MINE, "lab", done, Step.BUCKET)
    row.size = len(done.result)
    node.ledger.count(row, row.size, Origin.BUCKET)
    node.ledger.end(row, Step.DONE)
    theirs = node.ledger.open(Side.THEIRS, "lab", failed, Step.CHECKING)
    theirs.asked_by.append("0a1b2c3d" * 8)
    node.ledger.end(theirs, Step.FAILED, failure=TaskFailed("ValueError: rig 2 is switched off"))
    for each in (row, theirs):
        each.steps = [StepTime(step.step, NOON + place) for place, step in enumerate(each.steps)]
        each.started, each.ended = NOON, NOON + len(each.steps)


def know_feeds(node: Node) -> None:
    """An own subfeed, one that is followed and behind, one of which a message was refused."""
    own, followed, refused = (
        node.feeds.states.state(SubfeedKey(letters * 32, "12" * 20)) for letters in ("ab", "cd", "ef")
    )
    own.own, own.feed_name, own.name = True, "a diary", "messages"
    followed.name, followed.follows, followed.here, followed.announced = "losses", True, 1_200, 1_234
    followed.in_bucket, followed.behind_since = {"lab": 1_225}, 1.0
    followed.row = node.ledger.open(Side.MINE, "lab", SubfeedSubject(followed.key, followed.uri), Step.LIVE)
    followed.row.steps, followed.row.started = [StepTime(Step.LIVE, NOON)], NOON
    SubfeedSubject.of(followed.row).messages = 1_200
    refused.name, refused.here, refused.fault = "spikes", 7, BadMessage(Fault.FORK, 7)
    for state in (own, followed, refused):
        node.feeds.states.touch(state)


def masked(text: str) -> str:
    """The text without what differs from run to run, each line as wide as it was."""
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_each_pane(tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kachery_tui.tui.header.host", lambda: "box")
    node = unstarted_node(tmp_path / "ana", None)
    fill(node.ledger)
    async with at_the_screen(node, size) as me:
        await in_thread(lambda: node.storage.store_bytes(b"a,b\n1,2\n", "rates.csv", "lab"))
        await me.press("4")
        await me.reads("1 file, 8 B", "rates.csv", "▤ 8 B")
        await me.press("5")
        await me.reads("No feeds yet")
        know_feeds(node)
        for key, name in enumerate(PaneName, 1):
            if name is PaneName.TASKS:
                know_tasks(node)
            await me.press(str(key))
            await me.reads(f"▶{key} {name.capitalize()}")
            place = FOLDER / f"{name}-{size[0]}x{size[1]}.txt"
            if "KEEP_LAYOUTS" in os.environ:
                await me.pilot.pause(2.0)
                place.parent.mkdir(exist_ok=True)
                place.write_text(masked(me.text()))
            kept = place.read_text()
            with suppress(TimeoutError):
                await me.shows(kept, masked)
            assert masked(me.text()) == kept, f"{place.name} has changed; look at it:\n{masked(me.text())}"

"""The demo's screen: the ordinary one over a node of its own, with a tour that follows what the person does."""

import asyncio
import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Self

from kachery_tui.child import Child
from kachery_tui.config import NodeConfig
from kachery_tui.demo.cues import Cue, CueKind, Offer
from kachery_tui.demo.files import DENSITY, RATES
from kachery_tui.demo.incubator import NAME
from kachery_tui.demo.stage import ANA, BEN, CHANNEL, YOUR_PATIENCE
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.roles import Role, Stream
from kachery_tui.protocol.uris import FileUri, SubfeedUri
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.app import KacheryApp
from kachery_tui.tui.display import Display
from kachery_tui.tui.here import Here, PaneName
from kachery_tui.tui.present import size
from kachery_tui.tui.screen import MainScreen
from kachery_tui.tui.tour import Hint, Tour, has_come

LOOK_SECONDS: Final = 0.1
HINTED_FILES: Final = 4
"""More files than that are not gone through one by one."""

NOBODYS: Final = FileUri(hashlib.sha1(b"nobody has this file").hexdigest(), "lost.dat")  # noqa: S324 - a name
"""A file that no node of the demo has."""

PRESENT_SECONDS: Final = 20.0
"""How long the peers may take to be present before the tour goes on without them."""


class Backstage:
    """The stage as the screen has it: a child process, whose cues a thread collects.

    Leaving the `with` block ends the stage, waits until it has cleared everything away, and makes sure of it.
    """

    def __init__(self, folder: Path, paths: Sequence[Path]) -> None:
        self.folder = folder
        self._cues: SimpleQueue[Cue] = SimpleQueue()
        arguments = [str(folder), *(str(path.absolute()) for path in paths)]
        self._child = Child(arguments, log=folder / "stage.log", module="kachery_tui.demo.stage")

    def __enter__(self) -> Self:
        # From here on somebody sees to it that the folder goes, whatever happens to this process.
        threading.Thread(target=self._listen, name="stage", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Have the hub and the peers started."""
        self._child.send_line("start")

    def ask(self, uri: str) -> None:
        """Have ben ask for a file of this node's."""
        self._child.send_line(f"ask {uri}")

    def next_cue(self) -> Cue | None:
        """The oldest cue that was not looked at yet."""
        try:
            return self._cues.get_nowait()
        except Empty:
            return None

    def _listen(self) -> None:
        while line := self._child.read_line():
            self._cues.put(Cue.decode(line))
        self._cues.put(Cue(CueKind.FAILED, "the demo's hub and peers have ended"))


class DemoApp(KacheryApp):
    """The screen of the demo's third node.

    It paints first. Then the stage is set, the node joins the channel, and the tour begins.
    """

    def __init__(self, node: Node, backstage: Backstage, shown_on: Display) -> None:
        super().__init__(node, tour=["one moment…"], shown_on=shown_on)
        self._demo_node = node
        self._backstage = backstage

    def on_mount(self) -> None:
        """Begin the play beside the screen; the base class shows the screen."""
        self.run_worker(self._play(), name="demo", exit_on_error=True)

    async def _play(self) -> None:
        node = self._demo_node
        await _until(lambda: bool(node.node_id))
        self._backstage.start()
        ready = await self._wait_for(CueKind.READY)
        # The node may have seen the file by itself before the peers were ready.
        await node.look_at_channel_files()
        yours = await node.store(DENSITY)
        await node.store(RATES)
        await self._peers_present(ready.offers)
        uri = str(yours.uri)
        self._show(*hints(ready.offers, uri, ready.feed, lambda: self._backstage.ask(uri)))
        await self._wait_for(CueKind.RECEIVED)
        self.notify(f"{BEN} has it, verified", title=DENSITY.name, markup=False)

    async def _wait_for(self, kind: CueKind) -> Cue:
        """The next cue of that kind. Others are shown to the person on the way."""
        while True:
            cue = self._backstage.next_cue()
            if cue is None:
                await asyncio.sleep(LOOK_SECONDS)
            elif cue.kind is kind:
                return cue
            else:
                self._show(cue.text)
                if cue.kind is CueKind.FAILED:
                    self.notify(cue.text, title="the demo", severity="error", timeout=30, markup=False)

    async def _peers_present(self, offers: Sequence[Offer]) -> None:
        """Wait until the peers listen; who asks before that would wait for an answer that cannot come."""
        wanted = {offer.peer for offer in offers}
        members = self._demo_node.memberships[CHANNEL].members
        with suppress(TimeoutError):
            async with asyncio.timeout(PRESENT_SECONDS):
                await _until(lambda: wanted <= {member.label for member in members(Stream.PROVIDE_FILES)})

    def _show(self, *hints: Hint | str) -> None:
        """Show hints on the main screen, if that is there."""
        for screen in self.screen_stack:
            if isinstance(screen, MainScreen):
                screen.tour = Tour(hints)


async def _until(holds: Callable[[], bool]) -> None:
    """Wait until the node's state is so. Like the screen, this looks: the node tells nobody."""
    while not holds():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(LOOK_SECONDS)


def hints(offers: Sequence[Offer], yours: str, feed: str, let_ben_ask: Callable[[], None]) -> list[Hint]:
    """The tour: what to press, in order.

    `yours` is the file that ben asks for once `let_ben_ask` was called, `feed` the log that ana's node keeps.
    """
    asked_for, log = FileUri.parse(yours), SubfeedUri.parse(feed)
    return [
        *(_hint_for(offer) for offer in offers[:HINTED_FILES]),
        Hint(
            f"now the other way: {BEN} asks for your {asked_for.name} and waits for you. "
            "{provide} goes to the row, {provide} again sends the file",
            done=lambda here, _: _row(here, asked_for, Side.THEIRS, Step.DONE, Step.DECLINED),
            ready=lambda here, _: _row(here, asked_for, Side.THEIRS, *Step),
            before=f"one moment: {BEN} is about to ask for your {asked_for.name}…",
            begin=let_ben_ask,
        ),
        Hint(
            "roles decide who may do what: {pane-channels}, then down to request-feeds, and {role} asks for it",
            done=lambda here, _: any(
                Role.REQUEST_FEEDS in one.in_force for one in here.node.memberships.values()
            ),
        ),
        Hint(
            f"{ANA} logs an {NAME}'s temperature: {{request}}, then Enter, follows that feed",
            uri=feed,
            done=lambda here, _: _follows(here, log),
        ),
        Hint(
            "its messages come by themselves: {open} shows them, {plot} on one draws its numbers",
            done=lambda _, act: act == "plot",
        ),
        *_task_hint(offers),
        Hint(
            f"find a file again: {{pane-cache}}, then {{filter}}, then type {RATES.stem[:6]}, then Enter",
            done=lambda here, _: here.pane is PaneName.CACHE and bool(here.can.filter_text),
        ),
        Hint(
            "when something fails: {request}, then Enter, asks for a file that nobody has. "
            f"It takes {YOUR_PATIENCE:.0f} seconds to be sure",
            uri=str(NOBODYS),
            done=lambda here, _: _row(here, NOBODYS, Side.MINE, Step.FAILED),
        ),
        Hint("it failed: {why} on its row says why, link by link", done=lambda _, act: act == "why"),
        Hint(
            "that was the tour. Next: `kachery-tui hub` makes a channel for your lab, `channel invite` lets others in, "
            "and the README has the steps. {help}: every key; {quit}: quit, and everything is removed"
        ),
    ]


def _hint_for(offer: Offer) -> Hint:
    name = FileUri.parse(offer.uri).name or offer.name
    text = f"{{request}}, then Enter, asks for {name} ({size(offer.size)}; only {offer.peer} has it)"
    return Hint(text, uri=offer.uri, done=has_come(offer.uri))


def _task_hint(offers: Sequence[Offer]) -> list[Hint]:
    """Having a peer compute, if there is a recording for that."""
    recordings = [offer for offer in offers if offer.name.endswith(".npy")]
    if not recordings:
        return []
    arguments = json.dumps({"uri": recordings[0].uri}, indent=2)
    return [
        Hint(
            f"{BEN} counts spikes for others: {{pane-tasks}}, then {{request}}, then Ctrl+O, has it look through "
            f"{recordings[0].name}; {{open}} shows the result",
            arguments=arguments,
            done=lambda here, act: act == "open" and _has_result(here),
        )
    ]


def _has_result(here: Here) -> bool:
    """Whether a task has come to its result."""
    return any(isinstance(row.subject, TaskSubject) and row.subject.result for row in here.node.ledger)


def _follows(here: Here, feed: SubfeedUri) -> bool:
    """Whether the feed is followed, and something of it has come."""
    row = here.node.ledger.find(lambda row: row.side is Side.MINE and row.subject.uri == feed)
    return row is not None and bool(row.subject.messages)


def _row(here: Here, uri: FileUri, side: Side, *steps: Step) -> bool:
    """Whether there is a row of that side for the file, in one of these steps."""
    found = here.node.ledger.find(
        lambda row: row.side is side and row.subject.hash == uri.sha1 and row.step in steps
    )
    return found is not None


def make_node(folder: Path) -> Node:
    """The node that the screen shows, below the demo's folder."""
    config = NodeConfig(folder / "you", "you", storage=folder / "you" / "storage")
    return Node(config, Storage.open(folder / "you" / "storage"), ())

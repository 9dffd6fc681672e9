"""The demo's screen: the ordinary one over a node of its own, with a tour that follows what the person does."""

import asyncio
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Self

from kachery_tui.child import Child
from kachery_tui.config import NodeConfig, load_channel
from kachery_tui.demo.cues import Cue, CueKind, Offer
from kachery_tui.demo.files import DENSITY, RATES
from kachery_tui.demo.stage import BEN, CHANNEL
from kachery_tui.node.node import Node
from kachery_tui.protocol.roles import Stream
from kachery_tui.protocol.uris import FileUri
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.app import KacheryApp
from kachery_tui.tui.present import size
from kachery_tui.tui.screen import MainScreen
from kachery_tui.tui.tour import Tour

LOOK_SECONDS: Final = 0.1
HINTED_FILES: Final = 4
"""More files than that are not gone through one by one."""

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

    def __init__(self, node: Node, backstage: Backstage) -> None:
        super().__init__(node, tour=["one moment…"])
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
        await node.join(load_channel(Path(ready.channel_file)))
        yours = await node.store(DENSITY)
        await node.store(RATES)
        await self._peers_present(ready.offers)
        await self._guide(_hints(ready.offers))
        self._backstage.ask(str(yours.uri))
        self._hint(
            f"now the other way: {BEN} asks for your {DENSITY.name}, and waits: p goes to the row, p again provides it"
        )
        await self._wait_for(CueKind.RECEIVED)
        self._hint(
            f"{BEN} has it, verified. Enter on a row shows its steps; ? every key; q leaves, and nothing stays"
        )

    async def _wait_for(self, kind: CueKind) -> Cue:
        """The next cue of that kind. Others are shown to the person on the way."""
        while True:
            cue = self._backstage.next_cue()
            if cue is None:
                await asyncio.sleep(LOOK_SECONDS)
            elif cue.kind is kind:
                return cue
            else:
                self._hint(cue.text)
                if cue.kind is CueKind.FAILED:
                    self.notify(cue.text, title="the demo", severity="error", timeout=30, markup=False)

    async def _peers_present(self, offers: Sequence[Offer]) -> None:
        """Wait until the peers listen; who asks before that would wait for an answer that cannot come."""
        wanted = {offer.peer for offer in offers}
        members = self._demo_node.memberships[CHANNEL].members
        with suppress(TimeoutError):
            async with asyncio.timeout(PRESENT_SECONDS):
                await _until(lambda: wanted <= {member.label for member in members(Stream.PROVIDE_FILES)})

    async def _guide(self, hints: Sequence[str]) -> None:
        """Show the hints, and wait until the last is followed or skipped."""
        tour = self._hint(*hints)
        await _until(lambda: tour is None or not tour.hint)

    def _hint(self, *hints: str) -> Tour | None:
        """Show hints on the main screen, if that is there."""
        for screen in self.screen_stack:
            if isinstance(screen, MainScreen):
                screen.tour = Tour(hints)
                return screen.tour
        return None


async def _until(holds: Callable[[], bool]) -> None:
    """Wait until the node's state is so. Like the screen, this looks: the node tells nobody."""
    while not holds():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(LOOK_SECONDS)


def _hints(offers: Sequence[Offer]) -> list[str]:
    """What to press, file by file. The tour takes a URI to end at the next space, so its name may have none."""
    hints = []
    for offer in offers[:HINTED_FILES]:
        uri = FileUri.parse(offer.uri)
        shown = replace(uri, name="_".join((uri.name or "").split()) or None)
        hints.append(
            f"press r, then Enter, to ask for {shown} ({size(offer.size)}; only {offer.peer} has it)"
        )
    return hints


def make_node(folder: Path) -> Node:
    """The node that the screen shows, below the demo's folder."""
    config = NodeConfig(folder / "you", "you", storage=folder / "you" / "storage")
    return Node(config, Storage.open(folder / "you" / "storage"), ())

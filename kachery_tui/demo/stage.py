"""The stage behind the demo's screen: a process that runs a hub and two peers, and clears everything away at the end.

It is started as `python -m kachery_tui.demo.stage FOLDER [PATH…]` and lives as long as its stdin: when the screen ends,
even by a crash or a kill, the stage still ends its children and removes the folder. It tells what happens in cues on
stdout, and takes commands on stdin: `start` sets the stage, `ask URI` makes a peer ask for that file.
"""

import os
import shutil
import signal
import sys
import threading
import tomllib
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Any, Final

from kachery_tui.child import Child
from kachery_tui.config import NodeConfig, TaskConfig, channels_folder, save_node_config
from kachery_tui.config.reading import write_private
from kachery_tui.demo.cues import Cue, CueKind, Offer
from kachery_tui.demo.files import ON_A_PAGE, write_recording
from kachery_tui.demo.incubator import Incubator
from kachery_tui.errors import KacheryError
from kachery_tui.protocol.messages import TaskFunctionType
from kachery_tui.protocol.roles import Role
from kachery_tui.storage.storage import Storage

CHANNEL: Final = "demo"
ANA: Final = "ana@microscope"
BEN: Final = "ben@cluster"

SPIKES: Final = TaskConfig(
    "spike-counts.1",
    TaskFunctionType.PURE_CALCULATION,
    (CHANNEL,),
    function="kachery_tui.demo.functions:spike_counts",
)
"""What ben's node computes for others."""

FILE_ROLES: Final = [Role.REQUEST_FILES, Role.PROVIDE_FILES]

PATIENCE: Final = 3_600.0
"""Seconds for which ben waits for a person to let a file go."""

BENS_RATE: Final = 20_000_000
"""Bytes a second that ben uploads at most: the large file's way is to be seen."""

YOUR_PATIENCE: Final = 5.0
"""Seconds for which the person's node waits for an answer: all of the demo is on one machine."""

ENDINGS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Curtain(BaseException):
    """The demo is over. Raised wherever the stage is at that moment."""


class Stage:
    """The hub and the peers, all of it below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []
        self._incubator: Incubator | None = None

    def raise_curtain(self, paths: Sequence[Path]) -> None:
        """Start everything; ana and ben share out the files. Raises `KacheryError` where something does not start."""
        tell(Cue(CueKind.PROGRESS, "a hub and two peers are starting on this machine"))
        hub = self._start("hub", "hub", "--data", str(self._folder / "hub"), "--port", "0", "--s3-port", "0",
                          "--channel", CHANNEL)  # fmt: skip
        anas, bens = (paths[0::2], paths[1::2]) if paths else ([ON_A_PAGE], [self._recording()])
        offers = [self._take("ana", ANA, anas), self._take("ben", BEN, bens, SPIKES)]
        self._incubator = Incubator(self._folder / "ana" / "storage")
        channel_file = hub.read_line()
        if not channel_file:
            raise KacheryError("the demo's hub did not start", hub.last_words())
        for name, limits, more in (
            ("ana", {}, [Role.PROVIDE_FEEDS]),
            ("ben", {"answer_timeout": PATIENCE, "upload_rate": BENS_RATE}, [Role.PROVIDE_TASKS]),
        ):
            self._join(Path(channel_file), name, limits=limits, roles=[*FILE_ROLES, *more])
            self._start(name, "node", "--config", str(self._folder / name))
        patience = {"answer_timeout": YOUR_PATIENCE}
        roles = [*FILE_ROLES, Role.REQUEST_TASKS]
        self._join(Path(channel_file), "you", provide="ask", limits=patience, roles=roles)
        self._incubator.start()
        shared = tuple(_alternating(*offers))
        tell(Cue(CueKind.READY, offers=shared, feed=str(self._incubator.uri)))

    def let_ben_ask(self, uri: str) -> None:
        """Have ben ask for a file, and tell how that ended."""
        load = self._start("ben-load", "load", "--config", str(self._folder / "ben"), uri, service=False)
        path = load.read_line()
        tell(
            Cue(
                CueKind.RECEIVED if path else CueKind.PROGRESS,
                path or f"ben got no file: {load.last_words()}",
            )
        )

    def clear(self) -> None:
        """End every process, and remove every file."""
        for child in self._children:
            child.ask_to_end()
        if self._incubator is not None:
            self._incubator.close()
        for child in self._children:
            child.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, name: str, *arguments: str, service: bool = True) -> Child:
        ending = ["--exit-with-stdin"] if service else []
        child = Child([*arguments, *ending], log=self._folder / f"{name}.log")
        self._children.append(child)
        return child

    def _recording(self) -> Path:
        path = self._folder / "recording.npy"
        write_recording(path)
        return path

    def _take(self, name: str, label: str, paths: Sequence[Path], *tasks: TaskConfig) -> list[Offer]:
        """Make a peer's settings and storage, and link the files there: they may be large, and they stay in place."""
        config = NodeConfig(self._folder / name, label, storage=self._folder / name / "storage", tasks=tasks)
        save_node_config(config)
        storage = Storage.open(self._folder / name / "storage")
        try:
            taken = [(path, storage.link(path)) for path in paths]
        finally:
            storage.close()
        return [Offer(str(stored.uri), path.name, stored.size, label) for path, stored in taken]

    def _join(self, channel_file: Path, name: str, **settings: Any) -> None:
        """Put a copy of the channel file with settings of its own, in a node's settings folder."""
        import tomli_w

        values = tomllib.loads(channel_file.read_text())
        values |= {"roles": FILE_ROLES} | settings
        place = channels_folder(self._folder / name) / f"{CHANNEL}.toml"
        write_private(place, tomli_w.dumps(values).encode())


def tell(cue: Cue) -> None:
    """Send a cue to the screen. One that has gone is no trouble: the end of stdin comes next."""
    try:
        sys.stdout.write(cue.encode() + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return


def main(arguments: Sequence[str]) -> int:
    """Run the stage until stdin ends or a signal comes."""
    commands: SimpleQueue[str] = SimpleQueue()
    for number in ENDINGS:
        signal.signal(number, _fall)
    stage = Stage(Path(arguments[0]))
    try:
        # In here: stdin may have ended already, and the curtain comes as soon as somebody listens.
        threading.Thread(target=_listen, args=(commands,), daemon=True).start()
        while True:
            verb, _, rest = commands.get().partition(" ")
            try:
                if verb == "start":
                    stage.raise_curtain([Path(path) for path in arguments[1:]])
                elif verb == "ask":
                    stage.let_ben_ask(rest)
            except KacheryError as error:
                tell(Cue(CueKind.FAILED, str(error)))
    except Curtain:
        return 0
    finally:
        stage.clear()


def _listen(commands: "SimpleQueue[str]") -> None:
    for line in sys.stdin:
        commands.put(line.rstrip("\n"))
    os.kill(os.getpid(), signal.SIGTERM)


def _fall(_number: int, _frame: FrameType | None) -> None:
    # Once is enough: nothing may break off the clearing.
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise Curtain


def _alternating(first: list[Offer], second: list[Offer]) -> list[Offer]:
    """One of each in turn, so that the tour visits both peers."""
    longest = max(len(first), len(second))
    pairs = [(first[at : at + 1], second[at : at + 1]) for at in range(longest)]
    return [offer for pair in pairs for part in pair for offer in part]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

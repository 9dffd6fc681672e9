"""A node that runs on without a terminal: beginning one, and ending it."""

import os
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Final

from kachery_tui.cli.logs import open_log
from kachery_tui.cli.node_work import running_node
from kachery_tui.cli.output import emit, say
from kachery_tui.cli.place import Place, find_place
from kachery_tui.errors import KacheryError, TryAgain, UsageError
from kachery_tui.file_locks import is_running
from kachery_tui.process_table import has_ended, stat_fields
from kachery_tui.service.client import NodeClient

START_SECONDS: Final = 60.0
"""Seconds in which a node answers, on a machine that has much else to do."""

END_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.1
LAST_WORDS: Final = 2_000
"""Bytes of its log that are told of a node that did not start."""

LOG_NAME: Final = "node.log"


def detach(args: Namespace) -> int:
    """Begin a node that outlives this terminal, and print its process id once it answers."""
    place = find_place(args)
    must_not_run(running_node(place))
    log: Path = args.log if args.log is not None else place.folder / LOG_NAME
    client = _begun(place, args, log.absolute())
    client.close()
    value = {"pid": client.pid, "socket": client.place, "log": str(log)}
    emit(str(client.pid), value, as_json=args.as_json)
    say(f"the node {place.config.label} runs as process {client.pid}, and writes its log into {log}")
    say("Its state: kachery-tui status. To stop it: kachery-tui stop")
    return 0


def stop(args: Namespace) -> int:
    """End the running node, and wait until it has gone."""
    place = find_place(args)
    client = running_node(place)
    if client is None:
        raise KacheryError(
            f"no node runs on {place.storage} with the settings in {place.folder}",
            "",
            "See whether one runs: kachery-tui status",
        )
    client.ask("POST", "/v1/stop")
    until = time.monotonic() + END_SECONDS
    while _runs(client.pid):
        if time.monotonic() > until:
            raise TryAgain(
                f"process {client.pid} has not ended within {END_SECONDS:.0f} s", "", f"kill {client.pid}"
            )
        time.sleep(LOOK_SECONDS)
    say(f"the node has ended, process {client.pid}")
    return 0


def must_not_run(client: NodeClient | None) -> None:
    """Raise UsageError where a node runs already, to which there is this way."""
    if client is not None:
        client.close()
        raise UsageError(f"a node runs already, process {client.pid}", "", "End it: kachery-tui stop")


def node_command(place: Place, *, group: bool) -> list[str]:
    """What runs the node of these settings from anywhere: by the interpreter that runs here, its paths absolute."""
    folders = ["--config", str(place.folder.absolute()), "--storage", str(place.storage.absolute())]
    return [sys.executable, "-P", "-m", "kachery_tui", "node", *folders, *(["--group"] if group else [])]


def _begun(place: Place, args: Namespace, log: Path) -> NodeClient:
    """A way to a new node. Raises what it said where it did not start."""
    descriptor = open_log(log)
    before = os.fstat(descriptor).st_size
    options = ["--debug"] if args.debug else []
    process = subprocess.Popen(
        [*node_command(place, group=args.group), *options, "--log", str(log)],
        stdin=subprocess.DEVNULL,
        stdout=descriptor,
        stderr=descriptor,
        start_new_session=True,
        cwd="/",
    )
    os.close(descriptor)
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        client = running_node(place)
        if client is not None and client.pid == process.pid:
            return client
        if client is not None:
            # Somebody else has begun one at the same time.
            process.terminate()
            process.wait()
            must_not_run(client)
        if process.poll() is not None:
            raise KacheryError("the node did not start", _words_since(log, before), f"See {log}")
        time.sleep(LOOK_SECONDS)
    process.terminate()
    process.wait()
    raise TryAgain(f"the node does not answer after {START_SECONDS:.0f} s", "", f"See {log}")


def _words_since(log: Path, start: int) -> str:
    try:
        with log.open("rb") as opened:
            opened.seek(max(start, opened.seek(0, os.SEEK_END) - LAST_WORDS))
            lines = opened.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].removeprefix("kachery-tui: ") if len(lines) == 1 else " ".join(lines[-3:])


def _runs(pid: int) -> bool:
    # One whose parent does not ask after it has ended, too.
    return is_running(pid) and not has_ended(stat_fields(pid))

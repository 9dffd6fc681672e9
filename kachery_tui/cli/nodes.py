"""`nodes`: which nodes of this user's run on this machine."""

from argparse import Namespace

from kachery_tui.cli.output import emit, say
from kachery_tui.service.finding import running_nodes


def list_(args: Namespace) -> int:
    """Print them, one a line: label, process, storage folder."""
    nodes = running_nodes()
    width = max((len(node.label) for node in nodes), default=0)
    for node in nodes:
        value = {"label": node.label, "pid": node.pid, "storage": node.storage, "socket": node.client.place}
        emit(f"{node.label:{width}}  {node.pid:>8}  {node.storage}", value, as_json=args.as_json)
    if not nodes:
        say("no node of yours runs on this machine: `kachery-tui node --detach` begins one")
    return 0

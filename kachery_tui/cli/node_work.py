"""Handing what a command needs done to the running node, if one runs; else to a node that lives as long as it takes."""

from argparse import Namespace
from collections.abc import Callable
from contextlib import closing

from kachery_tui.cli.jobs import Event, Job, shown
from kachery_tui.cli.output import Progress, say
from kachery_tui.cli.place import Place, find_place
from kachery_tui.errors import KacheryError
from kachery_tui.service.client import NodeClient, NodeGone, NodeSilent
from kachery_tui.service.failures import NodeBusy, UnknownCall
from kachery_tui.service.finding import find_node


def running_node(place: Place) -> NodeClient | None:
    """The node that runs with these settings on this storage folder, if one does."""
    return find_node(place.storage, place.folder)


def has_reread_channels(args: Namespace) -> bool:
    """Whether a node runs, and has seen by now what was changed in the channel files."""
    try:
        client = running_node(find_place(args))
        if client is None:
            return False
        client.ask("POST", "/v1/channels/reread")
    except KacheryError:
        # It looks every few seconds, in any case.
        return False
    return True


def do(
    place: Place,
    client: NodeClient | None,
    job: Job,
    *,
    debug: bool,
    take: Callable[[Event], None] | None = None,
) -> Event:
    """Have a job done, by the running node if there is a `client` for it, showing how it goes; the last event.

    Each event that brings something is handed to `take`. What it ends with says what is wrong; the log of the way there
    would only repeat it, and is for `debug`. Raises what it ends with.
    """
    progress = Progress()
    try:
        if client is not None:
            try:
                return _by_node(client, job, progress, take)
            except (NodeSilent, NodeBusy, UnknownCall) as error:
                # It has done nothing: jobs stream.
                gone = error.line
            except NodeGone as error:
                if not job.may_repeat:
                    raise
                gone = error.line
            progress.clear()
            say(f"{gone}: done without it")
        # Only this brings in what a node needs.
        from kachery_tui.cli.network import by_own_node

        return by_own_node(place, job, progress, take, debug=debug)
    finally:
        progress.clear()


def _by_node(client: NodeClient, job: Job, progress: Progress, take: Callable[[Event], None] | None) -> Event:
    last: Event = {}
    with closing(client), closing(client.stream("POST", job.call, job.body)) as events:
        for last in events:
            if not shown(last, progress) and take is not None:
                progress.clear()
                take(last)
    return last

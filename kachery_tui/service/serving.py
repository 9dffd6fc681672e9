"""A node's socket, for as long as the node runs."""

import logging
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

from kachery_tui.errors import KacheryError
from kachery_tui.node.node import Node
from kachery_tui.node.threads import in_thread
from kachery_tui.service.screens import Screens

_log = logging.getLogger(__name__)


def serve_calls(
    node: Node, stop: Callable[[], object], *, group: int | None = None, screens: Screens | None = None
) -> None:
    """Have a node that has not been started answer other programs once it is; `stop` is what ends it.

    `group` is the id of a group that may reach it, too. `screens` opens screens on other terminals.
    """
    node.serve_beside("calls of other programs", partial(_serve, node, stop, group, screens))


async def _serve(node: Node, stop: Callable[[], object], group: int | None, screens: Screens | None) -> None:
    # They bring in what speaks HTTP, which takes a tenth of a second.
    server, api = await in_thread(
        lambda: (import_module("kachery_tui.service.server"), import_module("kachery_tui.service.api"))
    )
    socket = server.NodeSocket(node.storage.folder, api.NodeApi(node, stop, screens).calls(), group=group)

    async def told(place: Path) -> None:
        await in_thread(lambda: node.storage.tell_holder(socket=str(place), config=node.config.folder))

    try:
        await told(await socket.start())
        await socket.keep(told)
    except KacheryError as error:
        _log.warning("other programs cannot reach this node: %s", error)
    finally:
        await socket.close()

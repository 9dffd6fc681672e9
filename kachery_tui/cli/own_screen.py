"""The screen over a node that ends with it, after a first conversation where there are no settings; and the demo's."""

import logging
import shutil
import tempfile
from argparse import Namespace
from pathlib import Path

from kachery_tui.cli.local_hub import LocalHub, need_hub
from kachery_tui.cli.logs import log_to
from kachery_tui.cli.output import say
from kachery_tui.cli.place import Place, find_place, is_configured
from kachery_tui.cli.running import (
    need_terminal,
    need_theme,
    own_display,
    run_screen,
    theme_problem,
    with_options,
)
from kachery_tui.config import ScreenConfig, load_channels
from kachery_tui.errors import UsageError
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.display import Display

_log = logging.getLogger(__name__)

HUB_HINT = "the hub of channel {name} runs as long as this screen; `kachery-tui hub` runs it by itself"


def run(args: Namespace) -> int:
    """Open the screen over a node that ends with it."""
    need_theme(args.theme)
    if not is_configured(args):
        from kachery_tui.cli.first_start import converse

        return converse(args)
    place = find_place(args)
    screen = with_options(args, place.config.screen)
    problem = theme_problem(place.folder / "config.toml", screen.theme)
    if problem is not None:
        raise problem
    storage = Storage.open(place.storage)
    hub = LocalHub()
    try:
        storage.claim()
        return _show(args, place, storage, hub, own_display(screen))
    finally:
        storage.close()
        hub.close()


def _show(args: Namespace, place: Place, storage: Storage, hub: LocalHub, shown_on: Display) -> int:
    from kachery_tui.cli.attached_screens import serve_beside_screen
    from kachery_tui.node.node import Node
    from kachery_tui.tui.app import KacheryApp

    loaded = load_channels(place.folder)
    node = Node(place.config, storage, loaded.channels)
    log_to(node.log, debug=args.debug)
    for error in loaded.errors:
        _log.error("%s", error)
    # One a file: `config check` and the log have the others.
    first = {error.file: error for error in reversed(loaded.errors)}
    tour = [f"channel file left out: {error}" for error in first.values()]
    channel = hub.channel_of(loaded.channels)
    if channel is not None:
        hub.start()
        tour.append(HUB_HINT.format(name=channel.name))
    app = KacheryApp(
        node,
        tour=tour,
        beside=lambda node: serve_beside_screen(node, app),
        shown_on=shown_on,
    )
    return run_screen(app)


def demo(args: Namespace) -> int:
    """Open the screen as the third node of a network that lasts as long as the screen."""
    need_terminal()
    need_hub("the demo")
    for path in args.paths:
        if not path.is_file():
            raise UsageError(f"cannot provide {path}", "it is not a file", "Name files that can be read")
    need_theme(args.theme)
    screen = with_options(args, ScreenConfig())
    from kachery_tui.demo.show import Backstage, DemoApp, make_node

    folder = Path(tempfile.mkdtemp(prefix="kachery-demo-"))
    try:
        with Backstage(folder, args.paths) as backstage:
            node = make_node(folder)
            log_to(node.log, debug=args.debug)
            code = run_screen(DemoApp(node, backstage, own_display(screen)))
            say("Clearing away the demo's hub, peers and files…")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return code

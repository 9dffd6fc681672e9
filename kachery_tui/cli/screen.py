"""The screen: of the node that runs, else over one that ends with it."""

from argparse import Namespace

from kachery_tui.cli.place import is_configured
from kachery_tui.cli.running import need_terminal, with_options
from kachery_tui.config import ScreenConfig, config_folder, load_node_config, storage_folder
from kachery_tui.service.finding import find_node, find_node_of_another, node_named


def show(args: Namespace) -> int:
    """Open the screen."""
    need_terminal()
    shown = None if args.own else _of_running_node(args)
    if shown is not None:
        return shown
    # Only this brings in what a node needs.
    from kachery_tui.cli import own_screen

    return own_screen.run(args)


def _of_running_node(args: Namespace) -> int | None:
    """Show a screen of the node that was named, or that runs on this storage folder; None where none does."""
    config = load_node_config(config_folder(args.config)) if is_configured(args) else None
    storage = storage_folder(args.storage, config)
    if args.shown_node is not None:
        client = node_named(args.shown_node).client
    elif config is not None and (found := find_node(storage, config.folder)) is not None:
        client = found
    elif (others := find_node_of_another(storage)) is not None:
        client = others
    else:
        return None
    from kachery_tui.cli.attach import attach

    return attach(client, with_options(args, ScreenConfig() if config is None else config.screen))

"""The screen: over this node, after a first conversation where there is no configuration, or in the demo."""

import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from argparse import Namespace
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from kachery_tui.cli.local_hub import LocalHub, need_hub
from kachery_tui.cli.logs import log_to
from kachery_tui.cli.output import say
from kachery_tui.cli.place import Place, find_place, is_configured
from kachery_tui.cli.service import end_on_signals
from kachery_tui.config import ConfigError, ScreenConfig, load_channels
from kachery_tui.config.reading import nearest
from kachery_tui.errors import UsageError
from kachery_tui.storage.storage import Storage

if TYPE_CHECKING:
    from kachery_tui.tui.app import KacheryApp

_log = logging.getLogger(__name__)

HUB_HINT = "the hub of channel {name} runs as long as this screen; `kachery-tui hub` runs it by itself"


def show(args: Namespace) -> int:
    """Open the screen over this node."""
    _need_terminal()
    if not is_configured(args):
        from kachery_tui.cli.first_start import converse

        return converse(args)
    place = find_place(args)
    screen = with_options(args, place.config.screen)
    problem = theme_problem(place.folder / "config.toml", screen.theme)
    if problem is not None:
        raise problem
    place = replace(place, config=replace(place.config, screen=screen))
    storage = Storage.open(place.storage)
    hub = LocalHub()
    try:
        storage.claim()
        return _show(args, place, storage, hub)
    finally:
        storage.close()
        hub.close()


def _show(args: Namespace, place: Place, storage: Storage, hub: LocalHub) -> int:
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
    return run_screen(KacheryApp(node, tour=tour), place.config.screen)


def demo(args: Namespace) -> int:
    """Open the screen as the third node of a network that lasts as long as the screen."""
    _need_terminal()
    need_hub("the demo")
    for path in args.paths:
        if not path.is_file():
            raise UsageError(f"cannot provide {path}", "it is no file", "Name files that can be read")
    screen = with_options(args, ScreenConfig())
    from kachery_tui.demo.show import Backstage, DemoApp, make_node

    folder = Path(tempfile.mkdtemp(prefix="kachery-demo-"))
    try:
        with Backstage(folder, args.paths) as backstage:
            node = make_node(folder, screen)
            log_to(node.log, debug=args.debug)
            code = run_screen(DemoApp(node, backstage), screen)
            say("Clearing away the demo's hub, peers and files…")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return code


def with_options(args: Namespace, screen: ScreenConfig) -> ScreenConfig:
    """The settings of the screen, with what the command line says in their place. Raises `UsageError` for no theme."""
    if args.theme is not None and (instead := _theme_instead_of(args.theme)):
        raise UsageError(f"there is no theme {args.theme!r}", "", instead)
    return replace(
        screen,
        theme=args.theme or screen.theme,
        read_only=args.read_only or screen.read_only,
        mouse=args.mouse and screen.mouse,
        ascii=args.ascii or screen.ascii,
    )


def theme_problem(file: Path, theme: str | None) -> ConfigError | None:
    """What is wrong with the theme that a settings file names, if anything."""
    if theme is None or not (instead := _theme_instead_of(theme)):
        return None
    return ConfigError(file, "screen.theme", f"{theme!r}, which is no theme", instead)


def _theme_instead_of(name: str) -> str:
    """What would do in the place of a theme; empty if there is that theme."""
    # Settles how Textual paints, which Textual reads once, when it is imported itself.
    import_module("kachery_tui.tui")
    from textual.theme import BUILTIN_THEMES

    if name in BUILTIN_THEMES:
        return ""
    return nearest(name, BUILTIN_THEMES) or f"One of these would do: {', '.join(sorted(BUILTIN_THEMES))}"


def run_screen(app: "KacheryApp", screen: ScreenConfig) -> int:
    """Run the screen to its end. SIGINT, SIGTERM and SIGHUP leave it as the quit key does."""
    from kachery_tui.tui.glyphs import Glyphs
    from kachery_tui.tui.stray import caught_output

    Glyphs.only_ascii = screen.ascii

    async def main() -> int:
        arrived: list[signal.Signals] = []

        def leave(number: signal.Signals) -> None:
            arrived.append(number)
            app.leave()

        end_on_signals(leave)
        await app.run_async(mouse=screen.mouse)
        return 128 + arrived[0] if arrived else app.return_code or 0

    with caught_output(app):
        return asyncio.run(main())


def _need_terminal() -> None:
    """Raise UsageError where there is none: Textual reads stdin and paints on stderr, so that stdout stays free."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("the screen needs a terminal", "", "Without one, `kachery-tui node` runs the node")

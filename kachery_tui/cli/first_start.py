"""The first start: what the screen's conversation asks for is brought about here."""

import asyncio
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from kachery_tui.cli.attached_screens import serve_beside_screen
from kachery_tui.cli.local_hub import LocalHub, hub_is_installed
from kachery_tui.cli.logs import log_to
from kachery_tui.cli.output import say
from kachery_tui.cli.running import own_display, run_screen, with_options
from kachery_tui.config import (
    NodeConfig,
    ScreenConfig,
    config_folder,
    install_channel,
    load_channel,
    load_channels,
    save_node_config,
    storage_folder,
)
from kachery_tui.config.node import LONGEST_LABEL, default_label, is_label
from kachery_tui.errors import UsageError
from kachery_tui.node.node import Node
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.app import KacheryApp
from kachery_tui.tui.first_start import Answers, Suggestion

if TYPE_CHECKING:
    from kachery_tui.config import ChannelConfig


def converse(args: Namespace) -> int:
    """Open the screen with the conversation, and go on with the node that comes of it."""
    screen = with_options(args, ScreenConfig())
    storage = storage_folder(args.storage)
    suggestion = Suggestion(
        default_label(),
        storage,
        storage_found=(storage / "sha1").is_dir(),
        hub_offered=hub_is_installed(),
    )
    start = FirstStarter(args)
    app = KacheryApp(
        first_start=(suggestion, start.finish),
        beside=lambda node: serve_beside_screen(node, app),
        shown_on=own_display(screen),
    )
    try:
        return run_screen(app)
    finally:
        start.close()


class FirstStarter:
    """What a conversation has brought about so far; another try after a failure takes it up."""

    def __init__(self, args: Namespace) -> None:
        self._args = args
        self._folder = config_folder(args.config)
        self._storage: Storage | None = None
        self._hub: LocalHub | None = None

    async def finish(self, answers: Answers) -> Node:
        """Storage, then a channel, and config.toml last: what fails leaves no configuration that does not work."""
        node = await asyncio.to_thread(self._finish, answers)
        log_to(node.log, debug=self._args.debug)
        return node

    def _finish(self, answers: Answers) -> Node:
        if not is_label(answers.label):
            raise UsageError(
                f"{answers.label!r} is no label", f"1 to {LONGEST_LABEL} printable characters would do"
            )
        storage = self._open(answers.storage)
        file = answers.channel_file
        if answers.start_hub:
            file = self._start_hub()
        if file is not None and not self._is_joined(load_channel(file)):
            install_channel(self._folder, file)
        config = NodeConfig(self._folder, answers.label, storage=storage.folder)
        save_node_config(config)
        return Node(config, storage, load_channels(self._folder).channels)

    def _open(self, folder: Path) -> Storage:
        if self._storage is not None:
            self._storage.close()
        self._storage = storage = Storage.open(folder)
        storage.claim()
        return storage

    def _start_hub(self) -> Path:
        self._close_hub()
        self._hub = LocalHub()
        self._hub.start()
        return self._hub.wait_ready()

    def _is_joined(self, wanted: "ChannelConfig") -> bool:
        joined = load_channels(self._folder).channels
        return any(
            channel.name == wanted.name and channel.pubsub.key == wanted.pubsub.key for channel in joined
        )

    def _close_hub(self) -> None:
        if self._hub is not None:
            self._hub.close()
            self._hub = None

    def close(self) -> None:
        """Let go of the storage folder, and end the hub if one was started."""
        if self._storage is not None:
            self._storage.close()
        if self._hub is not None:
            say(
                "The hub ended with the screen, and starts with it again. `kachery-tui hub` runs it by itself."
            )
        self._close_hub()

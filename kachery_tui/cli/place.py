"""Which settings and which storage folder a command works with."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kachery_tui.config import NodeConfig, config_folder, load_node_config, storage_folder

if TYPE_CHECKING:
    from kachery_tui.config import ChannelConfig


@dataclass(frozen=True, slots=True)
class Place:
    """The settings folder, what its `config.toml` says, and the storage folder."""

    config: NodeConfig
    storage: Path

    @property
    def folder(self) -> Path:
        """The settings folder."""
        return self.config.folder

    def channels(self) -> "tuple[ChannelConfig, ...]":
        """All joined channels. Raises the first `ConfigError`, if a channel file does not hold."""
        # Not every command looks at them, and what reads them takes a while to be there.
        from kachery_tui.config import load_channels

        loaded = load_channels(self.folder)
        if loaded.errors:
            raise loaded.errors[0]
        return loaded.channels


def is_configured(args: Namespace) -> bool:
    """Whether there is a `config.toml`."""
    return (config_folder(args.config) / "config.toml").exists()


def find_place(args: Namespace) -> Place:
    """Where the options, the environment and `config.toml` say that things are. Raises `ConfigError`."""
    config = load_node_config(config_folder(args.config))
    return Place(config, storage_folder(args.storage, config))

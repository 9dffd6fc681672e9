"""Which settings and which storage folder a command works with."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from kachery_tui.config import (
    ChannelConfig,
    NodeConfig,
    config_folder,
    load_channels,
    load_node_config,
    storage_folder,
)


@dataclass(frozen=True, slots=True)
class Place:
    """The settings folder, what its `config.toml` says, and the storage folder."""

    config: NodeConfig
    storage: Path

    @property
    def folder(self) -> Path:
        """The settings folder."""
        return self.config.folder

    def channels(self) -> tuple[ChannelConfig, ...]:
        """All joined channels. Raises the first `ConfigError`, if a channel file does not hold."""
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

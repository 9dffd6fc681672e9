"""Settings as values; reading and writing the TOML files that people and programs keep them in."""

from typing import TYPE_CHECKING

from kachery_tui.lazy import lazily

if TYPE_CHECKING:
    from kachery_tui.config.channels import (
        ForeignVariables,
        LoadedChannels,
        channels_folder,
        check_variables,
        install_channel,
        load_channel,
        load_channels,
        save_provide,
        save_roles,
        variables_of,
    )
    from kachery_tui.config.checking import check_settings, line_of
    from kachery_tui.config.node import config_folder, load_node_config, save_node_config, storage_folder
    from kachery_tui.config.reading import ConfigError
    from kachery_tui.config.values import (
        BucketConfig,
        ChannelConfig,
        LimitsConfig,
        NodeConfig,
        OwnerConfig,
        Provide,
        PubSubConfig,
        ScreenConfig,
        TaskConfig,
    )

__all__ = [
    "BucketConfig",
    "ChannelConfig",
    "ConfigError",
    "ForeignVariables",
    "LimitsConfig",
    "LoadedChannels",
    "NodeConfig",
    "OwnerConfig",
    "Provide",
    "PubSubConfig",
    "ScreenConfig",
    "TaskConfig",
    "channels_folder",
    "check_settings",
    "check_variables",
    "config_folder",
    "install_channel",
    "line_of",
    "load_channel",
    "load_channels",
    "load_node_config",
    "save_node_config",
    "save_provide",
    "save_roles",
    "storage_folder",
    "variables_of",
]

__getattr__ = lazily(__name__, __all__, ("values", "reading", "node", "checking", "channels"))

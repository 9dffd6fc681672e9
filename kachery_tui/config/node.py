"""`config.toml`: where the settings are, and the node's own."""

import os
from pathlib import Path
from typing import Any, Final

from kachery_tui.config.reading import ConfigError, Table, read_toml, write_private
from kachery_tui.config.values import NodeConfig, ScreenConfig

LONGEST_LABEL: Final = 64
"""Characters: labels are shown to everybody on a channel."""

CONFIG_VARIABLE: Final = "KACHERY_TUI_CONFIG_DIR"
STORAGE_VARIABLE: Final = "KACHERY_STORAGE_DIR"


def config_folder(option: Path | None = None) -> Path:
    """The settings folder: the option, else `$KACHERY_TUI_CONFIG_DIR`, else where the platform keeps such."""
    if option is not None:
        return option.expanduser()
    variable = os.environ.get(CONFIG_VARIABLE)
    if variable:
        return Path(variable).expanduser()
    from platformdirs import user_config_path

    return user_config_path("kachery-tui")


def storage_folder(option: Path | None = None, config: NodeConfig | None = None) -> Path:
    """The storage folder: the option, else `$KACHERY_STORAGE_DIR`, else the setting, else `~/kachery-storage`."""
    if option is not None:
        return option.expanduser()
    variable = os.environ.get(STORAGE_VARIABLE)
    if variable:
        return Path(variable).expanduser()
    if config is not None and config.storage is not None:
        return config.storage
    return Path.home() / "kachery-storage"


def load_node_config(folder: Path) -> NodeConfig:
    """Read `config.toml` of a settings folder. Raises `ConfigError`, also when there is none."""
    file = folder / "config.toml"
    if not file.exists():
        raise ConfigError(
            file, "", "no such file", "Run `kachery-tui init`, or start `kachery-tui` for a first setup"
        )
    table = Table(file, read_toml(file))
    label = table.needed("label", f"A name of 1 to {LONGEST_LABEL} printable characters would do", is_label)
    storage = table.text("storage", None, "The path of a folder would do")
    screen = table.table("screen")
    config = NodeConfig(
        folder=folder,
        label=label,
        owner=table.text("owner", "", "A name or a mail address would do", str.isprintable) or "",
        storage=_path(folder, storage) if storage is not None else None,
        screen=ScreenConfig(theme=screen.text("theme", None, "The name of a theme would do")),
    )
    screen.close()
    table.close()
    return config


def save_node_config(config: NodeConfig) -> Path:
    """Write `config.toml`; its path. Raises `KacheryError` when that fails."""
    import tomli_w

    values: dict[str, Any] = {"label": config.label}
    if config.owner:
        values["owner"] = config.owner
    if config.storage is not None:
        values["storage"] = str(config.storage)
    if config.screen.theme is not None:
        values["screen"] = {"theme": config.screen.theme}
    file = config.folder / "config.toml"
    write_private(file, tomli_w.dumps(values).encode())
    return file


def is_label(text: str) -> bool:
    """Whether a text can be a node's label."""
    return 0 < len(text.strip()) <= LONGEST_LABEL and text.isprintable()


def _path(folder: Path, text: str) -> Path:
    """A path from a settings file: relative to the folder that the file is in."""
    path = Path(text).expanduser()
    return path if path.is_absolute() else folder / path

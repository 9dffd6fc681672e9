"""`config.toml`: where the settings are, and the node's own."""

import os
from pathlib import Path
from typing import Any, Final

from kachery_tui.config.reading import ConfigError, Table, read_toml, write_private
from kachery_tui.config.tasks import read_tasks, task_values
from kachery_tui.config.values import NodeConfig, ScreenConfig
from kachery_tui.errors import UsageError

LONGEST_LABEL: Final = 64
"""Characters: labels are shown to everybody on a channel."""

CONFIG_VARIABLE: Final = "KACHERY_TUI_CONFIG_DIR"
STORAGE_VARIABLE: Final = "KACHERY_STORAGE_DIR"

MOST_FPS: Final = 30
"""Frames a second, at most: more than an eye needs of a page of text."""

LONGEST_KEY_NAME: Final = 40

_KEYS: Final = ("label", "owner", "storage", "screen", "keys", "tasks")
_SCREEN_KEYS: Final = ("theme", "read_only", "mouse", "ascii", "bell", "fps")


def config_folder(option: Path | None = None) -> Path:
    """The settings folder: the option, else `$KACHERY_TUI_CONFIG_DIR`, else where the platform keeps such.

    Raises `UsageError` where `~` stands for nobody's home.
    """
    if option is not None:
        return _expand(option)
    variable = os.environ.get(CONFIG_VARIABLE)
    if variable:
        return _expand(Path(variable))
    from platformdirs import user_config_path

    return user_config_path("kachery-tui")


def storage_folder(option: Path | None = None, config: NodeConfig | None = None) -> Path:
    """The storage folder: the option, else `$KACHERY_STORAGE_DIR`, else the setting, else `~/kachery-storage`.

    Raises `UsageError` where `~` stands for nobody's home.
    """
    if option is not None:
        return _expand(option)
    variable = os.environ.get(STORAGE_VARIABLE)
    if variable:
        return _expand(Path(variable))
    if config is not None and config.storage is not None:
        return config.storage
    return _expand(Path("~/kachery-storage"))


def load_node_config(folder: Path) -> NodeConfig:
    """Read `config.toml` of a settings folder; without one all settings have defaults. Raises the first `ConfigError`."""
    table = _read(folder)
    config = _node_config(folder, table)
    table.settle()
    return config


def node_config_problems(folder: Path) -> list[ConfigError]:
    """All that is wrong with `config.toml` of a settings folder."""
    try:
        table = _read(folder)
    except ConfigError as error:
        return [error]
    _node_config(folder, table)
    return table.problems


def _read(folder: Path) -> Table:
    file = folder / "config.toml"
    try:
        file.lstat()
    except FileNotFoundError:
        return Table(file, {}, keys=_KEYS)
    except OSError:
        pass  # reading says why it cannot be
    return Table(file, read_toml(file), keys=_KEYS)


def _node_config(folder: Path, table: Table) -> NodeConfig:
    label = f"A name of 1 to {LONGEST_LABEL} printable characters would do"
    return NodeConfig(
        folder=folder,
        label=table.text("label", None, label, is_label) or default_label(),
        owner=table.text("owner", "", "A name or a mail address would do", str.isprintable) or "",
        storage=table.path("storage", folder),
        screen=_screen(table.table("screen", _SCREEN_KEYS)),
        keys=table.mapping("keys", 'The name of a key, "R" or "f5" or "ctrl+r", would do', _is_key_name),
        tasks=read_tasks(folder, table.table("tasks")),
    )


def save_node_config(config: NodeConfig) -> Path:
    """Write `config.toml`; its path. Raises `KacheryError` when that fails."""
    import tomli_w

    values: dict[str, Any] = {"label": config.label}
    if config.owner:
        values["owner"] = config.owner
    if config.storage is not None:
        values["storage"] = str(config.storage)
    screen, default = config.screen, ScreenConfig()
    changed = {key: getattr(screen, key) for key in _SCREEN_KEYS}
    changed = {key: value for key, value in changed.items() if value != getattr(default, key)}
    if changed:
        values["screen"] = changed
    if config.keys:
        values["keys"] = dict(config.keys)
    if config.tasks:
        values["tasks"] = task_values(config.tasks)
    file = config.folder / "config.toml"
    write_private(file, tomli_w.dumps(values).encode())
    return file


def is_label(text: str) -> bool:
    """Whether a text can be a node's label."""
    return 0 < len(text.strip()) <= LONGEST_LABEL and text.isprintable()


def default_label() -> str:
    """What to call a node that nobody named: USER@HOST."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        # In a container, a user id may have no name.
        user = "somebody"
    return f"{user}@{socket.gethostname()}"[:LONGEST_LABEL]


def _screen(table: Table) -> ScreenConfig:
    default = ScreenConfig()
    return ScreenConfig(
        theme=table.text("theme", None, "The name of a theme would do"),
        read_only=table.flag("read_only", default=default.read_only),
        mouse=table.flag("mouse", default=default.mouse),
        ascii=table.flag("ascii", default=default.ascii),
        bell=table.flag("bell", default=default.bell),
        fps=table.integer("fps", MOST_FPS, 1, MOST_FPS) if table.has("fps") else None,
    )


def _is_key_name(text: str) -> bool:
    return len(text) <= LONGEST_KEY_NAME and text.isprintable()


def _expand(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise UsageError(
            f"no folder {str(path)!r}", "~ is nobody's home here", "Name the whole path"
        ) from None

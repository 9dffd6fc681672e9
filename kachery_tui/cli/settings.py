"""`config path` and `config check`: where the settings are, and whether they hold."""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kachery_tui.cli.output import emit, say
from kachery_tui.cli.place import Place, find_place
from kachery_tui.config import (
    ConfigError,
    NodeConfig,
    channels_folder,
    check_settings,
    config_folder,
    line_of,
    load_channels,
    load_node_config,
)
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.words import count


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a settings file; `line` counts from 1, and is None where it cannot be told."""

    file: Path
    line: int | None
    key: str
    problem: str
    do: str

    @classmethod
    def of(cls, error: ConfigError) -> "Problem":
        """The problem that an error tells of."""
        return cls(error.file, line_of(error), error.key, error.why, error.do)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else str(self.file)
        key = f"`{self.key}`: " if self.key else ""
        return f"{place}: {key}{self.problem}. {self.do}".rstrip()

    def to_json(self) -> dict[str, object]:
        """As `--json` prints it."""
        file = str(self.file)
        return {"file": file, "line": self.line, "key": self.key, "problem": self.problem, "do": self.do}


def check(args: Namespace) -> int:
    """Print all that is wrong with the settings, one thing a line; the exit code is 2 if there is any."""
    folder = config_folder(args.config)
    problems = [Problem.of(error) for error in check_settings(folder)]
    file = folder / "config.toml"
    if all(problem.file != file for problem in problems):
        problems = [*_screen_problems(file, load_node_config(folder)), *problems]
    for problem in problems:
        emit(str(problem), problem.to_json(), as_json=args.as_json)
    if problems:
        say(f"{count(len(problems), 'problem')} in {folder}")
        return UsageError.exit_code
    channels = len(load_channels(folder).channels)
    settings = (
        str(file) if file.exists() else f"no config.toml in {folder}, so that every setting has its default,"
    )
    say(f"ok: {settings} and {count(channels, 'channel file') if channels else 'no channel file'}")
    return 0


def _screen_problems(file: Path, config: NodeConfig) -> Iterator[Problem]:
    """What only the screen knows of: themes, actions and keys."""
    from kachery_tui.cli.running import theme_problem
    from kachery_tui.tui.actions import ACTIONS
    from kachery_tui.tui.keymap import Keymap

    theme = theme_problem(file, config.screen.theme)
    if theme is not None:
        yield Problem.of(theme)
    wrong = []
    nothing_else = {action.id: "" for action in ACTIONS}
    for id_, key in config.keys.items():
        try:
            # Alone, so that it clashes with nothing.
            Keymap({**nothing_else, id_: key})
        except UsageError as error:
            wrong.append(_key_problem(file, f"keys.{id_}", error))
    if not wrong:
        try:
            Keymap(config.keys)
        except UsageError as error:
            wrong.append(_key_problem(file, "keys", error))
    yield from wrong


def _key_problem(file: Path, key: str, error: UsageError) -> Problem:
    what = error.what.removeprefix("[keys] in config.toml: ")
    problem = f"{what}: {error.why}" if error.why else what
    return Problem(file, line_of(ConfigError(file, key, "", "")), key, problem, error.do)


def path(args: Namespace) -> int:
    """Print the files and folders in use, with what they are. Makes nothing."""
    folder = config_folder(args.config)
    trouble: KacheryError | None = None
    place: Place | None = None
    try:
        place = find_place(args)
    except ConfigError as error:
        trouble = error
    for found, what in _places(folder, place):
        there = found.exists()
        value = {"path": str(found), "what": what, "exists": there}
        emit(f"{found}\t{what}{'' if there else ' (not there)'}", value, as_json=args.as_json)
    if trouble is not None:
        # Where storage is cannot be told then.
        raise trouble
    return 0


def _places(folder: Path, place: Place | None) -> Iterator[tuple[Path, str]]:
    from kachery_tui.cli.local_hub import default_data
    from kachery_tui.node.status_file import FILE_NAME as STATUS_FILE
    from kachery_tui.storage.layout import Layout
    from kachery_tui.tui.memory import FILE_NAME as SCREEN_FILE

    yield folder, "settings folder"
    yield folder / "config.toml", "the node's settings"
    yield channels_folder(folder), "folder of the channel files"
    loaded = load_channels(folder)
    for channel in loaded.channels:
        yield channel.file, f"channel {channel.name}"
    for file in dict.fromkeys(error.file for error in loaded.errors):
        yield file, "channel file that does not hold"
    yield folder / STATUS_FILE, "how the running node stands"
    yield folder / SCREEN_FILE, "how the screen was left"
    if place is not None:
        yield place.storage, "storage folder"
        yield Layout(place.storage).settings, "size limit of the storage folder"
    yield default_data(), "data of a hub on this machine"
